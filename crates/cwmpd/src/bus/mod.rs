//! The agent on OpenWrt's bus: the object `cwmpd`, one for scripts of other agents where that is wanted, and events.
//!
//! It has no logic of its own: calls become requests of the control socket ([`crate::control`]), and answers of those become
//! tables.

mod call;

use std::path::PathBuf;

use cwmp_store::{Layers, Problem};
use cwmp_ubus::{Bus, BusOptions, Published, Table};
use tokio::{sync::mpsc, task::JoinHandle};

use crate::{bus::call::Object, config::reader::Reader, control::Asked, news::Change};

/// The backend of the system that has the bus.
pub(crate) const HOME: &str = "openwrt";
/// Longest path of an object, in bytes.
const PATH_BYTES: usize = 64;

/// The settings of `[ubus]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// Path of the agent's object; None for no object.
    object: Option<String>,
    /// Path of the object that scripts of other agents call; None for none.
    alias: Option<String>,
    /// Socket of the bus; None for where it usually is.
    socket: Option<PathBuf>,
}

impl Config {
    /// Reads the section; unknown keys come back as problems. Where no bus is to be expected, there is an object only when one
    /// of the settings asks for it.
    ///
    /// # Errors
    /// What is wrong, with file, section and key.
    pub(crate) fn load(layers: &Layers, expected: bool) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let mut read = Reader::new(layers, "ubus");
        let right = "letters, digits, `.`, `_` and `-`, 64 bytes at most, or nothing for no object";
        let object = read.read("object", right, path);
        let alias = read.read("alias", right, path).flatten();
        let socket = read.read("socket", "an absolute path", |text| {
            Some(PathBuf::from(text)).filter(|path| path.is_absolute())
        });
        let by_default = (expected || socket.is_some()).then(|| "cwmpd".to_owned());
        let config = Self { object: object.unwrap_or(by_default), alias, socket };
        let unknown = read.unknown();
        match read.problems() {
            problems if problems.is_empty() => Ok((config, unknown)),
            problems => Err(problems),
        }
    }
}

/// The path of an object, or none for an empty text.
fn path(text: &str) -> Option<Option<String>> {
    let fits = text.len() <= PATH_BYTES
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    fits.then(|| Some(text.to_owned()).filter(|text| !text.is_empty()))
}

/// What the agent has on the bus; it leaves the bus with this value.
pub(crate) struct OnTheBus {
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for OnTheBus {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl OnTheBus {
    /// Connects in the background. Requests go to the driver, which tells its news.
    pub(crate) fn start(
        config: Config,
        asked: &mpsc::Sender<Asked>,
        mut news: mpsc::Receiver<Change>,
    ) -> Self {
        let objects = [(config.object, Object::Own), (config.alias, Object::Alias)];
        let objects: Vec<_> =
            objects.into_iter().filter_map(|(path, object)| Some((path?, object))).collect();
        if objects.is_empty() {
            return Self { tasks: Vec::new() };
        }
        let bus = Bus::connect(config.socket.map_or_else(BusOptions::default, BusOptions::at));
        let served = objects.into_iter().map(|(path, object)| {
            let published = bus.publish(&path, object.methods());
            tokio::task::spawn_local(serve(published, object, asked.clone()))
        });
        let mut tasks: Vec<_> = served.collect();
        tasks.push(tokio::task::spawn_local(async move {
            while let Some(change) = news.recv().await {
                let (event, data) = told(&change);
                // Without a bus nobody listens.
                if let Err(error) = bus.send_event(event, &data).await {
                    tracing::debug!("{error}");
                }
            }
        }));
        Self { tasks }
    }
}

async fn serve(published: Published, object: Object, asked: mpsc::Sender<Asked>) {
    loop {
        let call = published.next_call().await;
        let asked = asked.clone();
        // Each on its own: a slow one holds up nobody. The object takes no more than OWN_CALLS, the driver answers in turn.
        tokio::task::spawn_local(async move { object.answer(call, &asked).await });
    }
}

/// The event of a change.
fn told(change: &Change) -> (&'static str, Table) {
    match change {
        Change::Session(phase) => ("cwmpd.session", Table::new().with("state", call::phase(*phase))),
        // The URL stays out of it: everybody may listen.
        Change::Transfer(transfer) => {
            let data = Table::new()
                .with("command_key", transfer.command_key.as_str())
                .with("file_type", transfer.file_type.as_str())
                .with("state", transfer.state.as_str());
            ("cwmpd.transfer", data)
        }
    }
}
