//! Where a fetched file goes: what the client needs of it, so that another process can hold the file itself.

use async_trait::async_trait;

use super::{Fetched, range::Validator};

/// What has come so far of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Bytes.
    pub bytes: u64,
    /// The version of the file that they are of, as far as the server has told one.
    pub validator: Option<Validator>,
}

impl Held {
    /// The version that can be gone on with; `None` where there is nothing to go on from.
    #[must_use]
    pub fn resumable(&self) -> Option<&Validator> {
        self.validator.as_ref().filter(|_| self.bytes > 0)
    }
}

/// Takes a file as it comes. All errors are a matter of the box, and end the fetch.
#[async_trait(?Send)]
pub trait Destination {
    /// What is here.
    fn held(&self) -> &Held;

    /// Throws away what is here and begins with this version.
    ///
    /// # Errors
    /// What could not be done, and why.
    async fn restart(&mut self, validator: Option<Validator>) -> Result<(), String>;

    /// Adds what has come.
    ///
    /// # Errors
    /// What could not be done, and why.
    async fn append(&mut self, data: Vec<u8>) -> Result<(), String>;

    /// Makes what is here last, before an attempt ends without the rest.
    ///
    /// # Errors
    /// What could not be done, and why.
    async fn keep(&mut self) -> Result<(), String>;

    /// Looks whether so many bytes more fit.
    ///
    /// # Errors
    /// They do not fit: how many would.
    async fn has_room(&mut self, bytes: u64) -> Result<(), String>;

    /// The SHA-256 of what is here.
    ///
    /// # Errors
    /// An earlier call has failed.
    async fn sha256(&mut self) -> Result<[u8; 32], String>;

    /// The file is whole: it takes its place, durably. Nothing is called after this.
    ///
    /// # Errors
    /// What could not be done, and why.
    async fn finish(&mut self) -> Result<Fetched, String>;
}
