//! Files and edits that nobody has thought of: from a seed, the same each time.

use std::fmt::Write;

use cwmp_uci::{Edit, Package};

/// SplitMix64 by S. Vigna.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap()
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

const KINDS: &[&str] = &["interface", "device", "rule", "wifi-iface", "x"];
const NAMES: &[&str] = &["lan", "wan", "wan6", "guest", "a_1", "B"];
const OPTIONS: &[&str] = &["proto", "mtu", "dns", "ports", "key", "name", "o_7"];
const PIECES: &[&str] = &[
    "a",
    "10.0.0.1",
    " ",
    "\t",
    "'",
    "\"",
    "\\",
    "#",
    ";",
    "\n",
    "\r\n",
    "é",
    "option x 'y'",
    "\nconfig rule\n",
    "$(x)",
    "=",
    ".",
];

/// A value.
pub(crate) fn value(random: &mut Random) -> String {
    let length = if random.one_in(4) { random.below(12) } else { 1 + random.below(2) };
    (0..length).map(|_| random.pick(PIECES)).collect()
}

/// A word that reads as this value, quoted in one of the ways that there are.
fn quoted(random: &mut Random, value: &str) -> String {
    let mut out = String::new();
    let mut rest = value;
    while !rest.is_empty() || out.is_empty() {
        let mut at = random.below(rest.len() + 1);
        while !rest.is_char_boundary(at) {
            at -= 1;
        }
        // No piece at all only where the value is empty.
        let (piece, after) = if at == 0 { rest.split_at(rest.len()) } else { rest.split_at(at) };
        rest = after;
        match random.below(3) {
            0 => write!(out, "'{}'", piece.replace('\'', r"'\''")).unwrap(),
            1 => {
                let joined = if random.one_in(8) { "\\\n" } else { "" };
                write!(out, "\"{joined}{}\"", piece.replace('\\', r"\\").replace('"', "\\\"")).unwrap();
            }
            // Without quotes line breaks cannot be written: a backslash before one joins the lines.
            _ if piece.is_empty() || piece.contains(['\n', '\r']) => {
                write!(out, "'{}'", piece.replace('\'', r"'\''")).unwrap();
            }
            _ => piece.chars().for_each(|c| {
                if " \t'\"\\#;".contains(c) || random.one_in(9) {
                    out.push('\\');
                }
                out.push(c);
            }),
        }
    }
    out
}

/// A file as a person might write it, in every form that libuci reads. With `again` options and sections may come twice.
pub(crate) fn file(random: &mut Random, again: bool) -> String {
    let mut out = String::new();
    let mut names: Vec<&str> = NAMES.to_vec();
    for _ in 0..random.below(6) {
        noise(random, &mut out);
        let kind = random.pick(KINDS);
        let kind = if random.one_in(4) { quoted(random, kind) } else { kind.to_owned() };
        write!(out, "{} {kind}", random.pick(&["config", "config", "c"])).unwrap();
        if !names.is_empty() && random.one_in(2) {
            let at = random.below(names.len());
            let name = if again { names[at] } else { names.remove(at) };
            write!(out, " {}", quoted(random, name)).unwrap();
        }
        end(random, &mut out);
        let mut options: Vec<&str> = OPTIONS.to_vec();
        for _ in 0..random.below(6) {
            if options.is_empty() {
                break;
            }
            let at = random.below(options.len());
            let name = if again { options[at] } else { options.remove(at) };
            let list = random.one_in(3);
            for _ in 0..if list { 1 + random.below(3) } else { 1 } {
                noise(random, &mut out);
                let command =
                    if list { random.pick(&["list", "list", "l"]) } else { random.pick(&["option", "o"]) };
                let value = value(random);
                write!(out, "\t{command} {name} {}", quoted(random, &value)).unwrap();
                end(random, &mut out);
            }
        }
    }
    out
}

fn noise(random: &mut Random, out: &mut String) {
    if random.one_in(6) {
        out.push_str(random.pick(&[
            "# a comment\n",
            "\n",
            "  \t\n",
            "#config x\n",
            "\r\n",
            "package other\n",
        ]));
    }
}

fn end(random: &mut Random, out: &mut String) {
    out.push_str(random.pick(&["\n", "\n", "\n", " # comment\n", "\r\n", "  \n"]));
}

/// A file out of pieces that mean something, most of which libuci refuses.
pub(crate) fn soup(random: &mut Random) -> Vec<u8> {
    const BITS: &[&str] = &[
        "config",
        "option",
        "list",
        "package",
        "c",
        "o",
        " ",
        " ",
        " ",
        "\t",
        "x",
        "lan",
        "a-b",
        "'",
        "'",
        "\"",
        "\\",
        "#",
        ";",
        "\n",
        "\n",
        "\r\n",
        "\u{b}",
        "\u{1}",
        "é",
        "''",
        "config x 'lan'\n",
        "config x\n",
        "option v 1\n",
        "list v 2",
        "\\\n",
    ];
    let mut out = Vec::new();
    if random.one_in(2) {
        out.extend_from_slice(b"config x 'lan'\n");
    }
    for _ in 0..random.below(14) {
        out.extend_from_slice(random.pick(BITS).as_bytes());
        if random.one_in(60) {
            out.push(0xe9);
        }
    }
    out
}

/// A change that can be made of the package, and the commands of `uci` for it.
pub(crate) fn edit(random: &mut Random, package: &Package) -> Option<(Edit, String)> {
    let (name, known) = (package.name(), package.sections().len());
    let free = NAMES.iter().find(|name| package.section(name).is_none());
    if known == 0 || random.one_in(6) {
        let kind = random.pick(KINDS);
        let named = free.filter(|_| random.one_in(2)).map(|free| (*free).to_owned());
        let command = match &named {
            Some(section) => format!("set {name}.{section}={kind}\n"),
            None => format!("add {name} {kind}\n"),
        };
        return Some((Edit::AddSection { kind: kind.to_owned(), name: named }, command));
    }
    let at = random.below(known);
    let chosen = &package.sections()[at];
    let section = match random.below(3) {
        0 if !chosen.is_anonymous() => chosen.name().to_owned(),
        1 => format!("@[{at}]"),
        _ => {
            let same: Vec<_> = package.of_type(chosen.kind()).collect();
            let place = same.iter().position(|other| std::ptr::eq(*other, chosen))?;
            let from_end = random.one_in(2);
            let n = if from_end { format!("-{}", same.len() - place) } else { place.to_string() };
            format!("@{}[{n}]", chosen.kind())
        }
    };
    let there: Vec<&str> = chosen.options().iter().map(|option| option.name()).collect();
    let option =
        if there.is_empty() || random.one_in(3) { random.pick(OPTIONS) } else { random.pick(&there) };
    let (option, place) = (option.to_owned(), format!("{name}.{section}.{option}"));
    Some(match random.below(12) {
        0 => (Edit::DeleteSection { section: section.clone() }, format!("delete {name}.{section}\n")),
        1 => {
            let free = (*free?).to_owned();
            let command = format!("rename {name}.{section}={free}\n");
            (Edit::Rename { section, name: free }, command)
        }
        2 => {
            let position = random.below(known + 2);
            let command = format!("reorder {name}.{section}={position}\n");
            (Edit::Reorder { section, position }, command)
        }
        3 => {
            chosen.option(&option)?;
            (Edit::Unset { section, option }, format!("delete {place}\n"))
        }
        4 | 5 => {
            let values: Vec<_> = (0..1 + random.below(3)).map(|_| value(random)).collect();
            let delete = chosen.option(&option).map(|_| format!("delete {place}\n")).unwrap_or_default();
            let add = values.iter().map(|value| format!("add_list {}\n", argument(&place, value)));
            let command = delete + &add.collect::<String>();
            (Edit::SetList { section, option, values }, command)
        }
        _ => {
            let value = value(random);
            let command = format!("set {}\n", argument(&place, &value));
            (Edit::Set { section, option, value }, command)
        }
    })
}

fn argument(place: &str, value: &str) -> String {
    format!("'{place}={}'", value.replace('\'', r"'\''"))
}
