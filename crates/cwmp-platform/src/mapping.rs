//! What a backend gives to mapping files (`docs/mapping.md`): their text, the way to its files and programs, and the
//! sources that it knows by name.
//!
//! The data model compiles the text and executes it. A backend therefore has no code for a parameter that is one line
//! of a file, the answer of a program, or a field that one of its [`FieldProvider`]s knows.

use std::{rc::Rc, time::Duration};

use async_trait::async_trait;
use cwmp_core::rpc::Status;

use crate::source::SourceError;

/// What a backend gives to mapping files.
#[derive(Clone)]
pub struct Mapping {
    /// The mapping files that were built in.
    pub texts: &'static [MappingText],
    /// The way to the files and programs of the box.
    pub host: Rc<dyn MappingHost>,
    /// The sources that mapping files can name beside files and programs.
    pub providers: Vec<Rc<dyn FieldProvider>>,
}

/// A mapping file that was built in.
#[derive(Clone, Copy, Debug)]
pub struct MappingText {
    /// Its name, for errors.
    pub name: &'static str,
    /// What it says.
    pub text: &'static str,
}

/// The files and programs of the box, as mapping files reach them. Paths are absolute, as a process of the box sees them.
#[async_trait(?Send)]
pub trait MappingHost {
    /// The text of a file, as far as the backend reads files; `None` where it can't be read.
    fn text(&self, path: &str) -> Option<String>;

    /// Names in a folder, in no order; none where it can't be read.
    fn names(&self, folder: &str) -> Vec<String>;

    /// Whether [`MappingHost::write`] has a place for this file.
    fn can_write(&self, path: &str) -> bool;

    /// Whether this program is there and may run.
    fn can_run(&self, program: &str) -> bool;

    /// Puts this text in the place of a file, durably, or deletes the file. A file of the kernel (`/proc`, `/sys`) is
    /// written in place.
    ///
    /// # Errors
    /// A sentence that names the file and the reason; then nothing is changed.
    async fn write(&self, path: &str, text: Option<&str>) -> Result<(), String>;

    /// Runs a program, given as an argument list and never as a line of a shell, and gives what it writes to its standard
    /// output. Time and output are bounded; dropping the future ends the program.
    ///
    /// # Errors
    /// A sentence that names the program and the reason.
    async fn output(&self, command: &[String], limit: Duration) -> Result<String, String>;
}

/// A source of fields that mapping files name: `netdev(kind=ethernet)` for rows, `netdev(mtu)` for a field.
///
/// It is asked in bulk: once for all that a call of the ACS wants of it, and a second time only for fields of rows that
/// something else has found.
#[async_trait(?Send)]
pub trait FieldProvider {
    /// The name in mapping files: a letter, then letters, digits and `_`.
    fn name(&self) -> &'static str;

    /// Answers each question, in order.
    ///
    /// # Errors
    /// [`SourceError`]; the parameters that it was asked for are left out then.
    async fn read(&self, questions: &[Question]) -> Result<Vec<Vec<Row>>, SourceError>;

    /// Sets fields, all or none, durably. The default refuses.
    ///
    /// # Errors
    /// [`SourceError`]; then nothing is changed.
    async fn set(&self, changes: &[FieldChange]) -> Result<Status, SourceError> {
        let _ = changes;
        Err(SourceError::new(format!("{} is read-only", self.name())))
    }
}

/// What a mapping file wants of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The rows that it is about.
    pub rows: RowsOf,
    /// The fields that are wanted of each row: what stands in the parentheses, several arguments with commas between them
    /// and without blanks around them.
    pub fields: Vec<String>,
}

/// Rows of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowsOf {
    /// One row, of the box itself; its key is empty.
    Single,
    /// The rows that these arguments select (`kind=ethernet`); the key of a row is its field `key`.
    Selected {
        /// What stands in the parentheses.
        arguments: Vec<String>,
        /// The field that tells rows apart; empty where the mapping file names none.
        key: String,
    },
    /// The rows with these keys, which something else has found, in this order. One that is not known has no values.
    Keys(Vec<String>),
}

/// One row of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Tells the row from the others of its table, for as long as the box lives: an instance number belongs to it.
    pub key: String,
    /// Values in the order of [`Question::fields`]; `None` for what is not known.
    pub values: Vec<Option<String>>,
}

/// A field that is to have another value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// The row; empty for the only one.
    pub key: String,
    /// What stands in the parentheses.
    pub field: String,
    /// The value, after the conversions of the mapping.
    pub value: String,
}
