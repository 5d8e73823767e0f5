//! Reads a case: words, comments, repetition. What the lines mean is the business of `play`.

use std::{fmt, path::Path};

/// One case: what is shown, and the lines that show it.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// File, from the folder of the cases.
    pub file: String,
    /// Numbers of the requirements that it shows.
    pub covers: Vec<String>,
    /// Whether it runs against the agent in virtual time.
    pub in_memory: bool,
    /// Whether it runs against the real program over loopback.
    pub on_wire: bool,
    /// Settings of the box, as (section, key, value) of factory.ini.
    pub factory: Vec<(String, String, String)>,
    /// The script.
    pub lines: Vec<Line>,
}

/// One line of the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// From 1.
    pub number: usize,
    /// The words; quotes are resolved.
    pub words: Vec<String>,
    /// The line as it is, without what follows in `text`.
    pub raw: String,
    /// Lines below that begin with `|`, without it.
    pub text: String,
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// File of the case.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// Most lines of a case after repetitions.
const LINES: usize = 5_000;

impl Case {
    /// Reads a case from its text.
    ///
    /// # Errors
    /// The first line that cannot be read.
    pub fn parse(file: &str, text: &str) -> Result<Self, Wrong> {
        let wrong = |line, what: &str| Wrong { file: file.to_owned(), line, what: what.to_owned() };
        let mut case = Self { file: file.to_owned(), in_memory: true, ..Self::default() };
        if !text.starts_with("# ") {
            return Err(wrong(
                1,
                "a case begins with `# ` and says in words what the ACS does and what the agent must do",
            ));
        }
        let mut lines: Vec<Line> = Vec::new();
        for (number, raw) in (1..).zip(text.lines()) {
            let trimmed = raw.trim();
            if let Some(text) = trimmed.strip_prefix('|') {
                let Some(last) = lines.last_mut() else { return Err(wrong(number, "`|` continues no line")) };
                last.text.push_str(text.strip_prefix(' ').unwrap_or(text));
                last.text.push('\n');
                continue;
            }
            if trimmed.is_empty() || trimmed.starts_with('#') {
                continue;
            }
            let words = words(trimmed).map_err(|what| wrong(number, &what))?;
            lines.push(Line { number, words, raw: trimmed.to_owned(), text: String::new() });
        }
        let mut script = Vec::new();
        for line in lines {
            let rest = line.words.get(1..).unwrap_or_default();
            match line.words.first().map(String::as_str) {
                Some("covers") => {
                    case.covers.extend(rest.iter().map(|word| word.trim_end_matches(',').to_owned()));
                }
                Some("runs") => {
                    case.in_memory = rest.iter().any(|word| word == "in-memory");
                    case.on_wire = rest.iter().any(|word| word == "on-wire");
                    if rest.iter().any(|word| !["in-memory", "on-wire"].contains(&word.as_str()))
                        || rest.is_empty()
                    {
                        return Err(wrong(line.number, "a case runs `in-memory`, `on-wire` or both"));
                    }
                }
                Some("factory") => {
                    for word in rest {
                        let setting = word.split_once('=').and_then(|(name, value)| {
                            let (section, key) = name.rsplit_once('.')?;
                            Some((section.to_owned(), key.to_owned(), value.to_owned()))
                        });
                        case.factory.push(
                            setting.ok_or_else(|| wrong(line.number, "a setting is Section.Key=value"))?,
                        );
                    }
                }
                _ => script.push(line),
            }
        }
        let name =
            Path::new(file).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let number = name.split_once('-').map_or("", |(number, _)| number);
        if !case.covers.iter().any(|covered| covered == number) {
            return Err(wrong(1, &format!("the file is named after {number}, which `covers` does not list")));
        }
        case.lines = expand(&script, &[]).map_err(|(line, what)| wrong(line, &what))?;
        Ok(case)
    }
}

/// Replaces `each NAME in A B` … `end` by its content for each of the words.
fn expand(lines: &[Line], with: &[(String, String)]) -> Result<Vec<Line>, (usize, String)> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        at += 1;
        match line.words.first().map(String::as_str) {
            Some("each") => {
                let inner_from = at;
                let mut depth = 1;
                while depth > 0 {
                    let Some(inner) = lines.get(at) else {
                        return Err((line.number, "`each` without `end`".into()));
                    };
                    match inner.words.first().map(String::as_str) {
                        Some("each") => depth += 1,
                        Some("end") => depth -= 1,
                        _ => {}
                    }
                    at += 1;
                }
                let inner = lines.get(inner_from..at - 1).unwrap_or_default();
                let (Some(name), Some("in")) = (line.words.get(1), line.words.get(2).map(String::as_str))
                else {
                    return Err((line.number, "it is `each NAME in WORD …`".into()));
                };
                for value in line.words.get(3..).unwrap_or_default() {
                    let mut with = with.to_vec();
                    with.push((format!("{{{name}}}"), value.clone()));
                    out.extend(expand(inner, &with)?);
                }
            }
            Some("end") => return Err((line.number, "`end` without `each`".into())),
            _ => {
                let put = |text: &str| {
                    with.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
                };
                let words = line.words.iter().map(|word| put(word)).collect();
                out.push(Line { number: line.number, words, raw: put(&line.raw), text: put(&line.text) });
            }
        }
        if out.len() > LINES {
            return Err((line.number, format!("more than {LINES} lines after repetition")));
        }
    }
    Ok(out)
}

/// Splits at blanks; `"` quotes, and `\` takes the next character as it is (`\n` is a line break).
fn words(line: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut inside, mut quoted) = (Vec::new(), String::new(), false, false);
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                quoted = !quoted;
                inside = true;
            }
            '\\' if quoted => match characters.next() {
                Some('n') => word.push('\n'),
                Some(other) => word.push(other),
                None => return Err("the line ends with a backslash".to_owned()),
            },
            blank if blank.is_whitespace() && !quoted => {
                if std::mem::take(&mut inside) {
                    words.push(std::mem::take(&mut word));
                }
            }
            other => {
                word.push(other);
                inside = true;
            }
        }
    }
    if quoted {
        return Err("a quote is not closed".to_owned());
    }
    if inside {
        words.push(word);
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str) -> Result<Vec<String>, String> {
        let text = format!("# Shows something.\ncovers 1.01\n{text}");
        let case = Case::parse("g/1.01-x.case", &text).map_err(|wrong| wrong.to_string())?;
        Ok(case.lines.iter().map(|line| line.words.join("|")).collect())
    }

    #[test]
    fn words_are_split_at_blanks_outside_quotes() {
        assert_eq!(script(r#"acs Set A="x y" B="\"\\\n" C="""#).unwrap(), ["acs|Set|A=x y|B=\"\\\n|C="]);
    }

    #[test]
    fn each_repeats_what_is_inside() {
        let lines = script("each A in 1 2\neach B in x y\ncpe {A}{B}\nend\nend\nsession").unwrap();
        assert_eq!(lines, ["cpe|1x", "cpe|1y", "cpe|2x", "cpe|2y", "session"]);
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        for (text, message) in [
            ("acs \"", "3: a quote is not closed"),
            ("each A in 1", "3: `each` without `end`"),
            ("end", "3: `end` without `each`"),
            ("factory URL", "3: a setting is"),
            ("runs fast", "3: a case runs"),
        ] {
            let error = script(text).unwrap_err();
            assert!(error.starts_with(&format!("g/1.01-x.case:{message}")), "{error}");
        }
        assert!(Case::parse("g/1.02-x.case", "# X\ncovers 1.01\n").is_err(), "another number in the name");
        assert!(Case::parse("g/1.01-x.case", "covers 1.01\n").is_err(), "nothing said in words");
    }

    #[test]
    fn text_below_a_line_belongs_to_it() {
        let text = "# X\ncovers 1.01\nacs envelope\n| <a>\n|  </a>\n";
        let case = Case::parse("g/1.01-x.case", text).unwrap();
        assert_eq!(case.lines[0].text, "<a>\n </a>\n");
    }
}
