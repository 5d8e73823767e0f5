//! An HTTP proxy in front of the ACS and of file servers.
//!
//! The proxy is asked for a tunnel (CONNECT, RFC 9110 9.3.6) for http as well as for https. A session is one connection to the ACS,
//! and more than one thing hangs on that: nonces of Digest, sessions that an ACS ties to a connection, what a closed connection
//! means. A proxy that is given absolute URLs would be free to use other connections, and every request would carry its
//! credentials; in a tunnel both ends are those of a direct connection, and the proxy's credentials never reach the ACS.

use std::time::Duration;

use bytes::Bytes;
use cwmp_core::{io::NetError, settings::Secret, url::HttpUrl};
use http_body_util::Empty;
use hyper::{
    Method, Request, Response, StatusCode, Uri,
    body::Incoming,
    client::conn::http1,
    header::{self, HeaderValue},
};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::{net::TcpStream, time::timeout};

use super::ManagementPath;
use crate::{auth::Authenticator, connection::broken, connector::place_of, limits};

/// A proxy, and who the box is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyConfig {
    /// Name or address; an IPv6 literal without its brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Username; empty for none.
    pub username: String,
    /// Password. Where the proxy asks for Basic, everybody between the box and the proxy can read it.
    pub password: Secret,
}

impl ProxyConfig {
    /// A connection through the proxy to the URL's host. Its name is resolved by the proxy.
    pub(super) async fn tunnel(
        &self,
        path: &ManagementPath,
        url: &HttpUrl,
        wait: Duration,
    ) -> Result<TcpStream, NetError> {
        let (own, target) = (place_of(&self.host, self.port), place_of(&url.host, url.port));
        let failed = |reason: String| NetError::Connect(format!("{target} (proxy {own}: {reason})"));
        let mut auth = Authenticator::new(&self.username, &self.password.0);
        for _ in 0..=limits::AUTHENTICATION_ATTEMPTS {
            let tcp = path
                .connect_to(&self.host, self.port, wait)
                .await
                .map_err(|error| failed(error.to_string()))?;
            let request = request(&target, &mut auth).map_err(failed)?;
            let asked = timeout(wait, ask(tcp, request)).await;
            let asked = asked.unwrap_or_else(|_| Err(format!("no answer within {} s", wait.as_secs())));
            let answer = match asked.map_err(failed)? {
                Asked::Tunnel(tcp) => return Ok(tcp),
                Asked::Refused(answer) => answer,
            };
            if answer.status() != StatusCode::PROXY_AUTHENTICATION_REQUIRED {
                return Err(failed(refusal(answer.status())));
            }
            let challenges = answer.headers().get_all(header::PROXY_AUTHENTICATE);
            let again = auth.challenged(challenges.iter().map(HeaderValue::as_bytes), true);
            if self.username.is_empty() {
                return Err(failed(
                    "it asks for credentials: set proxy_username and proxy_password".to_owned(),
                ));
            }
            if !again.map_err(|error| failed(error.to_string()))? {
                break;
            }
        }
        Err(failed("it refuses the credentials (proxy_username and proxy_password)".to_owned()))
    }
}

/// What an answer other than a tunnel means.
fn refusal(status: StatusCode) -> String {
    let meaning = match status.as_u16() {
        502..=504 => "it does not reach the server",
        403 | 405 => "it allows no tunnel to there",
        _ => "it gives no tunnel",
    };
    format!("{meaning}, status {}", status.as_u16())
}

fn request(target: &str, auth: &mut Authenticator) -> Result<Request<Empty<Bytes>>, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let mut request = Request::new(Empty::new());
    *request.method_mut() = Method::CONNECT;
    *request.uri_mut() = Uri::try_from(target).map_err(|error| text(&error))?;
    let host = HeaderValue::try_from(target).map_err(|error| text(&error))?;
    request.headers_mut().insert(header::HOST, host);
    if let Some(value) = auth.authorization(Method::CONNECT.as_str(), target) {
        let value = HeaderValue::try_from(value.into_bytes());
        let mut value = value.map_err(|_| "proxy_username fits into no header".to_owned())?;
        value.set_sensitive(true);
        request.headers_mut().insert(header::PROXY_AUTHORIZATION, value);
    }
    Ok(request)
}

/// What the proxy has made of a CONNECT.
enum Asked {
    Tunnel(TcpStream),
    Refused(Response<Incoming>),
}

async fn ask(tcp: TcpStream, request: Request<Empty<Bytes>>) -> Result<Asked, String> {
    let text = |error: hyper::Error| broken(&error).to_string();
    let mut builder = http1::Builder::new();
    builder.title_case_headers(true).max_buf_size(limits::PROXY_HEAD_BYTES);
    let (mut sender, connection) = builder.handshake(TokioIo::new(tcp)).await.map_err(text)?;
    let talk = async {
        let answer = sender.send_request(request).await.map_err(text)?;
        if !answer.status().is_success() {
            return Ok(Asked::Refused(answer));
        }
        let tunnel = hyper::upgrade::on(answer).await.map_err(text)?;
        let parts =
            tunnel.downcast::<TokioIo<TcpStream>>().map_err(|_| "the connection is lost".to_owned())?;
        // Whoever is at the other end has not been spoken to yet.
        if !parts.read_buf.is_empty() {
            return Err("it sends more than its answer".to_owned());
        }
        Ok(Asked::Tunnel(parts.io.into_inner()))
    };
    let mut connection = std::pin::pin!(connection.with_upgrades());
    let mut talk = std::pin::pin!(talk);
    tokio::select! {
        biased;
        asked = &mut talk => asked,
        // Its end wakes up whoever waits for an answer or for the tunnel.
        _ = &mut connection => talk.await,
    }
}
