//! ConnectionRequestURL, from what the protocol side tells of its listener.

use std::{cell::Cell, rc::Rc};

use crate::{
    agent_source::AgentSource,
    border::{DoorState, Order, limits::SETTLE},
    config::Listen,
    protocol_side::ProtocolSide,
};

/// What the box knows of the door for connection requests.
pub(crate) struct Door {
    config: Listen,
    source: Rc<AgentSource>,
    side: ProtocolSide,
    state: Cell<Option<DoorState>>,
}

impl Door {
    pub(crate) fn new(config: Listen, source: Rc<AgentSource>, side: ProtocolSide) -> Self {
        Self { config, source, side, state: Cell::new(None) }
    }

    /// Makes ConnectionRequestURL and UDPConnectionRequestAddress true before an Inform carries them. Bounded by [`SETTLE`].
    pub(crate) async fn settle(&self) {
        let towards = if self.config.host.is_none() { self.source.settings().url } else { None };
        tokio::time::timeout(SETTLE, self.side.order(Order::Settle(towards))).await.ok();
    }

    /// Takes note of where the door is; returns whether ConnectionRequestURL has changed with it, which the ACS is to hear of
    /// (TR-069a6 3.2.2.2).
    pub(crate) fn is_now(&self, state: Option<DoorState>) -> bool {
        let before = self.url();
        self.state.set(state);
        let now = self.url();
        self.source.set_connection_request_url(now.clone());
        before != now
    }

    /// ConnectionRequestURL; empty while nothing listens or no address is known.
    fn url(&self) -> String {
        let Some(state) = self.state.get() else { return String::new() };
        let host = match (&self.config.host, state.address) {
            (Some(host), _) => host.clone(),
            (None, Some(address)) => address.to_string(),
            (None, None) => return String::new(),
        };
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        let path = self.config.path.as_deref().unwrap_or("/");
        state.port.map_or_else(String::new, |port| format!("http://{host}:{port}{path}"))
    }
}
