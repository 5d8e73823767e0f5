//! Why a transfer fails, and the fault that TransferComplete reports for it (TR-069a6 A.5.1).

use std::{error::Error, io};

use cwmp_core::{fault::FaultCode, io::NetError, job::JobError, url::HttpUrl};

use crate::{connection::broken, connector::place};

/// What went wrong.
#[derive(Debug)]
pub(super) enum Trouble {
    /// No reply has begun.
    Net(NetError),
    /// It broke off.
    Cut(String),
    /// What came cannot be right.
    Corrupt(String),
    /// A matter of the box: no room, a file that cannot be written.
    Local(String),
    /// The server says no.
    Status {
        status: u16,
        /// Whether it has seen credentials.
        authenticated: bool,
    },
    /// An answer that means nothing here.
    Odd(String),
}

impl From<NetError> for Trouble {
    fn from(error: NetError) -> Self {
        Self::Net(error)
    }
}

/// What a file of the box is about.
impl From<String> for Trouble {
    fn from(text: String) -> Self {
        Self::Local(text)
    }
}

impl Trouble {
    /// An error while the body of a reply was read.
    pub(super) fn of_body(error: &hyper::Error) -> Self {
        let mut cause = Error::source(error);
        let mut malformed = false;
        while let Some(error) = cause {
            let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
            malformed |= matches!(kind, Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput));
            cause = error.source();
        }
        let text = broken(error).to_string();
        if malformed { Self::Corrupt(text) } else { Self::Cut(text) }
    }

    /// Whether another attempt may go better.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Net(error) => !matches!(error, NetError::Unauthorized | NetError::Redirect(_)),
            Self::Cut(_) | Self::Corrupt(_) => true,
            Self::Status { status, .. } => matches!(status, 408 | 429 | 500 | 502 | 503 | 504),
            Self::Local(_) | Self::Odd(_) => false,
        }
    }

    pub(super) fn of_download(self, url: &HttpUrl) -> JobError {
        let code = match &self {
            Self::Net(NetError::Unauthorized) => FaultCode::TRANSFER_AUTHENTICATION_FAILURE,
            Self::Net(NetError::Redirect(_)) => FaultCode::FILE_INACCESSIBLE,
            Self::Net(_) => FaultCode::FILE_SERVER_UNREACHABLE,
            Self::Cut(_) => FaultCode::DOWNLOAD_INCOMPLETE,
            Self::Corrupt(_) => FaultCode::FILE_CORRUPTED,
            Self::Local(_) | Self::Odd(_) => FaultCode::DOWNLOAD_FAILURE,
            Self::Status { .. } if self.is_refusal() => FaultCode::TRANSFER_AUTHENTICATION_FAILURE,
            Self::Status { status: 400..=499, .. } => FaultCode::FILE_INACCESSIBLE,
            Self::Status { .. } => FaultCode::DOWNLOAD_FAILURE,
        };
        JobError::new(code, self.text(url))
    }

    pub(super) fn of_upload(self, url: &HttpUrl) -> JobError {
        let code = match &self {
            Self::Net(NetError::Unauthorized) => FaultCode::TRANSFER_AUTHENTICATION_FAILURE,
            Self::Net(NetError::Resolve(_) | NetError::Connect(_)) => FaultCode::FILE_SERVER_UNREACHABLE,
            Self::Status { .. } if self.is_refusal() => FaultCode::TRANSFER_AUTHENTICATION_FAILURE,
            _ => FaultCode::UPLOAD_FAILURE,
        };
        JobError::new(code, self.text(url))
    }

    /// Whether it is the credentials that the server does not want.
    fn is_refusal(&self) -> bool {
        matches!(self, Self::Status { status: 401, .. } | Self::Status { status: 403, authenticated: true })
    }

    /// What, where and why. Not the path: its query may hold a secret.
    pub(super) fn text(&self, url: &HttpUrl) -> String {
        let place = place(url);
        match self {
            Self::Net(NetError::Unauthorized) => {
                format!(
                    "{place} refuses the credentials, or asks in a way that is not answered (Username, Password)"
                )
            }
            Self::Net(error @ (NetError::Resolve(_) | NetError::Connect(_))) => error.to_string(),
            Self::Net(error) => format!("{place}: {error}"),
            Self::Cut(text) | Self::Corrupt(text) | Self::Odd(text) => format!("{place}: {text}"),
            Self::Local(text) => text.clone(),
            Self::Status { status, .. } => format!("{place} answers {status}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(trouble: impl Fn() -> Trouble) -> (u32, u32) {
        let url = HttpUrl::parse("http://files.example/a?token=secret").unwrap();
        let (download, upload) = (trouble().of_download(&url), trouble().of_upload(&url));
        assert!(!download.text.contains("secret") && !upload.text.is_empty(), "{download}");
        (download.code.0, upload.code.0)
    }

    /// Conformance: 7.25
    #[test]
    fn each_trouble_has_its_code() {
        let text = || "why".to_owned();
        assert_eq!(codes(|| Trouble::Net(NetError::Resolve(text()))), (9015, 9015));
        assert_eq!(codes(|| Trouble::Net(NetError::Connect(text()))), (9015, 9015));
        assert_eq!(codes(|| Trouble::Net(NetError::Broken(text()))), (9015, 9011));
        assert_eq!(codes(|| Trouble::Net(NetError::Timeout(60))), (9015, 9011));
        assert_eq!(codes(|| Trouble::Net(NetError::Unauthorized)), (9012, 9012));
        assert_eq!(codes(|| Trouble::Net(NetError::Redirect(text()))), (9016, 9011));
        assert_eq!(codes(|| Trouble::Cut(text())), (9017, 9011));
        assert_eq!(codes(|| Trouble::Corrupt(text())), (9018, 9011));
        assert_eq!(codes(|| Trouble::Local(text())), (9010, 9011));
        assert_eq!(codes(|| Trouble::Odd(text())), (9010, 9011));
        for (status, authenticated, expected) in [
            (401, false, (9012, 9012)),
            (403, true, (9012, 9012)),
            (403, false, (9016, 9011)),
            (404, true, (9016, 9011)),
            (410, false, (9016, 9011)),
            (500, true, (9010, 9011)),
            (503, false, (9010, 9011)),
        ] {
            assert_eq!(codes(|| Trouble::Status { status, authenticated }), expected, "{status}");
        }
    }

    #[test]
    fn what_the_server_means_is_not_tried_again() {
        for status in [401, 403, 404, 410, 501, 505] {
            assert!(!Trouble::Status { status, authenticated: false }.may_pass(), "{status}");
        }
        assert!(Trouble::Status { status: 503, authenticated: false }.may_pass());
        assert!(
            !Trouble::Net(NetError::Unauthorized).may_pass() && !Trouble::Local(String::new()).may_pass()
        );
    }
}
