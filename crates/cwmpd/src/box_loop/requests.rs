//! What the command line, DHCP clients and the bus ask of the box, and what is passed on to the agent.

use std::{collections::BTreeSet, path::Path, rc::Rc, time::Duration};

use cwmp_core::agent::{AgentStatus, SessionPhase};
use cwmp_store::durable::RealFiles;
use tokio::sync::oneshot;

use super::Household;
use crate::{
    border::{Done, Order},
    config::Config,
    control::{Answer, Asked, Request},
    data_task::Question,
    discovery::Announcement,
    opening,
    others::{self, May},
    protocol_side::ProtocolSide,
    restart::Departure,
    run::{all, one},
};

/// How long a reload waits, so that whoever has asked for it gets the answer.
const RELOAD_GRACE: Duration = Duration::from_millis(200);

impl Household {
    /// Does what is asked, or has it done.
    pub(super) fn asked(&mut self, Asked { request, answer }: Asked) {
        match request {
            Request::Get { paths } => self.ask_data(Question::Get(paths, answer)),
            Request::Set { values } => self.ask_data(Question::Set(values, answer)),
            Request::Add { path } => self.ask_data(Question::Add(path, answer)),
            Request::Delete { path } => self.ask_data(Question::Delete(path, answer)),
            Request::Look => {
                self.ask_once(Question::Watch);
                answer.send(Answer::Done).ok();
            }
            Request::Dhcp(announcement) => {
                let heard = self.heard(&announcement);
                answer.send(heard.map_or_else(Answer::error, |()| Answer::Done)).ok();
            }
            Request::Reload => self.reload(answer),
            of_the_agent => {
                let side = self.side.clone();
                tokio::task::spawn_local(async move {
                    answer.send(ask_agent(&side, &of_the_agent).await).ok();
                });
            }
        }
    }

    /// What DHCP has told is in force from here on, apart from what was set on this box.
    fn heard(&self, announcement: &Announcement) -> Result<(), String> {
        let heard = self.ear.hear(announcement);
        if let Err(error) = &heard {
            tracing::warn!("DHCP on {}: {error}", announcement.interface.escape_default());
        }
        if heard? {
            tracing::info!("DHCP on {} has told of the ACS or the gateway", announcement.interface);
            self.source.refresh();
            self.ask_once(Question::Watch);
        }
        Ok(())
    }

    /// Others have changed these sections of the user layer.
    pub(super) fn others_changed(&self, sections: &BTreeSet<String>) {
        let names: Vec<&str> = sections.iter().map(String::as_str).collect();
        tracing::info!("somebody has changed the settings of {}", names.join(", "));
        others::report(&self.source.problems());
        self.source.refresh();
        self.ask_once(Question::Watch);
        if others::need_restart(sections) {
            self.wish.make();
        }
    }

    /// Starts again for what others have changed, unless something is under way.
    pub(super) fn try_to_start_again(&self) {
        let (side, layers, applying) = (self.side.clone(), Rc::clone(&self.layers), self.jobs.is_applying());
        let may = async move {
            match ask_agent(&side, &Request::Status).await {
                Answer::Status { status } if !applying && under_way(&status).is_none() => {
                    let folder = layers.borrow().dir().to_owned();
                    could_start(&folder).map_or_else(May::Not, |()| May::Now)
                }
                _ => May::Later,
            }
        };
        self.wish.attempt(may, self.departures.clone());
    }

    /// Has the program start again with the configuration as it is now, unless that would interrupt something or the
    /// program could not start with it.
    fn reload(&self, answer: oneshot::Sender<Answer>) {
        let (side, departures) = (self.side.clone(), self.departures.clone());
        let (layers, applying) = (Rc::clone(&self.layers), self.jobs.is_applying());
        tokio::task::spawn_local(async move {
            let may = match ask_agent(&side, &Request::Status).await {
                _ if applying => Err("a transfer is being applied: reload when it is over".to_owned()),
                Answer::Status { status } => may_reload(&status, layers.borrow().dir()),
                other => {
                    answer.send(other).ok();
                    return;
                }
            };
            let reloads = may.is_ok();
            answer.send(may.map_or_else(Answer::error, |()| Answer::Done)).ok();
            if reloads {
                tokio::time::sleep(RELOAD_GRACE).await;
                departures.send(Departure::StartAgain).ok();
            }
        });
    }
}

/// Whether nothing is under way, and the program could start with what is in these files now.
fn may_reload(status: &AgentStatus, folder: &Path) -> Result<(), String> {
    if let Some(what) = under_way(status) {
        return Err(format!("{what}: reload when it is over"));
    }
    could_start(folder).map_err(|problems| problems.join("; "))
}

/// What a restart would interrupt.
fn under_way(status: &AgentStatus) -> Option<&'static str> {
    if status.session != SessionPhase::Idle {
        return Some("a session is on");
    }
    let running = status.transfers.iter().any(|transfer| transfer.state == "running");
    running.then_some("a transfer is under way")
}

/// Whether the program could start with what is in this folder now.
fn could_start(folder: &Path) -> Result<(), Vec<String>> {
    let opened = opening::open(&RealFiles::shared(), folder).map_err(one)?;
    Config::load(&opened.layers).map_err(all)?;
    Ok(())
}

/// Has the agent answer.
async fn ask_agent(side: &ProtocolSide, request: &Request) -> Answer {
    let text = match serde_json::to_string(request) {
        Ok(text) => text,
        Err(error) => return Answer::error(error.to_string()),
    };
    match side.order(Order::Ask(text)).await {
        Some(Done::Answered(text)) => {
            serde_json::from_str(&text).unwrap_or_else(|error| Answer::error(format!("no answer: {error}")))
        }
        _ => Answer::error("the protocol process does not run; it is started again"),
    }
}
