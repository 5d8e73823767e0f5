use cwmp_ubus::BusError;
use serde_json::json;

use super::*;
use crate::testing::Fake;

/// What a program was started with.
fn said(fake: &Fake) -> String {
    std::fs::read_to_string(fake.root.path().join("said")).unwrap_or_default()
}

fn telling(fake: &Fake, path: &str) {
    let said = fake.root.path().join("said");
    fake.program(path, &format!("#!/bin/sh\necho \"${{0##*/}} $*\" >>{}\n", said.display()));
}

#[tokio::test]
async fn procd_restarts_the_box_and_the_program_where_procd_does_not_answer() {
    let fake = Fake::new();
    fake.bus.answer("system", "reboot", json!({}));
    assert_eq!(fake.ground.reboot().await.unwrap(), Restart::Imminent);
    assert_eq!(fake.bus.asked(), ["system reboot"]);
    fake.bus.fail("system", "reboot", BusError::Disconnected("system reboot".to_owned()));
    let error = fake.ground.reboot().await.unwrap_err().to_string();
    assert!(
        error.contains("no connection to the bus") && error.contains("sbin/reboot is not there"),
        "{error}"
    );
    telling(&fake, "sbin/reboot");
    assert_eq!(fake.ground.reboot().await.unwrap(), Restart::Imminent);
    assert_eq!(said(&fake), "reboot \n");
}

#[tokio::test]
async fn the_overlay_is_wiped_by_the_first_program_that_can() {
    let fake = Fake::new();
    telling(&fake, "sbin/firstboot");
    assert!(!fake.ground.can_factory_reset(), "there is no overlay");
    assert!(matches!(fake.ground.factory_reset().await, Err(PlatformError::Unsupported(_))));
    for folder in ["overlay/x", "rom/x"] {
        fake.root.file(folder, "");
    }
    assert_eq!(fake.ground.factory_reset().await.unwrap(), FactoryReset::Restarting);
    telling(&fake, "sbin/jffs2reset");
    fake.ground.factory_reset().await.unwrap();
    telling(&fake, "sbin/factoryreset");
    fake.ground.factory_reset().await.unwrap();
    assert_eq!(said(&fake), "firstboot -y -r\njffs2reset -y -r\nfactoryreset -y -r\n");
    fake.program("sbin/factoryreset", "#!/bin/sh\nexit 1\n");
    assert!(fake.ground.factory_reset().await.unwrap_err().to_string().contains("exit status 1"));
}
