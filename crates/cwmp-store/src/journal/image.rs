//! What a whole file was before: the before-image of a configuration file that is loaded.

use std::{fmt, path::PathBuf};

use data_encoding::BASE64;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::StoreError;

/// Largest before-image that is kept in the journal itself, in bytes; a larger one is a file of its own.
pub const IMAGE_BYTES: usize = 1024 * 1024;

/// A configuration as it was. Nothing of it is shown by `Debug`: it holds passwords.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Image {
    /// In this file, which was made durable before the intent was begun and is whoever's who made it.
    File(PathBuf),
    /// Here, as text in Base64.
    Bytes(#[serde(serialize_with = "encode", deserialize_with = "decode")] Vec<u8>),
}

impl Image {
    /// An image that is kept in the journal itself.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] beyond [`IMAGE_BYTES`]; `file` names what it is an image of.
    pub fn of_bytes(file: PathBuf, bytes: Vec<u8>) -> Result<Self, StoreError> {
        match bytes.len() {
            0..=IMAGE_BYTES => Ok(Self::Bytes(bytes)),
            size => Err(StoreError::TooLarge { file, size, limit: IMAGE_BYTES }),
        }
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
        }
    }
}

fn encode<S: Serializer>(bytes: &[u8], out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(&BASE64.encode(bytes))
}

fn decode<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(from)?;
    BASE64.decode(text.as_bytes()).map_err(D::Error::custom)
}
