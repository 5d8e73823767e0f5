use proptest::prelude::*;

use super::*;

const MUFASA: Credentials<'_> = Credentials { username: "Mufasa", password: "Circle of Life" };

fn only_digest(header: &str) -> DigestChallenge {
    match Challenge::parse_all(header).as_slice() {
        [Challenge::Digest(challenge)] => challenge.clone(),
        other => panic!("one Digest challenge expected in {header}: {other:?}"),
    }
}

/// Conformance: 1.37
#[test]
fn the_example_of_rfc_2617() {
    let challenge = only_digest(
        "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", \
         nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
    );
    let who = Credentials { username: "Mufasa", password: "Circle Of Life" };
    let answer = challenge.answer(&who, "GET", "/dir/index.html", "0a4f113b", 1);
    assert_eq!(answer.response, "6629fae49393a05397450978507c4ef1");
    assert_eq!(
        answer.to_string(),
        "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", \
         nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", \
         response=\"6629fae49393a05397450978507c4ef1\", algorithm=MD5, \
         opaque=\"5ccc069c403ebaf9f0171e9517f40e41\", qop=auth, nc=00000001, cnonce=\"0a4f113b\""
    );
    assert!(answer.verify("GET", "Circle Of Life"));
}

const RFC_7616_NONCE: &str = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
const RFC_7616_CNONCE: &str = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

fn rfc_7616(algorithm: &str) -> DigestChallenge {
    only_digest(&format!(
        "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
         nonce=\"{RFC_7616_NONCE}\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
    ))
}

#[test]
fn the_examples_of_rfc_7616() {
    let responses = [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ];
    for (algorithm, response) in responses {
        let answer = rfc_7616(algorithm).answer(&MUFASA, "GET", "/dir/index.html", RFC_7616_CNONCE, 1);
        assert_eq!(answer.response, response, "{algorithm}");
        assert!(answer.verify("GET", "Circle of Life"));
        assert!(!answer.verify("POST", "Circle of Life"));
        assert!(!answer.verify("GET", "Circle of life"));
    }
}

/// Expected values computed with an independent implementation (Python hashlib) from the formulas of RFC 7616 3.4.2.
/// Conformance: 1.37
#[test]
fn session_algorithms_hash_both_nonces_into_the_secret() {
    let responses = [
        ("MD5-sess", "e783283f46242139c486a698fec7211d"),
        ("SHA-256-sess", "2fd51b3a77ad75bad6afad6003e818d767133c46d9e2749e7f5232ae1ea3efd7"),
    ];
    for (algorithm, response) in responses {
        let answer = rfc_7616(algorithm).answer(&MUFASA, "GET", "/dir/index.html", RFC_7616_CNONCE, 1);
        assert_eq!(answer.response, response, "{algorithm}");
        assert!(answer.to_string().contains(&format!(" algorithm={algorithm},")));
        assert!(answer.verify("GET", "Circle of Life"));
    }
}

#[test]
fn without_qop_the_answer_has_the_form_of_rfc_2069() {
    let challenge = only_digest("Digest realm=\"r\", nonce=\"n\"");
    assert!(!challenge.qop_auth);
    let answer = challenge.answer(&MUFASA, "POST", "/", "unused", 7);
    let header = answer.to_string();
    assert_eq!(
        header,
        format!(
            "Digest username=\"Mufasa\", realm=\"r\", nonce=\"n\", uri=\"/\", response=\"{}\"",
            answer.response
        )
    );
    assert_eq!(DigestAuthorization::parse(&header), Some(answer.clone()));
    assert!(answer.verify("POST", "Circle of Life"));
}

#[test]
fn a_session_algorithm_without_qop_still_tells_its_cnonce() {
    let challenge = only_digest("Digest realm=\"r\", nonce=\"n\", algorithm=MD5-sess");
    let answer = challenge.answer(&MUFASA, "POST", "/", "c", 1);
    let read = DigestAuthorization::parse(&answer.to_string()).unwrap();
    assert_eq!(read.session_cnonce.as_deref(), Some("c"));
    assert!(read.verify("POST", "Circle of Life"));
}

#[test]
fn names_quotes_and_blanks_are_read_leniently() {
    let wanted = DigestChallenge {
        realm: "a\"b\\c".into(),
        nonce: "n==".into(),
        opaque: Some(String::new()),
        algorithm: Algorithm::Md5,
        qop_auth: true,
        stale: true,
    };
    let forms = [
        r#"Digest realm="a\"b\\c", nonce="n==", opaque="", algorithm=MD5, qop="auth", stale=true"#,
        r#"digest REALM = "a\"b\\c" ,,NONCE=n==,opaque="" algorithm="md5"  ,qop=auth,Stale="TRUE""#,
        r#" ,DIGEST	realm="a\"b\\c",nonce="n==",opaque=,qop=auth-int,auth,stale=True,junk"#,
        r#"Digest stale=true, realm="a\"b\\c", opaque="", nonce="n==", qop=" auth-int , AUTH ""#,
    ];
    for form in forms {
        let first = Challenge::parse_all(form).into_iter().next();
        assert_eq!(first, Some(Challenge::Digest(wanted.clone())), "{form}");
    }
    assert_eq!(only_digest(&wanted.to_string()), wanted);
}

#[test]
fn several_challenges_in_one_header() {
    let header = "Negotiate YII+abc==, NTLM, Basic realm=\"x, Digest\", Digest realm=\"y\", nonce=\"1\", qop=auth, \
                  Digest realm=\"y\", nonce=\"2\", algorithm=SHA-256, Digest nonce=3, algorithm=SHA-512-256";
    let found = Challenge::parse_all(header);
    let brief: Vec<_> = found
        .iter()
        .map(|challenge| match challenge {
            Challenge::Basic { realm } => format!("basic {realm}"),
            Challenge::Digest(digest) => format!("{} {}", digest.algorithm.as_str(), digest.nonce),
        })
        .collect();
    assert_eq!(brief, ["basic x, Digest", "MD5 1", "SHA-256 2"]);
}

#[test]
fn what_cannot_be_answered_is_left_out() {
    for header in [
        "",
        "Digest",
        "Digest realm=\"x\"",
        "Digest realm=x, nonce=n, qop=\"auth-int\"",
        "Digest nonce=n, algorithm=MD4",
        "\"Digest nonce=n",
        "=Digest nonce",
    ] {
        assert_eq!(Challenge::parse_all(header), [], "{header}");
    }
    assert_eq!(Challenge::parse_all(&format!("Digest nonce={}", "n".repeat(HEADER_BYTES))), []);
    assert_eq!(Challenge::parse_all(&"Basic realm=r, ".repeat(100)).len(), CHALLENGES);
}

#[test]
fn an_authorization_in_lower_case_and_without_quotes_is_read() {
    let answer = rfc_7616("MD5").answer(&MUFASA, "GET", "/", "c", 11);
    let bare =
        answer.to_string().replace('"', "").replace("Digest", "digest").replace("username", "USERNAME");
    let read = DigestAuthorization::parse(&bare).unwrap();
    assert_eq!(read, answer);
    assert!(read.verify("GET", "Circle of Life"));
}

#[test]
fn a_count_in_capitals_is_verified() {
    let mut answer = rfc_7616("MD5").answer(&MUFASA, "GET", "/", "c", 11);
    answer.response = answer.expected_response("GET", "Circle of Life", "0000000B").to_uppercase();
    let header = answer.to_string().replace("0000000b", "0000000B");
    assert!(DigestAuthorization::parse(&header).unwrap().verify("GET", "Circle of Life"));
}

/// Conformance: 6.16
#[test]
fn every_changed_field_spoils_the_proof() {
    let answer = rfc_7616("MD5").answer(&MUFASA, "GET", "/cr", "c", 1);
    let changes: [fn(&mut DigestAuthorization); 7] = [
        |a| a.username.push('x'),
        |a| a.realm.push('x'),
        |a| a.nonce.push('x'),
        |a| a.uri.push('x'),
        |a| a.response.truncate(31),
        |a| a.qop = None,
        |a| a.qop.as_mut().unwrap().nc += 1,
    ];
    for change in changes {
        let mut changed = answer.clone();
        change(&mut changed);
        assert!(!changed.verify("GET", "Circle of Life"), "{changed:?}");
    }
}

#[test]
fn incomplete_authorizations_are_refused() {
    let whole = rfc_7616("MD5").answer(&MUFASA, "GET", "/", "c", 1).to_string();
    assert!(DigestAuthorization::parse(&whole).is_some());
    for part in ["username=", "realm=", " nonce=", "uri=", "response=", "cnonce=", "nc="] {
        assert_eq!(DigestAuthorization::parse(&whole.replace(part, " x=")), None, "{part}");
    }
    for (from, to) in
        [("qop=auth", "qop=auth-int"), ("00000001", "1"), ("00000001", "+0000001"), ("MD5", "MD4")]
    {
        assert_eq!(DigestAuthorization::parse(&whole.replace(from, to)), None, "{to}");
    }
    assert_eq!(DigestAuthorization::parse(&whole.replace("Digest", "Basic")), None);
}

#[test]
fn basic_both_ways() {
    // RFC 7617, 2 and 2.1.
    let who = Credentials { username: "Aladdin", password: "open sesame" };
    assert_eq!(basic(&who), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    for header in ["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", " basic   QWxhZGRpbjpvcGVuIHNlc2FtZQ "] {
        assert_eq!(parse_basic(header), Some(("Aladdin".into(), "open sesame".into())), "{header}");
    }
    assert_eq!(parse_basic("Basic dGVzdDoxMjPCow=="), Some(("test".into(), "123\u{a3}".into())));
    for header in ["", "Basic", "Basic !", "Digest QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Basic QWxhZGRpbg=="] {
        assert_eq!(parse_basic(header), None, "{header}");
    }
}

#[test]
fn a_password_may_hold_colons_and_be_empty() {
    let who = Credentials { username: "u", password: "a:b:" };
    assert_eq!(parse_basic(&basic(&who)), Some(("u".into(), "a:b:".into())));
    let who = Credentials { username: "", password: "" };
    assert_eq!(parse_basic(&basic(&who)), Some((String::new(), String::new())));
}

#[test]
fn comparison_in_constant_time_compares() {
    assert!(constant_time_eq(b"", b""));
    assert!(constant_time_eq(b"abc", b"abc"));
    assert!(!constant_time_eq(b"abc", b"abd"));
    assert!(!constant_time_eq(b"abc", b"ab"));
}

proptest! {
    #[test]
    fn parsing_never_panics(header in any::<String>()) {
        let _ = Challenge::parse_all(&header);
        let _ = DigestAuthorization::parse(&header);
        let _ = parse_basic(&header);
    }

    #[test]
    fn parsing_of_nearly_right_headers_never_panics(
        header in "(Digest|Basic|auth|realm|nonce|qop|nc| |,|=|\"|\\\\|x|\u{e4}){0,40}",
    ) {
        let _ = Challenge::parse_all(&header);
        let _ = DigestAuthorization::parse(&header);
    }

    #[test]
    fn a_challenge_reads_back(
        realm in "\\PC*", nonce in "\\PC*", opaque in proptest::option::of("\\PC*"),
        algorithm in 0..4_usize, qop_auth: bool, stale: bool,
    ) {
        let challenge =
            DigestChallenge { realm, nonce, opaque, algorithm: Algorithm::ALL[algorithm], qop_auth, stale };
        prop_assume!(challenge.to_string().len() <= HEADER_BYTES);
        prop_assert_eq!(Challenge::parse_all(&challenge.to_string()), [Challenge::Digest(challenge)]);
    }

    #[test]
    fn an_answer_reads_back_and_is_verified(
        username in "\\PC{0,64}", password in "\\PC{0,64}", realm in "\\PC{0,64}", nonce in "\\PC{0,64}",
        uri in "/[!-~]{0,64}", cnonce in "\\PC{0,64}", nc: u32, algorithm in 0..4_usize, qop_auth: bool,
    ) {
        let algorithm = Algorithm::ALL[algorithm];
        let challenge = DigestChallenge { realm, nonce, opaque: None, algorithm, qop_auth, stale: false };
        let who = Credentials { username: &username, password: &password };
        let answer = challenge.answer(&who, "POST", &uri, &cnonce, nc);
        let read = DigestAuthorization::parse(&answer.to_string());
        prop_assert_eq!(read.as_ref(), Some(&answer));
        let read = answer;
        prop_assert!(read.verify("POST", &password));
        let wrong = format!("{}x", password);
        prop_assert!(!read.verify("POST", &wrong));
    }
}
