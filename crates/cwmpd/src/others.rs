//! What others change in the user layer while the program runs, and what follows from it: settings towards the ACS are in force
//! at once, for any other the program starts again as soon as nothing is under way.

use std::{collections::BTreeSet, rc::Rc, time::Duration};

use cwmp_platform::Changes;
use cwmp_store::Problem;
use tokio::sync::mpsc;

use crate::{config::SharedLayers, restart::Departure};

/// How long a restart waits once more for what is under way.
pub(crate) const PUT_OFF: Duration = Duration::from_secs(1);
/// Sections whose settings are read anew whenever they are asked for; so are those below them.
const IN_FORCE_AT_ONCE: [&str; 2] = ["ManagementServer", "XMPP"];

/// Waits for what others change.
#[derive(Default)]
pub(crate) struct Others {
    changes: Option<Box<dyn Changes>>,
    /// The layers have been looked at since they are watched.
    looked: bool,
}

impl Others {
    /// With what tells of changes, where others make some.
    pub(crate) fn new(changes: Option<Box<dyn Changes>>) -> Self {
        Self { changes, looked: false }
    }

    /// Waits until others have changed the user layer, and takes that in. Returns the sections. It may be dropped at any
    /// await.
    pub(crate) async fn changed(&mut self, layers: &SharedLayers) -> BTreeSet<String> {
        let Some(changes) = &mut self.changes else { return std::future::pending().await };
        loop {
            if self.looked {
                tokio::select! {
                    () = changes.changed() => look(layers),
                    // A commit of our own has come upon it.
                    () = layers.met_others() => {}
                }
            } else {
                // Between the start and the watch there was a moment.
                self.looked = true;
                look(layers);
            }
            let sections = layers.take_others();
            if !sections.is_empty() {
                return sections;
            }
        }
    }
}

fn look(layers: &SharedLayers) {
    if let Err(error) = layers.reread() {
        tracing::error!("{error}; what was set before is still in force");
    }
}

/// Whether the program has to start again for changes of these sections.
pub(crate) fn need_restart(sections: &BTreeSet<String>) -> bool {
    let at_once = |section: &String| {
        IN_FORCE_AT_ONCE.iter().any(|root| {
            section.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    };
    !sections.iter().all(at_once)
}

/// A restart that others' changes need.
pub(crate) struct Wish {
    /// Whether one is wished for and has not come about.
    open: Rc<std::cell::Cell<bool>>,
    again: mpsc::UnboundedSender<()>,
}

impl Wish {
    /// Whenever it is to be tried again, the receiver hears of it.
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<()>) {
        let (again, tried_again) = mpsc::unbounded_channel();
        (Self { open: Rc::default(), again }, tried_again)
    }

    /// Begins to try, unless that is under way.
    pub(crate) fn make(&self) {
        if !self.open.replace(true) {
            self.again.send(()).ok();
        }
    }

    /// Tries: `may` says whether the program may start again.
    pub(crate) fn attempt(
        &self,
        may: impl Future<Output = May> + 'static,
        departures: mpsc::UnboundedSender<Departure>,
    ) {
        let (open, again) = (Rc::clone(&self.open), self.again.clone());
        tokio::task::spawn_local(async move {
            match may.await {
                May::Now => {
                    tracing::info!("the program starts again with the settings as they are now");
                    departures.send(Departure::StartAgain).ok();
                }
                May::Later => {
                    tokio::time::sleep(PUT_OFF).await;
                    again.send(()).ok();
                }
                May::Not(problems) => {
                    open.set(false);
                    for problem in problems {
                        tracing::error!("{problem}; the program goes on with the settings of before");
                    }
                }
            }
        });
    }
}

/// Whether the program may start again.
pub(crate) enum May {
    /// It may.
    Now,
    /// Something is under way.
    Later,
    /// It could not start with what is set.
    Not(Vec<String>),
}

/// Says what is wrong with settings that others have made.
pub(crate) fn report(problems: &[Problem]) {
    for problem in problems {
        tracing::warn!("{problem}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(sections: &[&str]) -> BTreeSet<String> {
        sections.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn settings_towards_the_acs_need_no_restart() {
        assert!(!need_restart(&named(&[
            "ManagementServer",
            "ManagementServer.InformParameter.1",
            "XMPP.Connection.1"
        ])));
        for other in ["cwmpd", "ManagementServerX", "DeviceInfo", "ubus"] {
            assert!(need_restart(&named(&["ManagementServer", other])), "{other}");
        }
    }
}
