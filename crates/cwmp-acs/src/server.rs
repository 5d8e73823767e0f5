//! HTTP: connections, authentication, cookies, and the replies as the protocol or a script wants them.

use std::{convert::Infallible, io, sync::Arc};

use bytes::Bytes;
use cwmp_core::{
    fault::CwmpFault,
    rpc::{CwmpVersion, Envelope, Fault, Header, ToCpe},
    soap,
};
use http_body_util::{BodyExt, Full, Limited, combinators::BoxBody};
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{
        AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderMap, LOCATION, SET_COOKIE, TRANSFER_ENCODING,
        WWW_AUTHENTICATE,
    },
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};

use crate::{
    auth::{Verdict, Visitor},
    check::brief,
    exchange::{Content, Post, Reply},
    files, limits, print,
    report::Rule,
    script::Step,
    shared::{Arrival, Arrived, Departure, Shared},
    wire::{Wire, WireControl},
};

/// Name of the session cookie.
const SESSION_COOKIE: &str = "cwmp-acs";
/// Path of the file server.
pub(crate) const FILES_PATH: &str = "/files/";

/// A reply body: in memory or a file.
pub(crate) type Body = BoxBody<Bytes, io::Error>;

/// A body that is in memory.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never: Infallible| match never {}).boxed()
}

/// A reply without a body.
pub(crate) fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(full(Bytes::new()));
    *response.status_mut() = status;
    response
}

/// The connection ends without a reply.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed without a reply")]
pub(crate) struct NoReply;

/// Accepts connections until it is dropped.
pub(crate) async fn run(listener: TcpListener, shared: Arc<Shared>) {
    let room = Arc::new(Semaphore::new(limits::CONNECTIONS));
    let mut connections = JoinSet::new();
    let mut last = 0;
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // Finished tasks are to be collected; the permit is taken anew.
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, _)) => {
                last += 1;
                let (shared, number) = (Arc::clone(&shared), last);
                connections.spawn(async move {
                    let moving = serve(stream, number, &shared).await;
                    drop(permit);
                    if let Some(cookie) = moving {
                        tokio::time::sleep(shared.options.session_timeout).await;
                        shared.expire(&cookie);
                    }
                });
            }
            // Out of file descriptors, most likely: accepting again at once would spin.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
        }
    }
}

/// One connection to its end. A session that may go on in another one is returned.
async fn serve(stream: TcpStream, number: u64, shared: &Arc<Shared>) -> Option<String> {
    // Without it replies may wait for the peer's delayed acknowledgement; slower, but not wrong.
    let _ = stream.set_nodelay(true);
    let (wire, control) = Wire::new(stream);
    let service = service_fn(|request| respond(request, number, shared, &control));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(shared.options.session_timeout);
    // How a connection ends is not an error of ours: the session's report tells what became of it.
    let _ = http.serve_connection(TokioIo::new(wire), service).await;
    shared.closed(number)
}

async fn respond(
    request: Request<Incoming>,
    connection: u64,
    shared: &Shared,
    control: &WireControl,
) -> Result<Response<Body>, NoReply> {
    if request.uri().path().starts_with(FILES_PATH) {
        let essence = format!("{} {}", request.method(), brief(request.uri().path()));
        let response = files::answer(request, connection, shared, control).await;
        let code = response.as_ref().ok().map(|response| response.status().as_u16());
        shared.aside(connection, "file", code, essence);
        return response;
    }
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let body = Limited::new(body, limits::BODY_BYTES).collect();
    let Ok(Ok(body)) = tokio::time::timeout(limits::BODY_TIMEOUT, body).await else {
        return Ok(status(StatusCode::PAYLOAD_TOO_LARGE));
    };
    let body = body.to_bytes();
    let is_plain = !parts.headers.contains_key(TRANSFER_ENCODING);
    let (head, pipelined) = control.take_head(is_plain.then_some(body.len()));
    if let Some(challenge) = admit(shared, connection, parts.method.as_str(), &target, &parts.headers) {
        return Ok(challenge);
    }
    if parts.method != hyper::Method::POST {
        let text = format!("{} {target}", parts.method);
        shared.lock().violate(None, connection, Rule::PostOnly, text);
        return Ok(status(StatusCode::METHOD_NOT_ALLOWED));
    }
    if pipelined {
        let text = "a request before the reply to the last one".to_owned();
        shared.lock().violate(None, connection, Rule::NoPipelining, text);
    }
    if text_of(&parts.headers, "host").is_none_or(|host| host.is_empty()) {
        shared.lock().violate(None, connection, Rule::Host, "no Host header".to_owned());
    }
    let content = Content::read(&body);
    let (method, essence) = print::from_cpe(&content);
    let cookie = session_cookie(&parts.headers);
    let arrived = shared.arrive(Arrival {
        connection,
        cookie: cookie.as_deref(),
        inform: content.inform(),
        target: &target,
        method,
        essence,
        head,
        body,
    });
    let post = Post {
        content_type: text_of(&parts.headers, "content-type"),
        soap_action: text_of(&parts.headers, "soapaction"),
        content,
    };
    Exchange { shared, control, connection, arrived }.reply(post).await
}

/// `None`: come in.
fn admit(
    shared: &Shared,
    connection: u64,
    method: &str,
    target: &str,
    headers: &HeaderMap,
) -> Option<Response<Body>> {
    let authorization = text_of(headers, AUTHORIZATION.as_str());
    let visitor = Visitor { connection, method, target, authorization: authorization.as_deref() };
    let mut state = shared.lock();
    match state.gate.admit(&visitor) {
        Verdict::Challenge(challenge) => {
            drop(state);
            let refused =
                if authorization.is_some() { "these credentials are refused" } else { "who are you?" };
            shared.aside(connection, "", Some(401), refused.to_owned());
            Some(unauthorized(&challenge))
        }
        Verdict::Admitted(findings) => {
            for (rule, detail) in findings {
                state.violate(None, connection, rule, detail);
            }
            None
        }
    }
}

pub(crate) fn unauthorized(challenge: &str) -> Response<Body> {
    let mut response = status(StatusCode::UNAUTHORIZED);
    if let Ok(value) = challenge.parse() {
        response.headers_mut().insert(WWW_AUTHENTICATE, value);
    }
    response
}

/// A header field as text; the first where there are several.
pub(crate) fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn session_cookie(headers: &HeaderMap) -> Option<String> {
    let fields = headers.get_all(COOKIE).iter().filter_map(|field| field.to_str().ok());
    let mut pairs = fields.flat_map(|field| field.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| name.trim() == SESSION_COOKIE).map(|(_, value)| value.trim().to_owned())
}

/// One POST on its way to its reply.
struct Exchange<'a> {
    shared: &'a Shared,
    control: &'a WireControl,
    connection: u64,
    arrived: Arrived,
}

impl Exchange<'_> {
    async fn reply(mut self, post: Post) -> Result<Response<Body>, NoReply> {
        let plan = std::mem::take(&mut self.arrived.plan);
        if !plan.delay.is_zero() {
            tokio::time::sleep(plan.delay).await;
        }
        let response = match plan.end {
            Some(Step::Close) => {
                self.depart(None, "closed", "the script closes the connection", Bytes::new(), false);
                return Err(NoReply);
            }
            Some(Step::Reset) => {
                self.control.reset();
                self.depart(None, "reset", "the script resets the connection", Bytes::new(), false);
                return Err(NoReply);
            }
            Some(Step::Stall) => {
                self.depart(None, "silence", "the script does not reply", Bytes::new(), false);
                return std::future::pending().await;
            }
            Some(Step::Raw { bytes, close }) => {
                self.exchange(post, false, false);
                let (code, body) = final_response(&bytes);
                self.shared.replaced_reply(self.arrived.session.as_deref(), code, body);
                self.depart(None, "raw", "bytes of the script", bytes.clone(), close);
                self.control.substitute(bytes, close);
                return Ok(status(StatusCode::NO_CONTENT));
            }
            Some(Step::Status(code)) => self.scripted_status(code, &plan.headers),
            Some(Step::Redirect(code, ref to)) => {
                let mut headers = plan.headers.clone();
                headers.push((LOCATION.as_str().to_owned(), to.clone()));
                self.scripted_status(code, &headers)
            }
            Some(Step::SoapFault(code)) => {
                let fault = Fault::from(CwmpFault::new(code, "as the script wants it"));
                let (version, id) = match &post.content {
                    Content::Envelope(envelope) => (envelope.version, envelope.header.id.clone()),
                    _ => (CwmpVersion::V1_0, None),
                };
                let header = Header { id, ..Header::default() };
                let message = ToCpe::Fault(fault);
                self.protocol(Reply::Envelope(Box::new(Envelope { version, header, message })), &plan.headers)
            }
            Some(Step::Reply(ref reply)) => {
                self.exchange(post, false, false);
                self.shared.replaced_reply(self.arrived.session.as_deref(), reply.status, &reply.body);
                let headers: Vec<_> = reply.headers.iter().chain(&plan.headers).cloned().collect();
                self.send(reply.status, &headers, "scripted", "reply of the script", reply.body.clone())
            }
            Some(Step::CloseAfterBytes(count)) => {
                let reply = self.exchange(post, false, true);
                self.control.cut_after(count);
                self.protocol(reply, &plan.headers)
            }
            Some(Step::HoldRequests(hold)) => {
                let reply = self.exchange(post, hold, true);
                self.protocol(reply, &plan.headers)
            }
            // The others are modifiers and never end a plan.
            _ => {
                let reply = self.exchange(post, false, true);
                self.protocol(reply, &plan.headers)
            }
        };
        Ok(response)
    }

    fn exchange(&self, post: Post, hold: bool, calls: bool) -> Reply {
        self.shared.exchange(self.arrived.session.as_deref(), self.connection, post, hold, calls)
    }

    fn protocol(&self, reply: Reply, headers: &[(String, String)]) -> Response<Body> {
        let mut all = vec![(CONTENT_TYPE.as_str().to_owned(), "text/xml; charset=\"utf-8\"".to_owned())];
        all.extend_from_slice(headers);
        match reply {
            Reply::Envelope(envelope) => {
                let (method, essence) = print::to_cpe(&envelope);
                self.send(200, &all, &method, &essence, soap::encode_to_cpe(&envelope).into())
            }
            Reply::Raw(bytes) => {
                let (method, essence) = print::raw(&bytes);
                self.send(200, &all, &method, &essence, bytes.into())
            }
            Reply::Empty => self.send(204, headers, "", "nothing more from the ACS", Bytes::new()),
            Reply::Refuse(why) => self.send(400, headers, "", why, why.into()),
        }
    }

    fn scripted_status(&self, code: u16, headers: &[(String, String)]) -> Response<Body> {
        self.send(code, headers, "", "as the script wants it", Bytes::new())
    }

    fn send(
        &self,
        code: u16,
        headers: &[(String, String)],
        method: &str,
        essence: &str,
        body: Bytes,
    ) -> Response<Body> {
        let closes = |(name, value): &(String, String)| {
            name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close")
        };
        self.depart(Some(code), method, essence, body.clone(), headers.iter().any(closes));
        let mut reply = Response::builder().status(code);
        if let Some(session) = &self.arrived.session {
            reply = reply.header(SET_COOKIE, format!("{SESSION_COOKIE}={session}"));
        }
        for (name, value) in headers {
            reply = reply.header(name, value);
        }
        // Only a script can ask for a header or status that does not exist.
        reply.body(full(body)).unwrap_or_else(|_| status(StatusCode::INTERNAL_SERVER_ERROR))
    }

    fn depart(&self, status: Option<u16>, method: &str, essence: &str, body: Bytes, closes: bool) {
        let (method, essence) = (method.to_owned(), essence.to_owned());
        let Arrived { session, cpe, .. } = &self.arrived;
        let departure = Departure { status, method, essence, body, closes };
        self.shared.depart(session.as_deref(), self.connection, cpe.clone(), departure);
    }
}

/// Status and body in the bytes of a script, behind any interim responses; 0 where they are no HTTP.
fn final_response(bytes: &[u8]) -> (u16, &[u8]) {
    let mut rest = bytes;
    loop {
        let end = rest.windows(4).position(|window| window == b"\r\n\r\n");
        let (head, body) = end.and_then(|end| rest.split_at_checked(end + 4)).unwrap_or((rest, b""));
        let text = String::from_utf8_lossy(head.get(..16).unwrap_or(head));
        let code = text.strip_prefix("HTTP/1.").and_then(|text| text.get(2..5)?.parse().ok()).unwrap_or(0);
        if !(100..200).contains(&code) {
            return (code, body);
        }
        rest = body;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interim_responses_are_passed_over() {
        let bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\nbody";
        assert_eq!(final_response(bytes), (200, b"body".as_slice()));
        assert_eq!(final_response(b"HTTP/1.1 204 No Content\r\n\r\n"), (204, b"".as_slice()));
        assert_eq!(final_response(b"HTTP/1.1 100 Continue"), (0, b"".as_slice()));
        assert_eq!(final_response(b"nonsense"), (0, b"".as_slice()));
    }
}
