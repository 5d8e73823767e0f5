//! Lightweight notifications over UDP (TR-069a6 Annex M): the messages as bytes.
//!
//! A message is a POST of HTTP in one datagram. Its header `Signature` is the HMAC-SHA1 of the body with the password
//! towards the ACS as key, in hexadecimal digits. The layout of the head follows what other agents send.

use data_encoding::HEXUPPER;
use sha1::{Digest, Sha1};

use crate::{
    limits::{LIGHTWEIGHT_MESSAGE, LIGHTWEIGHT_PARAMETER},
    rpc::{DeviceId, ParameterValueStruct},
    settings::Secret,
    soap::{Sink, leaf, listing::typed},
    value::ValueType,
};

/// Who notifies whom.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    /// The box.
    pub device: &'a DeviceId,
    /// ManagementServer.Username.
    pub username: &'a str,
    /// ManagementServer.Password.
    pub password: &'a Secret,
    /// Where the message goes.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
    /// The present date in seconds since 1970.
    pub seconds: i64,
}

impl Sender<'_> {
    /// The messages that notify of these parameters: as many parameters in one as fit into [`LIGHTWEIGHT_MESSAGE`], at least
    /// one. `cnonce` makes a random text that is used once. Also returns the names of those that are too large.
    pub fn messages<'p>(
        &self,
        parameters: &'p [ParameterValueStruct],
        cnonce: &mut dyn FnMut() -> String,
    ) -> (Vec<Vec<u8>>, Vec<&'p str>) {
        let (mut messages, mut left_out, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
        let room = LIGHTWEIGHT_MESSAGE.saturating_sub(self.message(&[], &cnonce()).len());
        for parameter in parameters {
            let encoded = param(parameter);
            if encoded.len() > LIGHTWEIGHT_PARAMETER {
                left_out.push(parameter.name.as_str());
                continue;
            }
            if !waiting.is_empty() && waiting.len() + encoded.len() > room {
                messages.push(self.message(&waiting, &cnonce()));
                waiting.clear();
            }
            waiting.extend(encoded);
        }
        if !waiting.is_empty() {
            messages.push(self.message(&waiting, &cnonce()));
        }
        (messages, left_out)
    }

    fn message(&self, params: &[u8], cnonce: &str) -> Vec<u8> {
        let mut body: Vec<u8> = Vec::new();
        Sink::push(
            &mut body,
            concat!(
                r#"<?xml version="1.0" encoding="UTF-8"?>"#,
                "\n",
                r#"<Notification xmlns="urn:broadband-forum-org:cwmp:lwnotif-1-0""#,
                r#" xmlns:xsd="http://www.w3.org/2001/XMLSchema""#,
                r#" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">"#,
            ),
        );
        // The schema has 32 bits.
        let seconds = self.seconds.clamp(0, i32::MAX.into()).to_string();
        for (name, text) in [
            ("TS", seconds.as_str()),
            ("UN", self.username),
            ("CN", cnonce),
            ("OUI", &self.device.oui),
            ("ProductClass", &self.device.product_class),
            ("SerialNumber", &self.device.serial_number),
        ] {
            leaf(name, text, &mut body);
        }
        body.extend_from_slice(params);
        Sink::push(&mut body, "</Notification>");
        let signature = HEXUPPER.encode(&hmac_sha1(self.password.0.as_bytes(), &body));
        let brackets = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        let head = format!(
            "POST / HTTP/1.1\r\nHost: {}{}{}:{}\r\nContent-Type: text/xml; charset=utf-8\r\n\
             Content-Length: {}\r\nSignature: {signature}\r\n\r\n",
            brackets.0,
            self.host,
            brackets.1,
            self.port,
            body.len(),
        );
        [head.into_bytes(), body].concat()
    }
}

fn param(parameter: &ParameterValueStruct) -> Vec<u8> {
    let mut out = b"<Param>".to_vec();
    leaf("Name", &parameter.name, &mut out);
    typed(Some(parameter.value_type.unwrap_or(ValueType::String)), &parameter.value, &mut out);
    out.extend_from_slice(b"</Param>");
    out
}

/// HMAC (RFC 2104) with SHA-1.
fn hmac_sha1(key: &[u8], text: &[u8]) -> [u8; 20] {
    const BLOCK: usize = 64;
    let hashed = Sha1::digest(key);
    let key = if key.len() > BLOCK { hashed.as_slice() } else { key };
    let pad = |with: u8| {
        let mut block = [with; BLOCK];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha1::new().chain_update(pad(0x36)).chain_update(text).finalize();
    Sha1::new().chain_update(pad(0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_of_rfc_2202() {
        let hex = |key: &[u8], text: &str| HEXUPPER.encode(&hmac_sha1(key, text.as_bytes()));
        assert_eq!(hex(b"Jefe", "what do ya want for nothing?"), "EFFCDF6AE5EB2FA2D27416D5F184DF9C259A7C79");
        assert_eq!(
            hex(&[0xaa; 80], "Test Using Larger Than Block-Size Key - Hash Key First"),
            "AA4AE5E15272D00E95705637CE8A3B55ED402112"
        );
    }
}
