use std::{
    fs,
    process::{Command, Stdio},
};

use data_encoding::BASE64;
use ed25519_compact::{KeyPair, Seed};
use tempfile::TempDir;

use super::*;

/// A folder with a key and signatures as usign makes them.
struct Bench {
    folder: TempDir,
    pair: KeyPair,
    number: [u8; 8],
}

impl Bench {
    fn new(seed: u8) -> Self {
        let pair = KeyPair::from_seed(Seed::new([seed; 32]));
        let bench = Self { folder: tempfile::tempdir().unwrap(), pair, number: [seed; 8] };
        let key = [b"Ed".as_slice(), &bench.number, bench.pair.pk.as_ref()].concat();
        bench.write("key.pub", format!("untrusted comment: a key\n{}\n", BASE64.encode(&key)).as_bytes());
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    fn sign(&self, content: &[u8]) -> String {
        let signature = [b"Ed".as_slice(), &self.number, self.pair.sk.sign(content, None).as_ref()].concat();
        format!("untrusted comment: a signature\n{}\n", BASE64.encode(&signature))
    }

    fn policy(&self, require: bool) -> ImagePolicy {
        ImagePolicy::load(&[self.path("key.pub")], require, false).unwrap()
    }
}

fn append(content: &[u8], signature: &[u8]) -> Vec<u8> {
    let signature = BASE64.encode(signature);
    [content, format!("\n-----CWMPD SIGNATURE-----\n{signature}\n-----END-----\n").as_bytes()].concat()
}

fn unauthentic(result: Result<Authenticity, PlatformError>) -> String {
    match result {
        Err(PlatformError::Unauthentic(text)) => text,
        other => panic!("{other:?}"),
    }
}

/// Conformance: 13.07
#[test]
fn an_image_passes_with_the_signature_of_a_known_key_alone() {
    let (bench, stranger) = (Bench::new(1), Bench::new(2));
    let content = vec![b'x'; 200_000];
    let policy = bench.policy(true);
    let signed = Authenticity::Signed("0101010101010101".to_owned());

    let image = bench.write("signed", &append(&content, bench.sign(&content).as_bytes()));
    assert_eq!(policy.authenticate(&image).unwrap(), signed);
    assert_eq!(fs::read(&image).unwrap(), content, "the updater gets the image as it was built");
    assert_eq!(policy.authenticate(&image).unwrap(), signed, "checked again from the file beside it");

    let mut changed = content.clone();
    changed[100_000] ^= 1;
    let image = bench.write("changed", &append(&changed, bench.sign(&content).as_bytes()));
    assert!(
        unauthentic(policy.authenticate(&image))
            .ends_with("was changed after key 0101010101010101 signed it")
    );
    let image = bench.write("other", &append(&content, stranger.sign(&content).as_bytes()));
    assert!(unauthentic(policy.authenticate(&image)).contains("key 0202020202020202, which is none of"));
    let image = bench.write("nobody", &content);
    assert!(unauthentic(policy.authenticate(&image)).ends_with("carries no signature"));
    let image = bench.write("garbage", &append(&content, b"signed, honestly"));
    assert!(unauthentic(policy.authenticate(&image)).contains("cannot be read"));
}

#[test]
fn where_none_is_required_a_wrong_signature_is_still_wrong() {
    let bench = Bench::new(1);
    let policy = bench.policy(false);
    let image = bench.write("nobody", b"image");
    assert_eq!(policy.authenticate(&image).unwrap(), Authenticity::NotJudged);
    let image = bench.write("wrong", &append(b"image", bench.sign(b"another").as_bytes()));
    unauthentic(policy.authenticate(&image));
    let none = ImagePolicy::default();
    let image = bench.write("unknown", &append(b"image", bench.sign(b"another").as_bytes()));
    assert_eq!(none.authenticate(&image).unwrap(), Authenticity::NotJudged);
    assert_eq!(fs::read(&image).unwrap(), b"image");
}

#[test]
fn settings_that_could_pass_nothing_are_refused() {
    let bench = Bench::new(1);
    assert!(ImagePolicy::load(&[], true, false).unwrap_err().contains("needs firmware_keys"));
    let missing = ImagePolicy::load(&[bench.path("no.pub")], false, false).unwrap_err();
    assert!(missing.contains("cannot read") && missing.contains("no.pub"), "{missing}");
    let odd = bench.write("odd.pub", b"ssh-ed25519 AAAA");
    assert!(ImagePolicy::load(&[odd], false, false).unwrap_err().contains("odd.pub does not begin with"));
    assert!(
        ImagePolicy::load(&vec![bench.path("key.pub"); 9], false, false).unwrap_err().contains("at most 8")
    );
}

#[test]
fn a_downgrade_is_refused_where_it_is_forbidden() {
    let free = ImagePolicy::default();
    let strict = ImagePolicy::load(&[], false, true).unwrap();
    assert!(free.check_version("2.0", Some("1.0")).is_ok() && free.check_version("2.0", None).is_ok());
    assert!(
        strict.check_version("2.0", Some("2.0")).is_ok() && strict.check_version("2.0", Some("2.1")).is_ok()
    );
    for offered in [Some("1.9"), Some("2.0-rc1"), None] {
        assert!(
            matches!(strict.check_version("2.0", offered), Err(PlatformError::Refused(_))),
            "{offered:?}"
        );
    }
}

/// Runs a program in the folder; `false` where the machine does not have it.
fn ran(bench: &Bench, program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(bench.folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
    match command.status() {
        Ok(status) => {
            assert!(status.success(), "{program} {arguments:?}: {status}");
            true
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            eprintln!("skipped: {program} is not installed");
            false
        }
        Err(e) => panic!("{program}: {e}"),
    }
}

/// How a signature is appended: docs/porting.md, "Signed images".
const APPEND: &str = "{ cat image; printf '\\n-----CWMPD SIGNATURE-----\\n'; base64 image.sig; printf -- '-----END-----\\n'; } \
                      >signed && rm image.sig";

/// The image that the other program has signed passes; changed by one bit, it does not.
fn assert_signed_by(bench: &Bench, key: &str) {
    let policy = ImagePolicy::load(&[bench.path(key)], true, false).unwrap();
    let (content, signature) =
        (fs::read(bench.path("image")).unwrap(), fs::read(bench.path("image.sig")).unwrap());
    assert!(ran(bench, "sh", &["-c", APPEND]));
    let image = bench.path("signed");
    assert!(matches!(policy.authenticate(&image).unwrap(), Authenticity::Signed(_)));
    assert_eq!(fs::read(&image).unwrap(), content);
    let mut changed = content.clone();
    changed[7] ^= 1;
    let image = bench.write("image", &append(&changed, &signature));
    unauthentic(policy.authenticate(&image));
    let text = String::from_utf8(signature).unwrap();
    if text.contains("trusted comment: ours") {
        let image = bench.write("image", &append(&content, text.replace(": ours", ": hers").as_bytes()));
        unauthentic(policy.authenticate(&image));
    }
}

/// Conformance: 13.07
#[test]
fn signatures_of_minisign_pass() {
    let bench = Bench::new(3);
    if !ran(&bench, "minisign", &["-G", "-W", "-p", "mini.pub", "-s", "mini.key"]) {
        return;
    }
    // `-H` asks for the hashed form, and `-l` for the one of old; programs differ in which is the default.
    for form in ["-H", "-l"] {
        bench.write("image", &vec![7; 150_000]);
        let arguments = ["-S", form, "-s", "mini.key", "-m", "image", "-x", "image.sig", "-t", "ours"];
        ran(&bench, "minisign", &arguments);
        let text = fs::read_to_string(bench.path("image.sig")).unwrap();
        let algorithm = BASE64.decode(text.lines().nth(1).unwrap().as_bytes()).unwrap()[..2].to_vec();
        assert_eq!(algorithm, if form == "-H" { b"ED" } else { b"Ed" });
        assert_signed_by(&bench, "mini.pub");
    }
}

/// usign, OpenWrt's program, has the format of signify.
///
/// Conformance: 13.07
#[test]
fn signatures_of_signify_and_usign_pass() {
    let bench = Bench::new(4);
    if !ran(&bench, "signify-openbsd", &["-G", "-n", "-p", "ify.pub", "-s", "ify.sec"]) {
        return;
    }
    bench.write("image", &vec![7; 150_000]);
    ran(&bench, "signify-openbsd", &["-S", "-s", "ify.sec", "-m", "image", "-x", "image.sig"]);
    assert_signed_by(&bench, "ify.pub");
}
