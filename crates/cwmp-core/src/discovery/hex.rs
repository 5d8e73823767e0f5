//! Bytes as DHCP clients hand them to their hooks: hexadecimal digits.

use super::OPTION_BYTES;

/// Why a text is no option.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HexError {
    /// Anything but hexadecimal digits in pairs, or between colons.
    #[error("must be hexadecimal digits, two for each byte, or bytes between colons")]
    Form,
    /// More than [`OPTION_BYTES`].
    #[error("must be at most 4096 bytes")]
    TooLong,
}

/// Reads `0104616263`, as udhcpc, odhcp6c and systemd write it, and `1:4:61:62:63`, as dhclient does.
///
/// # Errors
/// [`HexError`].
pub fn from_hex(text: &str) -> Result<Vec<u8>, HexError> {
    let text = text.trim_ascii();
    // Three characters a byte at most.
    if text.len() > OPTION_BYTES * 3 {
        return Err(HexError::TooLong);
    }
    let bytes: Option<Vec<u8>> = if text.contains(':') {
        text.split(':').map(byte).collect()
    } else if text.len().is_multiple_of(2) {
        text.as_bytes().chunks(2).map(|pair| byte(std::str::from_utf8(pair).ok()?)).collect()
    } else {
        None
    };
    let bytes = bytes.ok_or(HexError::Form)?;
    if bytes.len() > OPTION_BYTES { Err(HexError::TooLong) } else { Ok(bytes) }
}

/// One or two digits; from_str_radix alone would take a sign.
fn byte(digits: &str) -> Option<u8> {
    let fits = (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    fits.then(|| u8::from_str_radix(digits, 16).ok())?
}
