//! The control socket as a file. Apart from the tests that start programs: a program in the making holds copies of all
//! sockets for a moment, also of the one that has to be dead here.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::indexing_slicing)]

use std::os::unix::fs::PermissionsExt;

use cwmp_acs::{Acs, AcsOptions, control};

#[tokio::test]
async fn the_control_socket_is_its_owners_alone_and_replaces_a_dead_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let acs = Acs::start(AcsOptions::default()).await.unwrap();
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let served = control::listen(&path, acs.clone()).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(control::listen(&path, acs.clone()).unwrap_err().to_string().contains("another program"));
    let done = control::ask(&path, vec!["help".into()], |_| ()).await.unwrap();
    assert!(done.ok && done.text.contains("factory-reset"));
    assert!(!control::ask(&path, vec!["get".into()], |_| ()).await.unwrap().ok);
    drop(served);
    assert!(!path.exists());
    std::fs::write(&path, "a file").unwrap();
    assert!(control::listen(&path, acs).unwrap_err().to_string().contains("no socket"));
}
