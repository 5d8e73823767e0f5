//! GET into a file, over as many attempts as it takes.

use std::{cell::Cell, rc::Rc};

use cwmp_core::{io::NetError, url::HttpUrl};
use hyper::{
    Method, Request,
    body::{Body, Incoming},
    header::{self, HeaderValue},
    http::response::Parts,
};
use tokio::time::sleep;

use super::{
    Fetched, FileClient, RemoteFile, Trouble,
    destination::Destination,
    drain, next,
    range::{self, Validator},
};
use crate::{
    body::{Outgoing, PostBody, Progress},
    headers, limits,
    line::Next,
};

/// What became of the body of a reply.
enum Taken {
    /// The file is whole.
    Whole,
    /// It was no file; whether it was read to its end.
    Other { drained: bool },
    /// The part that came, or the refusal to send it, does not go with what is here.
    StartOver,
}

pub(super) async fn run(
    client: &FileClient,
    from: &RemoteFile,
    file_size: u64,
    partial: &mut dyn Destination,
    progress: &dyn Fn(u64),
) -> Result<Fetched, Trouble> {
    let mut fetch = Fetch { client, from, partial, progress, receiving: Cell::new(false) };
    if file_size > 0 {
        // Less than is here already is a wrong size, and no reason to stop.
        let missing = file_size.saturating_sub(fetch.partial.held().bytes);
        fetch.partial.has_room(missing).await?;
    }
    let mut pause = client.config.pause;
    let mut attempt = 1;
    loop {
        let Err(trouble) = fetch.attempt().await else { return Ok(fetch.partial.finish().await?) };
        let trouble = match trouble {
            Trouble::Net(error) if fetch.receiving.get() => Trouble::Cut(error.to_string()),
            other => other,
        };
        if let Trouble::Corrupt(_) = trouble {
            fetch.partial.restart(None).await?;
        } else if !matches!(trouble, Trouble::Local(_)) {
            fetch.partial.keep().await?;
        }
        if !trouble.may_pass() || attempt >= limits::FETCH_ATTEMPTS {
            return Err(trouble);
        }
        let (bytes, why) = (fetch.partial.held().bytes, trouble.text(&from.url));
        tracing::info!("a download stopped at {bytes} bytes and is tried again: {why}");
        sleep(pause).await;
        attempt += 1;
        pause = pause.saturating_mul(2);
    }
}

struct Fetch<'a> {
    client: &'a FileClient,
    from: &'a RemoteFile,
    partial: &'a mut dyn Destination,
    progress: &'a dyn Fn(u64),
    /// Whether the file itself was coming when the attempt ended.
    receiving: Cell<bool>,
}

impl Fetch<'_> {
    /// One attempt, from the URL that the ACS gave: where a redirect led before may be good for one time only.
    async fn attempt(&mut self) -> Result<(), Trouble> {
        self.receiving.set(false);
        let mut line = self.client.line(Method::GET, self.from);
        let mut may_start_over = true;
        loop {
            let held = self.partial.held();
            let resume = held.resumable().map(|validator| (held.bytes, validator.clone()));
            let make = |url: &HttpUrl, progress: &Rc<Progress>| request(url, progress, resume.as_ref());
            let mut receive = async |head: &Parts, body: Incoming, progress: &Progress| {
                self.take(head, body, progress, resume.is_some()).await
            };
            let (head, taken) = line.exchange(&make, &mut receive).await?;
            let drained = match taken {
                Taken::Whole => return Ok(()),
                Taken::Other { drained } => drained,
                Taken::StartOver if may_start_over => {
                    may_start_over = false;
                    line.hang_up();
                    self.partial.restart(None).await?;
                    continue;
                }
                Taken::StartOver => {
                    return Err(Trouble::Odd("it sends parts that nobody asked for".to_owned()));
                }
            };
            if !drained {
                line.hang_up();
            }
            let status = head.status.as_u16();
            if status == 401 && self.from.username.is_empty() {
                return Err(Trouble::Net(NetError::Unauthorized));
            }
            match line.after(&head)? {
                Next::Again => {}
                Next::Done => {
                    return Err(Trouble::Status { status, authenticated: line.is_authenticated() });
                }
            }
        }
    }

    async fn take(
        &mut self,
        head: &Parts,
        body: Incoming,
        progress: &Progress,
        resuming: bool,
    ) -> Result<Taken, Trouble> {
        let headers = &head.headers;
        let total = match head.status.as_u16() {
            200 => {
                self.partial.restart(Validator::of(headers)).await?;
                None
            }
            206 => {
                let part =
                    range::content_range(headers).filter(|part| part.first == self.partial.held().bytes);
                let fits = self.partial.held().resumable().is_some_and(|validator| validator.fits(headers));
                match part {
                    Some(part) if resuming && fits => part.total,
                    _ => return Ok(Taken::StartOver),
                }
            }
            416 if resuming => return Ok(Taken::StartOver),
            _ => return Ok(Taken::Other { drained: drain(body, progress).await? }),
        };
        if let Some(coding) = headers.get(header::CONTENT_ENCODING)
            && !coding.as_bytes().eq_ignore_ascii_case(b"identity")
        {
            let text = "it sends the file in a content coding, although none was asked for";
            return Err(Trouble::Odd(text.to_owned()));
        }
        self.receiving.set(true);
        self.store(body, progress).await?;
        if total.is_some_and(|total| total != self.partial.held().bytes) {
            return Err(Trouble::Cut("the rest of the file is shorter than announced".to_owned()));
        }
        match range::sha256(headers) {
            Some(said) if self.partial.sha256().await? != said => {
                Err(Trouble::Corrupt("the content is not what the server's digest says".to_owned()))
            }
            _ => Ok(Taken::Whole),
        }
    }

    /// Writes the body behind what is here.
    async fn store(&mut self, mut body: Incoming, progress: &Progress) -> Result<(), Trouble> {
        let length = body.size_hint().exact();
        if let Some(length) = length {
            self.fits(length)?;
            self.partial.has_room(length).await?;
        }
        let mut chunk = Vec::new();
        loop {
            let data = next(&mut body, progress).await;
            let end = !matches!(data, Ok(Some(_)));
            if let Ok(Some(data)) = &data {
                chunk.extend_from_slice(data);
            }
            // What came before an interruption counts as well.
            if chunk.len() >= limits::FETCH_CHUNK_BYTES || (end && !chunk.is_empty()) {
                let bytes = chunk.len() as u64;
                self.fits(bytes)?;
                if length.is_none() {
                    self.partial.has_room(bytes).await?;
                }
                self.partial.append(std::mem::take(&mut chunk)).await?;
                (self.progress)(self.partial.held().bytes);
            }
            if end {
                return data.map(drop);
            }
        }
    }

    /// Whether so many bytes more are within the limit.
    fn fits(&self, bytes: u64) -> Result<(), Trouble> {
        let max = self.client.config.max_bytes;
        if self.partial.held().bytes.saturating_add(bytes) <= max {
            return Ok(());
        }
        Err(Trouble::Local(format!("the file is larger than {max} bytes, which is the limit")))
    }
}

fn request(
    url: &HttpUrl,
    progress: &Rc<Progress>,
    resume: Option<&(u64, Validator)>,
) -> Result<Request<Outgoing>, NetError> {
    let mut request = headers::request(Method::GET, url, PostBody::Empty.outgoing(progress))?;
    let headers = request.headers_mut();
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if let Some((bytes, validator)) = resume
        && let Some(from) = range::from_byte(*bytes)
    {
        headers.insert(header::RANGE, from);
        headers::set(headers, header::IF_RANGE, validator.as_str().as_bytes())?;
    }
    Ok(request)
}
