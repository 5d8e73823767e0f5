//! Lightweight notifications, whatever the values are: bounded, and no value leaves its place.
#![no_main]

use cwmp_core::{
    lightweight::Sender,
    limits::{LIGHTWEIGHT_MESSAGE, LIGHTWEIGHT_PARAMETER},
    rpc::{DeviceId, ParameterValueStruct},
    settings::Secret,
    value::ValueType,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let values = data.split(|byte| *byte == 0).take(64);
    let parameters: Vec<_> = values
        .map(|value| ParameterValueStruct {
            name: "Device.X".into(),
            value: String::from_utf8_lossy(value).into_owned(),
            value_type: Some(ValueType::String),
        })
        .collect();
    let sender = Sender {
        device: &DeviceId::default(),
        username: "box",
        password: &Secret("secret".into()),
        host: "acs.example",
        port: 7547,
        seconds: 0,
    };
    let (messages, left_out) = sender.messages(&parameters, &mut || "cnonce".into());
    assert!(messages.len() + left_out.len() <= parameters.len());
    for message in messages {
        assert!(message.len() <= LIGHTWEIGHT_MESSAGE.max(LIGHTWEIGHT_PARAMETER + LIGHTWEIGHT_MESSAGE));
        let text = String::from_utf8(message).expect("text");
        assert_eq!(text.matches("</Notification>").count(), 1);
    }
});
