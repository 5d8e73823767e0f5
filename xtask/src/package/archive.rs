//! Archives as opkg takes them, the same bytes each time: gzipped tar in GNU's form, everything owned by root.
//!
//! opkg stumbles over the extended headers of POSIX, so headers are filled by hand and a name must fit into one.

use std::collections::BTreeMap;
use std::io::Write;

/// Longest name in a header, in bytes, with `./` and the slash of a folder.
const NAME_BYTES: usize = 100;

/// What an archive holds under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) mode: u32,
    /// The content of a file; `None` for a folder.
    pub(super) content: Option<Vec<u8>>,
}

impl Member {
    pub(super) fn file(mode: u32, content: impl Into<Vec<u8>>) -> Self {
        Self { mode, content: Some(content.into()) }
    }

    pub(super) fn folder(mode: u32) -> Self {
        Self { mode, content: None }
    }
}

/// Members by path from the root without a slash at either end. The root itself is the empty path.
pub(super) type Members = BTreeMap<String, Member>;

/// Adds the folders that lead to the members and are not named.
pub(super) fn with_parents(mut members: Members) -> Members {
    let paths: Vec<String> = members.keys().cloned().collect();
    for path in paths {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([0]);
        for folder in ends.filter_map(|end| path.get(..end)) {
            members.entry(folder.to_owned()).or_insert(Member::folder(0o755));
        }
    }
    members
}

/// A tar of these members in this order, compressed. `epoch` is the time of all of them, in seconds since 1970.
pub(super) fn tar_gz<'a>(
    members: impl IntoIterator<Item = (&'a str, &'a Member)>,
    epoch: u64,
) -> Result<Vec<u8>, String> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, member) in members {
        let content = member.content.as_deref().unwrap_or_default();
        let header = header(path, member, content.len(), epoch)?;
        archive.append(&header, content).map_err(|error| format!("{path}: {error}"))?;
    }
    let bytes = archive.into_inner().map_err(|error| error.to_string())?;
    // Neither a name nor a time in the header of gzip, as `gzip -n` does.
    let mut gzip = flate2::GzBuilder::new().mtime(0).write(Vec::new(), flate2::Compression::best());
    gzip.write_all(&bytes).and_then(|()| gzip.finish()).map_err(|error| error.to_string())
}

fn header(path: &str, member: &Member, bytes: usize, epoch: u64) -> Result<tar::Header, String> {
    let folder = member.content.is_none();
    let slash = if folder && !path.is_empty() { "/" } else { "" };
    let name = format!("./{path}{slash}");
    let mut header = tar::Header::new_gnu();
    let gnu = header.as_gnu_mut().ok_or("no header of GNU's form")?;
    let field = gnu.name.get_mut(..name.len()).filter(|_| name.len() < NAME_BYTES);
    field.ok_or_else(|| format!("{path}: the name is too long"))?.copy_from_slice(name.as_bytes());
    header.set_entry_type(if folder { tar::EntryType::Directory } else { tar::EntryType::Regular });
    header.set_mode(member.mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(epoch);
    header.set_size(bytes as u64);
    header.set_cksum();
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folders_on_the_way_are_added_and_named_ones_stay() {
        let members =
            [("a/b/c".to_owned(), Member::file(0o644, "x")), ("a".to_owned(), Member::folder(0o700))];
        let all = with_parents(members.into());
        assert_eq!(all.keys().collect::<Vec<_>>(), ["", "a", "a/b", "a/b/c"]);
        assert_eq!(all.values().map(|member| member.mode).collect::<Vec<_>>(), [0o755, 0o700, 0o755, 0o644]);
    }

    #[test]
    fn a_name_that_needs_an_extended_header_is_refused() {
        let member = Member::file(0o644, "");
        assert!(tar_gz([("x".repeat(97).as_str(), &member)], 0).is_ok());
        assert!(tar_gz([("x".repeat(98).as_str(), &member)], 0).unwrap_err().contains("too long"));
    }
}
