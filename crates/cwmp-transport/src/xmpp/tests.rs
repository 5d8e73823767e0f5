use cwmp_core::settings::{Secret, XmppServers};

use super::{element::Element, request::REQUEST, *};

const HEADER: &str = "<s:stream xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams'>";

fn gate(allowed: &[&str]) -> Gate {
    Gate::new(XmppListening {
        username: "acs".into(),
        password: Secret("ring".into()),
        connection: XmppSettings {
            instance: 1,
            username: "cpe".into(),
            password: Secret("secret".into()),
            domain: "xmpp.example".into(),
            resource: String::new(),
            servers: XmppServers::Dns,
            keep_alive: None,
            retry: XmppRetry::default(),
            use_tls: true,
            allowed: allowed.iter().map(|jid| (*jid).to_owned()).collect(),
        },
    })
}

fn stanza(text: &str) -> Element {
    Element::read(HEADER, text).unwrap()
}

fn request(from: &str, username: &str, password: &str) -> Element {
    stanza(&format!(
        "<iq from='{from}' id='1' type='get'><connectionRequest xmlns='{REQUEST}'>\
         <username>{username}</username><password>{password}</password></connectionRequest></iq>"
    ))
}

fn error(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Answer(text) if text.contains("<not-authorized ") => "not-authorized",
        Verdict::Answer(text) if text.contains("<service-unavailable ") => "service-unavailable",
        other => panic!("{other:?}"),
    }
}

/// Conformance: 6.35
#[test]
fn who_may_ring() {
    let (sink, _bell) = mpsc::channel(1);
    let rings = |allowed: &[&str], from: &str| {
        matches!(gate(allowed).judge(&request(from, "acs", "ring"), &sink, 0), Verdict::Ring(_))
    };
    let bare = "acs@xmpp.example";
    assert!(rings(&[], "anybody@anywhere/x") && rings(&[], ""));
    assert!(
        rings(&[bare], "acs@xmpp.example/x")
            && rings(&[bare], "ACS@xmpp.example")
            && rings(&["b", bare], bare)
    );
    assert!(
        !rings(&[bare], "xacs@xmpp.example/x")
            && !rings(&[bare], "acs@xmpp.example.evil/x")
            && !rings(&[bare], "")
    );
    let full = "acs@xmpp.example/Home";
    assert!(rings(&[full], full) && !rings(&[full], "acs@xmpp.example/home") && !rings(&[full], bare));
    for (username, password) in [("acs", ""), ("acs", "rin"), ("acs", "ringx"), ("ACS", "ring"), ("", "ring")]
    {
        let verdict = gate(&[]).judge(&request(bare, username, password), &sink, 0);
        assert_eq!(error(&verdict), "not-authorized", "{username} {password}");
    }
}

#[test]
fn what_is_no_request_rings_nobody() {
    let (sink, _bell) = mpsc::channel(1);
    let inside = format!(
        "<connectionRequest xmlns='{REQUEST}'><username>acs</username><password>ring</password></connectionRequest>"
    );
    for silent in [
        format!("<message from='a'>{inside}</message>"),
        format!("<iq type='result' id='1'>{inside}</iq>"),
        format!("<iq type='error' id='1'>{inside}</iq>"),
        "<presence/>".to_owned(),
        format!("<x:iq xmlns:x='other' type='get'>{inside}</x:iq>"),
    ] {
        assert_eq!(gate(&[]).judge(&stanza(&silent), &sink, 0), Verdict::Silence, "{silent}");
    }
    for refused in [
        format!("<iq type='set' id='1'>{inside}</iq>"),
        "<iq type='get' id='1'><query xmlns='jabber:iq:version'/></iq>".to_owned(),
        "<iq type='get' id='1'/>".to_owned(),
        format!("<iq type='get' id='1'>{}</iq>", inside.replace(REQUEST, "other")),
    ] {
        assert_eq!(error(&gate(&[]).judge(&stanza(&refused), &sink, 0)), "service-unavailable", "{refused}");
    }
}

#[test]
fn floods_and_guesses_are_slowed() {
    let (sink, _bell) = mpsc::channel(1);
    let mut gate = gate(&[]);
    let right = request("acs@xmpp.example/x", "acs", "ring");
    let rung = |gate: &mut Gate, ms| {
        (0..1_000).filter(|_| matches!(gate.judge(&right, &sink, ms), Verdict::Ring(_))).count()
    };
    assert_eq!(rung(&mut gate, 0), 20);
    assert_eq!(rung(&mut gate, 60_000), 20);
    let wrong = request("acs@xmpp.example/x", "acs", "guess");
    let looked_at = |gate: &mut Gate, ms| {
        (0..1_000).filter(|_| error(&gate.judge(&wrong, &sink, ms)) == "not-authorized").count()
    };
    assert_eq!(looked_at(&mut gate, 60_000), 100);
    // What is not looked at tells nothing, right or wrong.
    assert_eq!(error(&gate.judge(&right, &sink, 60_000)), "service-unavailable");
    assert_eq!(looked_at(&mut gate, 62_000), 2);
}

/// Conformance: 6.37
#[test]
fn waits_grow_as_the_table_says() {
    let retry = XmppRetry { attempts: 16, initial: 60, multiplier: 2000, maximum: 500 };
    let waits: Vec<_> = (1..=6).map(|number| waits_ms(retry, number)).collect();
    let expected = [(0, 60), (60, 120), (120, 240), (240, 480), (480, 500), (500, 500)]
        .map(|(low, high)| (low * 1000, high * 1000));
    assert_eq!(waits, expected);
    let still = XmppRetry { multiplier: 1000, ..retry };
    assert_eq!(waits_ms(still, u32::MAX), (60_000, 60_000));
    assert_eq!(waits_ms(XmppRetry::default(), u32::MAX), (30_720_000, 30_720_000));
}
