//! When what the ACS has answered for counts as delivered.

use super::bench::{abilities, device, settings};
use crate::{
    agent::Agent,
    io::{Body, BootCause, DataOp, DataReply, Effect, Input, Reply, Start},
    rpc::{AcsResponse, CwmpVersion, Envelope, Header, InformResponse, ToCpe},
    soap,
    stored::Stored,
    time::{Mono, Now},
};

/// What comes after the InformResponse shows the ACS that the box has heard it. A cut that brought an event back then would
/// report it twice.
#[test]
fn the_session_goes_on_once_everything_that_was_delivered_is_kept() {
    let now = Now { mono: Mono(20_000), wall: None };
    let mut agent = Agent::new();
    let state = Stored { bootstrapped: Some("http://acs.example:7547/".into()), ..Stored::default() };
    let start = Start {
        device: device(),
        settings: settings(),
        state,
        cause: BootCause::Boot,
        seed: 1,
        abilities: abilities(),
        image: "1.0".into(),
    };
    let mut tell = |input: Input| {
        agent.handle(input, now);
        std::iter::from_fn(|| agent.poll_effect())
            .filter(|effect| !matches!(effect, Effect::Trace(_)))
            .collect()
    };
    let effects: Vec<Effect> = tell(Input::Started(Box::new(start)));
    let [Effect::Persist(boot, _), Effect::Data(inform, DataOp::Inform { .. })] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    let reply = DataReply::Inform { parameters: Vec::new(), value_change: true };
    tell(Input::DataDone(*inform, Ok(reply)));
    tell(Input::Connected);
    let accepted = Envelope {
        version: CwmpVersion::V1_2,
        header: Header::default(),
        message: ToCpe::Response(AcsResponse::Inform(InformResponse { max_envelopes: 1 })),
    };
    let reply = Reply { status: 200, retry_after: None, body: soap::encode_to_cpe(&accepted) };
    let effects = tell(Input::Reply(reply));
    let [Effect::Data(delivered, DataOp::InformDelivered), Effect::Persist(told, state)] = effects.as_slice()
    else {
        panic!("{effects:?}")
    };
    assert_eq!(state.events, [], "`1 BOOT` is delivered");
    assert_eq!(tell(Input::DataDone(*delivered, Ok(DataReply::Done))), [], "this boot is not stored yet");
    assert_eq!(tell(Input::Persisted(*boot)), [], "that its event is delivered is not stored yet");
    assert_eq!(tell(Input::Persisted(*told)), [Effect::Post(Body::Empty)]);
}
