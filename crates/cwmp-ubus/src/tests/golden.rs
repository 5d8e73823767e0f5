//! Messages as ubusd (3cc98db) has exchanged them with its C library; object and client ids are its random numbers.

use crate::{
    ArgumentType, MethodInfo, Table, Value,
    frame::{Frame, Frames},
    message::{Fields, Outgoing, attribute, kind},
    object,
};

fn bytes(hex: &str) -> Vec<u8> {
    hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

fn methods() -> [MethodInfo; 2] {
    let inform =
        MethodInfo::new("inform").with("event", ArgumentType::String).with("force", ArgumentType::Bool);
    [MethodInfo::new("status"), inform]
}

const ADD_OBJECT: &str = "
    00 06 00 01 00 00 00 00 00 00 00 54 02 00 00 09 63 77 6d 70 00 00 00 00 06 00 00 44 82 00 00 10
    00 06 73 74 61 74 75 73 00 00 00 00 82 00 00 30 00 06 69 6e 66 6f 72 6d 00 00 00 00 85 00 00 10
    00 05 65 76 65 6e 74 00 00 00 00 03 85 00 00 10 00 05 66 6f 72 63 65 00 00 00 00 07";
const LOOKUP: &str = "00 04 00 07 00 00 00 00 00 00 00 10 02 00 00 09 63 77 6d 70 00 00 00 00";
const INVOKE: &str = "
    00 05 00 08 6f ab 08 4b 00 00 00 50 03 00 00 08 6f ab 08 4b 04 00 00 0b 69 6e 66 6f 72 6d 00 00
    07 00 00 38 83 00 00 21 00 05 65 76 65 6e 74 00 36 20 43 4f 4e 4e 45 43 54 49 4f 4e 20 52 45 51
    55 45 53 54 00 00 00 00 87 00 00 0d 00 05 66 6f 72 63 65 00 01 00 00 00";
/// DATA of the answer to a call, without the header: {"result": "ok", "n": 2}.
const ANSWER: &str = "
    03 00 00 08 6f ab 08 4b 07 00 00 24 83 00 00 13 00 06 72 65 73 75 6c 74 00 00 00 00 6f 6b 00 00
    85 00 00 0c 00 01 6e 00 00 00 00 02";

fn arguments() -> Table {
    Table::new().with("event", "6 CONNECTION REQUEST").with("force", true)
}

#[test]
fn requests_are_written_byte_by_byte_as_the_c_library_writes_them() {
    let add = Outgoing::new(kind::ADD_OBJECT, 0)
        .text(attribute::OBJPATH, "cwmp")
        .and_then(|add| add.table(attribute::SIGNATURE, &object::signature(&methods())));
    assert_eq!(add.unwrap().finish(1).unwrap(), bytes(ADD_OBJECT));
    let lookup = Outgoing::new(kind::LOOKUP, 0).text(attribute::OBJPATH, "cwmp").unwrap();
    assert_eq!(lookup.finish(7).unwrap(), bytes(LOOKUP));
    let invoke = Outgoing::new(kind::INVOKE, 0x6fab_084b)
        .number(attribute::OBJID, 0x6fab_084b)
        .text(attribute::METHOD, "inform")
        .and_then(|invoke| invoke.table(attribute::DATA, &arguments()));
    assert_eq!(invoke.unwrap().finish(8).unwrap(), bytes(INVOKE));
}

#[test]
fn messages_are_read_as_the_c_library_means_them() {
    let mut frames = Frames::default();
    frames.feed(&bytes(INVOKE));
    frames.feed(&bytes(ADD_OBJECT));
    let Frame { kind, seq, peer, body } = frames.next().unwrap().unwrap();
    assert_eq!((kind, seq, peer), (kind::INVOKE, 8, 0x6fab_084b));
    let fields = Fields::decode(&body).unwrap();
    assert_eq!(fields.object, Some(0x6fab_084b));
    assert_eq!(fields.method.as_deref(), Some("inform"));
    assert_eq!(fields.data, Some(arguments()));
    assert_eq!((fields.status, fields.user, fields.no_reply), (None, None, false));

    let frame = frames.next().unwrap().unwrap();
    let fields = Fields::decode(&frame.body).unwrap();
    assert_eq!((frame.kind, fields.path.as_deref()), (kind::ADD_OBJECT, Some("cwmp")));
    assert_eq!(object::methods(&fields.signature.unwrap()), methods());
    assert_eq!(frames.next(), Ok(None));
}

#[test]
fn an_answer_keeps_the_types_it_was_sent_with() {
    let fields = Fields::decode(&bytes(ANSWER)).unwrap();
    assert_eq!(fields.data, Some(Table::new().with("result", "ok").with("n", Value::Int32(2))));
}

#[test]
fn the_last_child_counts_its_padding_into_its_parent() {
    // libubox: {"t": {"b": true}}, the inner boolean padded with three bytes that the table counts.
    let table = Table::new().with("t", Table::new().with("b", true));
    let encoded = bytes("82 00 00 14 00 01 74 00 87 00 00 09 00 01 62 00 01 00 00 00");
    assert_eq!(crate::blobmsg::encode(&table).unwrap(), encoded);
    assert_eq!(crate::blobmsg::decode(&encoded).unwrap(), table);
}

#[test]
fn null_and_a_number_of_64_bits_are_as_libubox_makes_them_of_json() {
    let json = serde_json::json!({ "n": null, "u": 0x7fff_ffff_ffff_ffff_u64 });
    let encoded = bytes("80 00 00 08 00 01 6e 00 84 00 00 10 00 01 75 00 7f ff ff ff ff ff ff ff");
    let table = crate::json::from_json(&json).unwrap();
    assert_eq!(crate::blobmsg::encode(&table).unwrap(), encoded);
    assert_eq!(crate::json::to_json(&table), json);
}
