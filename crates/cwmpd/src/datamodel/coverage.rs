//! How much of the model this box has, and what it delivers that the model does not allow.

use std::fmt::Write as _;

use cwmp_datamodel::{
    DataModel, Surveyed,
    facts::{Facts, VERSION},
    validate::{validate, validate_vendor},
};

use super::supported::Supported;
use crate::run::one;

/// A line for each object that is there, the totals, the violations, and the sum.
///
/// # Errors
/// A source that fails.
pub(super) async fn report(model: &DataModel) -> Result<(String, bool), Vec<String>> {
    let (mut supported, mut violations) = (Supported::default(), Vec::new());
    let (mut parameters, mut objects) = (0_u32, 0_u32);
    let mut see = |seen: Surveyed<'_>| {
        supported.see(seen);
        let Surveyed::Parameter { entry, rule, .. } = seen else {
            objects += 1;
            return;
        };
        parameters += 1;
        let checked = match rule {
            // What it reads as, says the model; not what it is.
            Some(rule) if rule.is_hidden() => Ok(String::new()),
            Some(rule) => validate(rule, None, entry.text),
            None => validate_vendor(entry.value_type, None, entry.text),
        };
        if let Err(invalid) = checked {
            let name = [entry.object, entry.name].concat();
            violations.push(format!("violation: {name} = `{}`: {}\n", entry.text, invalid.text));
        }
    };
    model.survey("", &mut see).await.map_err(one)?;

    let (mut text, mut distinct) = (String::new(), 0);
    for covered in supported.objects.values() {
        let (here, all) = (covered.parameters.len(), covered.object.parameters().count());
        let _ = writeln!(text, "{}\t{here} of {all}", covered.path);
        distinct += here;
    }
    let facts = Facts::tr181();
    let (all, known) = (facts.objects().count(), facts.objects().map(|object| object.parameters().count()));
    let _ = writeln!(
        text,
        "TR-181 {VERSION}: {distinct} of {} parameters, {} of {all} objects; {} parameters of vendors",
        known.sum::<usize>(),
        supported.objects.len(),
        supported.vendors.len(),
    );
    text.push_str(&violations.concat());
    let count = violations.len();
    let _ = writeln!(text, "coverage: {parameters} parameters, {objects} objects, {count} violations");
    Ok((text, violations.is_empty()))
}
