//! A small name server for tests: it says what the test has told it, with counts of what was asked.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{net::UdpSocket, task::JoinHandle};

/// Types of records, as they stand in questions.
const A: u16 = 1;
const AAAA: u16 = 28;
/// How long answers hold, in seconds.
const TTL: u32 = 1;

/// The addresses of each name.
type Zone = BTreeMap<String, Vec<IpAddr>>;

/// Answers until it is dropped.
pub struct NameServer {
    /// Where it answers.
    pub address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl NameServer {
    /// Answers on this address; names that it is not told of do not exist.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(address: &str) -> io::Result<Self> {
        let socket = UdpSocket::bind(address).await?;
        let address = socket.local_addr()?;
        let (zone, asked) = (Arc::<Mutex<Zone>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (known, noted) = (Arc::clone(&zone), Arc::clone(&asked));
        let task = tokio::spawn(async move {
            let mut question = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut question).await {
                let zone = known.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if let Some((name, reply)) = answer(&question[..length], &zone) {
                    noted.lock().unwrap_or_else(PoisonError::into_inner).push(name);
                    socket.send_to(&reply, from).await.ok();
                }
            }
        });
        Ok(Self { address, zone, asked, task })
    }

    /// From now on the name has these addresses.
    pub fn says(&self, name: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        self.zone.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), addresses);
    }

    /// The names that were asked for, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The name of a question, and what is answered to it.
fn answer(question: &[u8], zone: &Zone) -> Option<(String, Vec<u8>)> {
    let (mut labels, mut at) = (Vec::new(), 12);
    while let length @ 1.. = usize::from(*question.get(at)?) {
        labels.push(String::from_utf8_lossy(question.get(at + 1..=at + length)?).to_ascii_lowercase());
        at += length + 1;
    }
    let end = at + 5;
    let kind = u16::from_be_bytes([*question.get(at + 1)?, *question.get(at + 2)?]);
    let name = labels.join(".");
    let found = zone.get(&name);
    let records: Vec<Vec<u8>> = found
        .into_iter()
        .flatten()
        .filter_map(|address| match address {
            IpAddr::V4(four) if kind == A => Some(four.octets().to_vec()),
            IpAddr::V6(six) if kind == AAAA => Some(six.octets().to_vec()),
            _ => None,
        })
        .collect();
    // An answer that the server has from elsewhere; 3: there is no such name.
    let flags = if found.is_some() { [0x81, 0x80] } else { [0x81, 0x83] };
    let count = u16::try_from(records.len()).ok()?.to_be_bytes();
    let mut reply = [&question[..2], &flags, &[0, 1], &count, &[0; 4], question.get(12..end)?].concat();
    for data in records {
        // The owner is a pointer to the name of the question.
        reply.extend([0xc0, 12]);
        reply.extend(kind.to_be_bytes());
        reply.extend([0, 1]);
        reply.extend(TTL.to_be_bytes());
        reply.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
        reply.extend(data);
    }
    Some((name, reply))
}
