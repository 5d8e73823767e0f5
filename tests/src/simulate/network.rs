//! The way between the box and its ACS: what gets lost on it, and when things arrive.

use cwmp_core::{
    io::{Body, Input, ListingKind, NetError},
    soap::{self, listing},
    value::ValueType,
};

use super::{
    acs::{Acs, Answer, Posted},
    dice::{Dice, Mood},
};

/// What becomes of an attempt to connect, and after how many milliseconds.
pub(super) fn connect(dice: &mut Dice, mood: &Mood) -> (u64, Input) {
    if dice.permille(mood.network) {
        let error = match dice.below(2) {
            0 => NetError::Connect("a.example:7547".to_owned()),
            _ => NetError::Resolve("a.example".to_owned()),
        };
        (dice.between(1, 30_000), Input::SessionLost(error))
    } else {
        (dice.between(1, 300), Input::Connected)
    }
}

/// What becomes of a POST: lost on its way, answered by the ACS and lost on the way back, or answered.
pub(super) fn post(
    posted: &Posted,
    acs: &mut Acs,
    dice: &mut Dice,
    mood: &Mood,
) -> (u64, Input, Option<Answer>) {
    if dice.permille(mood.network / 4) {
        return (dice.between(1, 1_000), lost("the request did not arrive"), None);
    }
    let answer = acs.answer(posted, dice, mood);
    match dice.below(4) {
        _ if !dice.permille(mood.network / 2) => {
            let after = dice.between(1, 500);
            (after, Input::Reply(answer.reply.clone()), Some(answer))
        }
        0 => (dice.between(1, 1_000), lost("the reply did not arrive"), None),
        1 => (60_000, Input::SessionLost(NetError::Timeout(60)), None),
        2 => {
            let answer = answer.cut(dice);
            (dice.between(1, 500), Input::Reply(answer.reply.clone()), Some(answer))
        }
        _ => {
            let after = dice.between(10_000, 59_000);
            (after, Input::Reply(answer.reply.clone()), Some(answer))
        }
    }
}

/// What arrives at the ACS; `None` where it is unreadable or made from a snapshot that is gone.
pub(super) fn as_posted(body: &Body, alive: impl Fn(u32) -> bool) -> Option<Posted> {
    let bytes = match body {
        Body::Empty => return Some(Posted::Empty),
        Body::Bytes(bytes) => bytes.clone(),
        Body::Listing(list) => {
            let mut out = Vec::new();
            if !alive(list.snapshot.0) {
                return None;
            }
            listing::head(list, &mut out);
            for n in 0..list.count {
                let name = format!("Name{n}");
                match list.kind {
                    ListingKind::Values => listing::value("Device.", &name, ValueType::String, "v", &mut out),
                    ListingKind::Names => listing::info("Device.", &name, true, &mut out),
                    ListingKind::Attributes => listing::attribute("Device.", &name, 0, &[], &mut out),
                }
            }
            listing::tail(list, &mut out);
            out
        }
    };
    soap::decode_to_acs(&bytes).ok().map(|envelope| Posted::Message(Box::new(envelope)))
}

/// The input for a connection that is gone.
fn lost(why: &str) -> Input {
    Input::SessionLost(NetError::Broken(why.to_owned()))
}
