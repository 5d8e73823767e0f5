//! A CPE made by hand: HTTP over a TCP stream, one request after the other, nothing done unasked.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing
)]

use std::time::Duration;

use cwmp_acs::CpeKey;
use cwmp_core::{
    datetime::DateTime,
    event::{EventCode, EventStruct},
    rpc::{
        AcsRequest, CpeResponse, CwmpVersion, DeviceId, Envelope, Header, Inform, ParameterValueStruct,
        ToAcs, ToCpe,
    },
    soap,
    value::ValueType,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// Long enough for a busy machine; reached only when something is wrong.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// An HTTP reply.
#[derive(Debug)]
pub struct HttpReply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl HttpReply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn envelope(&self) -> Envelope<ToCpe> {
        soap::decode_to_cpe(&self.body).unwrap()
    }
}

/// The CPE.
pub struct Cpe {
    address: String,
    stream: BufReader<TcpStream>,
    pub cookie: Option<String>,
    pub authorization: Option<String>,
    pub connection_request_url: String,
}

impl Cpe {
    pub async fn connect(address: impl ToString) -> Self {
        let address = address.to_string();
        let stream = BufReader::new(TcpStream::connect(&address).await.unwrap());
        let connection_request_url = "http://127.0.0.1:1/".to_owned();
        Self { address, stream, cookie: None, authorization: None, connection_request_url }
    }

    pub fn key() -> CpeKey {
        CpeKey::of(&device())
    }

    /// Begins a new connection; the cookie is kept.
    pub async fn reconnect(&mut self) {
        self.stream = BufReader::new(TcpStream::connect(&self.address).await.unwrap());
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Sends a request with these headers besides Host, Cookie, Authorization and Content-Length.
    pub async fn send(&mut self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n", self.address);
        let own = [("Cookie", &self.cookie), ("Authorization", &self.authorization)];
        for (name, value) in own {
            if let Some(value) = value {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        self.write(&[head.as_bytes(), body].concat()).await;
    }

    /// Reads a reply; `None` when the connection ends before it is complete.
    pub async fn reply(&mut self) -> Option<HttpReply> {
        tokio::time::timeout(PATIENCE, self.read_reply()).await.expect("no reply in time")
    }

    async fn read_reply(&mut self) -> Option<HttpReply> {
        let status = self.line().await?.split(' ').nth(1)?.parse().ok()?;
        let mut headers = Vec::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':')?;
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        let mut reply = HttpReply { status, headers, body: Vec::new() };
        let length = reply.header("Content-Length").and_then(|text| text.parse().ok()).unwrap_or(0);
        reply.body.resize(length, 0);
        self.stream.read_exact(&mut reply.body).await.ok()?;
        if let Some(cookie) = reply.header("Set-Cookie") {
            self.cookie = Some(cookie.split(';').next()?.to_owned());
        }
        Some(reply)
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let count = self.stream.read_line(&mut line).await.ok()?;
        (count > 0).then(|| line.trim_end().to_owned())
    }

    /// Whether the connection ends, with FIN or RST, without another byte.
    pub async fn is_closed(&mut self) -> bool {
        matches!(self.read_byte().await, Ok(0) | Err(_))
    }

    /// Whether the connection ends with RST without another byte.
    pub async fn is_reset(&mut self) -> bool {
        self.read_byte().await.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
    }

    async fn read_byte(&mut self) -> std::io::Result<usize> {
        let mut byte = [0];
        tokio::time::timeout(PATIENCE, self.stream.read(&mut byte)).await.expect("still open")
    }

    /// All bytes up to the end of the connection.
    pub async fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let read =
            tokio::time::timeout(PATIENCE, self.stream.read_to_end(&mut bytes)).await.expect("still open");
        drop(read);
        bytes
    }

    pub async fn post(&mut self, message: ToAcs, id: Option<&str>) -> Option<HttpReply> {
        self.send_envelope(message, id).await;
        self.reply().await
    }

    pub async fn send_envelope(&mut self, message: ToAcs, id: Option<&str>) {
        let header = Header { id: id.map(str::to_owned), ..Header::default() };
        let body = soap::encode_to_acs(&Envelope { version: CwmpVersion::V1_2, header, message });
        let headers = [("Content-Type", "text/xml; charset=\"utf-8\""), ("SOAPAction", "")];
        self.send("POST", "/acs", &headers, &body).await;
    }

    pub async fn inform(&mut self, events: &[EventCode]) -> Option<HttpReply> {
        let message = inform(events, &self.connection_request_url);
        self.post(message, Some("cpe-1")).await
    }

    pub async fn empty(&mut self) -> Option<HttpReply> {
        self.send("POST", "/acs", &[], b"").await;
        self.reply().await
    }

    /// Answers the call in a reply.
    pub async fn answer(&mut self, call: &HttpReply, response: CpeResponse) -> Option<HttpReply> {
        let id = call.envelope().header.id;
        self.post(ToAcs::Response(response), id.as_deref()).await
    }

    pub async fn request(&mut self, request: AcsRequest) -> Option<HttpReply> {
        self.post(ToAcs::Request(request), Some("cpe-2")).await
    }
}

pub fn device() -> DeviceId {
    DeviceId {
        manufacturer: "Example".into(),
        oui: "00D09E".into(),
        product_class: "Box".into(),
        serial_number: "0001".into(),
    }
}

pub fn string(name: &str, value: &str) -> ParameterValueStruct {
    ParameterValueStruct { name: name.into(), value_type: Some(ValueType::String), value: value.into() }
}

pub fn inform(events: &[EventCode], connection_request_url: &str) -> ToAcs {
    ToAcs::Request(AcsRequest::Inform(Inform {
        device_id: device(),
        events: events.iter().cloned().map(EventStruct::new).collect(),
        max_envelopes: 1,
        current_time: DateTime::Unknown,
        retry_count: 0,
        parameters: vec![
            string("Device.RootDataModelVersion", "2.18"),
            string("Device.DeviceInfo.HardwareVersion", "1"),
            string("Device.DeviceInfo.SoftwareVersion", "1.0"),
            string("Device.DeviceInfo.ProvisioningCode", ""),
            string("Device.ManagementServer.ParameterKey", ""),
            string("Device.ManagementServer.ConnectionRequestURL", connection_request_url),
        ],
    }))
}
