//! What mapping files reach of the box. In a sandbox files are written below its folder and read from there first, and no
//! program runs.

use std::path::Path;

use cwmp_linux::{files::Root, host::Host};
use cwmp_platform::mapping::MappingText;

include!(concat!(env!("OUT_DIR"), "/mapping.rs"));

/// The box, or the sandbox on it.
pub(crate) fn host(root: &Root, sandbox: Option<&Path>) -> Host {
    let sandbox = sandbox.map(|folder| folder.join(crate::sandbox::FILES));
    Host { root: root.clone(), sandbox }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, rc::Rc};

    use cwmp_datamodel::mapping::{Compiled, MappedSource};
    use cwmp_platform::{instances::InstanceNumbers, mapping::Mapping, source::Access};

    use cwmp_platform::mapping::MappingHost;

    use super::*;
    use crate::testing::{Collected, FakeRoot, assert_fits_the_model};

    /// The source of the files that are built in.
    fn mapped(root: &FakeRoot) -> MappedSource {
        let files: Vec<(&str, &str)> = TEXTS.iter().map(|text| (text.name, text.text)).collect();
        let (compiled, errors) = Compiled::of(&files, &[]);
        assert_eq!(errors, []);
        let mapping =
            Mapping { texts: TEXTS, host: Rc::new(host(&root.root(), None)), providers: Vec::new() };
        MappedSource::new(compiled, &mapping, Rc::new(InstanceNumbers::in_memory()), &[])
    }

    /// Conformance: 9.33
    #[tokio::test]
    async fn what_the_built_in_files_map() {
        let root = FakeRoot::pc();
        root.file("proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456\n");
        root.file("proc/sys/net/ipv4/tcp_congestion_control", "reno\n");
        root.file("etc/systemd/timesyncd.conf", "[Time]\n#NTP=x\nNTP=a.example b.example\n");
        for (zone, mode, temp) in
            [("thermal_zone0", "enabled", "45500\n"), ("thermal_zone2", "disabled", "-1000\n")]
        {
            root.file(&format!("sys/class/thermal/{zone}/mode"), format!("{mode}\n"));
            root.file(&format!("sys/class/thermal/{zone}/temp"), temp);
        }
        root.file("sys/class/thermal/cooling_device0/type", "fan\n");
        let source = mapped(&root);
        let values = Collected::from(&source, &["Device."]).await.values;
        let text: String = values
            .iter()
            .map(|(name, (value, _))| format!("{}={value}\n", name.strip_prefix("Device.").unwrap()))
            .collect();
        assert_eq!(
            text,
            "DeviceInfo.HostName=router\nDeviceInfo.MemoryStatus.Free=3500000\nDeviceInfo.MemoryStatus.Total=4030124\n\
             DeviceInfo.NetworkProperties.MaxTCPWindowSize=6291456\n\
             DeviceInfo.NetworkProperties.TCPImplementation=New Reno\n\
             DeviceInfo.TemperatureStatus.TemperatureSensor.1.Enable=true\n\
             DeviceInfo.TemperatureStatus.TemperatureSensor.1.Name=thermal_zone0\n\
             DeviceInfo.TemperatureStatus.TemperatureSensor.1.Status=Enabled\n\
             DeviceInfo.TemperatureStatus.TemperatureSensor.1.Value=45\n\
             DeviceInfo.TemperatureStatus.TemperatureSensor.2.Enable=false\n\
             DeviceInfo.TemperatureStatus.TemperatureSensor.2.Name=thermal_zone2\n\
             DeviceInfo.TemperatureStatus.TemperatureSensor.2.Status=Disabled\n\
             DeviceInfo.TemperatureStatus.TemperatureSensor.2.Value=-1\n\
             Time.NTPServer1=a.example\nTime.NTPServer2=b.example\n"
        );
        assert_fits_the_model(&source).await;
        assert_eq!(
            values["Device.DeviceInfo.HostName"].1,
            Access::ReadOnly,
            "there is no /bin/hostname below this root"
        );
    }

    #[tokio::test]
    async fn odd_system_files_leave_mapped_parameters_out() {
        let root = FakeRoot::pc();
        root.file("proc/meminfo", b"MemTotal: lots kB\nMemFree: 99999999999999 kB\n\xff\xfe");
        root.file("proc/sys/net/ipv4/tcp_congestion_control", "cubic\n");
        let collected = Collected::from(&mapped(&root), &["Device.DeviceInfo."]).await;
        let names: Vec<&String> = collected.values.keys().collect();
        assert_eq!(names, ["Device.DeviceInfo.HostName"]);
    }

    #[tokio::test]
    async fn the_name_of_the_box_is_written_where_the_box_can_take_it() {
        let root = FakeRoot::pc();
        root.file("bin/hostname", "#!/bin/sh\n");
        root.file("etc/hostname", "router\n");
        let program = root.path().join("bin/hostname");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let collected = Collected::from(&mapped(&root), &["Device.DeviceInfo.HostName"]).await;
        assert_eq!(collected.values["Device.DeviceInfo.HostName"], ("router".to_owned(), Access::ReadWrite));
    }

    #[tokio::test]
    async fn a_factory_reset_of_the_sandbox_forgets_its_files() {
        let root = FakeRoot::new();
        root.file("etc/name", "old\n");
        let folder = tempfile::tempdir().unwrap();
        let host = host(&root.root(), Some(folder.path()));
        host.write("/etc/name", Some("new\n")).await.unwrap();
        assert_eq!(host.text("/etc/name").as_deref(), Some("new\n"));
        crate::sandbox::Sandbox::boot(folder.path().to_owned()).reset().unwrap();
        assert_eq!(host.text("/etc/name").as_deref(), Some("old\n"));
    }
}
