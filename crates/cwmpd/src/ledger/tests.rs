//! Whole transactions over the agent's settings and three sources with a file each, on a disk that loses power.

use std::io::ErrorKind;

use cwmp_core::{
    fault::CwmpFault,
    io::{DataOp, DataReply},
    rpc::{ParameterKey, ParameterValueStruct},
};
use cwmp_datamodel::Origin;
use cwmp_store::sim::Sim;

use super::*;

mod boxes;
mod confirming;
mod cuts;
mod recovery;

use boxes::{Cpe, Sources, prepared};

/// A call of the ACS, and what the sources are like.
struct Scenario {
    name: &'static str,
    call: fn() -> DataOp,
    sources: Sources,
}

fn key() -> ParameterKey {
    ParameterKey::new("new").unwrap()
}

fn set(values: &[(&str, &str)]) -> DataOp {
    let parameter = |(name, value): &(&str, &str)| ParameterValueStruct {
        name: format!("Device.{name}"),
        value_type: None,
        value: (*value).to_owned(),
    };
    DataOp::Set { parameters: values.iter().map(parameter).collect(), parameter_key: key() }
}

fn across() -> DataOp {
    set(&[
        ("Time.NTPServer1", "ntp.new"),
        ("CaptivePortal.URL", "http://new/"),
        ("BulkData.Profile.1.Name", "new"),
        ("BulkData.Profile.1.FileTransferPassword", "new secret"),
        ("ManagementServer.PeriodicInformInterval", "4321"),
    ])
}

fn rows_and_aliases() -> DataOp {
    set(&[
        ("MQTT.Client.[fresh].Enable", "true"),
        ("BulkData.Profile.[fresh].Name", "fresh"),
        ("BulkData.Profile.1.Alias", "renamed"),
        ("Time.NTPServer1", "ntp.new"),
        ("ManagementServer.InformParameter.1.Enable", "false"),
    ])
}

fn agents_own_row() -> DataOp {
    set(&[
        ("BulkData.Profile.1.Name", "new"),
        ("ManagementServer.InformParameter.[fresh].ParameterName", "Device.Time.Enable"),
        ("ManagementServer.InformParameter.[fresh].Enable", "true"),
    ])
}

fn add() -> DataOp {
    DataOp::Add { object_name: "Device.BulkData.Profile.[fresh].".to_owned(), parameter_key: key() }
}

fn delete() -> DataOp {
    DataOp::Delete { object_name: "Device.MQTT.Client.1.".to_owned(), parameter_key: key() }
}

const TELLING: Sources = Sources { tell_passwords: true, in_uci: false };
const MUTE: Sources = Sources { tell_passwords: false, in_uci: false };
#[cfg(feature = "openwrt")]
const IN_UCI: Sources = Sources { tell_passwords: true, in_uci: true };

const SCENARIOS: &[Scenario] = &[
    Scenario { name: "a set over three sources", call: across, sources: TELLING },
    Scenario { name: "one with a password that its source keeps to itself", call: across, sources: MUTE },
    Scenario { name: "rows that are made, and an alias", call: rows_and_aliases, sources: TELLING },
    Scenario { name: "a row of the agent's own", call: agents_own_row, sources: TELLING },
    Scenario { name: "AddObject with an alias", call: add, sources: TELLING },
    Scenario { name: "DeleteObject of a row that is referred to", call: delete, sources: TELLING },
    #[cfg(feature = "openwrt")]
    Scenario { name: "a set over three sources and UCI", call: across, sources: IN_UCI },
    #[cfg(feature = "openwrt")]
    Scenario { name: "a row of the agent's own in UCI", call: agents_own_row, sources: IN_UCI },
];

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

/// A disk as it is now, with nothing pending.
fn copy(disk: &Sim) -> Arc<Sim> {
    let mut disks = disk.after_cut();
    assert_eq!(disks.len(), 1, "everything is durable");
    disks.remove(0)
}

/// What the box looks like before and after a call.
async fn before_and_after(scenario: &Scenario) -> (Arc<Sim>, Vec<String>, Vec<String>) {
    let disk = prepared(scenario.sources).await;
    let mut cpe = Cpe::start(&copy(&disk), scenario.sources).await;
    let before = cpe.view().await;
    cpe.acs((scenario.call)()).await.unwrap();
    let after = cpe.view().await;
    assert_ne!(before, after, "{}", scenario.name);
    (disk, before, after)
}
