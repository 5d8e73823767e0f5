//! The size ratchet: how large each target's program was when somebody last said why.
//!
//! One line a program: its target (with ` openwrt` where that is what it is for), bytes, reason, separated by tabs.

/// Growth above this many per cent of the recorded size needs a reason.
const TOLERATED_PERCENT: u64 = 1;

/// Where the sizes are kept, from the repository's root.
pub(super) const FILE: &str = "docs/size-ratchet.tsv";

/// How a size compares with the record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Within the tolerance.
    Held {
        recorded: u64,
    },
    /// So much smaller that the record should follow, or a later growth goes unseen.
    Shrunk {
        recorded: u64,
    },
    Grown {
        recorded: u64,
    },
    /// The target has no line.
    Unknown,
}

pub(super) fn compare(text: &str, target: &str, bytes: u64) -> Result<Verdict, String> {
    let Some(recorded) = recorded(text, target)? else { return Ok(Verdict::Unknown) };
    let tolerance = recorded / 100 * TOLERATED_PERCENT;
    Ok(if bytes > recorded + tolerance {
        Verdict::Grown { recorded }
    } else if bytes + tolerance < recorded {
        Verdict::Shrunk { recorded }
    } else {
        Verdict::Held { recorded }
    })
}

fn recorded(text: &str, target: &str) -> Result<Option<u64>, String> {
    for (number, line) in text.lines().enumerate() {
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        let fields: Vec<_> = line.split('\t').collect();
        let [triple, bytes, reason] = fields.as_slice() else {
            return Err(format!("{FILE}:{}: not `target<TAB>bytes<TAB>reason`", number + 1));
        };
        let bytes = bytes.parse().map_err(|_| format!("{FILE}:{}: `{bytes}` is no size", number + 1))?;
        if reason.trim().is_empty() {
            return Err(format!("{FILE}:{}: the reason is missing", number + 1));
        }
        if *triple == target {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

/// The file's text with the target's line replaced or added.
pub(super) fn blessed(text: &str, target: &str, bytes: u64, reason: &str) -> Result<String, String> {
    let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    if reason.is_empty() {
        return Err("--bless needs a reason".to_owned());
    }
    let line = format!("{target}\t{bytes}\t{reason}");
    let prefix = format!("{target}\t");
    let mut lines: Vec<&str> = text.lines().collect();
    match lines.iter_mut().find(|old| old.starts_with(&prefix)) {
        Some(old) => *old = &line,
        None => lines.push(&line),
    }
    Ok(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# target\tbytes\treason\nmipsel\t100000\tfirst\narm\t5\tsmall\n";

    #[test]
    fn one_per_cent_is_tolerated_in_both_directions() {
        let recorded = 100_000;
        assert_eq!(compare(TEXT, "mipsel", 101_000), Ok(Verdict::Held { recorded }));
        assert_eq!(compare(TEXT, "mipsel", 101_001), Ok(Verdict::Grown { recorded }));
        assert_eq!(compare(TEXT, "mipsel", 99_000), Ok(Verdict::Held { recorded }));
        assert_eq!(compare(TEXT, "mipsel", 98_999), Ok(Verdict::Shrunk { recorded }));
        assert_eq!(compare(TEXT, "riscv", 1), Ok(Verdict::Unknown));
    }

    #[test]
    fn a_broken_line_is_named() {
        for line in ["mipsel 100 x", "mipsel\tmany\tx", "mipsel\t100\t "] {
            let error = compare(&format!("# head\n{line}\n"), "arm", 1).unwrap_err();
            assert!(error.starts_with("docs/size-ratchet.tsv:2: "), "{error}");
        }
    }

    #[test]
    fn blessing_rewrites_one_line_and_keeps_the_rest() {
        let text = blessed(TEXT, "mipsel", 7, " TLS\tcame ").unwrap();
        assert_eq!(text, "# target\tbytes\treason\nmipsel\t7\tTLS came\narm\t5\tsmall\n");
        let text = blessed(TEXT, "x86", 9, "new").unwrap();
        assert!(text.ends_with("arm\t5\tsmall\nx86\t9\tnew\n"));
        assert!(blessed(TEXT, "mipsel", 7, " ").is_err());
    }
}
