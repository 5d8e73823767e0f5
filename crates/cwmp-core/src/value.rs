//! Types of parameter values (TR-069a6 A.2.1, TR-106 "Parameter Data Types").

use serde::{Deserialize, Serialize};

/// The base type of a parameter, as announced in `xsi:type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ValueType {
    /// `xsd:string`
    String,
    /// `xsd:int`
    Int,
    /// `xsd:unsignedInt`
    UnsignedInt,
    /// `xsd:long`
    Long,
    /// `xsd:unsignedLong`
    UnsignedLong,
    /// `xsd:boolean`
    Boolean,
    /// `xsd:dateTime`
    DateTime,
    /// `xsd:base64Binary`; `soap-enc:base64` is read as this too.
    Base64,
    /// `xsd:hexBinary`
    HexBinary,
    /// `xsd:decimal` (TR-106)
    Decimal,
}

impl ValueType {
    /// All types, in the order of their definition.
    pub const ALL: [ValueType; 10] = [
        ValueType::String,
        ValueType::Int,
        ValueType::UnsignedInt,
        ValueType::Long,
        ValueType::UnsignedLong,
        ValueType::Boolean,
        ValueType::DateTime,
        ValueType::Base64,
        ValueType::HexBinary,
        ValueType::Decimal,
    ];

    /// The local name in the XML Schema namespace: `unsignedInt`.
    #[must_use]
    pub fn xsd_name(self) -> &'static str {
        match self {
            ValueType::String => "string",
            ValueType::Int => "int",
            ValueType::UnsignedInt => "unsignedInt",
            ValueType::Long => "long",
            ValueType::UnsignedLong => "unsignedLong",
            ValueType::Boolean => "boolean",
            ValueType::DateTime => "dateTime",
            ValueType::Base64 => "base64Binary",
            ValueType::HexBinary => "hexBinary",
            ValueType::Decimal => "decimal",
        }
    }

    /// The type with this local name; `base64` of SOAP encoding counts as base64Binary.
    #[must_use]
    pub fn from_xsd_name(name: &str) -> Option<Self> {
        if name == "base64" {
            return Some(ValueType::Base64);
        }
        Self::ALL.into_iter().find(|ty| ty.xsd_name() == name)
    }
}

/// A value in its lexical form, together with its type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Value {
    /// Declared type.
    pub value_type: ValueType,
    /// Lexical form, canonical where the agent made it.
    pub text: String,
}

impl Value {
    /// A value of the given type.
    pub fn new(value_type: ValueType, text: impl Into<String>) -> Self {
        Self { value_type, text: text.into() }
    }

    /// A string.
    pub fn string(text: impl Into<String>) -> Self {
        Self::new(ValueType::String, text)
    }
}
