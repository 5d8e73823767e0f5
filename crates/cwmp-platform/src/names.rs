//! Names of files that come from the ACS: never a way out of a folder, and never an option of a command.

use cwmp_core::url::HttpUrl;

use crate::PlatformError;

/// Longest name of a file, in bytes: what file systems take.
const NAME_BYTES: usize = 255;
/// Longest Name of a row of VendorConfigFile, in characters (TR-181).
const CONFIG_NAME_CHARS: usize = 64;

/// TargetFileName (TR-069a6 A.3.2.8) where it is fit to be the name of a file in a folder of the backend's choice; `None`
/// where the ACS gave none.
///
/// # Errors
/// [`PlatformError::Refused`] for anything with `/`, for `.` and `..`, for control characters, for a name that begins with
/// `-` and could be taken for an option of a command, and for more than 255 bytes.
pub fn target_file_name(name: &str) -> Result<Option<&str>, PlatformError> {
    let wrong = match name {
        "" => return Ok(None),
        "." | ".." => "is a folder",
        _ if name.contains('/') => "has a `/`: it names a file and not a path",
        _ if name.starts_with('-') => "begins with `-`",
        _ if name.contains(char::is_control) => "has control characters",
        _ if name.len() > NAME_BYTES => "has more than 255 bytes",
        _ => return Ok(Some(name)),
    };
    Err(PlatformError::Refused(format!("TargetFileName {wrong}")))
}

/// What VendorConfigFile calls a downloaded configuration (TR-181): the file's name in the URL, else TargetFileName; at
/// most 64 characters. Empty where neither names it.
#[must_use]
pub fn config_name(url: &HttpUrl, target_file_name: &str) -> String {
    let path = url.path();
    let last = path.rsplit('/').next().unwrap_or_default();
    let name = if last.is_empty() { target_file_name } else { last };
    name.chars().filter(|c| !c.is_control()).take(CONFIG_NAME_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Conformance: 7.16
    #[test]
    fn a_target_file_name_never_leaves_its_folder() {
        for escaping in
            ["../../etc/x", "/etc/passwd", "a/b", "..", ".", "--force", "a\0b", "a\nb", &"x".repeat(256)]
        {
            assert!(matches!(target_file_name(escaping), Err(PlatformError::Refused(_))), "{escaping:?}");
        }
        for (name, used) in
            [("index.html", Some("index.html")), ("a b;c", Some("a b;c")), ("..a", Some("..a")), ("", None)]
        {
            assert_eq!(target_file_name(name).unwrap(), used);
        }
    }

    #[test]
    fn a_configuration_is_called_as_its_url_says() {
        let name = |url: &str, target: &str| config_name(&HttpUrl::parse(url).unwrap(), target);
        assert_eq!(name("http://files/isp/gold.conf?box=1", "other"), "gold.conf");
        assert_eq!(name("http://files/get/?id=7", "other"), "other");
        assert_eq!(name("http://files", ""), "");
        assert_eq!(name(&format!("http://files/{}", "x".repeat(100)), "").len(), 64);
    }
}
