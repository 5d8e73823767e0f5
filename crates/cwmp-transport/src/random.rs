//! Random texts from the system's generator.

use data_encoding::HEXLOWER;

/// `N` random bytes.
///
/// # Errors
/// When the system has no random source: nothing that needs to be unguessable may be made then.
pub(crate) fn bytes<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| std::io::Error::other(format!("no random source: {error}")))?;
    Ok(bytes)
}

/// A number from 0 to `most`, for choices that nobody needs to be unable to guess; 0 without a random source.
#[cfg(feature = "xmpp")]
pub(crate) fn up_to(most: u64) -> u64 {
    let random = bytes::<8>().map(u64::from_le_bytes).unwrap_or_default();
    most.checked_add(1).map_or(random, |bound| random % bound)
}

/// 32 hexadecimal digits: 128 random bits.
pub(crate) fn token() -> std::io::Result<String> {
    Ok(HEXLOWER.encode(&bytes::<16>()?))
}
