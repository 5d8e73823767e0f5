//! Instance numbers that stay with their rows.
//!
//! The box knows its rows by keys (the name of a network interface, the address of a host), the ACS knows them by
//! numbers. [`InstanceNumbers`] gives each key of a table a number, the same one whenever the row comes back, and never
//! gives a number twice, also over a restart of the program. It writes only when a key appears that it does not know.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap},
    rc::Rc,
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// Most tables with numbers; the rows of further ones get none.
pub const TABLES: usize = 4096;

/// Where the numbers are kept over a restart.
#[async_trait(?Send)]
pub trait NumberStore {
    /// What was kept last; empty where there is nothing yet.
    fn load(&self) -> Numbers;

    /// Keeps these numbers durably.
    ///
    /// # Errors
    /// A sentence that names the file and the reason.
    async fn save(&self, numbers: &Numbers) -> Result<(), String>;

    /// Deletes what is kept (factory reset).
    ///
    /// # Errors
    /// A sentence that names the file and the reason.
    async fn delete(&self) -> Result<(), String>;
}

/// Numbers as they are kept, by path of the table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Numbers(BTreeMap<String, KeptTable>);

/// One table as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KeptTable {
    /// The number of the next new row.
    next: u32,
    /// Keys and numbers; what was unused for longest comes first.
    rows: Vec<(String, u32)>,
}

/// Gives rows their numbers. See the module.
pub struct InstanceNumbers {
    store: Option<Rc<dyn NumberStore>>,
    tables: RefCell<BTreeMap<String, Table>>,
    /// Counts calls of [`InstanceNumbers::assign`], to know which rows were not seen for longest.
    moment: Cell<u32>,
    /// Counts calls of it that gave new numbers, and those of them that are saved.
    news: Cell<u32>,
    saved: Cell<u32>,
}

struct Table {
    /// `None` once all numbers are used up.
    next: Option<u32>,
    rows: HashMap<String, Row>,
}

#[derive(Clone, Copy)]
struct Row {
    number: u32,
    seen: u32,
}

impl InstanceNumbers {
    /// Numbers that go on from what the store has.
    #[must_use]
    pub fn new(store: Rc<dyn NumberStore>) -> Self {
        let tables = store.load().0.into_iter().take(TABLES).map(|(path, kept)| (path, kept.into()));
        let tables: BTreeMap<String, Table> = tables.collect();
        let moment = tables.values().map(|table| table.rows.len()).max().unwrap_or(0);
        Self {
            store: Some(store),
            tables: RefCell::new(tables),
            moment: Cell::new(u32::try_from(moment).unwrap_or(u32::MAX)),
            news: Cell::new(0),
            saved: Cell::new(0),
        }
    }

    /// Numbers that last as long as the program: for tests, and for a box that is made anew with each start.
    #[must_use]
    pub fn in_memory() -> Self {
        let (moment, news, saved) = (Cell::new(0), Cell::new(0), Cell::new(0));
        Self { store: None, tables: RefCell::default(), moment, news, saved }
    }

    /// The numbers of the rows that the table (`Device.Hosts.Host.`) has now, in the order of their keys.
    ///
    /// Of the rows that are not among them, those seen last keep their numbers until the table knows more than
    /// `remembered` keys; a key that is forgotten gets a new number when it comes back, and the numbers of the tables
    /// below its row go with it. The caller bounds the rows of a table. A row that can get no number, because there are
    /// more than [`TABLES`] tables or all numbers are used up, gets `None` and must be left out.
    ///
    /// [`InstanceNumbers::keep`] must be called before the numbers are shown to anybody.
    pub fn assign<'k>(
        &self,
        table: &str,
        keys: impl IntoIterator<Item = &'k str>,
        remembered: usize,
    ) -> Vec<Option<u32>> {
        let seen = self.moment.get().saturating_add(1);
        self.moment.set(seen);
        let mut tables = self.tables.borrow_mut();
        let mut keys = keys.into_iter().peekable();
        if !tables.contains_key(table) && (tables.len() >= TABLES || keys.peek().is_none()) {
            return keys.map(|_| None).collect();
        }
        let known = tables.entry(table.to_owned()).or_insert_with(Table::new);
        let mut new = false;
        let numbers: Vec<Option<u32>> = keys
            .map(|key| {
                if let Some(row) = known.rows.get_mut(key) {
                    row.seen = seen;
                    return Some(row.number);
                }
                let number = known.next?;
                known.next = number.checked_add(1);
                known.rows.insert(key.to_owned(), Row { number, seen });
                new = true;
                Some(number)
            })
            .collect();
        if new {
            self.news.set(self.news.get().wrapping_add(1));
            let gone = known.forget_oldest(remembered, seen);
            tables.retain(|path, _| {
                let below = path.strip_prefix(table).and_then(|rest| rest.split('.').next());
                !below.and_then(|number| number.parse().ok()).is_some_and(|number| gone.contains(&number))
            });
        }
        numbers
    }

    /// Gives the next number of a table to a row that is about to be made, and the key that `name` makes of the number. A key
    /// that is known already, from a configuration of before, is passed over. `None` where the table can get no number.
    ///
    /// [`InstanceNumbers::keep`] must be called before the row is made.
    pub fn create(&self, table: &str, name: impl Fn(u32) -> String) -> Option<(u32, String)> {
        let seen = self.moment.get().saturating_add(1);
        self.moment.set(seen);
        let mut tables = self.tables.borrow_mut();
        if !tables.contains_key(table) && tables.len() >= TABLES {
            return None;
        }
        let known = tables.entry(table.to_owned()).or_insert_with(Table::new);
        let (number, key) = loop {
            let number = known.next?;
            known.next = number.checked_add(1);
            let key = name(number);
            if !known.rows.contains_key(&key) {
                break (number, key);
            }
        };
        known.rows.insert(key.clone(), Row { number, seen });
        self.news.set(self.news.get().wrapping_add(1));
        Some((number, key))
    }

    /// The key of the row with this number, where it is known; whether the row is there now is not said.
    #[must_use]
    pub fn key(&self, table: &str, number: u32) -> Option<String> {
        let tables = self.tables.borrow();
        let found = tables.get(table)?.rows.iter().find(|(_, row)| row.number == number);
        found.map(|(key, _)| key.clone())
    }

    /// Makes new numbers durable; does nothing where there are none. After an error, and when the future is dropped, they
    /// are kept with the next call.
    ///
    /// # Errors
    /// A sentence that names the file and the reason. The numbers hold until the program ends.
    pub async fn keep(&self) -> Result<(), String> {
        let news = self.news.get();
        let Some(store) = self.store.as_ref().filter(|_| self.saved.get() != news) else { return Ok(()) };
        let numbers =
            Numbers(self.tables.borrow().iter().map(|(path, table)| (path.clone(), table.kept())).collect());
        store.save(&numbers).await?;
        self.saved.set(news);
        Ok(())
    }

    /// Forgets everything, also on the disk (factory reset).
    ///
    /// # Errors
    /// What the store could not delete.
    pub async fn forget(&self) -> Result<(), String> {
        self.tables.borrow_mut().clear();
        self.saved.set(self.news.get());
        match &self.store {
            Some(store) => store.delete().await,
            None => Ok(()),
        }
    }
}

impl Table {
    fn new() -> Self {
        Self { next: Some(1), rows: HashMap::new() }
    }

    /// Forgets rows that are not there now, those first that were gone for longest; returns their numbers.
    fn forget_oldest(&mut self, remembered: usize, now: u32) -> Vec<u32> {
        let surplus = self.rows.len().saturating_sub(remembered);
        if surplus == 0 {
            return Vec::new();
        }
        let unused = self.rows.values().filter(|row| row.seen != now);
        let mut unused: Vec<(u32, u32)> = unused.map(|row| (row.seen, row.number)).collect();
        unused.sort_unstable();
        let gone: Vec<u32> = unused.into_iter().take(surplus).map(|(_, number)| number).collect();
        self.rows.retain(|_, row| !gone.contains(&row.number));
        gone
    }

    fn kept(&self) -> KeptTable {
        let mut rows: Vec<_> = self.rows.iter().collect();
        rows.sort_unstable_by_key(|(_, row)| (row.seen, row.number));
        let rows = rows.into_iter().map(|(key, row)| (key.clone(), row.number)).collect();
        KeptTable { next: self.next.unwrap_or(u32::MAX), rows }
    }
}

impl From<KeptTable> for Table {
    /// Whatever a damaged file says, no number is given twice.
    fn from(kept: KeptTable) -> Self {
        let mut used = std::collections::HashSet::new();
        let mut rows = HashMap::new();
        for (seen, (key, number)) in (0..).zip(kept.rows) {
            if number > 0 && used.insert(number) {
                rows.insert(key, Row { number, seen });
            }
        }
        let last = used.into_iter().max().unwrap_or(0);
        let next = last.checked_add(1).map(|next| next.max(kept.next).max(1));
        Self { next, rows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTS: &str = "Device.Hosts.Host.";

    /// Counts what it writes.
    #[derive(Default)]
    struct Memory {
        kept: RefCell<Numbers>,
        saves: Cell<u32>,
        full: Cell<bool>,
    }

    #[async_trait(?Send)]
    impl NumberStore for Memory {
        fn load(&self) -> Numbers {
            // Through the form of the file.
            serde_json::from_str(&serde_json::to_string(&*self.kept.borrow()).unwrap()).unwrap()
        }

        async fn save(&self, numbers: &Numbers) -> Result<(), String> {
            if self.full.get() {
                return Err("cannot write instances.json: no space left".to_owned());
            }
            self.saves.set(self.saves.get() + 1);
            self.kept.replace(numbers.clone());
            Ok(())
        }

        async fn delete(&self) -> Result<(), String> {
            self.kept.take();
            Ok(())
        }
    }

    fn numbers(numbers: &InstanceNumbers, keys: &[&str], remembered: usize) -> Vec<u32> {
        numbers.assign(HOSTS, keys.iter().copied(), remembered).into_iter().flatten().collect()
    }

    #[tokio::test]
    async fn a_row_that_comes_back_has_its_number_also_after_a_restart() {
        let store = Rc::new(Memory::default());
        let first = InstanceNumbers::new(Rc::clone(&store) as _);
        assert_eq!(numbers(&first, &["a", "b", "c"], 8), [1, 2, 3]);
        assert_eq!(numbers(&first, &["c"], 8), [3]);
        first.keep().await.unwrap();
        let second = InstanceNumbers::new(Rc::clone(&store) as _);
        assert_eq!(numbers(&second, &["d", "b", "a"], 8), [4, 2, 1]);
        assert_eq!(second.key(HOSTS, 3).as_deref(), Some("c"));
        assert_eq!(second.key(HOSTS, 5), None);
    }

    #[tokio::test]
    async fn only_a_new_key_is_written() {
        let store = Rc::new(Memory::default());
        let all = InstanceNumbers::new(Rc::clone(&store) as _);
        for _ in 0..3 {
            numbers(&all, &["a", "b"], 8);
            all.keep().await.unwrap();
            numbers(&all, &["b"], 8);
            all.keep().await.unwrap();
        }
        assert_eq!(store.saves.get(), 1);
        numbers(&all, &["c"], 8);
        all.keep().await.unwrap();
        assert_eq!(store.saves.get(), 2);
    }

    #[tokio::test]
    async fn the_row_that_was_gone_for_longest_is_forgotten_and_its_number_is_not_given_again() {
        let store = Rc::new(Memory::default());
        let all = InstanceNumbers::new(Rc::clone(&store) as _);
        assert_eq!(numbers(&all, &["a", "b", "c"], 3), [1, 2, 3]);
        all.assign("Device.Hosts.Host.2.IPv4Address.", ["10.0.0.2"], 8);
        all.assign("Device.Hosts.Host.3.IPv4Address.", ["10.0.0.3"], 8);
        numbers(&all, &["a", "c"], 3);
        all.keep().await.unwrap();
        // Over a restart it is still known which one that is.
        let all = InstanceNumbers::new(Rc::clone(&store) as _);
        assert_eq!(numbers(&all, &["a", "d"], 3), [1, 4]);
        assert_eq!(all.key(HOSTS, 2), None);
        assert_eq!(all.key(HOSTS, 3).as_deref(), Some("c"));
        assert_eq!(all.key("Device.Hosts.Host.2.IPv4Address.", 1), None);
        assert_eq!(all.key("Device.Hosts.Host.3.IPv4Address.", 1).as_deref(), Some("10.0.0.3"));
        assert_eq!(numbers(&all, &["b"], 3), [5]);
    }

    #[test]
    fn a_row_that_is_made_gets_a_name_that_nobody_ever_had() {
        let all = InstanceNumbers::in_memory();
        numbers(&all, &["a", "new_3"], 8);
        let name = |number: u32| format!("new_{number}");
        assert_eq!(all.create(HOSTS, name), Some((4, "new_4".to_owned())));
        assert_eq!(numbers(&all, &["new_4", "b"], 8), [4, 5]);
        let last = InstanceNumbers::in_memory();
        last.tables.borrow_mut().insert(HOSTS.to_owned(), Table { next: None, rows: HashMap::new() });
        assert_eq!(last.create(HOSTS, name), None);
    }

    #[test]
    fn rows_that_are_there_are_never_forgotten() {
        let all = InstanceNumbers::in_memory();
        assert_eq!(numbers(&all, &["a", "b", "c"], 1), [1, 2, 3]);
        assert_eq!(numbers(&all, &["a", "b", "c"], 1), [1, 2, 3]);
    }

    #[tokio::test]
    async fn numbers_that_could_not_be_written_hold_and_are_written_later() {
        let store = Rc::new(Memory::default());
        store.full.set(true);
        let all = InstanceNumbers::new(Rc::clone(&store) as _);
        assert_eq!(numbers(&all, &["a"], 8), [1]);
        assert!(all.keep().await.unwrap_err().contains("instances.json"));
        store.full.set(false);
        assert_eq!(numbers(&all, &["a"], 8), [1]);
        all.keep().await.unwrap();
        assert_eq!(store.saves.get(), 1);
        all.forget().await.unwrap();
        assert_eq!(*store.kept.borrow(), Numbers::default());
    }

    #[test]
    fn a_damaged_file_gives_no_number_twice() {
        let store = Rc::new(Memory::default());
        let file = r#"{"Device.Hosts.Host.":{"next":2,"rows":[["a",7],["b",7],["c",0],["d",4294967295]]}}"#;
        store.kept.replace(serde_json::from_str(file).unwrap());
        let all = InstanceNumbers::new(store as _);
        assert_eq!(all.assign(HOSTS, ["a", "d", "b"], 8), [Some(7), Some(u32::MAX), None]);
    }

    #[test]
    fn there_is_an_end_to_tables() {
        let all = InstanceNumbers::in_memory();
        for n in 0..TABLES {
            all.assign(&format!("Device.X.{n}.Y."), ["a"], 1);
        }
        assert_eq!(all.assign(HOSTS, ["a"], 1), [None]);
        assert_eq!(all.assign("Device.X.1.Y.", ["a"], 1), [Some(1)]);
    }
}
