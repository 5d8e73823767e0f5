//! What must hold for any tree and any call.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::collections::BTreeMap;

use common::{Bench, Memory};
use cwmp_datamodel::{
    Addressing,
    facts::{Facet, Facts, Object, Place},
    validate::validate,
};
use cwmp_platform::source::ObjectKind;
use proptest::prelude::*;

/// Objects of the model by their concrete paths, with one or two instances of each table, chosen by `pick`.
fn grow(
    object: Object,
    path: &str,
    pick: &mut dyn FnMut() -> u32,
    out: &mut Vec<(String, ObjectKind, Object)>,
) {
    if out.len() > 60 {
        return;
    }
    let kind = if object.is_table() {
        ObjectKind::Table { addable: object.rule().is_writable() }
    } else {
        ObjectKind::Single
    };
    out.push((path.to_owned(), kind, object));
    let mut homes = vec![path.to_owned()];
    if object.is_table() {
        homes = (0..pick() % 3).map(|i| format!("{path}{}.", 1 + i * (pick() % 9 + 1))).collect();
        homes.dedup();
        for home in &homes {
            out.push((home.clone(), ObjectKind::Instance { deletable: object.rule().is_writable() }, object));
        }
    }
    for home in homes {
        for child in object.children() {
            if pick().is_multiple_of(5) {
                grow(child, &format!("{home}{}.", child.name()), pick, out);
            }
        }
    }
}

/// A box with a random part of the model; all names with it.
fn random_bench(seed: u64) -> (Bench, Vec<String>) {
    let mut state = seed | 1;
    let mut pick = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32
    };
    let mut objects = Vec::new();
    grow(Facts::tr181().root().unwrap(), "Device.", &mut pick, &mut objects);
    let own = Memory::new("own", &["Device.ManagementServer."]).ro(common::KEY, "first");
    let system = Memory::new("system", &["Device."]);
    let mut names = Vec::new();
    for (path, kind, object) in objects {
        system.put_object(&path, kind);
        names.push(path.clone());
        if matches!(kind, ObjectKind::Table { .. }) {
            continue;
        }
        for parameter in
            object.parameters().filter(|parameter| !parameter.name().ends_with("NumberOfEntries"))
        {
            if pick().is_multiple_of(4) && !path.starts_with("Device.ManagementServer.") {
                let name = format!("{path}{}", parameter.name());
                let access = if pick().is_multiple_of(2) {
                    cwmp_platform::source::Access::ReadWrite
                } else {
                    cwmp_platform::source::Access::ReadOnly
                };
                system.put(&name, &pick().to_string(), access);
                names.push(name);
            }
        }
    }
    (Bench::of(own, system), names)
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Conformance: 4.35
    #[test]
    fn names_and_values_agree(seed: u64, chosen: proptest::sample::Index, cut in 0..4_usize) {
        let (mut bench, names) = random_bench(seed);
        // A name as delivered, or something near it.
        let name = &names[chosen.index(names.len())];
        let path = match cut {
            0 => name.clone(),
            1 => name.split_inclusive('.').take(2).collect(),
            2 => String::new(),
            _ => format!("{name}x"),
        };
        run(async {
            let listed = bench.names(&path, false).await;
            let values = bench.values(&[&path]).await;
            let attributes = bench.attributes(&[&path]).await;
            match listed {
                Err(code) => {
                    prop_assert_eq!(values, Err(code));
                    prop_assert_eq!(attributes, Err(code));
                }
                Ok(listed) => {
                    let parameters: Vec<String> = listed.iter().filter(|name| !name.ends_with('.')).cloned().collect();
                    let valued: Vec<String> = values.unwrap().into_iter().map(|(name, _)| name).collect();
                    let attributed: Vec<String> = attributes.unwrap().into_iter().map(|(name, ..)| name).collect();
                    prop_assert_eq!(&parameters, &valued);
                    prop_assert_eq!(&parameters, &attributed);
                    let mut once = listed.clone();
                    once.sort();
                    once.dedup();
                    prop_assert_eq!(once.len(), listed.len());
                    // Every name that is listed can be asked for by itself, and parents come first.
                    for (at, name) in listed.iter().enumerate() {
                        prop_assert!(bench.names(name, false).await.is_ok());
                        let parent = name.strip_suffix('.').unwrap_or(name).rsplit_once('.').map(|(parent, _)| format!("{parent}."));
                        let place = parent.and_then(|parent| listed.iter().position(|name| *name == parent));
                        prop_assert!(place.is_none_or(|place| place < at));
                    }
                    // Going down level by level finds the same names.
                    if path.is_empty() {
                        let (mut walked, mut open) = (Vec::new(), vec![String::new()]);
                        while let Some(level) = open.pop() {
                            let children = bench.names(&level, true).await.unwrap();
                            open.extend(children.iter().filter(|name| name.ends_with('.')).cloned());
                            walked.extend(children);
                        }
                        walked.sort();
                        prop_assert_eq!(walked, once);
                    }
                }
            }
            Ok(())
        })?;
    }

    /// Conformance: 4.37, 4.57
    #[test]
    fn however_instances_are_named_the_tree_is_the_same(
        seed: u64,
        chosen: proptest::sample::Index,
        given: proptest::sample::Index,
        form in prop::collection::vec(0..3_u8, 6),
        instance_alias: bool,
    ) {
        let (mut bench, _) = random_bench(seed);
        run(async {
            let all = bench.names("", false).await.unwrap();
            let settable: Vec<&String> = all.iter().filter(|name| name.ends_with(".Alias")).collect();
            if !settable.is_empty() {
                bench.set(&[(settable[given.index(settable.len())], "given")], "").await.unwrap();
            }
            let aliases: BTreeMap<String, String> = bench.values(&[""]).await.unwrap().into_iter()
                .filter_map(|(name, value)| Some((name.strip_suffix("Alias")?.to_owned(), value))).collect();
            let name = all[chosen.index(all.len())].clone();
            let (written, by_alias) = rewrite(&name, &aliases, &form);
            // Parameters and objects of the tree that the parts mean, found without the model's help.
            let meant: Vec<String> = all.iter().filter(|other| means(&by_alias, other)).cloned().collect();
            let listed = bench.names(&written, false).await.unwrap();
            prop_assert_eq!(&listed, &meant, "{}", written);
            let parameters: Vec<&String> = meant.iter().filter(|name| !name.ends_with('.')).collect();
            let valued = bench.values(&[&written]).await.unwrap();
            prop_assert_eq!(&valued.iter().map(|(name, _)| name).collect::<Vec<_>>(), &parameters);
            let attributed = bench.attributes(&[&written]).await.unwrap();
            prop_assert_eq!(&attributed.iter().map(|(name, ..)| name).collect::<Vec<_>>(), &parameters);
            // The form of the answer changes names, not what is there.
            bench.addressing.set(Addressing { instance_alias, auto_create: false });
            let shown = bench.names(&written, false).await.unwrap();
            prop_assert_eq!(shown.len(), meant.len());
            for (shown, name) in shown.iter().zip(&meant) {
                prop_assert_eq!(shown, &rewrite(name, &aliases, &[if instance_alias { 2 } else { 0 }; 6]).0);
                if !name.ends_with('.') {
                    let found = bench.values(&[shown]).await.unwrap();
                    prop_assert_eq!(found.len(), 1);
                    prop_assert_eq!(&found[0].1, &valued.iter().find(|(known, _)| known == name).unwrap().1);
                }
            }
            Ok(())
        })?;
    }

    /// Conformance: 4.16
    #[test]
    fn a_set_is_all_or_nothing(
        seed: u64,
        chosen in prop::collection::vec((any::<proptest::sample::Index>(), any::<proptest::sample::Index>()), 1..5),
        with_bad in prop::bool::weighted(0.3),
        breaks in 0..4_u8,
    ) {
        let (mut bench, names) = random_bench(seed);
        let mut settable: Vec<(&str, Vec<&str>)> = names.iter().filter_map(|name| Some((name.as_str(), values_of(name)?))).collect();
        settable.retain(|(name, values)| bench.system.is_writable(name) && !values.is_empty());
        let mut values: Vec<(&str, &str)> = Vec::new();
        for (at, value) in chosen {
            if settable.is_empty() {
                break;
            }
            let (name, allowed) = settable.swap_remove(at.index(settable.len()));
            values.push((name, allowed[value.index(allowed.len())]));
        }
        if with_bad {
            values.push(("Device.Time.Nothing", "1"));
        }
        bench.own.fails_to_apply.set(breaks == 0);
        bench.system.fails_to_apply.set(breaks == 1);
        run(async {
            let before = bench.values(&[""]).await.unwrap();
            let done = bench.set(&values, "second").await;
            let after = bench.values(&[""]).await.unwrap();
            let wanted = match breaks {
                _ if with_bad => Err(9003),
                0 => Err(9002),
                1 if !values.is_empty() => Err(9002),
                _ => Ok(()),
            };
            prop_assert_eq!(done.map(|_| ()).map_err(|fault| fault.code.0), wanted);
            if wanted.is_err() {
                prop_assert_eq!(before, after);
                return Ok(());
            }
            for ((name, was), (_, is)) in before.iter().zip(&after) {
                match values.iter().find(|(set, _)| set == name) {
                    _ if name == common::KEY => prop_assert_eq!(is, "second"),
                    Some((_, value)) => prop_assert_eq!(is, value),
                    None => prop_assert_eq!(is, was),
                }
            }
            Ok(())
        })?;
    }
}

/// A name with some instance numbers replaced: 1 by `*`, 2 by the alias where the row has one. Also with `*` alone
/// replaced, since a number is what an alias means.
fn rewrite(name: &str, aliases: &BTreeMap<String, String>, form: &[u8]) -> (String, String) {
    let (mut path, mut written, mut meant) = (String::new(), Vec::new(), Vec::new());
    let mut form = form.iter();
    for part in name.split('.') {
        path = format!("{path}{part}.");
        let form = part.parse::<u32>().ok().and_then(|_| form.next()).copied().unwrap_or(0);
        let alias = aliases.get(&path).filter(|_| form == 2).map(|alias| format!("[{alias}]"));
        let part = if form == 1 { "*" } else { part };
        meant.push(part.to_owned());
        written.push(alias.unwrap_or_else(|| part.to_owned()));
    }
    (written.join("."), meant.join("."))
}

/// Whether a name is what another with `*` asks for: itself, or all below a partial path.
fn means(wanted: &str, name: &str) -> bool {
    let mut theirs = name.split_inclusive('.');
    let same = wanted.split_inclusive('.').all(|part| {
        theirs.next().is_some_and(|own| {
            part == own || (part == "*." && own.trim_end_matches('.').parse::<u32>().is_ok())
        })
    });
    same && (wanted.ends_with('.') || theirs.next().is_none())
}

/// Texts that a parameter takes as they are.
fn values_of(name: &str) -> Option<Vec<&'static str>> {
    let Some(Place::Parameter(object, parameter)) = Facts::tr181().find(name) else { return None };
    let rule = parameter.rule();
    // Aliases, parts of keys and what another parameter lists have rules of their own.
    if rule.is_alias() || rule.facets().any(|facet| matches!(facet, Facet::EnumerationRef(_))) {
        return None;
    }
    let is_key = |facet| matches!(facet, Facet::Key(keys) if keys.split(['|', '+']).any(|part| part == parameter.name()));
    if object.rule().facets().any(is_key) {
        return None;
    }
    let some = [
        "true",
        "false",
        "0",
        "5",
        "1000",
        "-1",
        "",
        "text",
        "00:11:22:33:44:55",
        "10.0.0.1",
        "2024-02-29T12:00:00Z",
        "0A",
    ];
    let enumerated = rule
        .facets()
        .find_map(|facet| if let Facet::Enumeration(values) = facet { Some(values) } else { None });
    let all = some.into_iter().chain(enumerated.unwrap_or("").split('|'));
    Some(
        all.filter(|text| {
            !rule.is_hidden() && !rule.is_command() && validate(rule, None, text).as_deref() == Ok(*text)
        })
        .collect(),
    )
}
