//! Why a backend could not do what was asked, and what the ACS hears of it.

use cwmp_core::fault::FaultCode;

/// Request denied.
const DENIED: FaultCode = FaultCode::REQUEST_DENIED;
/// Download failure (TR-069a6 A.5.1).
const DOWNLOAD_FAILURE: FaultCode = FaultCode(9010);
/// Upload failure.
const UPLOAD_FAILURE: FaultCode = FaultCode(9011);
/// File transfer failure: file corrupted.
const CORRUPTED: FaultCode = FaultCode(9018);
/// File transfer failure: file authentication failure.
const NOT_AUTHENTIC: FaultCode = FaultCode(9019);

/// Why a backend could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// This box has no means for it; the agent does not offer the method then.
    #[error("this platform cannot {0}")]
    Unsupported(&'static str),
    /// The means is there and failed; the text names what, where and why.
    #[error("{0}")]
    Failed(String),
    /// The file is no image or configuration for this box, or is damaged; nothing was changed.
    #[error("refused: {0}")]
    Refused(String),
    /// The file does not come from whom the box trusts, or nobody has signed it; nothing was changed.
    #[error("not authentic: {0}")]
    Unauthentic(String),
    /// Too little memory or storage; nothing was changed.
    #[error("no room: {0}")]
    NoRoom(String),
}

impl PlatformError {
    /// What TransferComplete reports of a download that ended with this (TR-069a6 A.3.3.2, A.5.1).
    #[must_use]
    pub fn fault_code(&self) -> FaultCode {
        match self {
            Self::Unsupported(_) => DENIED,
            Self::Failed(_) | Self::NoRoom(_) => DOWNLOAD_FAILURE,
            Self::Refused(_) => CORRUPTED,
            Self::Unauthentic(_) => NOT_AUTHENTIC,
        }
    }

    /// What TransferComplete reports of an upload whose file could not be made.
    #[must_use]
    pub fn upload_fault_code(&self) -> FaultCode {
        match self {
            Self::Unsupported(_) => DENIED,
            _ => UPLOAD_FAILURE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_error_has_its_fault() {
        let text = String::new;
        for (error, download, upload) in [
            (PlatformError::Unsupported("x"), 9001, 9001),
            (PlatformError::Failed(text()), 9010, 9011),
            (PlatformError::NoRoom(text()), 9010, 9011),
            (PlatformError::Refused(text()), 9018, 9011),
            (PlatformError::Unauthentic(text()), 9019, 9011),
        ] {
            assert_eq!((error.fault_code().0, error.upload_fault_code().0), (download, upload), "{error:?}");
        }
    }
}
