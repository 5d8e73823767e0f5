//! Where a case is played: what the script can do to a box, and what it sees of the agent.

use std::time::Duration;

use cwmp_core::{
    io::{Datagram, Input},
    job::Job,
};

/// What the agent has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It has connected, or tried to.
    Connect,
    /// A POST.
    Post(Post),
    /// A lightweight notification; in memory only.
    Datagram(Datagram),
    /// It has work done by the box; in memory only.
    Job(Job),
    /// It has stopped such work.
    JobStopped,
    /// It has left the session and closed the connection.
    Close,
    /// It has the box restarted.
    Restart,
    /// It has the box reset to factory state.
    FactoryReset,
}

/// A POST of the agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Post {
    /// Request line and headers; `None` in memory, where there are none.
    pub head: Option<Vec<String>>,
    /// The body.
    pub body: Vec<u8>,
}

/// An HTTP reply of the ACS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Retry-After in seconds.
    pub retry_after: Option<u32>,
    /// More headers, `Name: value` each; on the wire only.
    pub headers: Vec<String>,
    /// Send the body in chunks of one byte; on the wire only.
    pub chunked: bool,
    /// Close the connection after it; on the wire only.
    pub close: bool,
    /// The body.
    pub body: Vec<u8>,
}

/// What happens to the box or between it and the ACS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Time passes; the agent may do nothing before the first, and must have done something by the second where given.
    Wait(Duration, Option<Duration>),
    /// The clock of the box is set: `None` for not known, else milliseconds since 1970.
    Clock(Option<i64>),
    /// The clock of the box is set forward or back by so many milliseconds.
    ClockBy(i64),
    /// The ACS answers no connection, or does again.
    Reachable(bool),
    /// The connection breaks instead of a reply.
    Drop,
    /// No reply comes in time.
    Silence,
    /// Someone on the box sets a parameter.
    Set(String, String),
    /// A file of the system below the box's root gets this content, while the program runs or while the box is down.
    File {
        /// From the root of the box, without the first slash.
        path: String,
        /// All of it.
        content: String,
        /// Whether the program runs meanwhile.
        running: bool,
    },
    /// The box loses power and boots again.
    PowerCut,
    /// The box boots after an orderly restart.
    Boots,
    /// This firmware runs from the next boot on.
    Image(String),
    /// Work of the box ends so ([`super::jobs::Jobs::end`]).
    JobEnds(Vec<String>),
    /// Something else that only the agent itself hears of.
    Tell(Box<Input>),
    /// The program alone starts again.
    AgentRestarts,
    /// The agent's part of a factory reset is done and the program starts again.
    Resets,
    /// Someone on the box asks for a restart.
    Reboot,
    /// Someone on the box asks for a factory reset.
    FactoryReset,
    /// Someone on the box asks for a session.
    Inform,
    /// Someone on the box asks what the ACS can do.
    AcsMethods,
    /// A connection request with the right credentials; the answer is whether it is taken.
    ConnectionRequest,
}

/// A place to play cases.
#[allow(async_fn_in_trait, reason = "both stages live on one thread")]
pub trait Stage {
    /// The next thing that the agent has done; `None` when it does nothing.
    async fn next(&mut self) -> Result<Option<Seen>, String>;

    /// What the agent has done already and nobody has looked at.
    fn waiting(&self) -> Option<&Seen>;

    /// The ACS replies to the last POST.
    async fn reply(&mut self, reply: Reply) -> Result<(), String>;

    /// Something happens. The answer says whether it was taken; only a connection request may be refused.
    async fn act(&mut self, act: &Act) -> Result<bool, String>;

    /// Values below these paths, as someone on the box sees them.
    async fn values(&mut self, paths: &[String]) -> Result<Vec<(String, String)>, String>;

    /// Everything that the ACS could see of the tree, apart from what changes by itself.
    async fn picture(&mut self) -> Result<String, String>;

    /// What lies on the disk: changes with every write.
    fn disk(&self) -> Result<String, String>;

    /// What the program has logged.
    fn log(&self) -> Result<String, String>;
}
