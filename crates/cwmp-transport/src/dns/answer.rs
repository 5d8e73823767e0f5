//! Messages of DNS: the question that is asked, and what an answer to it says.

use std::net::IpAddr;

use domain::{
    base::{
        Message, MessageBuilder, Name, ToName,
        iana::{Class, Opcode, Rcode, Rtype},
    },
    dep::octseq::array::Array,
    rdata::{A, Aaaa, Cname, Srv},
};

use crate::limits;

/// A name in the form of the wire, at most 255 bytes.
pub(crate) type DnsName = Name<Array<255>>;

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) id: u16,
    pub(crate) name: DnsName,
    /// A, AAAA or SRV.
    pub(crate) kind: Rtype,
}

/// What an answer says.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The addresses of the name, perhaps none, and for how many seconds that holds.
    Addresses { addresses: Vec<IpAddr>, ttl: u32 },
    /// The servers of a service.
    #[cfg_attr(not(feature = "xmpp"), expect(dead_code, reason = "XMPP alone looks for services"))]
    Services(Vec<Service>),
    /// The name is an alias of another one, of which the answer says nothing.
    Alias { of: Box<DnsName>, ttl: u32 },
    /// There is more than fits into a datagram.
    Truncated,
    /// There is no such name.
    NoName,
    /// The server cannot or will not say.
    Failed(Rcode),
}

/// A server of a service (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) priority: u16,
    pub(crate) weight: u16,
    /// Its name; empty where the service is said not to be there.
    pub(crate) target: String,
    pub(crate) port: u16,
}

impl Question {
    /// The message that asks it, for a server that asks others in turn.
    ///
    /// # Errors
    /// None for a name of ours: the buffer holds any question.
    pub(crate) fn message(&self) -> Result<Vec<u8>, String> {
        let failed = || "no question can be made".to_owned();
        let mut builder = MessageBuilder::from_target(Array::<512>::default()).map_err(|_| failed())?;
        builder.header_mut().set_id(self.id);
        builder.header_mut().set_rd(true);
        let mut question = builder.question();
        question.push((&self.name, self.kind)).map_err(|_| failed())?;
        Ok(question.finish().as_ref().to_vec())
    }

    /// What a message answers to the question; `None` when it is no answer to it, or malformed: it may come from anybody.
    pub(crate) fn read(&self, message: &[u8]) -> Option<Answer> {
        let message = Message::from_octets(message).ok()?;
        let header = message.header();
        if header.id() != self.id || !header.qr() || header.opcode() != Opcode::QUERY {
            return None;
        }
        let asked = message.sole_question().ok()?;
        if asked.qname() != &self.name || asked.qtype() != self.kind || asked.qclass() != Class::IN {
            return None;
        }
        if header.tc() {
            return Some(Answer::Truncated);
        }
        match header.rcode() {
            Rcode::NOERROR if self.kind == Rtype::SRV => self.services(message),
            Rcode::NOERROR => self.records(message),
            Rcode::NXDOMAIN => Some(Answer::NoName),
            other => Some(Answer::Failed(other)),
        }
    }

    /// SRV records stand under the name that was asked for: an alias of it is not followed (RFC 2782 has none).
    fn services(&self, message: Message<&[u8]>) -> Option<Answer> {
        let mut services = Vec::new();
        for record in message.answer().ok()?.take(limits::DNS_RECORDS) {
            let record = record.ok()?;
            let owner: DnsName = record.owner().try_to_name().ok()?;
            if record.class() != Class::IN || record.rtype() != Rtype::SRV || owner != self.name {
                continue;
            }
            let record = record.to_record::<Srv<_>>().ok()??;
            let data = record.data();
            let target: DnsName = data.target().try_to_name().ok()?;
            let target = if target.is_root() { String::new() } else { target.to_string() };
            services.push(Service {
                priority: data.priority(),
                weight: data.weight(),
                target,
                port: data.port(),
            });
        }
        Some(Answer::Services(services))
    }

    fn records(&self, message: Message<&[u8]>) -> Option<Answer> {
        let (mut aliases, mut addresses) = (Vec::new(), Vec::new());
        for record in message.answer().ok()?.take(limits::DNS_RECORDS) {
            let record = record.ok()?;
            if record.class() != Class::IN {
                continue;
            }
            let owner: DnsName = record.owner().try_to_name().ok()?;
            // A TTL with the highest bit set counts as none (RFC 2181 8).
            let ttl = Some(record.ttl().as_secs()).filter(|ttl| *ttl <= i32::MAX as u32).unwrap_or(0);
            if record.rtype() == Rtype::CNAME {
                let alias = record.to_record::<Cname<_>>().ok()??;
                aliases.push((owner, alias.data().cname().try_to_name().ok()?, ttl));
            } else if record.rtype() == self.kind && self.kind == Rtype::A {
                let address = record.to_record::<A>().ok()??;
                addresses.push((owner, IpAddr::V4(address.data().addr()), ttl));
            } else if record.rtype() == self.kind {
                let address = record.to_record::<Aaaa>().ok()??;
                addresses.push((owner, IpAddr::V6(address.data().addr()), ttl));
            }
        }
        let (mut name, mut ttl) = (self.name.clone(), u32::MAX);
        // What belongs to names that the question does not lead to is not looked at.
        for _ in 0..=limits::DNS_ALIASES {
            let own = addresses.iter().filter(|(owner, ..)| *owner == name);
            let found: Vec<_> =
                own.clone().map(|(_, address, _)| *address).take(limits::NAME_ADDRESSES).collect();
            if !found.is_empty() {
                let ttl = own.map(|(.., ttl)| *ttl).fold(ttl, u32::min);
                return Some(Answer::Addresses { addresses: found, ttl });
            }
            match aliases.iter().find(|(owner, ..)| *owner == name) {
                Some((_, of, its)) => (name, ttl) = (of.clone(), ttl.min(*its)),
                None if name == self.name => {
                    return Some(Answer::Addresses { addresses: Vec::new(), ttl: u32::MAX });
                }
                None => return Some(Answer::Alias { of: Box::new(name), ttl }),
            }
        }
        // A ring of aliases.
        Some(Answer::Failed(Rcode::SERVFAIL))
    }
}
