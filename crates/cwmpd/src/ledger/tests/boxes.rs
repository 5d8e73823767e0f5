//! A box on a simulated disk: the agent's real parts, and sources that keep a file each.

use std::{cell::RefCell, collections::BTreeMap, path::Path};

use cwmp_core::{
    fault::FaultCode,
    rpc::{DeviceId, Status},
};
use cwmp_platform::{
    DeviceFacts, MockPlatform,
    instances::InstanceNumbers,
    source::{Access, Change, ObjectKind, ParameterSink, ParameterSource, SourceError, Wanted},
};
use cwmp_store::{Layers, StateFile};
use tokio::sync::mpsc;

use super::*;
use crate::{config::Config, data_task::Tree, run::assemble};

/// What the sources of a box are like.
#[derive(Clone, Copy)]
pub(super) struct Sources {
    /// They deliver hidden values to the tree, which shows them to nobody.
    pub(super) tell_passwords: bool,
    /// The agent's settings are in UCI, as on OpenWrt.
    pub(super) in_uci: bool,
}

pub(super) const STATE_DIR: &str = "/etc/state";
/// The box, as its files name it.
pub(super) const OWNER: &str = "00D09E--7";

/// Number of the row that is made next; shown to nobody.
const NEXT: &str = "#next";

/// A source with a file of its own: parameters by name, objects by path.
struct OwnFile {
    name: &'static str,
    objects: &'static [&'static str],
    like: Sources,
    file: RefCell<StateFile<BTreeMap<String, String>>>,
    values: RefCell<BTreeMap<String, String>>,
}

impl OwnFile {
    fn open(
        sim: &Arc<Sim>,
        like: Sources,
        name: &'static str,
        objects: &'static [&'static str],
        fresh: &[(&str, &str)],
    ) -> Result<Rc<Self>, String> {
        let path = format!("/box/{name}.json");
        let opened = StateFile::open(sim.clone(), Path::new(&path));
        let (file, values, problems) = opened.map_err(|error| error.to_string())?;
        assert_eq!(problems, []);
        let fresh = || fresh.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let values = RefCell::new(values.unwrap_or_else(fresh));
        Ok(Rc::new(Self { name, objects, like, file: RefCell::new(file), values }))
    }

    /// Durable or not at all.
    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, String>)) -> Result<(), String> {
        let mut values = self.values.borrow().clone();
        change(&mut values);
        let saved = self.file.borrow_mut().save(&values);
        if let Err(error) = saved {
            // The content may be in place, and must not be.
            self.file.borrow_mut().save(&self.values.borrow()).ok();
            return Err(error.to_string());
        }
        *self.values.borrow_mut() = values;
        Ok(())
    }
}

#[async_trait(?Send)]
impl ParameterSource for OwnFile {
    fn name(&self) -> &'static str {
        self.name
    }

    fn objects(&self) -> &[&'static str] {
        self.objects
    }

    async fn read(&self, _: &Wanted<'_>, out: &mut dyn ParameterSink) -> Result<(), SourceError> {
        let values = self.values.borrow();
        // An object, its parameters, then what lies below it.
        let mut names: Vec<&String> = values.keys().filter(|name| *name != NEXT).collect();
        names.sort_by_key(|name| {
            let object = name.rsplit_once('.').map_or("", |(object, _)| object);
            (object.to_owned(), !name.ends_with('.'))
        });
        for name in names {
            let value = &values[name];
            let Some(object) = name.strip_suffix('.') else {
                let hidden = name.ends_with("FileTransferPassword") && !self.like.tell_passwords;
                let leaf = name.rsplit('.').next().unwrap();
                out.parameter(leaf, if hidden { &"" } else { value }, Access::ReadWrite);
                continue;
            };
            let kind = match object.rsplit('.').next().unwrap() {
                "Profile" | "Client" => ObjectKind::Table { addable: true },
                number if number.parse::<u32>().is_ok() => ObjectKind::Instance { deletable: true },
                _ => ObjectKind::Single,
            };
            out.object(name, kind);
        }
        Ok(())
    }

    async fn apply(&self, changes: &[Change]) -> Result<Status, SourceError> {
        let values = self.values.borrow().clone();
        if let Some(change) = changes.iter().find(|change| !values.contains_key(&change.name)) {
            return Err(SourceError::new(format!("there is no {}", change.name)));
        }
        self.change(|values| {
            for change in changes {
                values.insert(change.name.clone(), change.value.clone());
            }
        })
        .map(|()| Status::Applied)
        .map_err(SourceError::new)
    }

    async fn add(&self, table: &str, _: &[Change]) -> Result<(u32, Status), CwmpFault> {
        let next = self.values.borrow().get(NEXT).map_or(2, |next| next.parse().unwrap());
        let leaves: &[&str] =
            if table.contains("Profile") { &["Enable", "Name", "FileTransferPassword"] } else { &["Enable"] };
        self.change(|values| {
            values.insert(NEXT.to_owned(), (next + 1).to_string());
            values.insert(format!("{table}{next}."), String::new());
            for leaf in leaves {
                let value = if *leaf == "Enable" { "false" } else { "" };
                values.insert(format!("{table}{next}.{leaf}"), value.to_owned());
            }
        })
        .map(|()| (next, Status::Applied))
        .map_err(|error| CwmpFault::new(FaultCode::INTERNAL_ERROR, error))
    }

    async fn delete(&self, instance: &str, _: &[Change]) -> Result<Status, CwmpFault> {
        if !self.values.borrow().contains_key(instance) {
            return Err(CwmpFault::new(FaultCode::INVALID_PARAMETER_NAME, "gone"));
        }
        self.change(|values| values.retain(|name, _| !name.starts_with(instance)))
            .map(|()| Status::Applied)
            .map_err(|error| CwmpFault::new(FaultCode::INTERNAL_ERROR, error))
    }
}

fn sources(sim: &Arc<Sim>, like: Sources) -> Result<Vec<Rc<OwnFile>>, String> {
    let clock = [("Device.Time.", ""), ("Device.Time.Enable", "true"), ("Device.Time.NTPServer1", "ntp.old")];
    let network = [
        ("Device.CaptivePortal.", ""),
        ("Device.CaptivePortal.URL", "http://old/"),
        ("Device.MQTT.", ""),
        ("Device.MQTT.Client.", ""),
        ("Device.MQTT.Client.1.", ""),
        ("Device.MQTT.Client.1.Enable", "true"),
    ];
    let reports = [
        ("Device.BulkData.", ""),
        ("Device.BulkData.Profile.", ""),
        ("Device.BulkData.Profile.1.", ""),
        ("Device.BulkData.Profile.1.Enable", "true"),
        ("Device.BulkData.Profile.1.FileTransferPassword", "old secret"),
        ("Device.BulkData.Profile.1.MQTT.", ""),
        ("Device.BulkData.Profile.1.MQTT.Reference", "Device.MQTT.Client.1"),
        ("Device.BulkData.Profile.1.Name", "old"),
    ];
    let of_network: &[&str] = &["Device.CaptivePortal.", "Device.MQTT.", "Device.MQTT.Client.{i}."];
    let of_reports: &[&str] =
        &["Device.BulkData.", "Device.BulkData.Profile.{i}.", "Device.BulkData.Profile.{i}.MQTT."];
    Ok(vec![
        OwnFile::open(sim, like, "clock", &["Device.Time."], &clock)?,
        OwnFile::open(sim, like, "network", of_network, &network)?,
        OwnFile::open(sim, like, "reports", of_reports, &reports)?,
    ])
}

/// What every start asks of the platform.
fn platform(sources: Vec<Rc<OwnFile>>) -> MockPlatform {
    let mut mock = MockPlatform::new();
    mock.expect_name().return_const("mock");
    mock.expect_clock_is_synchronised().return_const(false);
    mock.expect_can_factory_reset().return_const(true);
    mock.expect_download_types().returning(Vec::new);
    mock.expect_upload_types().returning(Vec::new);
    mock.expect_software().returning_st(|| None);
    mock.expect_image_mark().returning(|| Ok("1.0".to_owned()));
    mock.expect_mapping().returning(|| None);
    mock.expect_interface_name().returning(|_| None);
    mock.expect_uplink().returning(|| None);
    mock.expect_boot_id().returning(|| Ok("boot".to_owned()));
    mock.expect_sources().returning_st(move || {
        sources.iter().map(|source| Rc::clone(source) as Rc<dyn ParameterSource>).collect()
    });
    mock.expect_device_facts().returning(|| {
        let id = DeviceId { oui: "00D09E".to_owned(), serial_number: "7".to_owned(), ..DeviceId::default() };
        Ok(DeviceFacts { id, ..DeviceFacts::default() })
    });
    mock
}

/// A running agent, without its loop.
pub(super) struct Cpe {
    pub(super) tree: Tree,
    pub(super) ledger: Rc<Ledger>,
    /// What the agent would hear.
    pub(super) told: mpsc::UnboundedReceiver<Input>,
    layers: Rc<SharedLayers>,
    sources: Vec<Rc<OwnFile>>,
    /// The folder of UCI.
    _uci: Option<tempfile::TempDir>,
}

/// The layers, with the folder of UCI where the user's is there.
#[cfg(feature = "openwrt")]
fn layers(sim: &Arc<Sim>, like: Sources) -> Result<(Layers, Option<tempfile::TempDir>), StoreError> {
    use crate::platforms::played::{load, real_folder};
    if !like.in_uci {
        return Ok((Layers::load(sim.clone(), Path::new("/etc"))?.0, None));
    }
    let real = real_folder(sim);
    let (layers, _) = load(sim, Path::new("/etc"), Path::new(STATE_DIR), real.path())?;
    Ok((layers, Some(real)))
}

#[cfg(not(feature = "openwrt"))]
fn layers(sim: &Arc<Sim>, _: Sources) -> Result<(Layers, Option<tempfile::TempDir>), StoreError> {
    Ok((Layers::load(sim.clone(), Path::new("/etc"))?.0, None))
}

impl Cpe {
    /// Starts the agent on what is on the disk; what is written down there is undone or finished.
    pub(super) async fn start(sim: &Arc<Sim>, like: Sources) -> Self {
        Self::start_with(sim, like, |_| {}).await
    }

    pub(super) async fn start_with(
        sim: &Arc<Sim>,
        like: Sources,
        more: impl FnOnce(&mut MockPlatform),
    ) -> Self {
        Self::try_start(sim, like, more).await.unwrap()
    }

    pub(super) async fn try_start(
        sim: &Arc<Sim>,
        like: Sources,
        more: impl FnOnce(&mut MockPlatform),
    ) -> Result<Self, Vec<String>> {
        let files: Arc<dyn Files> = sim.clone();
        let (layers, uci) = layers(sim, like).map_err(|e| vec![e.to_string()])?;
        let config = Config::load(&layers).unwrap().0;
        let layers = Rc::new(SharedLayers::new(layers));
        let sources = sources(sim, like).map_err(|error| vec![error])?;
        let mut platform = platform(sources.clone());
        more(&mut platform);
        let (_, asked) = mpsc::channel(1);
        let numbers = Rc::new(InstanceNumbers::in_memory());
        let mut parts =
            assemble(config, Rc::clone(&layers), Rc::new(platform), numbers, &files, asked).await?;
        parts.recover().await;
        let ledger = parts.ledger;
        let (inputs, told) = mpsc::unbounded_channel();
        let tree = Tree {
            model: parts.data,
            ledger: Rc::clone(&ledger),
            diagnostics: parts.diagnostics,
            inputs,
            told_of_rollback: false,
        };
        Ok(Self { tree, ledger, told, layers, sources, _uci: uci })
    }

    pub(super) async fn acs(&mut self, op: DataOp) -> Result<DataReply, CwmpFault> {
        self.tree.execute(op, Origin::Acs).await
    }

    /// Everything that a call may change, secrets included, a line each.
    pub(super) async fn view(&mut self) -> Vec<String> {
        let op = DataOp::Values { names: vec![String::new()] };
        let Ok(DataReply::Listing { snapshot, .. }) = self.acs(op).await else { panic!("no values") };
        let held = self.tree.model.snapshot(snapshot).unwrap();
        self.tree.model.release(snapshot);
        let told = held.entries().map(|entry| format!("{}{}={}", entry.object, entry.name, entry.text));
        let mut lines: Vec<String> = told.collect();
        for source in &self.sources {
            let values = source.values.borrow();
            let secrets = values.iter().filter(|(name, _)| name.ends_with("FileTransferPassword"));
            lines.extend(secrets.map(|(name, value)| format!("{name}={value}")));
        }
        let key = self.layers.borrow().get("ManagementServer", "ParameterKey").map(str::to_owned);
        lines.push(format!("{key:?}"));
        lines
    }
}

/// A disk of a box that has run before, with nothing pending.
pub(super) async fn prepared(like: Sources) -> Arc<Sim> {
    let mut files = vec![("/etc/factory.ini", "[ManagementServer]\nURL=http://acs.example/\n")];
    if like.in_uci {
        files.push(("/etc/config/cwmpd", "config service 'service'\n"));
    }
    let sim = Sim::with(&files);
    let mut cpe = Cpe::start(&sim, like).await;
    let values = [
        ("ManagementServer.AutoCreateInstances", "true"),
        ("Time.Enable", "false"),
        ("CaptivePortal.URL", "http://older/"),
        ("BulkData.Profile.1.Enable", "false"),
    ];
    cpe.acs(set(&values)).await.unwrap();
    let row = DataOp::Add {
        object_name: "Device.ManagementServer.InformParameter.".to_owned(),
        parameter_key: ParameterKey::default(),
    };
    cpe.acs(row).await.unwrap();
    let values = [
        ("ManagementServer.InformParameter.1.ParameterName", "Device.Time.NTPServer1"),
        ("ManagementServer.InformParameter.1.Enable", "true"),
    ];
    cpe.acs(set(&values)).await.unwrap();
    copy(&sim)
}
