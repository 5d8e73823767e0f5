//! What is said on the bus: values that keep the type they were sent with.

/// A value. Services written in C ignore an argument whose type is not the one that they expect, so the width of an
/// integer is kept; [`Value::as_i64`] reads any.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing: null in JSON.
    Unspec,
    /// Values without names.
    Array(Vec<Value>),
    /// Values with names.
    Table(Table),
    /// Text. What is no UTF-8 on the wire is read with replacement characters.
    String(String),
    /// INT64.
    Int64(i64),
    /// INT32: what services expect where they expect a number.
    Int32(i32),
    /// INT16.
    Int16(i16),
    /// INT8, which is how booleans travel.
    Bool(bool),
    /// DOUBLE.
    Double(f64),
}

impl Value {
    /// The text of a String.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number of an integer of any width; a boolean is 0 or 1.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Int64(number) => Some(*number),
            Value::Int32(number) => Some((*number).into()),
            Value::Int16(number) => Some((*number).into()),
            Value::Bool(yes) => Some((*yes).into()),
            _ => None,
        }
    }

    /// The truth of a boolean, or of an integer: everything but 0 is true.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        self.as_i64().map(|number| number != 0)
    }

    /// The number of a Double or of an integer.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Double(number) => Some(*number),
            other => other.as_i64().map(|number| number as f64),
        }
    }

    /// The values of a Table.
    #[must_use]
    pub fn as_table(&self) -> Option<&Table> {
        match self {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The values of an Array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Value::Array(values) => Some(values),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::String(text)
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Value::Bool(yes)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Value::Int32(number)
    }
}

/// INT32 where the number fits, as the ubus command line does it; say [`Value::Int64`] where a service expects that.
impl From<i64> for Value {
    fn from(number: i64) -> Self {
        i32::try_from(number).map_or(Value::Int64(number), Value::Int32)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        i64::from(number).into()
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Value::Double(number)
    }
}

impl From<Table> for Value {
    fn from(table: Table) -> Self {
        Value::Table(table)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        Value::Array(values.into_iter().map(Into::into).collect())
    }
}

/// Named values in the order of the wire.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table(Vec<(String, Value)>);

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The table with one value more.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.push(name, value);
        self
    }

    /// Appends a value.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.0.push((name.into(), value.into()));
    }

    /// The value of this name; the last one where a sender repeats it, as C services read it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text of a String of this name.
    #[must_use]
    pub fn str(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    /// The number of an integer of this name, of any width.
    #[must_use]
    pub fn i64(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(Value::as_i64)
    }

    /// The truth of a boolean of this name.
    #[must_use]
    pub fn bool(&self, name: &str) -> Option<bool> {
        self.get(name).and_then(Value::as_bool)
    }

    /// The table of this name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.get(name).and_then(Value::as_table)
    }

    /// The values of an Array of this name; none where there is no such array.
    #[must_use]
    pub fn array(&self, name: &str) -> &[Value] {
        self.get(name).and_then(Value::as_array).unwrap_or_default()
    }
}

impl<N: Into<String>, V: Into<Value>> FromIterator<(N, V)> for Table {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(values: I) -> Self {
        Self(values.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl IntoIterator for Table {
    type Item = (String, Value);
    type IntoIter = std::vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
