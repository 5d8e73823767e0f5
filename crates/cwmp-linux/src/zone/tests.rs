use super::*;

/// A TZif file of version 2 with these transitions, whose types have these offsets.
fn tzif(transitions: &[(i64, u8)], offsets: &[i32], footer: &str) -> Vec<u8> {
    let header = |times: usize, types: usize, chars: usize| {
        let mut bytes = b"TZif2".to_vec();
        bytes.extend([0; 15]);
        for count in [0, 0, 0, times, types, chars] {
            bytes.extend(u32::try_from(count).unwrap().to_be_bytes());
        }
        bytes
    };
    // The first block is for old readers and as small as it may be.
    let mut bytes = header(0, 1, 1);
    bytes.extend([0; 7]);
    bytes.extend(header(transitions.len(), offsets.len(), 1));
    bytes.extend(transitions.iter().flat_map(|(moment, _)| moment.to_be_bytes()));
    bytes.extend(transitions.iter().map(|(_, kind)| *kind));
    for offset in offsets {
        bytes.extend(offset.to_be_bytes());
        bytes.extend([0, 0]);
    }
    bytes.push(0);
    bytes.extend(format!("\n{footer}\n").into_bytes());
    bytes
}

fn offset(tz: &str, unix: i64) -> i32 {
    Zone::from_posix(tz).unwrap_or_else(|| panic!("{tz}")).offset_at(unix)
}

#[test]
fn central_europe_turns_at_one_utc() {
    let tz = "CET-1CEST,M3.5.0,M10.5.0/3";
    // 2026-03-29T01:00:00Z and 2026-10-25T01:00:00Z
    for (unix, expected) in
        [(1_774_745_999, 3600), (1_774_746_000, 7200), (1_792_889_999, 7200), (1_792_890_000, 3600)]
    {
        assert_eq!(offset(tz, unix), expected, "{unix}");
    }
}

#[test]
fn the_south_has_summer_over_new_year() {
    let tz = "AEST-10AEDT,M10.1.0,M4.1.0/3";
    // 2026-01-01T00:00:00Z, 2026-04-04T16:00:00Z, 2026-10-03T16:00:00Z
    for (unix, expected) in [
        (1_767_225_600, 39_600),
        (1_775_318_399, 39_600),
        (1_775_318_400, 36_000),
        (1_791_043_199, 36_000),
        (1_791_043_200, 39_600),
    ] {
        assert_eq!(offset(tz, unix), expected, "{unix}");
    }
}

#[test]
fn odd_zones() {
    assert_eq!(offset("UTC0", 0), 0);
    assert_eq!(offset("<+0545>-5:45", 0), 20_700);
    assert_eq!(offset("<-03>3", 0), -10_800);
    assert_eq!(offset("NST3:30NDT,M3.2.0,M11.1.0", 1_767_225_600), -12_600);
    // Summer time all year (RFC 9636 3.3.1).
    assert_eq!(offset("AST3EDT4,0/0,J365/23", 1_767_225_600), -14_400);
    assert_eq!(offset("AST3EDT4,0/0,J365/23", 1_767_236_400), -14_400);
    // Greenland: the turn is told as before midnight.
    assert_eq!(offset("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1_774_746_000), -3600);
    assert_eq!(offset("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1_774_745_999), -7200);
    // Without dates: those of the United States; 2026-03-08T07:00:00Z
    assert_eq!(offset("EST5EDT", 1_772_953_199), -18_000);
    assert_eq!(offset("EST5EDT", 1_772_953_200), -14_400);
}

#[test]
fn days_of_the_year_count_leap_days_or_not() {
    // In 2028 the 60th day without leap days is 1 March, the day with number 59 is 29 February.
    assert_eq!(offset("AAA0BBB,J60/0,J300/0", 1_835_481_599), 0);
    assert_eq!(offset("AAA0BBB,J60/0,J300/0", 1_835_481_600), 3600);
    assert_eq!(offset("AAA0BBB,59/0,300/0", 1_835_395_199), 0);
    assert_eq!(offset("AAA0BBB,59/0,300/0", 1_835_395_200), 3600);
}

#[test]
fn no_zones() {
    let long = format!("<{}>0", "A".repeat(300));
    for bad in [
        "",
        "UTC",
        "CE-1",
        "CET-25",
        "CET-1:60",
        "CET-1CEST,",
        "CET-1CEST,M3.5.0",
        "CET-1CEST,M13.1.0,M10.5.0",
        "CET-1CEST,M3.6.0,M10.5.0",
        "CET-1CEST,M3.5.7,M10.5.0",
        "CET-1CEST,J0,J5",
        "CET-1CEST,0,366",
        "CET-1CEST,M3.5.0/168,M10.5.0",
        "CET-1CEST,M3.5.0/2x,M10.5.0",
        "<CET-1",
        ":Europe/Berlin",
        "Europe/Berlin",
        "CET-1é",
        "é",
        &long,
    ] {
        assert_eq!(Zone::from_posix(bad), None, "{bad}");
    }
}

#[test]
fn a_file_holds_the_past_and_the_string_the_future() {
    let file = tzif(&[(-1000, 1), (1000, 2)], &[-600, 3600, 7200], "CET-1");
    let zone = Zone::from_tzif(&file).unwrap();
    for (unix, expected) in [(-1001, -600), (-1000, 3600), (999, 3600), (1000, 3600), (2_000_000_000, 3600)] {
        assert_eq!(zone.offset_at(unix), expected, "{unix}");
    }
    assert_eq!(zone.posix(0), "CET-1");
}

#[test]
fn a_file_without_rule_keeps_its_last_offset() {
    let zone = Zone::from_tzif(&tzif(&[(0, 1)], &[0, 20_700], "")).unwrap();
    assert_eq!(zone.offset_at(5), 20_700);
    assert_eq!(zone.posix(5), "<+0545>-5:45");
    assert_eq!(Zone::from_tzif(&tzif(&[], &[-10_800], "")).unwrap().posix(0), "<-03>3");
    assert_eq!(Zone::utc().posix(0), "UTC0");
}

#[test]
fn a_file_that_is_cut_or_changed_anywhere_is_no_zone_or_another() {
    let file = tzif(&[(-1000, 1), (1000, 0)], &[0, 3600], "CET-1CEST,M3.5.0,M10.5.0/3");
    assert!(Zone::from_tzif(&file).is_some());
    for length in 0..file.len() {
        assert_eq!(Zone::from_tzif(&file[..length]), None, "{length}");
    }
    for place in 0..file.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut changed = file.clone();
            changed[place] = value;
            if let Some(zone) = Zone::from_tzif(&changed) {
                let _ = (zone.offset_at(i64::MIN), zone.offset_at(i64::MAX), zone.posix(0));
            }
        }
    }
    let backwards = tzif(&[(1000, 1), (-1000, 0)], &[0, 3600], "CET-1");
    assert_eq!(Zone::from_tzif(&backwards), None);
    assert_eq!(Zone::from_tzif(&tzif(&[(0, 7)], &[0], "UTC0")), None);
}
