//! Certificates for tests: written here byte by byte, so that no tool is needed and every date can be chosen.

#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice)]

use std::net::IpAddr;

use data_encoding::BASE64;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};

/// A certificate and its key.
pub(crate) struct Certificate {
    pub(crate) der: Vec<u8>,
    /// PKCS #8.
    pub(crate) key: Vec<u8>,
    /// SubjectPublicKeyInfo.
    pub(crate) public_key: Vec<u8>,
    subject: Vec<u8>,
}

/// What a certificate says.
pub(crate) struct Says<'a> {
    pub(crate) common_name: &'a str,
    /// Host names and addresses; none for an authority.
    pub(crate) names: &'a [&'a str],
    /// First and last second, as `YYYYMMDDHHMMSS`.
    pub(crate) valid: (&'a str, &'a str),
}

/// Long enough.
pub(crate) const ALWAYS: (&str, &str) = ("20200101000000", "20491231235959");

impl Certificate {
    /// A root.
    pub(crate) fn root(common_name: &str) -> Self {
        Self::make(&Says { common_name, names: &[], valid: ALWAYS }, None, true)
    }

    /// An authority between a root and servers.
    pub(crate) fn between(common_name: &str, issuer: &Self) -> Self {
        Self::make(&Says { common_name, names: &[], valid: ALWAYS }, Some(issuer), true)
    }

    /// The certificate of a server or of a box.
    pub(crate) fn of(says: &Says<'_>, issuer: &Self) -> Self {
        Self::make(says, Some(issuer), false)
    }

    /// One that signs itself and is no authority.
    pub(crate) fn self_signed(names: &[&str]) -> Self {
        Self::make(&Says { common_name: "alone", names, valid: ALWAYS }, None, false)
    }

    /// An authority with dates of its own.
    pub(crate) fn dated_between(says: &Says<'_>, issuer: &Self) -> Self {
        Self::make(says, Some(issuer), true)
    }

    fn make(says: &Says<'_>, issuer: Option<&Self>, is_authority: bool) -> Self {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let key = key.as_ref().to_vec();
        let pair =
            |key: &[u8]| EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key, &random).unwrap();
        let subject = name(says.common_name);
        let point = pair(&key).public_key().as_ref().to_vec();
        let algorithm = sequence(&[
            oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]),
            oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]),
        ]);
        let public_key = sequence(&[algorithm, bits(&point)]);
        let signature_algorithm = sequence(&[oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2])]);
        let mut extensions = Vec::new();
        if is_authority {
            let constraints = sequence(&[element(0x01, &[0xff])]);
            extensions.push(sequence(&[
                oid(&[0x55, 0x1d, 0x13]),
                element(0x01, &[0xff]),
                element(0x04, &constraints),
            ]));
        }
        if !says.names.is_empty() {
            let names: Vec<_> = says.names.iter().map(|name| general_name(name)).collect();
            extensions.push(sequence(&[oid(&[0x55, 0x1d, 0x11]), element(0x04, &sequence(&names))]));
        }
        let mut parts = vec![
            element(0xa0, &element(0x02, &[2])),
            element(0x02, &[1 + point[10] % 100, point[11]]),
            signature_algorithm.clone(),
            issuer.map_or(&subject, |issuer| &issuer.subject).clone(),
            sequence(&[time(says.valid.0), time(says.valid.1)]),
            subject.clone(),
            public_key.clone(),
        ];
        if !extensions.is_empty() {
            parts.push(element(0xa3, &sequence(&extensions)));
        }
        let content = sequence(&parts);
        let signer = pair(issuer.map_or(&key, |issuer| &issuer.key));
        let signature = signer.sign(&random, &content).unwrap();
        let der = sequence(&[content, signature_algorithm, bits(signature.as_ref())]);
        Self { der, key, public_key, subject }
    }

    /// The certificate in PEM.
    pub(crate) fn pem(&self) -> String {
        pem("CERTIFICATE", &self.der)
    }

    /// The key in PEM.
    pub(crate) fn key_pem(&self) -> String {
        pem("PRIVATE KEY", &self.key)
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = vec![tag];
    match length {
        0..=127 => out.push(length as u8),
        128..=255 => out.extend([0x81, length as u8]),
        _ => out.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    out.extend(content);
    out
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    element(0x30, &parts.concat())
}

fn oid(bytes: &[u8]) -> Vec<u8> {
    element(0x06, bytes)
}

fn bits(bytes: &[u8]) -> Vec<u8> {
    element(0x03, &[&[0], bytes].concat())
}

fn name(common_name: &str) -> Vec<u8> {
    let attribute = sequence(&[oid(&[0x55, 4, 3]), element(0x0c, common_name.as_bytes())]);
    sequence(&[element(0x31, &attribute)])
}

fn time(text: &str) -> Vec<u8> {
    // UTCTime has two digits of the year.
    element(0x17, format!("{}Z", &text[2..]).as_bytes())
}

fn general_name(name: &str) -> Vec<u8> {
    match name.parse() {
        Ok(IpAddr::V4(address)) => element(0x87, &address.octets()),
        Ok(IpAddr::V6(address)) => element(0x87, &address.octets()),
        Err(_) => element(0x82, name.as_bytes()),
    }
}
