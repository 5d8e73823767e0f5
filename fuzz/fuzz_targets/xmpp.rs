//! A stream of an XMPP server, however it is divided: it rings with the password alone, and every answer can be read.
#![no_main]

use cwmp_transport::fuzzing::{is_stanza, xmpp};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((answers, rings)) = xmpp(&[], "ring", data, 7) else { return };
    assert_eq!(
        xmpp(&[], "ring", data, 1).map(|(.., rings)| rings),
        Some(rings),
        "other pieces, other stanzas"
    );
    assert!(answers.iter().all(|answer| is_stanza(answer)), "{answers:?}");
    assert!(rings <= answers.len());
    for (allowed, password) in [(&["only@here"][..], "ring"), (&[], "a password that is in no corpus")] {
        let others = xmpp(allowed, password, data, 7).map(|(.., rings)| rings);
        let text = String::from_utf8_lossy(data).to_lowercase();
        assert!(
            others == Some(0) || text.contains("only@here") || text.contains('&'),
            "{allowed:?} {password}"
        );
    }
});
