//! The border between the protocol side (agent, sessions, file transfers, connection requests) and the box side (store, data
//! model, platform, control socket). Nothing else passes between them: not memory, not files, not sockets.
//!
//! Inside one process the messages go through channels as they are; between two processes ([`frames`]) as bytes over a
//! socket. Effects of the agent that concern the box go up, inputs from the box go down. Beside them there are calls, each
//! with a number and one answer, in both directions: the box orders network work ([`Order`]), and the protocol side reads and
//! writes what it must not open itself ([`Call`]).

use std::{collections::HashMap, net::SocketAddr, path::PathBuf, rc::Rc, time::Duration};

use bytes::Bytes;
use cwmp_core::{
    io::{Effect, Input, Listing, SnapshotId, Start},
    job::JobError,
    settings::XmppState,
    url::HttpUrl,
};
use cwmp_transport::{
    PathConfig,
    files::{Fetched, RemoteFile, Validator, destination::Held},
    tls_config::{Material, Pin, Stamp},
};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use crate::{config::Listen, news::Change};

pub(crate) mod frames;
pub(crate) mod limits;

/// What the protocol side is told before anything else.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Begin {
    /// What the agent is told at its start.
    pub(crate) start: Box<Start>,
    /// Whether the clock can be trusted now; later changes come as [`Down::Clock`].
    pub(crate) synchronised: bool,
    /// Where connection requests are taken.
    pub(crate) listen: Listen,
    /// Where those over UDP are taken.
    pub(crate) udp: SocketAddr,
    /// Those over UDP up to this moment of the ACS have been taken before, in seconds since 1970.
    pub(crate) accepted_until: Option<u64>,
    /// Which way the traffic takes.
    pub(crate) path: PathConfig,
    /// Longest wait for a reply of the ACS.
    pub(crate) acs_reply_timeout: Duration,
    /// Whether Basic is answered without TLS.
    pub(crate) basic_without_tls: bool,
    /// Keys of which one must be in a server's chain.
    pub(crate) pins: Vec<Pin>,
    /// Whether the box keeps a trace.
    pub(crate) traced: bool,
    /// Whether somebody wants to hear of sessions and transfers.
    pub(crate) news: bool,
    /// `error`, `warning`, `info` or `debug`.
    pub(crate) log_level: String,
    /// Folders that hold secrets.
    pub(crate) private_folders: Vec<PathBuf>,
}

/// From the box to the protocol side.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Down {
    /// For the agent.
    Input(Input),
    /// Whether the clock can be trusted from now on.
    Clock(bool),
    /// The network of the box has changed.
    NetworkChanged,
    /// It may have: nobody tells the box of changes.
    MaybeNetworkChanged,
    /// Do this, and answer with [`Up::Done`] and the same number.
    Order(u32, Order),
    /// The order is not wanted any more.
    Cancel(u32),
    /// The answer to [`Up::Call`] with this number.
    Return(u32, Return),
}

/// From the protocol side to the box.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Up {
    /// What the agent wants of the box.
    Effect(Effect),
    /// The answer to [`Down::Order`] with this number.
    Done(u32, Done),
    /// Do this, and answer with [`Down::Return`] and the same number.
    Call(u32, Call),
    /// Nothing more is read from this reader.
    Close(u32),
    /// Where connection requests are taken now.
    Door(DoorState),
    /// Where connection requests over UDP reach the box from now on, as far as known, and whether there is a NAT on the way.
    UdpReached { address: Option<SocketAddr>, nat: bool },
    /// How the connection is that connection requests come over by XMPP.
    Xmpp(XmppState),
    /// What has changed of the agent, if [`Begin::news`] asks for it.
    News(Change),
    /// The next bytes of the trace.
    Trace(Bytes),
}

/// Where connection requests are taken.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct DoorState {
    /// The open port, if any.
    pub(crate) port: Option<u16>,
    /// The address that the ACS sees, as far as known.
    pub(crate) address: Option<std::net::IpAddr>,
}

/// Names a file that the box holds for a transfer, as long as that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct FileId(pub(crate) u32);

/// What the box orders.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Answer a request of the command line that concerns the agent (JSON, as on the control socket).
    Ask(String),
    /// Make sure that the door is open or closed for good, find out which address leads to this URL, and wait a while for
    /// what is to be found out of UDP.
    Settle(Option<HttpUrl>),
    /// Fetch into a file that the box holds.
    Fetch { into: FileId, held: Had, from: RemoteFile, file_size: u32 },
    /// Send a file that the box holds.
    Send { from: FileId, length: u64, to: RemoteFile },
    /// Show that the loop runs.
    Ping,
}

/// What is here of a file that is to be fetched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Had {
    pub(crate) bytes: u64,
    pub(crate) validator: Option<Validator>,
}

impl From<&Held> for Had {
    fn from(held: &Held) -> Self {
        Self { bytes: held.bytes, validator: held.validator.clone() }
    }
}

/// How an order ended.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Done {
    /// [`Order::Ask`]: an answer (JSON).
    Answered(String),
    /// [`Order::Fetch`].
    Fetched(Result<Fetched, JobError>),
    /// [`Order::Send`].
    Sent(Result<(), JobError>),
    /// [`Order::Settle`] and [`Order::Ping`].
    Over,
}

/// What the protocol side asks of the box.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Call {
    /// Get ready to write this envelope.
    Write(Listing),
    /// Read this from its beginning; the number of the reader is the caller's choice.
    Open(u32, Readable),
    /// The next piece.
    Read(u32),
    /// [`cwmp_transport::files::destination::Destination::restart`]
    Restart(FileId, Option<Validator>),
    /// `append`
    Append(FileId, Bytes),
    /// `keep`
    Keep(FileId),
    /// `has_room`
    HasRoom(FileId, u64),
    /// `sha256`
    Sha256(FileId),
    /// `finish`
    Finish(FileId),
    /// The files that https needs, unless they are still these.
    Material(Option<Stamp>),
    /// Whether the box has little to do.
    IsIdle,
    /// Keep durably that connection requests over UDP up to this moment of the ACS are not taken again (seconds since 1970).
    NoteUdp(u64),
}

/// What is read piece by piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Readable {
    /// The envelope that [`Call::Write`] has named last for this snapshot.
    Listing(SnapshotId),
    /// A file to be sent.
    File(FileId),
}

/// What the box answers.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Return {
    /// [`Call::Write`]: bytes of the whole.
    Length(u64),
    /// [`Call::Read`]; empty at the end.
    Piece(Bytes),
    /// [`Call::Sha256`].
    Sha256([u8; 32]),
    /// [`Call::Finish`].
    Fetched(Fetched),
    /// [`Call::Material`].
    Material(Option<Material>),
    /// [`Call::IsIdle`].
    Idle(bool),
    /// Nothing more to say.
    Done,
    /// It failed: what, and why.
    Failed(String),
}

/// One side's end of the border: what it sends, and what it hears until the other side is gone.
pub(crate) struct End<S, R> {
    pub(crate) send: mpsc::UnboundedSender<S>,
    pub(crate) hear: Ear<R>,
}

/// Hears what the other side says.
pub(crate) enum Ear<R> {
    /// Inside one process.
    Inside(mpsc::UnboundedReceiver<R>),
    /// From another process: what waits is bounded, the rest stays in the socket.
    Outside(mpsc::Receiver<R>),
}

impl<R> Ear<R> {
    /// The next message; `None` once the other side is gone.
    pub(crate) async fn hear(&mut self) -> Option<R> {
        match self {
            Self::Inside(messages) => messages.recv().await,
            Self::Outside(messages) => messages.recv().await,
        }
    }
}

/// The end of the box.
pub(crate) type BoxEnd = End<Down, Up>;
/// The end of the protocol side.
pub(crate) type ProtocolEnd = End<Up, Down>;

/// A border inside one process.
pub(crate) fn inside() -> (BoxEnd, ProtocolEnd) {
    let ((up, from_protocol), (down, from_box)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
    (End { send: down, hear: Ear::Inside(from_protocol) }, End { send: up, hear: Ear::Inside(from_box) })
}

/// Calls that wait for their answers.
pub(crate) struct Waiting<A>(std::cell::RefCell<Numbered<A>>);

struct Numbered<A> {
    last: u32,
    waiting: HashMap<u32, oneshot::Sender<A>>,
    closed: bool,
}

/// A call that waits; it is given up when this is dropped.
pub(crate) struct Ticket<A> {
    pub(crate) number: u32,
    calls: Rc<Waiting<A>>,
    answer: oneshot::Receiver<A>,
}

impl<A> Waiting<A> {
    pub(crate) fn new() -> Rc<Self> {
        let none = Numbered { last: 0, waiting: HashMap::new(), closed: false };
        Rc::new(Self(std::cell::RefCell::new(none)))
    }

    /// Another call.
    pub(crate) fn call(self: &Rc<Self>) -> Ticket<A> {
        let (sender, answer) = oneshot::channel();
        let mut numbered = self.0.borrow_mut();
        numbered.last = numbered.last.wrapping_add(1);
        let number = numbered.last;
        if !numbered.closed {
            numbered.waiting.insert(number, sender);
        }
        Ticket { number, calls: Rc::clone(self), answer }
    }

    /// The answer to a call; one that nobody waits for is dropped: the call was given up.
    pub(crate) fn answer(&self, number: u32, answer: A) {
        if let Some(waiting) = self.0.borrow_mut().waiting.remove(&number) {
            waiting.send(answer).ok();
        }
    }

    /// There will be no more answers.
    pub(crate) fn close(&self) {
        let mut numbered = self.0.borrow_mut();
        (numbered.closed, numbered.waiting) = (true, HashMap::new());
    }
}

impl<A> Ticket<A> {
    /// Waits for the answer; `None` when the other side is gone.
    pub(crate) async fn answer(&mut self) -> Option<A> {
        (&mut self.answer).await.ok()
    }
}

impl<A> Drop for Ticket<A> {
    fn drop(&mut self) {
        self.calls.0.borrow_mut().waiting.remove(&self.number);
    }
}
