//! `cargo xtask datamodel [--check]`: turns the table of the TR-181 data model, and the list of its secrets, into the
//! compact facts file of cwmp-datamodel. The layout is described in that crate, in `facts/format.rs`.

use crate::sh::{Res, Sh};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

#[allow(dead_code, reason = "the reader needs constants that the writer does not")]
#[path = "../../crates/cwmp-datamodel/src/facts/format.rs"]
mod format;

const FACTS: &str = "crates/cwmp-datamodel/data/tr-181-2-17.facts";
/// Parameters that read back as empty, one a line; the table does not mark all of them.
const SECRETS: &str = "crates/cwmp-datamodel/data/tr-181-2-17.secrets";
const TABLE: &str = "bbf/tr-181-2-17-cwmp.tsv";

/// Makes the facts file, or with `check` compares it with what is committed.
pub(crate) fn run(sh: &Sh, check: bool) -> Res {
    let root = sh.root();
    let schemas = std::env::var_os("CWMP_SCHEMA_DIR").map_or_else(|| root.join("../shared"), PathBuf::from);
    let table = schemas.join(TABLE);
    let text = fs::read_to_string(&table)
        .map_err(|e| format!("{}: {e}; CWMP_SCHEMA_DIR names the folder that holds bbf/", table.display()))?;
    let secrets = root.join(SECRETS);
    let secrets = fs::read_to_string(&secrets).map_err(|e| format!("{}: {e}", secrets.display()))?;
    let made = encode(&text, &secrets).map_err(|e| format!("{}: {e}", table.display()))?;
    let file = root.join(FACTS);
    if check {
        let present = fs::read(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        if present != made {
            return Err(format!(
                "{FACTS} is not what {TABLE} and {SECRETS} give: run `cargo xtask datamodel` and commit the file"
            )
            .into());
        }
        return Ok(());
    }
    fs::write(&file, &made).map_err(|e| format!("{}: {e}", file.display()))?;
    println!("{FACTS}: {} bytes", made.len());
    Ok(())
}

/// A row's facts without its name: what [`rule`] encodes.
type Columns<'a> = [&'a str; 8];

/// Last of the columns: the parameter reads as empty, whatever the table says.
const SECRET: &str = "secret";

#[derive(Default)]
struct Object<'a> {
    name: &'a str,
    columns: Columns<'a>,
    /// Path of the parent without `{i}` and dot at the end; empty for the root.
    parent: &'a str,
    /// Its own path in that form.
    path: &'a str,
    parameters: Vec<(&'a str, Columns<'a>)>,
}

fn encode(table: &str, secrets: &str) -> Result<Vec<u8>, String> {
    let objects = parse(table, secrets)?;
    let all =
        || objects.iter().flat_map(|o| [(o.name, o.columns)].into_iter().chain(o.parameters.iter().copied()));
    let mut names = BTreeSet::new();
    let mut texts = BTreeSet::new();
    let mut kinds: BTreeSet<Columns<'_>> = BTreeSet::new();
    for (name, columns) in all() {
        names.insert(stored_name(name)?);
        kinds.insert(columns);
        texts.extend(
            facets(columns)
                .into_iter()
                .filter_map(|(tag, value)| text_tag(&tag).map(|_| value.as_bytes().to_vec())),
        );
    }
    if kinds.len() > format::RULES {
        return Err(format!("{} sets of facts; an entry numbers {}", kinds.len(), format::RULES));
    }
    let names = Text::new(join(names));
    let rest = texts.into_iter().filter(|text| names.find(text).is_none()).collect();
    let blob = Text::new([names.bytes, join(rest)].concat());

    let (mut records, mut index, mut numbers) = (Vec::new(), Vec::new(), BTreeMap::new());
    for (number, columns) in kinds.into_iter().enumerate() {
        index.extend(short(records.len(), "records")?);
        records.extend(rule(columns, &blob)?);
        numbers.insert(columns, number);
    }
    index.extend(short(records.len(), "records")?);

    let entry = |name: &str, columns: Columns<'_>| -> Result<[u8; 4], String> {
        let stored = stored_name(name)?;
        let at = blob.find(&stored).ok_or("a name is lost")?;
        let length = if name.len() > format::SHORT_NAME { 0 } else { name.len() };
        let number = numbers.get(&columns).copied().ok_or("a rule is lost")?;
        let at = u16::try_from(at).map_err(|_| "the names take more than 64 KB")?;
        Ok((u32::from(at) | (length as u32) << 16 | (number as u32) << 21).to_le_bytes())
    };
    let (mut nodes, mut parameters, mut runs) = (Vec::new(), Vec::new(), BTreeMap::new());
    for (i, object) in objects.iter().enumerate() {
        let inside =
            |o: &Object<'_>| o.path.strip_prefix(object.path).is_some_and(|rest| rest.starts_with('.'));
        let below = objects.iter().skip(i + 1).take_while(|o| inside(o)).count();
        let first = match runs.get(&object.parameters) {
            Some(first) => *first,
            None => {
                let first = parameters.len() / format::PARAMETER;
                for (name, columns) in &object.parameters {
                    parameters.extend(entry(name, *columns)?);
                }
                runs.insert(object.parameters.clone(), first);
                first
            }
        };
        nodes.extend(entry(object.name, object.columns)?);
        nodes.extend(short(below + 1, "objects")?);
        nodes.extend(short(first, "parameters")?);
        nodes.push(
            u8::try_from(object.parameters.len()).map_err(|_| format!("{} is too large", object.name))?,
        );
    }

    let mut file = format::MAGIC.to_vec();
    let mut at = format::HEADER + blob.bytes.len();
    for section in [&nodes, &parameters, &index, &records] {
        file.extend((at as u32).to_le_bytes());
        at += section.len();
    }
    for section in [blob.bytes, nodes, parameters, index, records] {
        file.extend(section);
    }
    Ok(file)
}

/// Reads the table. Parents come before children, and an object's parameters follow it at once.
fn parse<'a>(table: &'a str, secrets: &str) -> Result<Vec<Object<'a>>, String> {
    let mut secrets: BTreeSet<&str> =
        secrets.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let mut objects: Vec<Object<'_>> = Vec::new();
    let (mut seen, mut object_of_last) = (BTreeSet::new(), "");
    for (number, line) in table.lines().enumerate().skip(1) {
        let bad = |what: &str| format!("line {}: {what}", number + 1);
        let cells: Vec<&str> = line.split('\t').collect();
        let [path, kind, access, value_type, facets, list, default, _version, status, notify] = cells[..]
        else {
            return Err(bad("not ten columns"));
        };
        if !seen.insert(path) {
            return Err(bad("a path for the second time"));
        }
        if !["", "list"].contains(&list) {
            return Err(bad("the list column holds neither `list` nor nothing"));
        }
        let what = if kind == "parameter" { value_type } else { kind };
        let secret = if secrets.remove(path) { SECRET } else { "" };
        let columns = [what, access, facets, default, status, notify, list, secret];
        if let Some(object) = path.strip_suffix('.') {
            object_of_last = object;
            let own = object.strip_suffix(".{i}").unwrap_or(object);
            let (parent, name) = own.rsplit_once('.').unwrap_or(("", own));
            if !parent.is_empty() && !seen.contains(format!("{parent}.").as_str()) {
                return Err(bad("its parent does not come before it"));
            }
            let parent = parent.strip_suffix(".{i}").unwrap_or(parent);
            objects.push(Object { name, columns, parent, path: own, parameters: Vec::new() });
        } else {
            let (parent, name) = path.rsplit_once('.').ok_or_else(|| bad("a parameter without an object"))?;
            let object = objects.last_mut().filter(|_| object_of_last == parent);
            let object = object.ok_or_else(|| bad("it does not follow its object"))?;
            object.parameters.push((name, columns));
        }
    }
    match secrets.first() {
        Some(name) => Err(format!("it has no {name}, which {SECRETS} names")),
        None => Ok(in_pre_order(objects)),
    }
}

/// Every object followed by all that is below it; siblings stay in the order of the table.
fn in_pre_order(objects: Vec<Object<'_>>) -> Vec<Object<'_>> {
    let mut below: BTreeMap<&str, Vec<Object<'_>>> = BTreeMap::new();
    for object in objects.into_iter().rev() {
        below.entry(object.parent).or_default().push(object);
    }
    let (mut ordered, mut waiting) = (Vec::new(), below.remove("").unwrap_or_default());
    while let Some(object) = waiting.pop() {
        waiting.extend(below.remove(object.path).unwrap_or_default());
        ordered.push(object);
    }
    ordered
}

/// The facets of a row by tag name and text; a default counts as one.
fn facets(columns: Columns<'_>) -> Vec<(String, &str)> {
    let [_, _, facets, default, ..] = columns;
    let mut all: Vec<(String, &str)> = Vec::new();
    // A bound without numbers says nothing.
    for facet in facets.split(';').filter(|facet| !["", "len=..", "range=.."].contains(facet)) {
        let (name, value) = facet.split_once('=').unwrap_or((facet, ""));
        all.push((name.to_owned(), value));
    }
    if let Some((kind, value)) = default.split_once(':') {
        all.push((format!("default {kind}"), value));
    }
    all
}

fn text_tag(name: &str) -> Option<u8> {
    format::TEXT_FACETS.iter().find(|(_, known)| *known == name).map(|(tag, _)| *tag)
}

fn rule(columns: Columns<'_>, blob: &Text) -> Result<Vec<u8>, String> {
    let [what, access, _, default, status, notify, list, secret] = columns;
    let number = |names: &[&str], name: &str| {
        let found = names.iter().position(|known| *known == name);
        found.and_then(|n| u8::try_from(n).ok()).ok_or_else(|| format!("`{name}` is none of {names:?}"))
    };
    if !default.is_empty() && !default.contains(':') {
        return Err(format!("the default `{default}` does not say whose it is"));
    }
    let mut first = match what {
        "object" => format::TYPE_OBJECT,
        "table" => format::TYPE_TABLE,
        _ => number(&format::TYPES, what)?,
    };
    first |= number(&format::ACCESS, access)? << 4;
    if !list.is_empty() {
        first |= format::FLAG_LIST;
    }
    let mut second = number(&format::STATUS, status)?;
    for name in notify.split(' ').filter(|name| !name.is_empty()) {
        second |= 4 << number(&format::NOTIFY, name)?;
    }
    if secret == SECRET {
        second |= format::FLAG_HIDDEN;
    }
    let mut tail = Vec::new();
    for (name, value) in facets(columns) {
        match name.as_str() {
            "hidden" => second |= format::FLAG_HIDDEN,
            "command" => second |= format::FLAG_COMMAND,
            "len" => length(value, &mut tail).ok_or_else(|| format!("`{value}` is no length"))?,
            "range" => range(value, &mut tail).ok_or_else(|| format!("`{value}` is no range"))?,
            _ => {
                tail.push(text_tag(&name).ok_or_else(|| format!("the facet `{name}` is not known"))?);
                let at = blob.find(value.as_bytes()).ok_or("a text is lost")?;
                varint(at as u64, &mut tail);
                varint(value.len() as u64, &mut tail);
            }
        }
    }
    Ok([vec![first, second], tail].concat())
}

fn length(value: &str, out: &mut Vec<u8>) -> Option<()> {
    let (from, to) = value.split_once("..")?;
    out.push(if from.is_empty() { format::TAG_LENGTH_TO } else { format::TAG_LENGTH });
    if !from.is_empty() {
        varint(from.parse().ok()?, out);
    }
    varint(to.parse().ok()?, out);
    Some(())
}

fn range(value: &str, out: &mut Vec<u8>) -> Option<()> {
    let (from, to) = value.split_once("..")?;
    out.push(match (from, to) {
        (_, "") => format::TAG_RANGE_FROM,
        ("", _) => format::TAG_RANGE_TO,
        _ => format::TAG_RANGE,
    });
    for bound in [from, to].into_iter().filter(|bound| !bound.is_empty()) {
        let bound: i64 = bound.parse().ok()?;
        varint(((bound << 1) ^ (bound >> 63)).cast_unsigned(), out);
    }
    Some(())
}

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn short(number: usize, what: &str) -> Result<[u8; 2], String> {
    u16::try_from(number).map(u16::to_le_bytes).map_err(|_| format!("more than 65535 {what}"))
}

/// A name as it lies in TEXT: a long one behind its length.
fn stored_name(name: &str) -> Result<Vec<u8>, String> {
    let long = name.len() > format::SHORT_NAME;
    let length = u8::try_from(name.len()).map_err(|_| format!("{name} is too long"))?;
    Ok(if long { [&[length], name.as_bytes()].concat() } else { name.as_bytes().to_vec() })
}

/// Bytes together with their suffixes in sorted order, so that any part is found at once.
struct Text {
    bytes: Vec<u8>,
    suffixes: Vec<usize>,
}

impl Text {
    fn new(bytes: Vec<u8>) -> Self {
        let mut suffixes: Vec<usize> = (0..bytes.len()).collect();
        suffixes.sort_by_key(|at| bytes.get(*at..));
        Self { bytes, suffixes }
    }

    /// Where `text` begins, all occurrences, in no useful order.
    fn all<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
        let first =
            self.suffixes.partition_point(|at| self.bytes.get(*at..).is_some_and(|suffix| suffix < text));
        let rest = self.suffixes.iter().skip(first).copied();
        rest.take_while(move |at| self.bytes.get(*at..).is_some_and(|suffix| suffix.starts_with(text)))
    }

    fn find(&self, text: &[u8]) -> Option<usize> {
        if text.is_empty() { Some(0) } else { self.all(text).min() }
    }
}

/// One sequence of bytes that holds all texts: those within another are left out, and the next one is always the one
/// that shares most with the end of what is there.
fn join(mut texts: BTreeSet<Vec<u8>>) -> Vec<u8> {
    let whole = Text::new(texts.iter().flat_map(|text| [text.as_slice(), &[0]].concat()).collect());
    texts.retain(|text| whole.all(text).nth(1).is_none());
    let mut blob: Vec<u8> = Vec::new();
    while let Some(first) = texts.first() {
        let longest = blob.len().min(96);
        let next = (1..=longest).rev().find_map(|shared| {
            let end = blob.get(blob.len() - shared..)?;
            let text = texts.range(end.to_vec()..).next()?;
            text.starts_with(end).then(|| (text.clone(), shared))
        });
        let (text, shared) = next.unwrap_or_else(|| (first.clone(), 0));
        texts.remove(&text);
        blob.extend(text.iter().skip(shared));
    }
    blob
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "path\tkind\taccess\ttype\tfacets\tlist\tdefault\tversion\tstatus\tnotify\n";

    fn encoded(rows: &[&str]) -> Result<Vec<u8>, String> {
        encode(&format!("{HEAD}{}\n", rows.join("\n")), "")
    }

    #[test]
    fn the_file_depends_on_the_table_alone() {
        let rows = [
            "Device.\tobject\treadOnly\t\t\t\t\t2.0\tcurrent\t",
            "Device.A.\tobject\treadOnly\t\t\t\t\t2.0\tcurrent\t",
            "Device.A.P\tparameter\treadWrite\tstring\tlen=..4;enum=a|b\tlist\tobject:a\t2.0\tcurrent\tcanDeny",
        ];
        assert_eq!(encoded(&rows).unwrap(), encoded(&rows).unwrap());
        assert_eq!(encoded(&rows).unwrap().get(..4), Some(&format::MAGIC[..]));
    }

    #[test]
    fn a_row_that_makes_no_sense_is_refused() {
        let root = "Device.\tobject\treadOnly\t\t\t\t\t2.0\tcurrent\t";
        for (row, said) in [
            ("Device.P\tparameter", "line 3: not ten columns"),
            ("Device.\tobject\treadOnly\t\t\t\t\t2.0\tcurrent\t", "second time"),
            ("Device.A.B.\tobject\treadOnly\t\t\t\t\t2.0\tcurrent\t", "parent"),
            ("Device.A.P\tparameter\treadOnly\tstring\t\t\t\t2.0\tcurrent\t", "follow its object"),
            ("Device.P\tparameter\treadOnly\tfloat\t\t\t\t2.0\tcurrent\t", "`float`"),
            ("Device.P\tparameter\tmaybe\tstring\t\t\t\t2.0\tcurrent\t", "`maybe`"),
            ("Device.P\tparameter\treadOnly\tstring\tlen=4\t\t\t2.0\tcurrent\t", "no length"),
            ("Device.P\tparameter\treadOnly\tint\trange=a..b\t\t\t2.0\tcurrent\t", "no range"),
            ("Device.P\tparameter\treadOnly\tstring\tcolour=red\t\t\t2.0\tcurrent\t", "colour"),
            ("Device.P\tparameter\treadOnly\tstring\t\tpairs\t\t2.0\tcurrent\t", "list column"),
            ("Device.P\tparameter\treadOnly\tstring\t\t\ta\t2.0\tcurrent\t", "default"),
        ] {
            let error = encoded(&[root, row]).unwrap_err();
            assert!(error.contains(said), "{row}: {error}");
        }
    }

    #[test]
    fn a_secret_that_the_table_lacks_is_a_mistake() {
        let table = format!(
            "{HEAD}Device.\tobject\treadOnly\t\t\t\t\t2.0\tcurrent\t\nDevice.P\tparameter\treadWrite\tstring\t\t\t\t2.0\tcurrent\t\n"
        );
        assert_ne!(encode(&table, "# one\nDevice.P\n").unwrap(), encode(&table, "").unwrap());
        assert!(encode(&table, "Device.Q\n").unwrap_err().contains("no Device.Q"));
    }

    #[test]
    fn joined_texts_are_all_there() {
        let texts: BTreeSet<Vec<u8>> =
            ["Name", "HostName", "NameServer", "Server", "x"].map(|t| t.as_bytes().to_vec()).into();
        let joined = Text::new(join(texts.clone()));
        assert!(texts.iter().all(|text| joined.find(text).is_some()));
        assert_eq!(joined.bytes.len(), "HostNameServerx".len());
    }
}
