//! CommandKey and ParameterKey: bounded labels that the ACS chooses.

use serde::{Deserialize, Serialize};

use crate::limits;

/// A key with more than 32 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key is longer than {} characters", limits::COMMAND_KEY)]
pub struct KeyTooLong;

macro_rules! key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// A key of at most 32 characters.
            ///
            /// # Errors
            /// [`KeyTooLong`] beyond that.
            pub fn new(text: impl Into<String>) -> Result<Self, KeyTooLong> {
                let text = text.into();
                if text.chars().count() > limits::COMMAND_KEY { Err(KeyTooLong) } else { Ok(Self(text)) }
            }

            /// The text, verbatim.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = KeyTooLong;

            fn try_from(text: String) -> Result<Self, KeyTooLong> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(key: $name) -> String {
                key.0
            }
        }
    };
}

key! {
    /// Names a call so that its later outcome can be told apart (TR-069a6 A.3.2.8, A.3.2.9, 3.7.1.5).
    CommandKey
}
key! {
    /// The ACS's label for the present configuration (TR-069a6 A.3.2.1, TR-181 ManagementServer.ParameterKey).
    ParameterKey
}
