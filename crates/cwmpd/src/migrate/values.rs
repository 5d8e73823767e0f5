//! The words of other agents in ours. What comes out is checked by the rules of each key afterwards.

use std::path::Path;

/// Turns a value into ours; the box's root is for what names files.
///
/// The error says what would be right, to follow "must be".
pub(super) type Convert = fn(&str, &Path) -> Result<String, String>;

/// As it stands.
#[allow(clippy::unnecessary_wraps, reason = "one of many conversions")]
pub(super) fn same(text: &str, _: &Path) -> Result<String, String> {
    Ok(text.to_owned())
}

/// A boolean of UCI.
pub(super) fn flag(text: &str, _: &Path) -> Result<String, String> {
    match text {
        "1" | "true" | "on" | "yes" | "enabled" | "enable" => Ok("true".to_owned()),
        "0" | "false" | "off" | "no" | "disabled" | "disable" => Ok("false".to_owned()),
        _ => Err("a boolean of UCI, 1 or 0".to_owned()),
    }
}

/// logging_level of easycwmp: from 0, critical, to 4, debug.
pub(super) fn level_number(text: &str, _: &Path) -> Result<String, String> {
    let level = match text {
        "0" => "error",
        "1" => "warning",
        "2" | "3" => "info",
        "4" => "debug",
        _ => return Err("a number from 0 to 4".to_owned()),
    };
    Ok(level.to_owned())
}

/// log_severity of icwmp: the names of syslog.
pub(super) fn level_name(text: &str, _: &Path) -> Result<String, String> {
    let level = match text.to_ascii_uppercase().as_str() {
        "EMERG" | "ALERT" | "CRITIC" | "ERROR" => "error",
        "WARNING" => "warning",
        "NOTICE" | "INFO" => "info",
        "DEBUG" => "debug",
        _ => return Err("EMERG, ALERT, CRITIC, ERROR, WARNING, NOTICE, INFO or DEBUG".to_owned()),
    };
    Ok(level.to_owned())
}

/// The case of letters does not count there.
#[allow(clippy::unnecessary_wraps, reason = "one of many conversions")]
pub(super) fn compression(text: &str, _: &Path) -> Result<String, String> {
    let known = ["Disabled", "GZIP", "Deflate"].into_iter().find(|name| name.eq_ignore_ascii_case(text));
    Ok(known.unwrap_or(text).to_owned())
}

/// Upper-case letters, as TR-181 has it.
#[allow(clippy::unnecessary_wraps, reason = "one of many conversions")]
pub(super) fn oui(text: &str, _: &Path) -> Result<String, String> {
    Ok(text.to_ascii_uppercase())
}

/// A path of a URL, which may lack its first slash there.
#[allow(clippy::unnecessary_wraps, reason = "one of many conversions")]
pub(super) fn url_path(text: &str, _: &Path) -> Result<String, String> {
    Ok(if text.starts_with('/') { text.to_owned() } else { format!("/{text}") })
}

/// A port, of which 0 means the usual one there.
#[allow(clippy::unnecessary_wraps, reason = "one of many conversions")]
pub(super) fn port(text: &str, _: &Path) -> Result<String, String> {
    Ok(if text == "0" { "7547" } else { text }.to_owned())
}

/// A file of certificates: no folder, which OpenSSL looks into by hashes.
pub(super) fn authorities(text: &str, root: &Path) -> Result<String, String> {
    let folder = root.join(text.trim_start_matches('/')).is_dir();
    if folder { Err("a file with certificates, not a folder".to_owned()) } else { Ok(text.to_owned()) }
}

/// Lightweight notifications by UDP, or none.
pub(super) fn udp(text: &str, root: &Path) -> Result<String, String> {
    Ok(if flag(text, root)? == "true" { "UDP" } else { "" }.to_owned())
}
