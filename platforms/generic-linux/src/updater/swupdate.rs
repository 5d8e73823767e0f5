//! SWUpdate, through `swupdate-client` (the daemon writes) or `swupdate -i`.
//!
//! Its control socket is not spoken: the structures on it differ between releases. An image is a cpio archive (newc) whose
//! first member, `sw-description`, tells the version. What is in a box stands in `/etc/sw-versions`. SWUpdate checks its
//! own signatures when it was built to; then a wrong one is told by its exit status alone, like every other failure.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use cwmp_platform::{Flash, FlashOptions, ImageFacts, PlatformError};

use super::{
    Checked, FILE, INSTALL_LIMIT, Image, MARK_CHARS, Updater, confirm, must_keep, require, running_image,
    state, usual_mark,
};
use crate::{
    command,
    files::{Root, clean},
    options::Options,
    platform::off_thread,
};

/// Bytes of a header of a cpio member in the form newc.
const HEADER: usize = 110;
/// Largest sw-description that is looked at, in bytes.
const DESCRIPTION_BYTES: usize = 256 * 1024;
const DESCRIPTION: &[u8] = b"sw-description\0";
/// Longest version, in characters: what DeviceInfo.SoftwareVersion takes.
const VERSION_CHARS: usize = 64;

/// `swupdate-client`, or what `firmware_command` says.
pub(super) struct Swupdate {
    pub(super) options: Options,
    pub(super) root: Root,
}

#[async_trait(?Send)]
impl Updater for Swupdate {
    /// `ustate` of the boot loader's environment, which a state command can read: `fw_printenv -n ustate`.
    async fn ready(&self) -> Result<(), PlatformError> {
        state(self.options.firmware_state_command.as_ref()).await
    }

    async fn check(&self, image: &Path, running: &str) -> Result<Checked, PlatformError> {
        let image = image.to_owned();
        let description = off_thread(move || description(&image).map_err(PlatformError::Refused)).await?;
        let version = version(&description).map(|version| clean(&version, VERSION_CHARS));
        // Which slot it goes to is decided by the selection that the command names.
        let facts = ImageFacts { expects: None, version };
        Ok(Checked { facts, running: running.to_owned() })
    }

    async fn install(&self, image: &Path, flash: FlashOptions) -> Result<Flash, PlatformError> {
        must_keep("SWUpdate", flash)?;
        let usual = ["/usr/bin/swupdate-client".to_owned(), FILE.to_owned()];
        let command = self.options.firmware_command.as_deref().unwrap_or(&usual);
        require("firmware_command", command, FILE)?;
        command::run(command, &[(FILE, image.as_os_str())], INSTALL_LIMIT).await?;
        Ok(if self.options.firmware_restarts { Flash::Restarting } else { Flash::RestartNeeded })
    }

    async fn confirm(&self) -> Result<(), PlatformError> {
        confirm(self.options.firmware_confirm_command.as_ref()).await
    }

    async fn mark(&self, running: &str) -> Result<String, PlatformError> {
        let mark = usual_mark(&self.root, running);
        let versions = self.root.text("etc/sw-versions").unwrap_or_default();
        let parts: Vec<String> = versions
            .lines()
            .map(|line| line.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        Ok(clean(&format!("{mark} {}", parts.join(", ")), MARK_CHARS))
    }

    async fn images(&self, running: &str) -> Result<Vec<Image>, PlatformError> {
        Ok(running_image(running))
    }
}

/// The text of `sw-description`, or why this is no image.
fn description(image: &PathBuf) -> Result<String, String> {
    let name = image.display();
    let error = |e: std::io::Error| format!("cannot read {name}: {e}");
    let no_image =
        || format!("{name} is no image of SWUpdate: it does not begin with sw-description in a cpio archive");
    let file = File::open(image).map_err(error)?;
    let mut bytes = Vec::new();
    let most = HEADER.saturating_add(DESCRIPTION.len()).saturating_add(DESCRIPTION_BYTES);
    file.take(u64::try_from(most).unwrap_or(u64::MAX)).read_to_end(&mut bytes).map_err(error)?;
    let (header, rest) = bytes.split_at_checked(HEADER).ok_or_else(no_image)?;
    if !header.starts_with(b"070701") && !header.starts_with(b"070702") {
        return Err(no_image());
    }
    // Eight hexadecimal digits a field; the seventh after the magic is the size of the file.
    let size = header.get(54..62).and_then(|digits| std::str::from_utf8(digits).ok());
    let size = size.and_then(|digits| usize::from_str_radix(digits, 16).ok()).ok_or_else(no_image)?;
    if size > DESCRIPTION_BYTES {
        return Err(format!("{name}: its sw-description is larger than {DESCRIPTION_BYTES} bytes"));
    }
    rest.strip_prefix(DESCRIPTION).ok_or_else(no_image)?;
    // Header and name together are filled up to a multiple of four.
    let start = HEADER.saturating_add(DESCRIPTION.len()).next_multiple_of(4);
    let text = bytes.get(start..start.saturating_add(size)).ok_or_else(|| format!("{name} is cut"))?;
    Ok(String::from_utf8_lossy(text).into_owned())
}

/// `version` of the outermost group of a description in the syntax of libconfig: `software = { version = "1.0"; ... }`.
fn version(description: &str) -> Option<String> {
    let mut rest = description;
    let (mut depth, mut key) = (0_usize, String::new());
    while let Some(c) = rest.chars().next() {
        let skip_to =
            |text: &'static str| rest.find(text).map_or("", |at| rest.get(at..).unwrap_or_default());
        match c {
            '#' => rest = skip_to("\n"),
            '/' if rest.starts_with("//") => rest = skip_to("\n"),
            '/' if rest.starts_with("/*") => rest = skip_to("*/").strip_prefix("*/").unwrap_or_default(),
            '"' => {
                let (text, after) = quoted(rest)?;
                if depth == 1 && key == "version" {
                    return Some(text);
                }
                key.clear();
                rest = after;
            }
            _ if c.is_alphanumeric() || "_-*".contains(c) => {
                let end =
                    rest.find(|c: char| !c.is_alphanumeric() && !"_-*".contains(c)).unwrap_or(rest.len());
                key = rest.get(..end)?.to_owned();
                rest = rest.get(end..)?;
            }
            _ => {
                match c {
                    '{' | '(' | '[' => depth = depth.saturating_add(1),
                    '}' | ')' | ']' => depth = depth.saturating_sub(1),
                    ';' | ',' => key.clear(),
                    _ => {}
                }
                rest = rest.get(c.len_utf8()..)?;
            }
        }
    }
    None
}

/// A text in quotes with `\` as escape, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut chars) = (String::new(), text.char_indices().skip(1));
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, text.get(at.saturating_add(1)..)?)),
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            _ => value.push(c),
        }
    }
    None
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An archive as `cpio -o -H newc` makes it, as far as its first member goes.
    pub(crate) fn archive(description: &str) -> Vec<u8> {
        let field = |value: usize| format!("{value:08X}");
        let mut header = "070701".to_owned();
        for value in [1, 0o100_644, 0, 0, 1, 0, description.len(), 0, 0, 0, 0, DESCRIPTION.len(), 0] {
            header.push_str(&field(value));
        }
        let mut bytes = [header.as_bytes(), DESCRIPTION].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(description.as_bytes());
        bytes
    }

    #[test]
    fn the_version_stands_in_the_outermost_group() {
        for (text, expected) in [
            (
                "software =\n{\n\tversion = \"2.1.0\";\n\timages: ( { version = \"9\"; } );\n}\n",
                Some("2.1.0"),
            ),
            (
                "software = {\n images: ( { filename = \"a\"; version = \"9\"; } );\n version: \"2\";\n}",
                Some("2"),
            ),
            ("# version = \"0\"\n/* { */ software = { // {\n version = \"a \\\"b\\\"\"; }", Some("a \"b\"")),
            ("software = { description = \"version\"; name = \"1\"; }", None),
            ("software = { version = \"unfinished", None),
            ("", None),
        ] {
            assert_eq!(version(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn an_image_begins_with_its_description() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image");
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            description(&path)
        };
        let good = archive("software = {};");
        assert_eq!(read(&good).unwrap(), "software = {};");
        assert!(read(&good[..good.len() - 1]).unwrap_err().ends_with("is cut"));
        for wrong in [b"".as_slice(), b"ELF", &good[1..], &[b'0'; 200]] {
            assert!(read(wrong).unwrap_err().contains("is no image of SWUpdate"));
        }
        let mut large = good.clone();
        large[54..62].copy_from_slice(b"FFFFFFFF");
        assert!(read(&large).unwrap_err().contains("larger than"));
    }
}
