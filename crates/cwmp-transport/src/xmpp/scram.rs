//! SCRAM-SHA-1 and SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel binding. Both ends prove that they know the password,
//! and neither tells it.

use cwmp_core::digest::constant_time_eq;
use data_encoding::BASE64;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::limits::{XMPP_SCRAM_BYTES, XMPP_SCRAM_ROUNDS};

/// Which hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
}

impl Hash {
    /// The mechanism as it is called.
    pub(crate) fn mechanism(self) -> &'static str {
        match self {
            Self::Sha1 => "SCRAM-SHA-1",
            Self::Sha256 => "SCRAM-SHA-256",
        }
    }

    fn digest(self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(data).to_vec(),
            Self::Sha256 => Sha256::digest(data).to_vec(),
        }
    }

    fn hmac(self, key: &[u8], data: &[u8]) -> Vec<u8> {
        // HMAC takes keys of any length: the error does not happen.
        match self {
            Self::Sha1 => Hmac::<Sha1>::new_from_slice(key)
                .map(|mac| mac.chain_update(data).finalize().into_bytes().to_vec()),
            Self::Sha256 => Hmac::<Sha256>::new_from_slice(key)
                .map(|mac| mac.chain_update(data).finalize().into_bytes().to_vec()),
        }
        .unwrap_or_default()
    }

    /// PBKDF2 with one block of output.
    fn salted(self, password: &str, salt: &[u8], rounds: u32) -> Vec<u8> {
        let mut round = self.hmac(password.as_bytes(), &[salt, &1_u32.to_be_bytes()].concat());
        let mut sum = round.clone();
        for _ in 1..rounds {
            round = self.hmac(password.as_bytes(), &round);
            xor(&mut sum, &round);
        }
        sum
    }
}

fn xor(into: &mut [u8], other: &[u8]) {
    for (byte, other) in into.iter_mut().zip(other) {
        *byte ^= other;
    }
}

/// One end of the exchange, after its first message.
pub(crate) struct Scram {
    hash: Hash,
    nonce: String,
    first_bare: String,
}

/// What the client sends last, and what the server must answer.
pub(crate) struct Proof {
    pub(crate) message: String,
    server_signature: Vec<u8>,
}

impl Scram {
    /// Begins; the nonce is random and has no comma.
    pub(crate) fn new(hash: Hash, username: &str, nonce: String) -> Self {
        let username = username.replace('=', "=3D").replace(',', "=2C");
        let first_bare = format!("n={username},r={nonce}");
        Self { hash, nonce, first_bare }
    }

    /// The first message of the client.
    pub(crate) fn first(&self) -> String {
        format!("n,,{}", self.first_bare)
    }

    /// The answer to the server's first message.
    ///
    /// # Errors
    /// Why that cannot be answered.
    pub(crate) fn answer(&self, server_first: &str, password: &str) -> Result<Proof, String> {
        let malformed = || "the server's challenge is malformed".to_owned();
        if server_first.len() > XMPP_SCRAM_BYTES {
            return Err(malformed());
        }
        let mut parts = server_first.split(',');
        let mut part =
            |name: &str| parts.next().and_then(|part| part.strip_prefix(name)).ok_or_else(malformed);
        let (nonce, salt, rounds) = (part("r=")?, part("s=")?, part("i=")?);
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err("the server answers somebody else's exchange".to_owned());
        }
        let salt = BASE64.decode(salt.as_bytes()).map_err(|_| malformed())?;
        let rounds: u32 = rounds.parse().map_err(|_| malformed())?;
        if !(1..=XMPP_SCRAM_ROUNDS).contains(&rounds) {
            return Err(format!("the server asks for {rounds} rounds of hashing"));
        }
        let salted = self.hash.salted(password, &salt, rounds);
        let client_key = self.hash.hmac(&salted, b"Client Key");
        let server_key = self.hash.hmac(&salted, b"Server Key");
        let without_proof = format!("c=biws,r={nonce}");
        let signed = format!("{},{server_first},{without_proof}", self.first_bare);
        let mut proof = self.hash.hmac(&self.hash.digest(&client_key), signed.as_bytes());
        xor(&mut proof, &client_key);
        Ok(Proof {
            message: format!("{without_proof},p={}", BASE64.encode(&proof)),
            server_signature: self.hash.hmac(&server_key, signed.as_bytes()),
        })
    }
}

impl Proof {
    /// Whether the server has shown that it knows the password.
    pub(crate) fn is_answered_by(&self, server_final: &str) -> bool {
        let signature = server_final.split(',').next().and_then(|part| part.strip_prefix("v="));
        let signature = signature.and_then(|text| BASE64.decode(text.as_bytes()).ok()).unwrap_or_default();
        constant_time_eq(&signature, &self.server_signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 5802 5 and RFC 7677 3.
    #[test]
    fn the_examples_of_the_standards() {
        let scram = Scram::new(Hash::Sha1, "user", "fyko+d2lbbFgONRv9qkxdawL".into());
        assert_eq!(scram.first(), "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL");
        let first = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";
        let proof = scram.answer(first, "pencil").unwrap();
        assert_eq!(
            proof.message,
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
        );
        assert!(proof.is_answered_by("v=rmF9pqV8S7suAoZWja4dJRkFsKQ="));
        assert!(!proof.is_answered_by("v=rmF9pqV8S7suAoZWja4dJRkFsKU="));
        assert!(!proof.is_answered_by("e=invalid-proof"));
        assert!(!proof.is_answered_by(""));

        let scram = Scram::new(Hash::Sha256, "user", "rOprNGfwEbeRWgbNEkqO".into());
        let first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let proof = scram.answer(first, "pencil").unwrap();
        assert!(
            proof.message.ends_with(",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="),
            "{}",
            proof.message
        );
        assert!(proof.is_answered_by("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
    }

    #[test]
    fn a_challenge_that_is_none_is_refused() {
        let scram = Scram::new(Hash::Sha256, "a=b,c", "abc".into());
        assert_eq!(scram.first(), "n,,n=a=3Db=2Cc,r=abc");
        for first in [
            "",
            "r=abc,s=AAAA,i=4096",
            "r=xyzabc,s=AAAA,i=4096",
            "r=abcd,s=!,i=4096",
            "r=abcd,s=AAAA,i=0",
            "r=abcd,s=AAAA,i=100001",
            "r=abcd,s=AAAA,i=-1",
            "r=abcd,i=4096,s=AAAA",
            "m=x,r=abcd,s=AAAA,i=4096",
            &format!("r=abc{},s=AAAA,i=1", "d".repeat(XMPP_SCRAM_BYTES)),
        ] {
            assert!(scram.answer(first, "secret").is_err(), "{first}");
        }
        assert!(scram.answer("r=abcd,s=AAAA,i=1", "secret").is_ok());
    }
}
