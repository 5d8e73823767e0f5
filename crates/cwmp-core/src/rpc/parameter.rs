//! Methods on the parameter tree (TR-069a6 A.3.2.1 to A.3.2.7).

use serde::{Deserialize, Serialize};

use super::{ParameterKey, Status};
use crate::value::ValueType;

/// A name with a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterValueStruct {
    /// Full parameter name.
    pub name: String,
    /// Type from `xsi:type`; `None` where the peer gave none that is known.
    pub value_type: Option<ValueType>,
    /// Lexical form, as written (not trimmed).
    pub value: String,
}

/// SetParameterValues (A.3.2.1): all or nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetParameterValues {
    /// ParameterList.
    pub parameters: Vec<ParameterValueStruct>,
    /// ParameterKey, stored when the call succeeds.
    pub parameter_key: ParameterKey,
}

/// GetParameterValues (A.3.2.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetParameterValues {
    /// ParameterNames: full names and partial paths.
    pub names: Vec<String>,
}

/// GetParameterNames (A.3.2.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetParameterNames {
    /// ParameterPath: full name, partial path, or empty.
    pub path: String,
    /// NextLevel: the children only.
    pub next_level: bool,
}

/// ParameterInfoStruct: one name of the tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterInfoStruct {
    /// Parameter, or object with a trailing dot.
    pub name: String,
    /// Whether it can be set (parameter), added to (table) or deleted (instance).
    pub writable: bool,
}

/// SetParameterAttributes (A.3.2.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetParameterAttributes {
    /// Entries in the order given; of two that overlap the later wins.
    pub entries: Vec<SetParameterAttributesStruct>,
}

/// One entry of SetParameterAttributes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetParameterAttributesStruct {
    /// Full name or partial path.
    pub name: String,
    /// Whether `notification` is to be taken.
    pub notification_change: bool,
    /// Notification: 0 off, 1 passive, 2 active, 3 to 6 lightweight. As sent: the range is the executor's to check.
    pub notification: i32,
    /// Whether `access_list` is to be taken.
    pub access_list_change: bool,
    /// AccessList: who but the ACS may write (`Subscriber`).
    pub access_list: Vec<String>,
}

/// GetParameterAttributes (A.3.2.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetParameterAttributes {
    /// ParameterNames: full names and partial paths.
    pub names: Vec<String>,
}

/// ParameterAttributeStruct: the attributes of one parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterAttributeStruct {
    /// Full parameter name.
    pub name: String,
    /// Notification, 0 to 6.
    pub notification: i32,
    /// AccessList.
    pub access_list: Vec<String>,
}

/// AddObject (A.3.2.6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddObject {
    /// Table, with trailing dot and without instance number.
    pub object_name: String,
    /// ParameterKey, stored when the call succeeds.
    pub parameter_key: ParameterKey,
}

/// AddObjectResponse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddObjectResponse {
    /// InstanceNumber of the new instance, 1 or more.
    pub instance_number: u32,
    /// Whether it works already.
    pub status: Status,
}

/// DeleteObject (A.3.2.7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteObject {
    /// Instance, with trailing dot.
    pub object_name: String,
    /// ParameterKey, stored when the call succeeds.
    pub parameter_key: ParameterKey,
}
