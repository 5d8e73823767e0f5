//! The SOAP headers of CWMP (TR-069a6 3.5, 3.7.4).

use crate::{
    limits,
    rpc::{CwmpVersion, Header},
};

use super::{
    reader::{Reader, Space, Trouble, boolean, too_large},
    writer::{Sink, escape},
};

/// The first header that the sender insists on and that nobody here knows.
pub(super) type NotUnderstood = Option<String>;

/// Writes the Header element, or nothing where there is nothing to say.
///
/// SessionTimeout, SupportedCWMPVersions and UseCWMPVersion are no part of the cwmp-1-0 and cwmp-1-1 namespaces and are
/// left out there.
pub(super) fn write_header(version: CwmpVersion, header: &Header, out: &mut dyn Sink) {
    let recent = version >= CwmpVersion::V1_2;
    let timeout = header.session_timeout.filter(|_| recent);
    let used = header.use_cwmp_version.filter(|_| recent);
    let supported = recent && !header.supported_cwmp_versions.is_empty();
    let flags = header.hold_requests || header.no_more_requests || supported;
    if header.id.is_none() && timeout.is_none() && used.is_none() && !flags {
        return;
    }
    out.push("<soap-env:Header>");
    if let Some(id) = &header.id {
        block("ID", true, &[id], out);
    }
    if header.hold_requests {
        block("HoldRequests", true, &["1"], out);
    }
    if header.no_more_requests {
        block("NoMoreRequests", false, &["1"], out);
    }
    if let Some(seconds) = timeout {
        block("SessionTimeout", false, &[&seconds.to_string()], out);
    }
    if supported {
        let versions = header.supported_cwmp_versions.iter().enumerate();
        let pieces: Vec<&str> =
            versions.flat_map(|(n, v)| [if n == 0 { "" } else { "," }, v.as_str()]).collect();
        block("SupportedCWMPVersions", false, &pieces, out);
    }
    if let Some(version) = used {
        block("UseCWMPVersion", true, &[version.as_str()], out);
    }
    out.push("</soap-env:Header>");
}

fn block(name: &str, must_understand: bool, text: &[&str], out: &mut dyn Sink) {
    out.push("<cwmp:");
    out.push(name);
    out.push(if must_understand {
        " soap-env:mustUnderstand=\"1\">"
    } else {
        " soap-env:mustUnderstand=\"0\">"
    });
    for piece in text {
        escape(piece, out);
    }
    out.push("</cwmp:");
    out.push(name);
    out.push(">");
}

/// Reads the content of the Header element that was just opened.
///
/// A SessionTimeout or UseCWMPVersion that cannot be read is not understood: with mustUnderstand it is reported like an
/// unknown header. The version is that of the namespace of the last CWMP header.
pub(super) fn read_header(
    reader: &mut Reader<'_>,
) -> Result<(Header, NotUnderstood, Option<CwmpVersion>), Trouble> {
    let mut header = Header::default();
    let (mut not_understood, mut header_version) = (None, None);
    while let Some(tag) = reader.child()? {
        let insists = reader.must_understand();
        let understood = if let Space::Cwmp(version) = tag.space {
            header_version = Some(version);
            read_block(tag.name(), reader, &mut header)?
        } else {
            reader.skip()?;
            false
        };
        if insists && !understood && not_understood.is_none() {
            not_understood = Some(tag.name().chars().take(64).collect());
        }
    }
    Ok((header, not_understood, header_version))
}

/// Takes one header; `false` where it says nothing to us.
fn read_block(name: &str, reader: &mut Reader<'_>, header: &mut Header) -> Result<bool, Trouble> {
    if !matches!(
        name,
        "ID" | "HoldRequests"
            | "NoMoreRequests"
            | "SessionTimeout"
            | "SupportedCWMPVersions"
            | "UseCWMPVersion"
    ) {
        reader.skip()?;
        return Ok(false);
    }
    let text = match reader.text() {
        Ok(text) => text,
        Err(Trouble::Argument(_)) => return Ok(false),
        Err(error) => return Err(error),
    };
    let trimmed = text.trim();
    match name {
        "ID" => {
            if text.chars().count() > limits::HEADER_ID {
                return Err(too_large("characters in the ID header", limits::HEADER_ID));
            }
            header.id = Some(text);
        }
        // What is neither true nor false asks for nothing.
        "HoldRequests" => header.hold_requests = boolean(trimmed).unwrap_or(false),
        "NoMoreRequests" => header.no_more_requests = boolean(trimmed).unwrap_or(false),
        "SessionTimeout" => {
            header.session_timeout = trimmed.parse().ok();
            return Ok(header.session_timeout.is_some());
        }
        "SupportedCWMPVersions" => {
            // A list of versions that are yet to come still holds those that we know.
            header.supported_cwmp_versions = CwmpVersion::ALL
                .into_iter()
                .filter(|v| trimmed.split(',').any(|item| item.trim() == v.as_str()))
                .collect();
        }
        _ => {
            header.use_cwmp_version = CwmpVersion::parse(trimmed);
            return Ok(header.use_cwmp_version.is_some());
        }
    }
    Ok(true)
}
