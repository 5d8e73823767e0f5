//! Connection requests: an HTTP GET that asks a CPE to open a session (TR-069a6 3.2.2).

use cwmp_core::url::{HttpUrl, Scheme, UrlError};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1::{self, SendRequest},
    header::{AUTHORIZATION, HOST, WWW_AUTHENTICATE},
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::AbortHandle};

use crate::{auth::answer_challenge, limits, options::Login};

/// Largest body of an answer that is read, in bytes: what a CPE says there is of no interest.
const ANSWER_BYTES: usize = 64 * 1024;

/// Why there was no answer to a connection request.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionRequestError {
    /// The CPE is not known, or has told no ConnectionRequestURL yet.
    #[error("no ConnectionRequestURL is known of this CPE")]
    NoUrl,
    /// The URL is malformed.
    #[error("ConnectionRequestURL `{0}`: {1}")]
    Url(String, UrlError),
    /// A connection request is plain HTTP.
    #[error("ConnectionRequestURL `{0}` is not http")]
    NotHttp(String),
    /// The CPE wants credentials, and there are none.
    #[error("the CPE asks for credentials, and none are set for connection requests")]
    NoCredentials,
    /// No connection.
    #[error("no connection to {0}: {1}")]
    Connect(String, std::io::Error),
    /// The exchange broke.
    #[error("the exchange broke: {0}")]
    Http(#[from] hyper::Error),
    /// No answer in time.
    #[error("no answer within {:?}", limits::CONNECTION_REQUEST_TIMEOUT)]
    Timeout,
}

/// Sends a connection request and returns the HTTP status of the answer: 200 or 204 for success, 503 for a CPE that is
/// busy, 401 for credentials that it refuses.
///
/// # Errors
/// [`ConnectionRequestError`] where there is no answer.
pub async fn send(url: &str, login: Option<&Login>) -> Result<u16, ConnectionRequestError> {
    let target = HttpUrl::parse(url).map_err(|error| ConnectionRequestError::Url(url.to_owned(), error))?;
    if target.scheme != Scheme::Http {
        return Err(ConnectionRequestError::NotHttp(url.to_owned()));
    }
    let answer = tokio::time::timeout(limits::CONNECTION_REQUEST_TIMEOUT, ask(&target, login));
    answer.await.map_err(|_| ConnectionRequestError::Timeout)?
}

async fn ask(url: &HttpUrl, login: Option<&Login>) -> Result<u16, ConnectionRequestError> {
    let mut connection = Connection::open(url).await?;
    let first = connection.get(url, None).await?;
    if first.status() != StatusCode::UNAUTHORIZED {
        return Ok(first.status().as_u16());
    }
    let Some(login) = login else { return Err(ConnectionRequestError::NoCredentials) };
    let challenges = first.headers().get_all(WWW_AUTHENTICATE).iter();
    let challenges: Vec<&str> = challenges.filter_map(|value| value.to_str().ok()).collect();
    let Some(answer) = answer_challenge(&challenges.join(", "), login, "GET", &url.path_and_query) else {
        return Ok(first.status().as_u16());
    };
    // Read to its end, so that the connection can serve again. A CPE that closes it gets a new one.
    let drained = Limited::new(first.into_body(), ANSWER_BYTES).collect().await.is_ok();
    if !drained || connection.sender.ready().await.is_err() {
        connection = Connection::open(url).await?;
    }
    Ok(connection.get(url, Some(answer)).await?.status().as_u16())
}

/// One connection to a CPE; its task ends with it.
struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    task: AbortHandle,
}

impl Connection {
    async fn open(url: &HttpUrl) -> Result<Self, ConnectionRequestError> {
        let stream = TcpStream::connect((url.host.as_str(), url.port))
            .await
            .map_err(|error| ConnectionRequestError::Connect(url.authority(), error))?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Errors of the connection reach the sender as well.
        let task = tokio::spawn(async move { drop(connection.await) }).abort_handle();
        Ok(Self { sender, task })
    }

    async fn get(
        &mut self,
        url: &HttpUrl,
        authorization: Option<String>,
    ) -> Result<Response<Incoming>, ConnectionRequestError> {
        let mut request = Request::new(Empty::new());
        let malformed = || ConnectionRequestError::Url(url.to_string(), UrlError::Character);
        *request.uri_mut() = url.path_and_query.parse().map_err(|_| malformed())?;
        let headers = request.headers_mut();
        headers.insert(HOST, url.authority().parse().map_err(|_| malformed())?);
        if let Some(text) = authorization {
            headers.insert(AUTHORIZATION, text.parse().map_err(|_| malformed())?);
        }
        Ok(self.sender.send_request(request).await?)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}
