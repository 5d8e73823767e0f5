//! What is sent is what is read.

use crate::{Table, Value, blobmsg, json};
use proptest::prelude::*;

fn text() -> impl Strategy<Value = String> {
    "[^\0]{0,24}"
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Unspec),
        text().prop_map(Value::String),
        any::<i64>().prop_map(Value::Int64),
        any::<i32>().prop_map(Value::Int32),
        any::<i16>().prop_map(Value::Int16),
        any::<bool>().prop_map(Value::Bool),
        proptest::num::f64::NORMAL.prop_map(Value::Double),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            proptest::collection::vec((text(), inner), 0..6)
                .prop_map(|values| Value::Table(values.into_iter().collect())),
        ]
    })
}

pub(super) fn tables() -> impl Strategy<Value = Table> {
    proptest::collection::vec((text(), values()), 0..6).prop_map(|values| values.into_iter().collect())
}

proptest! {
    #[test]
    fn tables_come_back_with_every_type_and_in_order(table in tables()) {
        let bytes = blobmsg::encode(&table).unwrap();
        prop_assert_eq!(bytes.len() % 4, 0);
        prop_assert_eq!(blobmsg::decode(&bytes).unwrap(), table);
    }

    #[test]
    fn json_comes_back_by_value(table in tables()) {
        let once = json::to_json(&table);
        let again = json::to_json(&json::from_json(&once).unwrap());
        prop_assert_eq!(once, again);
    }
}

#[test]
fn integers_of_every_width_are_read_as_numbers() {
    let widths = [Value::Int64(1), Value::Int32(1), Value::Int16(1), Value::Bool(true)];
    for value in widths {
        let table = Table::new().with("n", value);
        assert_eq!((table.i64("n"), table.bool("n")), (Some(1), Some(true)));
    }
    assert_eq!(Value::from(1i64), Value::Int32(1), "INT32 where it fits");
    assert_eq!(Value::from(1i64 << 31), Value::Int64(1 << 31));
    assert_eq!(Value::from(u32::MAX), Value::Int64(u32::MAX.into()));
}

#[test]
fn of_repeated_names_the_last_counts() {
    let table = Table::new().with("n", 1).with("m", 3).with("n", 2);
    assert_eq!(table.i64("n"), Some(2));
    assert_eq!(json::to_json(&table), serde_json::json!({ "n": 2, "m": 3 }));
}

#[test]
fn json_that_the_bus_cannot_carry_is_refused() {
    assert_eq!(json::from_json(&serde_json::json!([1])), Err(json::JsonError::NoObject));
    assert_eq!(json::from_json(&serde_json::json!({ "n": u64::MAX })), Err(json::JsonError::Range));
    let deep = (0..40).fold(serde_json::json!(1), |inner, _| serde_json::json!([inner]));
    assert_eq!(json::from_json(&serde_json::json!({ "n": deep })), Err(json::JsonError::TooDeep));
}
