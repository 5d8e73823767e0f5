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
    use std::{
        cell::Cell,
        path::Path,
        sync::{Arc, Mutex},
    };

    use async_trait::async_trait;
    use cwmp_store::{
        Layers, Sections, StoreError, UserLayer,
        durable::{Files, ReplaceError},
        sim::Sim,
        user::Written,
    };
    use tokio::time::{Instant, timeout};

    use super::*;

    /// A place in memory that others write to as well.
    #[derive(Clone, Default)]
    struct Place(Arc<Mutex<Sections>>);

    impl Place {
        fn by_hand(&self, section: &str, value: &str) {
            let mut sections = self.0.lock().unwrap();
            sections.entry(section.to_owned()).or_default().insert("Key".to_owned(), value.to_owned());
        }
    }

    impl UserLayer for Place {
        fn file(&self) -> &Path {
            Path::new("/shared")
        }

        fn read(&mut self, _: &mut Vec<Problem>) -> Result<Sections, StoreError> {
            Ok(self.0.lock().unwrap().clone())
        }

        fn reread(&mut self) -> Result<Option<Sections>, StoreError> {
            self.read(&mut Vec::new()).map(Some)
        }

        fn write(&mut self, _: &[&Sections], new: &Sections) -> Result<Written, ReplaceError> {
            let mut there = self.0.lock().unwrap();
            there.extend(new.clone());
            Ok(Written { bytes: 1, now: Some(there.clone()) })
        }

        fn delete(&mut self) -> Result<(), StoreError> {
            self.0.lock().unwrap().clear();
            Ok(())
        }
    }

    fn layers(place: &Place) -> SharedLayers {
        let files: Arc<dyn Files> = Sim::with(&[("/etc/factory.ini", "")]);
        let place = place.clone();
        let loaded = Layers::load_with(files, Path::new("/etc"), |_, _| Ok(Some(Box::new(place) as _)));
        SharedLayers::new(loaded.unwrap().0)
    }

    struct Told(mpsc::UnboundedReceiver<()>);

    #[async_trait(?Send)]
    impl Changes for Told {
        async fn changed(&mut self) {
            if self.0.recv().await.is_none() {
                std::future::pending().await
            }
        }
    }

    fn named(sections: &[&str]) -> BTreeSet<String> {
        sections.iter().map(|name| (*name).to_owned()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_others_change_is_noticed_once_however_it_is_met() {
        let place = Place::default();
        let layers = layers(&place);
        let (tell, told) = mpsc::unbounded_channel();
        let mut others = Others::new(Some(Box::new(Told(told))));
        place.by_hand("A", "before the watch");
        assert_eq!(others.changed(&layers).await, named(&["A"]));
        place.by_hand("B", "told");
        tell.send(()).unwrap();
        assert_eq!(others.changed(&layers).await, named(&["B"]));
        place.by_hand("C", "met by a commit");
        layers.change(|layers| layers.set("Own", "Key", "1")).unwrap();
        assert_eq!(others.changed(&layers).await, named(&["C"]));
        // A change of its own is none, nor is what is known.
        layers.change(|layers| layers.set("Own", "Key", "2")).unwrap();
        tell.send(()).unwrap();
        assert!(timeout(PUT_OFF * 60, others.changed(&layers)).await.is_err());
        assert_eq!(layers.borrow().get("B", "Key"), Some("told"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_gathered_stays_on_top_and_is_taken_back_alone() {
        let place = Place::default();
        let layers = layers(&place);
        let (_tell, told) = mpsc::unbounded_channel();
        let mut others = Others::new(Some(Box::new(Told(told))));
        layers.gather();
        layers.change(|layers| layers.set("Own", "Key", "waits")).unwrap();
        place.by_hand("A", "1");
        assert_eq!(others.changed(&layers).await, named(&["A"]));
        assert_eq!(layers.borrow().get("Own", "Key"), Some("waits"));
        layers.settle(false).unwrap();
        assert_eq!((layers.borrow().get("Own", "Key"), layers.borrow().get("A", "Key")), (None, Some("1")));
    }

    /// The loop of the box, as far as a restart goes: what the attempts find, one after the other. Returns when it departs.
    async fn departs_after(found: Vec<May>) -> Option<Duration> {
        let begun = Instant::now();
        let (wish, mut wished) = Wish::new();
        let (departures, mut departing) = mpsc::unbounded_channel();
        let (mut found, tries) = (found.into_iter(), Cell::new(0));
        wish.make();
        wish.make();
        loop {
            tokio::select! {
                Some(()) = wished.recv() => {
                    tries.set(tries.get() + 1);
                    let may = found.next().unwrap();
                    wish.attempt(async { may }, departures.clone());
                }
                Some(departure) = departing.recv() => {
                    assert_eq!((departure, found.next().is_none()), (Departure::StartAgain, true));
                    return Some(begun.elapsed());
                }
                () = tokio::time::sleep(Duration::from_secs(60)) => return None,
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_restart_waits_for_what_is_under_way_and_for_settings_that_serve() {
        tokio::task::LocalSet::new()
            .run_until(async {
                assert_eq!(departs_after(vec![May::Now]).await, Some(Duration::ZERO));
                assert_eq!(departs_after(vec![May::Later, May::Later, May::Now]).await, Some(2 * PUT_OFF));
                assert_eq!(departs_after(vec![May::Later, May::Not(Vec::new())]).await, None);
            })
            .await;
    }

    #[test]
    fn settings_towards_the_acs_need_no_restart() {
        let at_once = ["ManagementServer", "ManagementServer.InformParameter.1", "XMPP.Connection.1"];
        assert!(!need_restart(&named(&at_once)));
        for other in ["cwmpd", "ManagementServerX", "DeviceInfo", "ubus"] {
            assert!(need_restart(&named(&["ManagementServer", other])), "{other}");
        }
    }
}
