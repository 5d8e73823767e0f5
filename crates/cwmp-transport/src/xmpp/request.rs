//! Who may ring: what is answered to one stanza, without sockets (TR-069a6 Annex K).

use cwmp_core::{digest::constant_time_eq, io::Via, settings::XmppListening};
use tokio::sync::mpsc::Sender;

use super::element::{Element, escape};
use crate::{
    limits::{GUESS_OF_ALL_REFILL_MS, GUESSES_OF_ALL, REQUEST_BURST, REQUEST_REFILL_MS},
    listener::rate::Rate,
};

/// The namespace of connection requests.
pub(super) const REQUEST: &str = "urn:broadband-forum-org:cwmp:xmppConnReq-1-0";
const CLIENT: &str = "jabber:client";
const STANZAS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
const PING: &str = "urn:xmpp:ping";

/// What follows from a stanza.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing.
    Silence,
    /// This answer.
    Answer(String),
    /// This answer, and then the agent is rung.
    Ring(String),
}

/// Decides on stanzas.
pub(crate) struct Gate {
    listening: XmppListening,
    /// Accepted requests.
    rate: Rate,
    /// Wrong passwords.
    guesses: Rate,
}

impl Gate {
    pub(crate) fn new(listening: XmppListening) -> Self {
        let rate = Rate::new(REQUEST_BURST, REQUEST_REFILL_MS);
        Self { listening, rate, guesses: Rate::new(GUESSES_OF_ALL, GUESS_OF_ALL_REFILL_MS) }
    }

    /// The verdict on a stanza that comes this many milliseconds after the beginning.
    pub(crate) fn judge(&mut self, stanza: &Element, sink: &Sender<Via>, now_ms: u64) -> Verdict {
        let kind = stanza.attribute("type").unwrap_or_default();
        // Messages and presence are nothing to us; an error is answered by nothing, lest two ends should go on for ever.
        if !stanza.is(CLIENT, "iq") || !["get", "set"].contains(&kind) {
            return Verdict::Silence;
        }
        if kind == "get" && stanza.child(PING, "ping").is_some() {
            return Verdict::Answer(result(stanza));
        }
        let unavailable = || Verdict::Answer(error(stanza, "cancel", "service-unavailable"));
        let Some(request) = stanza.child(REQUEST, "connectionRequest").filter(|_| kind == "get") else {
            return unavailable();
        };
        if !self.is_allowed(stanza.attribute("from").unwrap_or_default()) || !self.guesses.has(now_ms) {
            return unavailable();
        }
        if !self.knows(request) {
            self.guesses.take(now_ms);
            return Verdict::Answer(error(stanza, "auth", "not-authorized"));
        }
        if sink.capacity() == 0 || !self.rate.take(now_ms) {
            return unavailable();
        }
        Verdict::Ring(result(stanza))
    }

    fn knows(&self, request: &Element) -> bool {
        let text = |name: &str| {
            let children = request.children.iter();
            children.filter(|child| child.name == name).map(|child| &*child.text).next().unwrap_or_default()
        };
        let username = constant_time_eq(text("username").as_bytes(), self.listening.username.as_bytes());
        let password = constant_time_eq(text("password").as_bytes(), self.listening.password.0.as_bytes());
        username & password
    }

    /// Whether ConnReqAllowedJabberIDs lets somebody ring: full JIDs as they are, bare ones with any resource.
    fn is_allowed(&self, from: &str) -> bool {
        let (bare, resource) = parts(from);
        let allowed = &self.listening.connection.allowed;
        allowed.is_empty()
            || allowed.iter().any(|known| {
                let (known_bare, known_resource) = parts(known);
                known_bare == bare && known_resource.is_none_or(|known| resource == Some(known))
            })
    }
}

/// The bare JID, without regard to case, and the resource.
fn parts(jid: &str) -> (String, Option<&str>) {
    let (bare, resource) = jid.split_once('/').map_or((jid, None), |(bare, resource)| (bare, Some(resource)));
    (bare.to_lowercase(), resource)
}

fn result(stanza: &Element) -> String {
    format!("<iq type='result'{}/>", address(stanza))
}

fn error(stanza: &Element, kind: &str, condition: &str) -> String {
    format!(
        "<iq type='error'{}><error type='{kind}'><{condition} xmlns='{STANZAS}'/></error></iq>",
        address(stanza)
    )
}

/// Whom an answer goes to, and to what.
fn address(stanza: &Element) -> String {
    let attribute = |name: &str, value: Option<&str>| {
        value.map_or_else(String::new, |value| format!(" {name}='{}'", escape(value)))
    };
    attribute("id", stanza.attribute("id")) + &attribute("to", stanza.attribute("from"))
}
