//! PUT from a file.

use std::rc::Rc;

use cwmp_core::{io::NetError, url::HttpUrl};
use hyper::{
    Method, Request, StatusCode,
    body::Incoming,
    header::{self, HeaderValue},
    http::response::Parts,
};

use super::{FileClient, RemoteFile, Trouble, drain, upload::Gate};
use crate::{
    body::{ChunkSource, Outgoing, Progress},
    headers, limits,
    line::Next,
};

pub(super) async fn run(
    client: &FileClient,
    to: &RemoteFile,
    length: u64,
    from: &ChunkSource,
) -> Result<(), Trouble> {
    let mut line = client.line(Method::PUT, to);
    let mut announce = length > limits::EXPECT_BYTES;
    let mut challenges = 0;
    loop {
        let make = |url: &HttpUrl, progress: &Rc<Progress>| request(url, progress, from, length, announce);
        let mut receive = async |_: &Parts, body: Incoming, progress: &Progress| {
            let drained = drain(body, progress).await?;
            Ok::<_, Trouble>((drained, progress.is_sent.get()))
        };
        let (head, (drained, sent)) = line.exchange(&make, &mut receive).await?;
        if !drained || !sent {
            line.hang_up();
        }
        let status = head.status.as_u16();
        if status == 417 && announce {
            announce = false;
            continue;
        }
        if status == 401 {
            if to.username.is_empty() {
                return Err(Trouble::Net(NetError::Unauthorized));
            }
            challenges += 1;
            // A server whose nonce is good for its connection alone must get the file in vain once, to keep that open.
            announce &= challenges < 2;
        }
        match line.after(&head)? {
            Next::Again => {}
            Next::Done if head.status.is_success() && sent => return Ok(()),
            Next::Done if head.status.is_success() => {
                return Err(Trouble::Odd(format!("it answers {status} before it has the file")));
            }
            Next::Done => {
                return Err(Trouble::Status { status, authenticated: line.is_authenticated() });
            }
        }
    }
}

fn request(
    url: &HttpUrl,
    progress: &Rc<Progress>,
    from: &ChunkSource,
    length: u64,
    announce: bool,
) -> Result<Request<Outgoing>, NetError> {
    let gate = announce.then(Gate::new);
    let mut body = Outgoing::new(from(), length, progress);
    if let Some(gate) = &gate {
        body = body.after(gate.clone().pass());
    }
    let mut request = headers::request(Method::PUT, url, body)?;
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if let Some(gate) = gate {
        headers.insert(header::EXPECT, HeaderValue::from_static("100-continue"));
        hyper::ext::on_informational(&mut request, move |reply| {
            if reply.status() == StatusCode::CONTINUE {
                gate.open();
            }
        });
    }
    Ok(request)
}
