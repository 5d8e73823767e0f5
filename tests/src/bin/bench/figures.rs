//! Series of measurements, and how they are shown.

use std::time::Duration;

/// What was measured several times.
#[derive(Clone, Debug)]
pub(crate) struct Series<T>(Vec<T>);

impl<T> Default for Series<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Copy + Ord> Series<T> {
    pub(crate) fn push(&mut self, value: T) {
        self.0.push(value);
    }

    /// The middle one (of an even number the better of the two in the middle); `None` where nothing was measured.
    pub(crate) fn median(&self) -> Option<T> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len().saturating_sub(1) / 2).copied()
    }

    pub(crate) fn best(&self) -> Option<T> {
        self.0.iter().min().copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// A cell `median (best)`, and the median as a number for ratios.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    text: String,
    number: Option<f64>,
}

impl Cell {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), number: None }
    }

    pub(crate) fn time(series: &Series<Duration>) -> Self {
        match (series.median(), series.best()) {
            (Some(median), Some(best)) => {
                let text = format!("{} ({})", shown(median), shown(best));
                Self { text, number: Some(median.as_secs_f64()) }
            }
            _ => Self::text("-"),
        }
    }

    pub(crate) fn duration(duration: Duration) -> Self {
        Self { text: shown(duration), number: Some(duration.as_secs_f64()) }
    }

    pub(crate) fn kib(series: &Series<u64>) -> Self {
        match (series.median(), series.best()) {
            (Some(median), Some(best)) => {
                Self { text: format!("{median} KiB ({best})"), number: Some(approximate(median)) }
            }
            _ => Self::text("-"),
        }
    }

    pub(crate) fn count(count: u64, unit: &str) -> Self {
        Self {
            text: format!("{} {unit}", grouped(count)).trim_end().to_owned(),
            number: Some(approximate(count)),
        }
    }
}

/// Rows of a table with a column for each program; with two programs also the ratio of their medians.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<(String, Vec<Cell>)>,
}

impl Table {
    pub(crate) fn new(programs: &[String]) -> Self {
        let head = programs.iter().map(Cell::text).collect();
        Self { rows: vec![(String::new(), head)] }
    }

    pub(crate) fn row(&mut self, what: &str, cells: Vec<Cell>) {
        self.rows.push((what.to_owned(), cells));
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let first = self.rows.iter().map(|(what, _)| what.len()).max().unwrap_or(0);
        let cells = self.rows.iter().flat_map(|(_, cells)| cells);
        let other = cells.map(|cell| cell.text.len()).max().unwrap_or(0);
        for (what, cells) in &self.rows {
            write!(f, "{what:<first$}")?;
            for cell in cells {
                write!(f, "  {:>other$}", cell.text)?;
            }
            if let [Cell { number: Some(one), .. }, Cell { number: Some(two), .. }] = cells.as_slice()
                && *two > 0.0
            {
                write!(f, "  x{:.2}", one / two)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// A duration with three digits that matter.
pub(crate) fn shown(duration: Duration) -> String {
    let us = duration.as_secs_f64() * 1e6;
    match us {
        us if us < 100.0 => format!("{us:.1} us"),
        us if us < 1_000.0 => format!("{us:.0} us"),
        us if us < 100_000.0 => format!("{:.2} ms", us / 1e3),
        us => format!("{:.0} ms", us / 1e3),
    }
}

/// Digits in groups of three.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Good enough for a ratio.
fn approximate(number: u64) -> f64 {
    Duration::from_micros(number).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_and_the_best_the_least() {
        let series = Series(vec![5, 1, 3]);
        assert_eq!((series.median(), series.best()), (Some(3), Some(1)));
        assert_eq!(Series(vec![4, 2]).median(), Some(2));
        assert_eq!(Series::<u64>::default().median(), None);
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!(shown(Duration::from_nanos(12_345)), "12.3 us");
        assert_eq!(shown(Duration::from_micros(512)), "512 us");
        assert_eq!(shown(Duration::from_micros(12_345)), "12.35 ms");
        assert_eq!(shown(Duration::from_millis(1_234)), "1234 ms");
        assert_eq!([grouped(7), grouped(1_000), grouped(1_396_280)], ["7", "1,000", "1,396,280"]);
    }

    #[test]
    fn two_programs_are_compared() {
        let mut table = Table::new(&["a".to_owned(), "b".to_owned()]);
        table.row("size", vec![Cell::count(30, "bytes"), Cell::count(20, "bytes")]);
        assert_eq!(table.to_string().lines().last(), Some("size  30 bytes  20 bytes  x1.50"));
    }
}
