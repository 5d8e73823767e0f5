//! `Device.XMPP.`: the connections that connection requests may come over (TR-069a6 Annex K), kept in the layers beside
//! ManagementServer, whose ConnReqXMPPConnection names the one that is used.

use std::rc::Rc;

use async_trait::async_trait;
use cwmp_core::{
    datetime::DateTime,
    fault::{CwmpFault, FaultCode, SetParameterValuesFault},
    rpc::Status,
    settings::{XmppSettings, XmppState, XmppStatus},
};
use cwmp_platform::source::{
    Access, Change, ObjectKind, ParameterSink, ParameterSource, SourceError, Storage, Wanted,
};

use self::rows::{CONNECTION, CONNECTIONS, Key, MOST_CONNECTIONS, MOST_SERVERS, Row, SERVER};
use super::{AgentSource, internal};
use crate::config::rows as numbers;

pub(crate) mod rows;

#[cfg(test)]
mod tests;

const OBJECT: &str = "Device.XMPP.";
const TABLE: &str = "Device.XMPP.Connection.";
const ROW: &str = "Device.XMPP.Connection.{i}.";
const SERVER_ROW: &str = "Device.XMPP.Connection.{i}.Server.{i}.";

/// The connection that is used, as the protocol side sees it.
#[derive(Debug)]
pub(crate) struct Observed {
    state: XmppState,
    /// LastChangeDate.
    since: DateTime,
}

impl Default for Observed {
    fn default() -> Self {
        Self { state: XmppState::default(), since: DateTime::Unknown }
    }
}

impl Observed {
    /// Takes note; returns whether that is something new.
    pub(super) fn set(&mut self, state: XmppState, now: DateTime) -> bool {
        if state.status != self.state.status {
            self.since = now;
        }
        std::mem::replace(&mut self.state, state) != self.state
    }

    /// ConnReqJabberID: empty without a connection that is named and enabled.
    pub(super) fn jabber_id_of(&self, named: Option<&XmppSettings>) -> String {
        named.map_or_else(String::new, |_| self.state.jabber_id.clone())
    }
}

/// The source of `Device.XMPP.`. All changes of one call are one commit of user.ini. Blocks while that is made durable.
pub(crate) struct XmppSource {
    agent: Rc<AgentSource>,
}

/// A table that an instance belongs to, as the layers know it.
struct Table {
    name: String,
    keys: &'static [Key],
    most: usize,
}

impl XmppSource {
    pub(crate) fn new(agent: Rc<AgentSource>) -> Self {
        Self { agent }
    }

    fn check_one(&self, change: &Change) -> Result<(), (FaultCode, String)> {
        let Change { name, value, .. } = change;
        let row = name.strip_prefix("Device.").and_then(|path| path.rsplit_once('.'));
        let keys =
            row.and_then(|(section, key)| Some((rows::keys_of(&self.agent.layers.borrow(), section)?, key)));
        let known = keys.and_then(|(keys, key)| keys.iter().find(|known| known.name == key));
        match known {
            Some(known) if known.kind.takes(value) => Ok(()),
            Some(known) => {
                let right = known.kind.right();
                Err((FaultCode::INVALID_PARAMETER_VALUE, format!("{name} must be {right}")))
            }
            None if keys.is_some() => Err((FaultCode::NOT_WRITABLE, format!("{name} is read-only"))),
            None => Err((FaultCode::INVALID_PARAMETER_NAME, format!("there is no {name}"))),
        }
    }

    /// Refuses changes that have not passed [`XmppSource::check`]: nothing unread may get into user.ini.
    fn recheck(&self, changes: &[Change]) -> Result<(), String> {
        changes.iter().try_for_each(|change| self.check_one(change).map_err(|(_, text)| text))
    }

    /// The table that has this path, with the dot at its end.
    fn table(&self, path: &str) -> Option<Table> {
        if path == TABLE {
            return Some(Table { name: CONNECTIONS.to_owned(), keys: &CONNECTION, most: MOST_CONNECTIONS });
        }
        let connection: u32 = path.strip_prefix(TABLE)?.strip_suffix(".Server.")?.parse().ok()?;
        self.agent.layers.borrow().rows(CONNECTIONS).contains(&connection).then(|| Table {
            name: rows::servers_of(connection),
            keys: &SERVER,
            most: MOST_SERVERS,
        })
    }

    /// What the tree shows of a connection beside what is stored.
    fn observed(&self, number: u32, enabled: bool) -> (&'static str, Option<(XmppState, DateTime)>) {
        let settings = self.agent.settings.borrow();
        let used = settings.xmpp.as_ref().is_some_and(|used| used.instance == number);
        if used {
            let observed = self.agent.xmpp.borrow();
            let status = observed.state.status.name();
            return (status, Some((observed.state.clone(), observed.since)));
        }
        // Nobody needs it: connection requests come over another one.
        (if enabled { "Dormant" } else { XmppStatus::Disabled.name() }, None)
    }
}

#[async_trait(?Send)]
impl ParameterSource for XmppSource {
    fn name(&self) -> &'static str {
        "xmpp"
    }

    fn storage(&self) -> Storage {
        Storage::Settings
    }

    fn objects(&self) -> &[&'static str] {
        &[OBJECT, ROW, SERVER_ROW]
    }

    async fn read(&self, wanted: &Wanted<'_>, out: &mut dyn ParameterSink) -> Result<(), SourceError> {
        let layers = self.agent.layers.borrow();
        let connections = layers.rows(CONNECTIONS);
        if wanted.touches(OBJECT) {
            out.object(OBJECT, ObjectKind::Single);
            out.parameter("ConnectionNumberOfEntries", &connections.len(), Access::ReadOnly);
            out.parameter("SupportedServerConnectAlgorithms", &"DNS-SRV,DNS,ServerTable", Access::ReadOnly);
        }
        if wanted.touches(ROW) || wanted.touches(SERVER_ROW) {
            out.object(TABLE, ObjectKind::Table { addable: true });
            for number in connections {
                let row = Row::new(&layers, CONNECTIONS, number, &CONNECTION);
                out.object(&format!("{TABLE}{number}."), ObjectKind::Instance { deletable: true });
                show(&row, &CONNECTION, out);
                let (status, observed) = self.observed(number, row.flag("Enable"));
                let (state, since) = observed.unwrap_or((XmppState::default(), DateTime::Unknown));
                let servers = rows::servers_of(number);
                let of_servers = layers.rows(&servers);
                out.parameter("JabberID", &state.jabber_id, Access::ReadOnly);
                out.parameter("Status", &status, Access::ReadOnly);
                out.parameter("LastChangeDate", &since, Access::ReadOnly);
                out.parameter("TLSEstablished", &state.tls, Access::ReadOnly);
                out.parameter("ServerNumberOfEntries", &of_servers.len(), Access::ReadOnly);
                let table = format!("{TABLE}{number}.Server.");
                out.object(&table, ObjectKind::Table { addable: true });
                for server in of_servers {
                    out.object(&format!("{table}{server}."), ObjectKind::Instance { deletable: true });
                    show(&Row::new(&layers, &servers, server, &SERVER), &SERVER, out);
                }
            }
        }
        Ok(())
    }

    async fn check(&self, changes: &[Change]) -> Vec<SetParameterValuesFault> {
        let fault = |change: &Change| {
            let (code, text) = self.check_one(change).err()?;
            Some(SetParameterValuesFault { name: change.name.clone(), code, text })
        };
        changes.iter().filter_map(fault).collect()
    }

    async fn apply(&self, changes: &[Change]) -> Result<Status, SourceError> {
        self.recheck(changes).map_err(SourceError)?;
        self.agent.commit(changes, |_| Ok(())).map_err(|error| SourceError(error.to_string()))?;
        Ok(Status::Applied)
    }

    async fn add(&self, table: &str, extra: &[Change]) -> Result<(u32, Status), CwmpFault> {
        let Some(Table { name, keys, most }) = self.table(table) else {
            return Err(missing(table));
        };
        self.recheck(extra).map_err(internal)?;
        let full =
            || CwmpFault::new(FaultCode::RESOURCES_EXCEEDED, format!("{table} has no room for another row"));
        if self.agent.layers.borrow().rows(&name).len() >= most {
            return Err(full());
        }
        let number = numbers::next_instance(&self.agent.layers.borrow(), &name).ok_or_else(full)?;
        let values = keys.iter().map(|key| (key.name, key.default));
        self.agent.commit(extra, |layers| numbers::add(layers, &name, number, values)).map_err(internal)?;
        Ok((number, Status::Applied))
    }

    async fn delete(&self, instance: &str, extra: &[Change]) -> Result<Status, CwmpFault> {
        let parts = instance.strip_suffix('.').and_then(|path| path.rsplit_once('.'));
        let table = parts.and_then(|(table, _)| self.table(&format!("{table}.")));
        let number = parts.and_then(|(_, number)| number.parse::<u32>().ok());
        let (Some(table), Some(number)) = (table, number) else { return Err(missing(instance)) };
        if !self.agent.layers.borrow().rows(&table.name).contains(&number) {
            return Err(missing(instance));
        }
        self.recheck(extra).map_err(internal)?;
        self.agent.commit(extra, |layers| numbers::delete(layers, &table.name, number)).map_err(internal)?;
        Ok(Status::Applied)
    }
}

fn show(row: &Row<'_>, keys: &[Key], out: &mut dyn ParameterSink) {
    for key in keys {
        out.parameter(key.name, &row.text(key.name), Access::ReadWrite);
    }
}

fn missing(path: &str) -> CwmpFault {
    CwmpFault::new(FaultCode::INVALID_PARAMETER_NAME, format!("there is no {path}"))
}
