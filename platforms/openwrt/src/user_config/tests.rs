use std::{fs, os::unix::fs::PermissionsExt};

use super::*;

struct Home {
    dir: tempfile::TempDir,
    config: UserConfig,
}

const SERVICE: &str = "\nconfig service 'service'\n\toption enabled '1'\n\n";

impl Home {
    fn with(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("etc/config")).unwrap();
        let config = UserConfig::new(dir.path());
        fs::write(config.file(), text).unwrap();
        fs::set_permissions(config.file(), fs::Permissions::from_mode(0o600)).unwrap();
        Self { dir, config }
    }

    fn text(&self) -> String {
        fs::read_to_string(self.config.file()).unwrap()
    }

    /// Writes what differs between the two.
    fn write(&self, old: &Sections, new: &Sections) -> Content {
        self.config.write(&[old], new).unwrap()
    }

    fn sections(&self) -> Sections {
        self.config.read().unwrap().sections
    }
}

fn sections(entries: &[(&str, &str, &str)]) -> Sections {
    let mut sections = Sections::new();
    for (section, key, value) in entries {
        let section = sections.entry((*section).to_owned()).or_default();
        section.insert((*key).to_owned(), (*value).to_owned());
    }
    sections
}

#[test]
fn people_can_read_what_is_written() {
    let home = Home::with(SERVICE);
    let new = sections(&[
        ("cwmpd", "connection_request_path", "/x"),
        ("ManagementServer", "URL", "https://acs.example/"),
        ("ManagementServer", "Password", "it's \"a\" \\ secret"),
        ("ManagementServer", "Username", ""),
        ("ManagementServer.InformParameter.1", "Enable", "true"),
        ("XMPP", "X-Vendor=Key", "a\\b=c"),
    ]);
    let content = home.write(&Sections::new(), &new);
    let expected = format!(
        "{}\nconfig object 'ManagementServer'\n\toption Password 'it'\\''s \"a\" \\ secret'\n\
         \toption URL 'https://acs.example/'\n\tlist entry 'Username='\n\
         \nconfig object 'ManagementServer_InformParameter_1'\n\toption path 'ManagementServer.InformParameter.1'\n\
         \toption Enable 'true'\n\nconfig object 'XMPP'\n\tlist entry 'X-Vendor\\=Key=a\\\\b=c'\n\
         \nconfig cwmpd 'cwmpd'\n\toption connection_request_path '/x'\n\n",
        SERVICE.strip_suffix('\n').unwrap()
    );
    assert_eq!((home.text(), content.written), (expected, true));
    assert_eq!((content.sections, content.odd), (new.clone(), vec![]));
    assert_eq!(fs::metadata(home.config.file()).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!home.write(&new, &new).written);
    home.write(&new, &Sections::new());
    assert_eq!(home.text(), SERVICE);
}

#[test]
fn what_others_have_written_meanwhile_stays() {
    let home = Home::with(SERVICE);
    let old = sections(&[("ManagementServer", "URL", "http://a/"), ("A", "B", "1"), ("A", "C", "1")]);
    home.write(&Sections::new(), &old);
    let by_hand = home
        .text()
        .replace("'http://a/'", "'http://hand/'\n\toption PeriodicInformInterval '77'")
        .replace("enabled '1'", "enabled '0'")
        .replace("option C '1'", "option D '2'");
    fs::write(home.config.file(), by_hand).unwrap();
    let mut new = old.clone();
    new.remove("A");
    new.get_mut("ManagementServer").unwrap().insert("Username".to_owned(), "box".to_owned());
    let content = home.write(&old, &new);
    let expected = sections(&[
        ("ManagementServer", "URL", "http://hand/"),
        ("ManagementServer", "PeriodicInformInterval", "77"),
        ("ManagementServer", "Username", "box"),
        ("A", "D", "2"),
    ]);
    assert_eq!(content.sections, expected);
    assert!(home.text().contains("enabled '0'"));
}

#[test]
fn what_a_failed_write_may_have_left_is_overwritten_and_nothing_else() {
    let home = Home::with("");
    let refused = sections(&[("A", "B", "refused"), ("A", "C", "1"), ("N", "K", "refused")]);
    home.write(&Sections::new(), &refused);
    let (known, new) =
        (sections(&[("A", "B", "1"), ("A", "C", "1")]), sections(&[("A", "B", "1"), ("A", "C", "1")]));
    home.config.write(&[&refused, &known], &new).unwrap();
    assert_eq!(home.sections(), new);
}

#[test]
fn what_people_write_by_hand_is_read() {
    let home = Home::with(
        "config cwmpd\n\toption log_level debug\n\tlist resolvers 192.0.2.1\n\tlist resolvers 192.0.2.2\n\
         config object ManagementServer\n\toption URL http://one/\n\
         config object\n\toption path ManagementServer\n\toption URL http://two/\n\
         config object\n\toption Lost 1\nconfig object X\n\tlist entry nonsense\n\
         config service service\n\toption enabled 1\nconfig object ubus\n\toption alias tr069\n",
    );
    let content = home.config.read().unwrap();
    let expected = sections(&[
        ("cwmpd", "log_level", "debug"),
        ("cwmpd", "resolvers", "192.0.2.1,192.0.2.2"),
        ("ManagementServer", "URL", "http://two/"),
        ("ubus", "alias", "tr069"),
    ]);
    let mut read = content.sections.clone();
    assert!(read.remove("X").is_some_and(|keys| keys.is_empty()));
    assert_eq!(read, expected);
    let odd: Vec<_> = content.odd.iter().map(|odd| (odd.section.as_str(), odd.key.as_str())).collect();
    assert_eq!(odd[0], ("ManagementServer", "URL"));
    assert!(odd[1].0.starts_with("cfg") && odd[2] == ("X", "entry"), "{odd:?}");
    // What is set counts, and what is taken out is gone, wherever it stood.
    let mut new = content.sections.clone();
    new.get_mut("ManagementServer").unwrap().insert("URL".to_owned(), "http://acs/".to_owned());
    assert_eq!(home.write(&content.sections, &new).sections, new);
    let mut without = new.clone();
    without.remove("ManagementServer");
    assert_eq!(home.write(&new, &without).sections, without);
    home.config.clear().unwrap();
    assert_eq!(home.text(), SERVICE);
}

#[test]
fn names_that_are_taken_or_that_uci_cannot_have_get_a_path() {
    let home = Home::with(SERVICE);
    let new = sections(&[
        ("service", "K", "1"),
        ("A.B", "K", "2"),
        ("A_B", "K", "3"),
        ("é =", "path", "4"),
        ("é =", "entry", "5"),
        (&"x.".repeat(128), "K", "6"),
        ("generic-linux.download", "2 Web Content", "/bin/x"),
    ]);
    assert_eq!(home.write(&Sections::new(), &new).sections, new);
    assert!(home.text().contains("config object 'service_2'\n\toption path 'service'\n"), "{}", home.text());
    let mut changed = new.clone();
    changed.get_mut("é =").unwrap().insert("path".to_owned(), String::new());
    changed.get_mut("service").unwrap().remove("K");
    assert_eq!(home.write(&new, &changed).sections, changed);
    home.write(&changed, &Sections::new());
    assert_eq!(home.text(), SERVICE);
}

#[test]
fn a_damaged_file_is_refused_and_can_be_replaced() {
    let home = Home::with("config 'open");
    assert!(matches!(home.config.read(), Err(UciError::Syntax { .. })));
    assert!(matches!(home.config.write(&[&Sections::new()], &Sections::new()), Err(UciError::Syntax { .. })));
    assert_eq!(home.config.raw().unwrap(), b"config 'open");
    home.config.restore(SERVICE.as_bytes()).unwrap();
    assert_eq!(home.sections(), Sections::new());
    fs::remove_dir_all(home.dir.path().join("etc")).unwrap();
    assert!(matches!(home.config.read(), Err(UciError::Missing { .. })));
}

mod any {
    use proptest::{collection::btree_map, prelude::*};

    use super::*;

    fn name() -> impl Strategy<Value = String> {
        let odd =
            prop_oneof!["[a-zA-Z0-9_]{1,12}", "[a-z.=\\\\'\" \u{e9}#;-]{1,12}", "path|entry|cwmpd|service"];
        odd.prop_filter_map("blank", |name| {
            let name = name.trim();
            (!name.is_empty()).then(|| name.to_owned())
        })
    }

    fn value() -> impl Strategy<Value = String> {
        let nasty = prop::sample::select(vec![
            '"', '\\', '\'', '#', ';', '=', '\n', '\r', '\t', '\u{0}', '\u{1b}', 'x', '0',
        ]);
        prop_oneof![any::<String>(), prop::collection::vec(nasty, 0..12).prop_map(String::from_iter)]
    }

    fn any_sections() -> impl Strategy<Value = Sections> {
        btree_map(name(), btree_map(name(), value(), 0..5), 0..5)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_written_is_read_back_and_nothing_else_is_touched(first in any_sections(), second in any_sections()) {
            let home = Home::with(SERVICE);
            let empty = Sections::new();
            for (old, new) in [(&empty, &first), (&first, &second)] {
                let content = home.write(old, new);
                prop_assert_eq!(&content.sections, new);
                prop_assert_eq!(content.odd, vec![]);
                prop_assert_eq!(&home.sections(), new);
            }
            home.write(&second, &empty);
            prop_assert_eq!(home.text(), SERVICE);
        }
    }
}
