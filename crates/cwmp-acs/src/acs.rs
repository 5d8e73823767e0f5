//! The handle of a running ACS: what tests, the demo and the program call.

use std::{
    collections::VecDeque,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use cwmp_core::rpc::{CpeRequest, CpeResponse, Inform};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use crate::{
    connection_request::{self, ConnectionRequestError},
    cpe::{CpeKey, CpeRecord, CpeSelector},
    exchange::Payload,
    options::AcsOptions,
    report::{CallError, SessionReport, Violation, WaitError},
    script::Script,
    server,
    shared::Shared,
    state::State,
    udp_request::{self, UdpRequest, UdpRequestError},
};

/// A running ACS. Clones are handles of the same one; it stops when the last is dropped.
#[derive(Clone)]
pub struct Acs(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    address: SocketAddr,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Acs {
    /// Binds and begins to serve, on the runtime that this is called on.
    ///
    /// # Errors
    /// Where the address cannot be bound.
    pub async fn start(options: AcsOptions) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(options));
        let task = tokio::spawn(server::run(listener, Arc::clone(&shared)));
        Ok(Self(Arc::new(Inner { shared, address, task: Mutex::new(Some(task)) })))
    }

    /// Stops serving: all connections are closed, the port is free when this returns, calls are given up. Other handles
    /// stay usable for what was recorded.
    pub async fn stop(&self) {
        if let Some(task) = self.0.take_task() {
            task.abort();
            // Cancelled, as intended.
            let _ = task.await;
        }
        self.state(|state| state.calls.clear());
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// What ManagementServer.URL has to be. (The ACS takes any path but `/files/`.)
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/acs", self.0.address)
    }

    /// The URL of a file below [`AcsOptions::files`].
    #[must_use]
    pub fn file_url(&self, name: &str) -> String {
        format!("http://{}{}{name}", self.0.address, server::FILES_PATH)
    }

    /// All CPEs that have sent an Inform.
    #[must_use]
    pub fn cpes(&self) -> Vec<CpeKey> {
        let mut keys: Vec<CpeKey> = self.state(|state| state.cpes.keys().cloned().collect());
        keys.sort();
        keys
    }

    /// What is known of a CPE.
    #[must_use]
    pub fn cpe(&self, cpe: impl Into<CpeSelector>) -> Option<CpeRecord> {
        self.with_cpe(cpe, |_, record| record.clone())
    }

    /// Looks at what is known of a CPE without copying it, under the lock: `look` must not use
    /// the handle. `Any` is the one seen last.
    pub fn with_cpe<T>(
        &self,
        cpe: impl Into<CpeSelector>,
        look: impl FnOnce(&CpeKey, &CpeRecord) -> T,
    ) -> Option<T> {
        let cpe = cpe.into();
        self.state(|state| {
            let (key, record) = match &cpe {
                CpeSelector::Key(key) => state.cpes.get_key_value(key),
                CpeSelector::Any => state.cpes.iter().max_by_key(|(_, record)| record.last_seen),
            }?;
            Some(look(key, record))
        })
    }

    /// Calls a method of a CPE: queued now, sent in the CPE's next session (or the present one), answered when the future
    /// is ready. Nothing is triggered. Dropping the future withdraws the call unless it was sent.
    pub fn call(&self, cpe: impl Into<CpeSelector>, request: CpeRequest) -> PendingCall {
        self.push(cpe.into(), Payload::Request(request))
    }

    /// Sends these bytes as the envelope of a call.
    pub fn call_raw(&self, cpe: impl Into<CpeSelector>, envelope: impl Into<Vec<u8>>) -> PendingCall {
        self.push(cpe.into(), Payload::Raw(envelope.into()))
    }

    /// [`Acs::call`], and a connection request so that the CPE comes at once.
    ///
    /// # Errors
    /// As the call; [`CallError::ConnectionRequest`] where the CPE could not be woken up.
    pub async fn call_now(
        &self,
        cpe: impl Into<CpeSelector>,
        request: CpeRequest,
    ) -> Result<CpeResponse, CallError> {
        let cpe = cpe.into();
        let pending = self.call(cpe.clone(), request);
        match self.connection_request(cpe).await {
            // 503: it is busy with a session, or will have one soon; the call is answered there.
            Ok(200 | 204 | 503) => pending.await,
            Ok(status) => Err(CallError::ConnectionRequest(format!("the CPE answers HTTP {status}"))),
            Err(error) => Err(CallError::ConnectionRequest(error.to_string())),
        }
    }

    /// Sends a connection request to the URL of the CPE's last Inform, with [`AcsOptions::connection_request`]; returns
    /// the HTTP status.
    ///
    /// # Errors
    /// [`ConnectionRequestError`] where there is no answer.
    pub async fn connection_request(
        &self,
        cpe: impl Into<CpeSelector>,
    ) -> Result<u16, ConnectionRequestError> {
        let url = self.with_cpe(cpe, |_, record| record.connection_request_url.clone()).flatten();
        let login = self.0.shared.options.connection_request.as_ref();
        connection_request::send(&url.ok_or(ConnectionRequestError::NoUrl)?, login).await
    }

    /// Sends a connection request over UDP to the UDPConnectionRequestAddress that the CPE has told last, in an Inform or when
    /// asked for it, signed with [`AcsOptions::connection_request`]. Nobody answers it; returns the address.
    ///
    /// # Errors
    /// [`UdpRequestError`] where none was sent.
    pub async fn udp_connection_request(
        &self,
        cpe: impl Into<CpeSelector>,
    ) -> Result<String, UdpRequestError> {
        let address =
            self.with_cpe(cpe, |_, record| record.udp_connection_request_address().map(str::to_owned));
        let address = address.flatten().ok_or(UdpRequestError::NoAddress)?;
        let options = &self.0.shared.options;
        let login = options.connection_request.as_ref().ok_or(UdpRequestError::NoCredentials)?;
        let message = UdpRequest::now().message(&address, login);
        udp_request::send(&address, &message, options.udp_requests_from).await?;
        Ok(address)
    }

    /// Calls that wait for this CPE.
    #[must_use]
    pub fn queued(&self, cpe: &CpeKey) -> usize {
        self.state(|state| state.calls.queued_for(cpe))
    }

    /// The next Inform of this CPE that was not yet taken, however it was answered.
    ///
    /// # Errors
    /// [`WaitError`] where none comes in time.
    pub async fn next_inform(
        &self,
        cpe: impl Into<CpeSelector>,
        within: Duration,
    ) -> Result<Inform, WaitError> {
        let cpe = cpe.into();
        let fits = move |inform: &Inform| cpe.matches(&CpeKey::of(&inform.device_id));
        self.take(within, |state| &mut state.informs, fits).await
    }

    /// The next ended session that fits and was not yet taken. `fits` runs under the lock: it must not use the handle.
    ///
    /// # Errors
    /// [`WaitError`] where none ends in time.
    pub async fn wait_session(
        &self,
        within: Duration,
        fits: impl Fn(&SessionReport) -> bool,
    ) -> Result<SessionReport, WaitError> {
        self.take(within, |state| &mut state.reports, fits).await
    }

    /// Rules that CPEs broke, in order; at most [`crate::limits::VIOLATIONS`].
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.state(|state| state.violations.clone())
    }

    /// The violations so far, which are forgotten.
    pub fn take_violations(&self) -> Vec<Violation> {
        self.state(|state| std::mem::take(&mut state.violations))
    }

    /// Number of violations, also of those that were not kept.
    #[must_use]
    pub fn violation_count(&self) -> u64 {
        self.state(|state| state.violation_count)
    }

    /// Loads a script for the POSTs of a CPE, behind those loaded before. `false`: there are too many.
    pub fn script(&self, cpe: impl Into<CpeSelector>, script: impl Into<Script>) -> bool {
        let (cpe, script) = (cpe.into(), script.into());
        self.state(|state| state.scripts.add(cpe, script))
    }

    /// Loads a script for requests to the file server; all of its requests are for it. `false`: there are too many.
    pub fn file_script(&self, script: impl Into<Script>) -> bool {
        let script = script.into();
        self.state(|state| state.file_scripts.add(CpeSelector::Any, script))
    }

    /// Throws all scripts away: the ACS behaves from now on.
    pub fn clear_scripts(&self) {
        self.state(|state| {
            state.scripts.clear();
            state.file_scripts.clear();
        });
    }

    /// Steps of scripts that were not yet taken.
    #[must_use]
    pub fn script_steps_left(&self) -> usize {
        self.state(|state| state.scripts.left() + state.file_scripts.left())
    }

    fn push(&self, cpe: CpeSelector, payload: Payload) -> PendingCall {
        PendingCall(self.state(|state| state.calls.push(cpe, payload)))
    }

    fn state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.shared.lock())
    }

    async fn take<T>(
        &self,
        within: Duration,
        queue: impl Fn(&mut State) -> &mut VecDeque<T>,
        fits: impl Fn(&T) -> bool,
    ) -> Result<T, WaitError> {
        let shared = &self.0.shared;
        let wait = async {
            loop {
                // Listening begins before the look, so that nothing can happen between the two.
                let mut changed = std::pin::pin!(shared.changed.notified());
                changed.as_mut().enable();
                let found = self.state(|state| {
                    let queue = queue(state);
                    queue.iter().position(&fits).and_then(|at| queue.remove(at))
                });
                if let Some(found) = found {
                    return found;
                }
                changed.await;
            }
        };
        tokio::time::timeout(within, wait).await.map_err(|_| WaitError(within))
    }
}

impl Inner {
    fn take_task(&self) -> Option<JoinHandle<()>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(task) = self.take_task() {
            task.abort();
        }
    }
}

/// A call on its way: a future of the answer.
#[must_use = "dropping it withdraws the call"]
#[derive(Debug)]
pub struct PendingCall(oneshot::Receiver<Result<CpeResponse, CallError>>);

impl Future for PendingCall {
    type Output = Result<CpeResponse, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(answer.unwrap_or(Err(CallError::Stopped)))
    }
}
