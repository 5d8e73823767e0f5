//! The packages of a box whose opkg or apk is a script.

use cwmp_core::{
    job::DuDone,
    settings::Secret,
    software::{DuOrder, DuUnit},
};
use cwmp_platform::{
    instances::InstanceNumbers,
    software::{PackageStore, SoftwareModules},
    source::ParameterSource,
};
use cwmpd_test_router::packages::{apk, ipk};

use super::*;
use crate::testing::{Fake, values};

/// Installs by writing the list, as opkg does; refuses what is called so.
const OPKG: &str = r#"#!/bin/sh
root=$(cd "$(dirname "$0")/../.." && pwd)
status=$root/usr/lib/opkg/status
without() { awk -v RS= -v ORS='\n\n' -v name="Package: $1" '{ split($0, l, "\n"); if (l[1] != name) print }' "$status"; }
case "$1" in
install)
	case "$2" in *.ipk) ;; *) echo "Unknown package '$2'." >&2; exit 255 ;; esac
	control=$(tar -xzOf "$2" ./control.tar.gz | tar -xzO ./control)
	name=$(echo "$control" | sed -n 's/^Package: //p')
	case "$control" in
	*"Version: 9"*) without "$name" > "$status.new"; mv "$status.new" "$status"
		echo " * wfopen: /x: No space left on device." >&2; exit 255 ;;
	*"Version: 8"*) echo " * incompatible with the architectures configured" >&2; exit 255 ;;
	*"Version: 7"*) exit 0 ;;
	esac
	tar -xzOf "$2" ./data.tar.gz | tar -tz | sed 's/^\.//' > "$root/usr/lib/opkg/info/$name.list"
	{ without "$name"; printf '%s\nStatus: install user installed\nInstalled-Time: 2\n\n' "$control"; } > "$status.new"
	mv "$status.new" "$status" ;;
remove) [ "$2" = needed ] || { without "$2" > "$status.new"; mv "$status.new" "$status"; } ;;
esac
"#;

const BASE: &str = "Package: base-files\nVersion: 1\nStatus: install ok installed\nInstalled-Time: 1\n\nPackage: dnsmasq\n\
     Version: 2.90-r4\nStatus: install user installed\nInstalled-Time: 1\n\n";

struct There {
    fake: Fake,
    folder: tempfile::TempDir,
    modules: SoftwareModules,
    /// The version that the box has after an operation has failed on it.
    left: std::cell::RefCell<Option<String>>,
}

impl There {
    fn with(prepare: impl FnOnce(&Fake)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fake = Fake::with_options(|options| options.state_folder = Some(folder.path().to_owned()));
        prepare(&fake);
        let modules = modules(&fake);
        Self { fake, folder, modules, left: Default::default() }
    }

    fn opkg() -> Self {
        Self::with(|fake| {
            fake.root.file("usr/lib/opkg/status", BASE);
            fake.root.file("usr/lib/opkg/info/base-files.list", "/etc/init.d/boot\n");
            fake.program("usr/bin/opkg", OPKG);
        })
    }

    /// Carries an operation on one unit out, with this file.
    async fn change(&self, operation: DuOperation, uuid: &str, file: &[u8]) -> Result<DuUnit, (u32, String)> {
        let order = DuOrder {
            operation,
            uuid: uuid.into(),
            version: String::new(),
            url: if operation == DuOperation::Uninstall { "" } else { "http://files/unit" }.into(),
            username: String::new(),
            password: Secret::default(),
            execution_env_ref: String::new(),
        };
        let code = |error: JobError| (error.code.0, error.text);
        let DuDone::Planned(targets) = self.modules.plan(&order).await.map_err(code)? else { panic!() };
        let [target] = &targets[..] else { panic!("{targets:?}") };
        let path = self.folder.path().join("fetched");
        std::fs::write(&path, file).unwrap();
        let target = match operation {
            DuOperation::Uninstall => target.clone(),
            _ => match self.modules.check(target, &path).await.map_err(code)? {
                DuDone::Fetched(target) => target,
                other => panic!("{other:?}"),
            },
        };
        match self.modules.apply(&target, &path).await.map_err(code)? {
            DuDone::Changed(unit) => Ok(unit),
            DuDone::Failed(error, unit) => {
                *self.left.borrow_mut() = unit.map(|unit| unit.version);
                Err(code(error))
            }
            other => panic!("{other:?}"),
        }
    }

    async fn code(&self, operation: DuOperation, uuid: &str, file: &[u8]) -> u32 {
        self.change(operation, uuid, file).await.map_or_else(|(code, _)| code, |_| 0)
    }

    async fn units(&self) -> String {
        let text = values(&self.modules, "Device.SoftwareModules.DeploymentUnit.").await;
        let wanted = |line: &&str| [".Name=", ".Version=", ".URL="].iter().any(|part| line.contains(part));
        text.lines().filter(wanted).collect::<Vec<_>>().join(" ")
    }
}

fn modules(fake: &Fake) -> SoftwareModules {
    let packages = Packages::of(&fake.ground).unwrap();
    SoftwareModules::new(Rc::new(packages), Rc::new(InstanceNumbers::in_memory()))
}

/// Conformance: 11.01, 11.06, 11.07, 11.09
#[tokio::test(flavor = "current_thread")]
async fn a_package_is_installed_updated_and_removed() {
    let there = There::opkg();
    assert_eq!(there.units().await, "", "the firmware has no units");
    let given = "00112233-4455-6677-8899-aabbccddeeff";
    let unit = there.change(DuOperation::Install, given, &ipk("counter", "1.0", &["counter"])).await.unwrap();
    assert_eq!((unit.uuid.as_str(), unit.version.as_str(), unit.resolved), (given, "1.0", true));
    assert_eq!(unit.execution_units, ["Device.SoftwareModules.ExecutionUnit.1"]);
    assert_eq!(there.code(DuOperation::Install, given, &ipk("counter", "1.0", &[])).await, 9026);
    assert_eq!(there.code(DuOperation::Update, given, &ipk("counter", "0.9", &[])).await, 9030);
    assert_eq!(there.code(DuOperation::Update, given, &ipk("other", "2.0", &[])).await, 9001);
    let unit = there.change(DuOperation::Update, given, &ipk("counter", "1.1", &["counter"])).await.unwrap();
    assert_eq!(unit.version, "1.1");
    assert_eq!(there.units().await, "1.Name=counter 1.URL=http://files/unit 1.Version=1.1");
    // Another start of the program knows the UUID that the ACS gave.
    let again = Packages::of(&there.fake.ground).unwrap().inventory().await.unwrap();
    assert_eq!(again.units[0].package.uuid, given);
    assert_eq!(there.change(DuOperation::Uninstall, given, b"").await.unwrap().uuid, given);
    assert_eq!(there.units().await, "");
    let kept = std::fs::read_to_string(there.folder.path().join("packages.json")).unwrap();
    assert!(!kept.contains("counter"), "{kept}");
}

/// Conformance: 11.08, 11.16
#[tokio::test(flavor = "current_thread")]
async fn what_fails_leaves_the_former_version_or_says_so() {
    let there = There::opkg();
    let uuid = unit_uuid(VENDOR, "counter");
    assert_eq!(there.code(DuOperation::Install, "", b"no package").await, 9018);
    assert_eq!(there.code(DuOperation::Install, "", &ipk("counter", "8", &[])).await, 9025);
    assert_eq!(there.code(DuOperation::Install, "", &ipk("counter", "7", &[])).await, 9029);
    assert_eq!(there.units().await, "");
    there.change(DuOperation::Install, "", &ipk("counter", "1.0", &[])).await.unwrap();
    for (file, code) in [(ipk("counter", "8", &[]), 9025), (b"damaged".to_vec(), 9018)] {
        assert_eq!(there.code(DuOperation::Update, &uuid, &file).await, code);
        assert!(there.units().await.contains("Version=1.0"));
    }
    assert_eq!(there.code(DuOperation::Update, &uuid, &ipk("counter", "8", &[])).await, 9025);
    assert_eq!(there.left.borrow().as_deref(), Some("1.0"));
    // opkg has lost the former version, and no source of the box has it.
    assert_eq!(there.code(DuOperation::Update, &uuid, &ipk("counter", "9", &[])).await, 9027);
    assert_eq!(there.left.borrow().as_deref(), None);
    assert!(!there.units().await.contains("counter"));
    there.change(DuOperation::Install, "", &ipk("needed", "1.0", &[])).await.unwrap();
    assert_eq!(there.code(DuOperation::Uninstall, &unit_uuid(VENDOR, "needed"), b"").await, 9029);
}

#[tokio::test(flavor = "current_thread")]
async fn a_package_of_the_firmware_is_not_taken_for_a_unit() {
    let there = There::opkg();
    there.fake.root.file("rom/usr/lib/opkg/status", BASE);
    assert_eq!(there.code(DuOperation::Install, "", &ipk("dnsmasq", "3", &[])).await, 9026);
}

#[tokio::test(flavor = "current_thread")]
async fn apk_is_asked_with_its_own_words() {
    let there = There::with(|fake| {
        fake.root.file("lib/apk/db/installed", "P:base-files\nV:1\n");
        fake.root.file("etc/apk/world", "base-files\n");
        fake.root.file("rom/lib/apk/db/installed", "P:base-files\nV:1\n");
        let script = r#"#!/bin/sh
root=$(cd "$(dirname "$0")/../.." && pwd)
echo "$*" >> "$root/asked"
case "$1 $2 $3" in
"add --allow-untrusted "*.apk)
	printf '\nP:counter\nV:1.0\nF:etc/init.d\nR:counter\n' >> "$root/lib/apk/db/installed"
	echo 'counter><Q1x=' >> "$root/etc/apk/world" ;;
"del counter ")
	printf 'P:base-files\nV:1\n' > "$root/lib/apk/db/installed"; echo base-files > "$root/etc/apk/world" ;;
*) exit 1 ;;
esac
"#;
        fake.program("usr/bin/apk", script);
    });
    let unit = there.change(DuOperation::Install, "", &apk("counter", "1.0")).await.unwrap();
    assert_eq!((unit.version.as_str(), unit.execution_units.len()), ("1.0", 1));
    there.change(DuOperation::Uninstall, &unit.uuid, b"").await.unwrap();
    assert_eq!(there.units().await, "");
    assert_eq!(std::fs::read_to_string(there.fake.root.path().join("asked")).unwrap().lines().count(), 2);
}

#[test]
fn a_box_without_a_package_program_or_leave_has_no_software_modules() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::with_options(|options| options.state_folder = Some(folder.path().to_owned()));
    assert!(Packages::of(&fake.ground).is_none());
    fake.root.file("usr/lib/opkg/status", BASE);
    assert!(Packages::of(&fake.ground).is_none());
    let forbidden = Fake::with_options(|options| {
        options.state_folder = Some(folder.path().to_owned());
        options.packages = false;
    });
    forbidden.root.file("usr/lib/opkg/status", BASE);
    forbidden.program("usr/bin/opkg", OPKG);
    assert!(Packages::of(&forbidden.ground).is_none());
}

const SCRIPT: &str = r#"#!/bin/sh
root=$(cd "$(dirname "$0")/../.." && pwd)
echo "$*" >> "$root/asked"
case "$1" in
start) [ ! -e "$root/refuse" ] || { echo "no such device" >&2; exit 1; } ;;
enable) : > "$root/etc/rc.d/S95counter" ;;
disable) rm -f "$root/etc/rc.d/S95counter" ;;
esac
"#;

/// Conformance: 11.14
#[test]
fn init_scripts_are_started_stopped_enabled_and_disabled() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let there = There::opkg();
        there.fake.root.file("etc/rc.d/S95counter", "");
        there.fake.program("etc/init.d/counter", SCRIPT);
        let running = |on: bool| {
            let list =
                serde_json::json!({"counter": {"instances": {"instance1": {"running": on}}}, "boot": {}});
            there.fake.bus.answer("service", "list", list);
        };
        running(true);
        there.change(DuOperation::Install, "", &ipk("counter", "1.0", &["counter"])).await.unwrap();
        let unit = async || {
            let text = values(&there.modules, "Device.SoftwareModules.ExecutionUnit.1.").await;
            let value = |name: &str| {
                text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap().to_owned()
            };
            [value("Status"), value("RequestedState"), value("AutoStart"), value("ExecutionFaultCode")]
                .join(" ")
        };
        let set = async |name: &str, value: &str| {
            let changes = [crate::testing::change(&format!("Device.SoftwareModules.{name}"), value)];
            assert_eq!(ParameterSource::check(&there.modules, &changes).await, []);
            ParameterSource::apply(&there.modules, &changes).await.unwrap();
        };
        let asked = || {
            let asked = std::fs::read_to_string(there.fake.root.path().join("asked")).unwrap_or_default();
            std::fs::remove_file(there.fake.root.path().join("asked")).ok();
            asked.lines().collect::<Vec<_>>().join(" ")
        };
        let ended = || there.fake.ground.services.ended.notified();
        assert_eq!(unit().await, "Active Active true NoFault");

        set("ExecutionUnit.1.RequestedState", "Idle").await;
        assert_eq!(unit().await, "Stopping Idle true NoFault");
        ended().await;
        running(false);
        assert_eq!((asked().as_str(), unit().await.as_str()), ("stop", "Idle Idle true NoFault"));
        there.fake.root.file("refuse", "");
        set("ExecutionUnit.1.RequestedState", "Active").await;
        assert_eq!(unit().await, "Starting Active true NoFault");
        ended().await;
        assert_eq!((asked().as_str(), unit().await.as_str()), ("start", "Idle Idle true FailureOnStart"));
        let text =
            values(&there.modules, "Device.SoftwareModules.ExecutionUnit.1.ExecutionFaultMessage").await;
        assert!(text.contains("no such device"), "{text}");

        std::fs::remove_file(there.fake.root.path().join("refuse")).unwrap();
        set("ExecEnv.1.Enable", "false").await;
        assert_eq!((asked().as_str(), unit().await.as_str()), ("stop disable", "Idle Idle true NoFault"));
        assert_eq!(there.code(DuOperation::Install, "", &ipk("other", "1", &[])).await, 9024);
        // Another start of the program finds it disabled, and knows what is to start again.
        let again = Packages::of(&there.fake.ground).unwrap().inventory().await.unwrap();
        assert!(!again.environments[0].enabled && again.units[0].execution_units[0].auto_start);
        set("ExecEnv.1.Enable", "true").await;
        assert_eq!(asked(), "enable start");
        set("ExecutionUnit.1.AutoStart", "false").await;
        assert_eq!((asked().as_str(), unit().await.as_str()), ("disable", "Idle Idle false NoFault"));
    });
}
