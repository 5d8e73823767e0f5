//! The file server: firmware and configuration to download, and a place for uploads (TR-069a6 A.3.2.8, A.4.1.5).

use std::{
    io,
    path::{Path, PathBuf},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Frame, Incoming, SizeHint},
    header::{ACCEPT_RANGES, AUTHORIZATION, CONTENT_RANGE, HeaderName, HeaderValue, LOCATION, RANGE},
};
use tokio::{
    fs::File,
    io::{AsyncRead, AsyncSeekExt, AsyncWriteExt, ReadBuf},
};

use crate::{
    auth::{Verdict, Visitor, random_hex},
    options::FileOptions,
    report::Rule,
    script::{Plan, ScriptRequest, Step},
    server::{Body, FILES_PATH, NoReply, full, status, text_of, unauthorized},
    shared::Shared,
    wire::WireControl,
};

/// Bytes read from a file at a time.
const CHUNK: usize = 64 * 1024;

/// Answers a request below `/files/`: authentication, scripts, then the file.
pub(crate) async fn answer(
    request: Request<Incoming>,
    connection: u64,
    shared: &Shared,
    control: &WireControl,
) -> Result<Response<Body>, NoReply> {
    let Some(options) = &shared.options.files else { return Ok(status(StatusCode::NOT_FOUND)) };
    let method = request.method().as_str().to_owned();
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let authorization = text_of(request.headers(), AUTHORIZATION.as_str());
    let plan = {
        let mut state = shared.lock();
        let visitor =
            Visitor { connection, method: &method, target: &target, authorization: authorization.as_deref() };
        let verdict = state.file_gate.as_mut().map(|gate| gate.admit(&visitor));
        if let Some(Verdict::Challenge(challenge)) = verdict {
            return Ok(unauthorized(&challenge));
        }
        let request = ScriptRequest { message: &method, target: &target, body: b"" };
        let plan = state.file_scripts.plan(|_| true, &request);
        for unmet in &plan.unmet {
            state.violate(None, connection, Rule::Script, unmet.clone());
        }
        plan
    };
    if !plan.delay.is_zero() {
        tokio::time::sleep(plan.delay).await;
    }
    let code = |code: u16| StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let Plan { end, headers, .. } = plan;
    let mut response = match end {
        Some(Step::Close) => return Err(NoReply),
        Some(Step::Reset) => {
            control.reset();
            return Err(NoReply);
        }
        Some(Step::Stall) => return std::future::pending().await,
        Some(Step::Status(status_code)) => status(code(status_code)),
        Some(Step::Redirect(status_code, to)) => {
            let mut response = status(code(status_code));
            if let Ok(value) = to.parse() {
                response.headers_mut().insert(LOCATION, value);
            }
            response
        }
        Some(Step::Reply(reply)) => {
            let mut response = Response::new(full(reply.body));
            *response.status_mut() = code(reply.status);
            add_headers(&mut response, &reply.headers);
            response
        }
        Some(Step::Raw { bytes, close }) => {
            control.take_head(None);
            control.substitute(bytes, close);
            status(StatusCode::NO_CONTENT)
        }
        Some(Step::CloseAfterBytes(count)) => {
            let response = respond(request, options).await;
            control.take_head(None);
            control.cut_after(count);
            response
        }
        _ => {
            let response = respond(request, options).await;
            control.take_head(None);
            response
        }
    };
    add_headers(&mut response, &headers);
    Ok(response)
}

fn add_headers(response: &mut Response<Body>, headers: &[(String, String)]) {
    for (name, value) in headers {
        // Only a script can ask for a header that does not exist.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), value.parse()) {
            response.headers_mut().append(name, value);
        }
    }
}

/// Answers GET, HEAD and PUT below `/files/`.
async fn respond(request: Request<Incoming>, options: &FileOptions) -> Response<Body> {
    let Some(name) = request.uri().path().strip_prefix(FILES_PATH).and_then(relative) else {
        return status(StatusCode::NOT_FOUND);
    };
    let done = match *request.method() {
        Method::GET | Method::HEAD => {
            let range = text_of(request.headers(), RANGE.as_str());
            let wants_body = request.method() == Method::GET;
            get(&options.folder, &name, range.as_deref(), wants_body).await
        }
        Method::PUT => put(request, &options.folder, &name, options.max_bytes).await,
        _ => Ok(status(StatusCode::METHOD_NOT_ALLOWED)),
    };
    done.unwrap_or_else(|error| {
        let code = match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => StatusCode::NOT_FOUND,
            io::ErrorKind::PermissionDenied => StatusCode::FORBIDDEN,
            io::ErrorKind::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        status(code)
    })
}

/// A path below the folder from the path of a URL; `None` for one that would lead elsewhere or name no file.
#[must_use]
pub fn relative(path: &str) -> Option<PathBuf> {
    let decoded = percent_decode(path)?;
    let mut relative = PathBuf::new();
    for part in decoded.split('/') {
        if part.is_empty() || part == "." || part == ".." || part.contains(['\0', '\\']) {
            return None;
        }
        relative.push(part);
    }
    Some(relative)
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let (high, low) = (digit()?, digit()?);
        bytes.push(high << 4 | low);
    }
    String::from_utf8(bytes).ok()
}

/// The path with all links resolved, if it still lies in the folder.
async fn confined(folder: &Path, path: &Path) -> io::Result<PathBuf> {
    let folder = tokio::fs::canonicalize(folder).await?;
    let path = tokio::fs::canonicalize(folder.join(path)).await?;
    if path.starts_with(&folder) { Ok(path) } else { Err(io::ErrorKind::PermissionDenied.into()) }
}

async fn get(
    folder: &Path,
    name: &Path,
    range: Option<&str>,
    wants_body: bool,
) -> io::Result<Response<Body>> {
    let mut file = File::open(confined(folder, name).await?).await?;
    let meta = file.metadata().await?;
    if !meta.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let size = meta.len();
    let start = range.and_then(open_range);
    let mut response = match start {
        Some(start) if start >= size => {
            let mut response = status(StatusCode::RANGE_NOT_SATISFIABLE);
            insert(&mut response, CONTENT_RANGE, &format!("bytes */{size}"));
            return Ok(response);
        }
        Some(start) => {
            file.seek(io::SeekFrom::Start(start)).await?;
            let mut response = status(StatusCode::PARTIAL_CONTENT);
            insert(&mut response, CONTENT_RANGE, &format!("bytes {start}-{}/{size}", size.saturating_sub(1)));
            response
        }
        None => status(StatusCode::OK),
    };
    insert(&mut response, ACCEPT_RANGES, "bytes");
    let left = size.saturating_sub(start.unwrap_or(0));
    if wants_body {
        *response.body_mut() = FileBody { file, left, buffer: BytesMut::new() }.boxed();
    } else {
        insert(&mut response, hyper::header::CONTENT_LENGTH, &left.to_string());
    }
    Ok(response)
}

/// `bytes=N-`, the only form that a resumed transfer needs; others are ignored, as RFC 9110 allows.
fn open_range(range: &str) -> Option<u64> {
    range.trim().strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
}

fn insert(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// The file appears under its name only once it is complete.
async fn put(
    request: Request<Incoming>,
    folder: &Path,
    name: &Path,
    most: u64,
) -> io::Result<Response<Body>> {
    let file_name = name.file_name().ok_or(io::ErrorKind::NotFound)?;
    let parent = confined(folder, name.parent().unwrap_or(Path::new(""))).await?;
    let target = parent.join(file_name);
    let existed = match tokio::fs::symlink_metadata(&target).await {
        Ok(meta) if !meta.is_file() => return Err(io::ErrorKind::PermissionDenied.into()),
        found => found.is_ok(),
    };
    let partial = Partial(parent.join(format!(".{}.upload", random_hex())));
    if !receive(request, &partial.0, most).await? {
        return Ok(status(StatusCode::PAYLOAD_TOO_LARGE));
    }
    tokio::fs::rename(&partial.0, &target).await?;
    let mut response = Response::new(full(Bytes::new()));
    *response.status_mut() = if existed { StatusCode::NO_CONTENT } else { StatusCode::CREATED };
    Ok(response)
}

/// An upload that is not yet complete; what is left of it goes with this, also when the connection breaks.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // After success it has another name; what cannot be removed was not created.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// `false`: it is larger than allowed.
async fn receive(request: Request<Incoming>, path: &Path, most: u64) -> io::Result<bool> {
    let mut file = File::create_new(path).await?;
    let mut body = request.into_body();
    let mut size = 0_u64;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(io::Error::other)?.into_data() else { continue };
        size = size.saturating_add(data.len() as u64);
        if size > most {
            return Ok(false);
        }
        file.write_all(&data).await?;
    }
    file.sync_all().await?;
    Ok(true)
}

/// A file as a body, read as it is sent.
struct FileBody {
    file: File,
    left: u64,
    buffer: BytesMut,
}

impl hyper::body::Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let this = &mut *self;
        let want = usize::try_from(this.left).unwrap_or(CHUNK).min(CHUNK);
        this.buffer.resize(want, 0);
        let mut read = ReadBuf::new(&mut this.buffer);
        ready!(Pin::new(&mut this.file).poll_read(cx, &mut read))?;
        let count = read.filled().len();
        if count == 0 {
            return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
        }
        this.left = this.left.saturating_sub(count as u64);
        let data = this.buffer.split_to(count).freeze();
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leads_out_of_the_folder() {
        for bad in [
            "",
            "..",
            "../x",
            "a/../../x",
            "%2e%2e/x",
            "a//b",
            "/etc/passwd",
            "a%2f..%2fb",
            "a%00b",
            "%zz",
            "%2",
            "..%5cx",
        ] {
            assert_eq!(relative(bad), None, "{bad}");
        }
        assert_eq!(relative("a/b%20c.bin"), Some(PathBuf::from("a/b c.bin")));
        assert_eq!(relative("firmware.bin"), Some(PathBuf::from("firmware.bin")));
    }

    #[test]
    fn only_open_ranges_are_served() {
        assert_eq!(open_range("bytes=100-"), Some(100));
        for other in ["bytes=1-2", "bytes=-5", "bytes=0-1,3-", "lines=1-"] {
            assert_eq!(open_range(other), None);
        }
    }
}
