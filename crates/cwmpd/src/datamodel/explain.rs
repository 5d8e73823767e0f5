//! One parameter: what the model says of it, and where this box has it from.

use std::fmt::Write as _;

use cwmp_datamodel::{
    DataModel, Surveyed,
    facts::{Access, DefaultOf, Facet, Facts, Place, Rule, VERSION},
};

use crate::run::one;

/// Lines of `what  value`.
///
/// # Errors
/// A name that neither the tree nor the model knows, or a source that fails.
pub(super) async fn explain(model: &DataModel, name: &str) -> Result<String, Vec<String>> {
    if name.is_empty() || name.ends_with('.') {
        return Err(one(format!("`{name}` is an object: explain takes a parameter")));
    }
    let mut text = String::new();
    let mut see = |seen: Surveyed<'_>| {
        if let Surveyed::Parameter { entry, rule, source } = seen {
            let full = [entry.object, entry.name].concat();
            let _ = writeln!(text, "{full}");
            line(&mut text, "type", entry.value_type.xsd_name());
            let is_hidden = rule.is_some_and(Rule::is_hidden);
            line(&mut text, "value", if is_hidden { "(hidden)" } else { entry.text });
            line(&mut text, "access", if entry.writable { "read-write" } else { "read-only" });
            line(&mut text, "source", source.unwrap_or("tree"));
            if let Some(origin) = model.origin(&full) {
                line(&mut text, "mapped", &origin);
            }
            match rule {
                Some(rule) => facts(&mut text, rule),
                None => line(&mut text, "model", "a vendor's parameter"),
            }
        }
    };
    let surveyed = model.survey(name, &mut see).await;
    if !text.is_empty() {
        return Ok(text);
    }
    match Facts::tr181().find(name) {
        Some(Place::Parameter(_, parameter)) => {
            let rule = parameter.rule();
            let _ = writeln!(text, "{name}");
            line(&mut text, "type", rule.value_type().xsd_name());
            line(
                &mut text,
                "value",
                &format!("none: TR-181 {VERSION} knows it, no source of this box delivers it"),
            );
            facts(&mut text, rule);
            Ok(text)
        }
        _ => Err(surveyed.map_or_else(one, |()| one(format!("there is no {name}")))),
    }
}

fn line(text: &mut String, what: &str, value: &str) {
    let _ = writeln!(text, "    {what:<12}{value}");
}

/// What the model says.
fn facts(text: &mut String, rule: Rule) {
    let access = match rule.access() {
        Access::ReadOnly => "readOnly",
        Access::ReadWrite => "readWrite",
        Access::WriteOnceReadOnly => "writeOnceReadOnly",
    };
    let status = format!("{:?}", rule.status()).to_ascii_lowercase();
    line(text, "model", &format!("TR-181 {VERSION}: {access}, {status}"));
    for (holds, what) in [
        (rule.is_list(), "a comma-separated list"),
        (rule.is_hidden(), "reads as empty"),
        (rule.is_command(), "acts when it is set"),
        (rule.is_forced_inform(), "in every Inform"),
        (rule.is_force_enabled(), "active notification for ever"),
        (rule.is_force_default_enabled(), "active notification by default"),
        (rule.can_deny(), "active notification may be denied"),
    ] {
        if holds {
            line(text, "", what);
        }
    }
    for facet in rule.facets() {
        let (what, value) = described(facet);
        line(text, what, &value);
    }
}

fn described(facet: Facet) -> (&'static str, String) {
    let range = |min: Option<String>, max: Option<String>| match (min, max) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("{min} or more"),
        (None, max) => format!("{} or less", max.unwrap_or_default()),
    };
    match facet {
        Facet::Length(min, max) => ("length", range(min.map(|n| n.to_string()), Some(max.to_string()))),
        Facet::Range(min, max) => ("range", range(min.map(|n| n.to_string()), max.map(|n| n.to_string()))),
        Facet::Named(name) => ("named type", name.to_owned()),
        Facet::Enumeration(values) => ("one of", values.replace('|', ", ")),
        Facet::EnumerationRef(path) => ("one of", format!("the values of {path}")),
        Facet::Pattern(pattern) => ("pattern", pattern.to_owned()),
        Facet::PathRef("") => ("refers to", "any object or parameter".to_owned()),
        Facet::PathRef(tables) => ("refers to", format!("a row of {tables}")),
        Facet::Key(key) => ("key", key.to_owned()),
        Facet::Count(name) => ("counted by", name.to_owned()),
        Facet::Enable(name) => ("enabled by", name.to_owned()),
        Facet::Default(of, value) => {
            let when = match of {
                DefaultOf::Object => "in a new row",
                DefaultOf::Factory => "from the factory",
                DefaultOf::Implementation => "when first implemented",
            };
            ("default", format!("`{value}` {when}"))
        }
    }
}
