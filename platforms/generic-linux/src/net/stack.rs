//! Device.InterfaceStack: which row lies on which.

use std::fmt::Write;

use cwmp_platform::source::{Access::ReadOnly, ParameterSink, Wanted};

use super::{
    View,
    rows::{INSTANCE, TABLE},
};

const STACK: &str = "Device.InterfaceStack.";
/// Most rows.
const ROWS: usize = 2048;

/// The aliases of the two rows are the tree's own and are left out.
pub(super) fn read(view: &View<'_>, wanted: &Wanted<'_>, out: &mut dyn ParameterSink) {
    if !wanted.touches(STACK) {
        return;
    }
    let pairs = view.layout.rows().flat_map(|row| row.lower.iter().map(|lower| (&row.path, lower)));
    let pairs: Vec<(&String, &String)> = pairs.take(ROWS).collect();
    let keys: Vec<String> = pairs.iter().map(|(higher, lower)| format!("{higher} {lower}")).collect();
    let numbers = view.numbers.assign(STACK, keys.iter().map(String::as_str), ROWS);
    out.object(STACK, TABLE);
    let mut path = String::new();
    for ((higher, lower), number) in pairs.into_iter().zip(numbers) {
        let Some(number) = number else { continue };
        path.clear();
        write!(path, "{STACK}{number}.").ok();
        out.object(&path, INSTANCE);
        out.parameter("HigherLayer", higher, ReadOnly);
        out.parameter("LowerLayer", lower, ReadOnly);
    }
}
