use std::path::PathBuf;

use serde_json::json;

use super::*;
use crate::testing::Fake;

/// A box that can be upgraded, and an image.
fn ready() -> (Fake, PathBuf) {
    let fake = Fake::new();
    let said = fake.root.path().join("said");
    let script = format!(
        "#!/bin/sh\necho \"$*\" >>{}\n[ \"$1\" != -T ] || grep -q good \"$2\" || {{ echo 'Image check failed' >&2; exit 1; }}\n",
        said.display()
    );
    fake.program("sbin/sysupgrade", &script);
    fake.root.file("tmp/image", "good image");
    let image = fake.root.path().join("tmp/image");
    valid(
        &fake,
        json!({"tests": {"fwtool_signature": true}, "valid": true, "forceable": true, "allow_backup": true}),
    );
    (fake, image)
}

fn valid(fake: &Fake, answer: serde_json::Value) {
    fake.bus.answer("system", "validate_firmware_image", answer);
}

fn said(fake: &Fake) -> String {
    let folder = fake.root.path().display().to_string();
    std::fs::read_to_string(fake.root.path().join("said")).unwrap_or_default().replace(&folder, "")
}

#[tokio::test]
async fn an_image_is_checked_again_and_handed_to_sysupgrade() {
    let (fake, image) = ready();
    let facts = fake.ground.check_firmware(&image).await.unwrap();
    assert_eq!(facts, ImageFacts::default(), "there is no fwtool to ask");
    let keep = FlashOptions { keep_settings: true };
    assert_eq!(fake.ground.flash(&image, keep).await.unwrap(), Flash::Restarting);
    assert_eq!(said(&fake), "-T /tmp/image\n-T /tmp/image\n/tmp/image\n");
    fake.ground.flash(&image, FlashOptions { keep_settings: false }).await.unwrap();
    assert!(said(&fake).ends_with("-n /tmp/image\n"));
    assert!(!said(&fake).contains("-F"), "nothing is ever forced");
}

#[tokio::test]
async fn what_the_box_does_not_take_is_not_written() {
    let (fake, image) = ready();
    let keep = FlashOptions { keep_settings: true };
    std::fs::write(&image, "bad").unwrap();
    let error = fake.ground.flash(&image, keep).await.unwrap_err();
    assert!(matches!(&error, PlatformError::Refused(why) if why.contains("Image check failed")), "{error}");
    std::fs::write(&image, "good").unwrap();
    valid(
        &fake,
        json!({"tests": {"fwtool_device_match": false, "fwtool_signature": true}, "valid": false, "forceable": true}),
    );
    let error = fake.ground.flash(&image, keep).await.unwrap_err();
    assert!(matches!(&error, PlatformError::Refused(why) if why.contains("fwtool_device_match")), "{error}");
    valid(&fake, json!({"tests": {"fwtool_signature": false}, "valid": false, "forceable": false}));
    assert!(matches!(fake.ground.flash(&image, keep).await, Err(PlatformError::Unauthentic(_))));
    valid(&fake, json!({"tests": {}, "valid": true, "allow_backup": false}));
    assert!(matches!(fake.ground.flash(&image, keep).await, Err(PlatformError::Refused(_))));
    assert!(!said(&fake).lines().any(|line| line == "/tmp/image"), "{}", said(&fake));
    // Without settings there is nothing to take over.
    fake.ground.flash(&image, FlashOptions { keep_settings: false }).await.unwrap();
}

#[tokio::test]
async fn metadata_tell_the_version_and_a_repetition_is_no_failure() {
    let (fake, image) = ready();
    let metadata = |version: &str| {
        format!(
            "#!/bin/sh\necho '{{\"metadata_version\":\"1.1\",\"version\":{{\"dist\":\"OpenWrt\",\"version\":\"{version}\",\"revision\":\"r28427-6df0e3d02a\"}}}}'\n"
        )
    };
    fake.program("usr/bin/fwtool", &metadata("24.10.1"));
    let facts = fake.ground.check_firmware(&image).await.unwrap();
    assert_eq!(facts.version.as_deref(), Some("24.10.1 r28427-6df0e3d02a"));
    assert_eq!(facts.expects, None, "the mark holds the date of the build, which nobody tells before");
    fake.program("usr/bin/fwtool", &metadata("24.10.0"));
    let facts = fake.ground.check_firmware(&image).await.unwrap();
    assert_eq!(facts.expects, Some(fake.ground.identity().image_mark()));
    fake.program("usr/bin/fwtool", "#!/bin/sh\necho none\n");
    assert_eq!(fake.ground.check_firmware(&image).await.unwrap(), ImageFacts::default());
}

#[tokio::test]
async fn without_room_or_sysupgrade_nothing_begins() {
    let (fake, _) = ready();
    assert!(fake.ground.before_firmware(Some(1 << 20)).await.is_ok());
    fake.root.file("proc/meminfo", "MemAvailable: 4000 kB\n");
    assert!(matches!(fake.ground.before_firmware(None).await, Err(PlatformError::NoRoom(_))));
    let bare = Fake::new();
    assert!(matches!(bare.ground.before_firmware(None).await, Err(PlatformError::Unsupported(_))));
    assert!(bare.ground.download_types().is_empty() && bare.ground.upload_types().is_empty());
}

#[tokio::test]
async fn an_old_procd_leaves_the_judgement_to_sysupgrade() {
    let (fake, image) = ready();
    let absent = cwmp_ubus::BusError::Status(3, "system validate_firmware_image".to_owned());
    fake.bus.fail("system", "validate_firmware_image", absent);
    fake.ground.check_firmware(&image).await.unwrap();
    let away = cwmp_ubus::BusError::Disconnected("system validate_firmware_image".to_owned());
    fake.bus.fail("system", "validate_firmware_image", away);
    assert!(matches!(fake.ground.check_firmware(&image).await, Err(PlatformError::Failed(_))));
}
