//! What objects offer: their methods and the arguments of these.

use crate::{
    blobmsg,
    value::{Table, Value},
};

/// The type that a method expects of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentType {
    /// Any.
    Unspec,
    /// Values without names.
    Array,
    /// Values with names.
    Table,
    /// Text.
    String,
    /// A number of 64 bits.
    Int64,
    /// A number of 32 bits.
    Int32,
    /// A number of 16 bits.
    Int16,
    /// A boolean.
    Bool,
    /// A number with a fraction.
    Double,
}

impl ArgumentType {
    fn id(self) -> u8 {
        match self {
            ArgumentType::Unspec => blobmsg::UNSPEC,
            ArgumentType::Array => blobmsg::ARRAY,
            ArgumentType::Table => blobmsg::TABLE,
            ArgumentType::String => blobmsg::STRING,
            ArgumentType::Int64 => blobmsg::INT64,
            ArgumentType::Int32 => blobmsg::INT32,
            ArgumentType::Int16 => blobmsg::INT16,
            ArgumentType::Bool => blobmsg::BOOL,
            ArgumentType::Double => blobmsg::DOUBLE,
        }
    }

    /// Of an id that is not known, nothing can be said: Unspec.
    fn of(id: i64) -> Self {
        const ALL: [ArgumentType; 8] = [
            ArgumentType::Array,
            ArgumentType::Table,
            ArgumentType::String,
            ArgumentType::Int64,
            ArgumentType::Int32,
            ArgumentType::Int16,
            ArgumentType::Bool,
            ArgumentType::Double,
        ];
        ALL.into_iter().find(|kind| i64::from(kind.id()) == id).unwrap_or(ArgumentType::Unspec)
    }
}

/// A method of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodInfo {
    /// Its name.
    pub name: String,
    /// Names and types of its arguments.
    pub arguments: Vec<(String, ArgumentType)>,
}

impl MethodInfo {
    /// A method without arguments.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), arguments: Vec::new() }
    }

    /// The method with one argument more.
    #[must_use]
    pub fn with(mut self, argument: impl Into<String>, kind: ArgumentType) -> Self {
        self.arguments.push((argument.into(), kind));
        self
    }
}

/// An object on the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its path: `network.interface.wan`.
    pub path: String,
    /// Its number, which changes when its service starts again.
    pub id: u32,
    /// Its methods.
    pub methods: Vec<MethodInfo>,
}

/// Methods as the bus is told of them: a table for each, with the types of its arguments as INT32.
pub(crate) fn signature(methods: &[MethodInfo]) -> Table {
    let arguments = |method: &MethodInfo| -> Table {
        method.arguments.iter().map(|(name, kind)| (name.clone(), i32::from(kind.id()))).collect()
    };
    methods.iter().map(|method| (method.name.clone(), arguments(method))).collect()
}

/// Methods as the bus tells of them; what is no table is no method.
pub(crate) fn methods(signature: &Table) -> Vec<MethodInfo> {
    let arguments = |table: &Table| {
        let kind = |value: &Value| ArgumentType::of(value.as_i64().unwrap_or_default());
        table.iter().map(|(name, value)| (name.to_owned(), kind(value))).collect()
    };
    let method = |(name, value): (&str, &Value)| {
        Some(MethodInfo { name: name.to_owned(), arguments: arguments(value.as_table()?) })
    };
    signature.iter().filter_map(method).collect()
}
