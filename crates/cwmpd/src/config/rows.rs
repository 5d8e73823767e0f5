//! Rows of tables that live in the layers: a number is never given twice, be it the counter's or one written by hand.

use cwmp_store::{Layers, StoreError};

const NEXT: &str = "NextInstance";

/// The section of a row.
pub(crate) fn section(table: &str, number: u32) -> String {
    format!("{table}.{number}")
}

/// A number that no row of this table ever had; `None` when all are used up.
pub(crate) fn next_instance(layers: &Layers, table: &str) -> Option<u32> {
    let next = layers.highest_row(table).saturating_add(1).max(counter(layers, table));
    (next < u32::MAX).then_some(next)
}

/// Makes a row with these values, under the number that [`next_instance`] gave.
///
/// # Errors
/// Those of [`Layers::set`].
pub(crate) fn add<'a>(
    layers: &mut Layers,
    table: &str,
    number: u32,
    values: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<(), StoreError> {
    use_up(layers, table, number)?;
    let section = section(table, number);
    values.into_iter().try_for_each(|(key, value)| layers.set(&section, key, value))
}

/// Deletes a row. Its number stays used, even where the row came from a file and the counter does not know it.
///
/// # Errors
/// Those of [`Layers::delete_row`].
pub(crate) fn delete(layers: &mut Layers, table: &str, number: u32) -> Result<(), StoreError> {
    use_up(layers, table, layers.highest_row(table))?;
    layers.delete_row(table, number)
}

/// Moves the counter beyond a number.
fn use_up(layers: &mut Layers, table: &str, number: u32) -> Result<(), StoreError> {
    let next = number.saturating_add(1).max(counter(layers, table));
    layers.set(table, NEXT, &next.to_string())
}

/// The least number that no row can have had.
fn counter(layers: &Layers, table: &str) -> u32 {
    layers.get(table, NEXT).and_then(|text| text.parse().ok()).unwrap_or(1)
}
