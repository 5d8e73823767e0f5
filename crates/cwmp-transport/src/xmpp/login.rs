//! From a connection to a stream that can carry connection requests: TLS, authentication, a JID (RFC 6120 5 to 7).

use cwmp_core::settings::XmppSettings;
use data_encoding::BASE64;

use super::{
    Trouble,
    element::{Element, escape},
    scram::{Hash, Proof, Scram},
    wire::Wire,
};
use crate::{
    path::ManagementPath,
    random,
    stream::Stream,
    tls::{Attempt, Failure, Tls},
};

const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";
const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
const STANZAS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
/// Longest JID, in bytes (RFC 7622 3.1).
const JID_BYTES: usize = 3071;

/// What may come of an attempt.
pub(super) enum Reached {
    /// The stream is ours, under this JID.
    Bound(Wire, String),
    /// The certificates may be valid at a later date: to be tried again with that.
    Later(Attempt),
}

/// Connects to a server and logs in. The caller bounds the time.
pub(super) async fn reach(
    settings: &XmppSettings,
    path: &ManagementPath,
    tls: &Tls,
    (host, port): (&str, u16),
    attempt: Attempt,
) -> Result<Reached, Trouble> {
    let wait = std::time::Duration::from_millis(cwmp_core::limits::CONNECT_TIMEOUT_MS);
    let tcp =
        path.connect_to(host, port, wait).await.map_err(|error| Trouble::Unreachable(error.to_string()))?;
    let mut wire = Wire::new(Stream::Clear(tcp));
    let mut features = wire.open(&settings.domain).await?;
    if features.child(TLS, "starttls").is_some() {
        wire.send(&format!("<starttls xmlns='{TLS}'/>")).await?;
        if !wire.stanza().await?.is(TLS, "proceed") {
            return Err(Trouble::Broken("the server offers TLS and refuses it".to_owned()));
        }
        wire = match tls.secure(wire.into_tcp()?, &settings.domain, attempt).await {
            Ok(secure) => Wire::new(Stream::Secure(secure)),
            Err(Failure::Later(next)) => return Ok(Reached::Later(next)),
            Err(Failure::Refused(reason)) => return Err(Trouble::Broken(format!("TLS: {reason}"))),
        };
        features = wire.open(&settings.domain).await?;
    } else if settings.use_tls {
        return Err(Trouble::Broken("the server offers no TLS, which UseTLS demands".to_owned()));
    }
    authenticate(&mut wire, settings, &features).await?;
    let features = wire.open(&settings.domain).await?;
    if features.child(BIND, "bind").is_none() {
        return Err(Trouble::Broken("the server gives no JID".to_owned()));
    }
    let jid = bind(&mut wire, &settings.resource).await?;
    Ok(Reached::Bound(wire, jid))
}

/// Proves who the box is, with the best of what the server offers. PLAIN, which tells the password, is for TLS alone.
async fn authenticate(wire: &mut Wire, settings: &XmppSettings, features: &Element) -> Result<(), Trouble> {
    let mechanisms = features.child(SASL, "mechanisms");
    let offered = |name: &str| {
        mechanisms.is_some_and(|offer| offer.children.iter().any(|child| child.text.trim() == name))
    };
    let scram = [Hash::Sha256, Hash::Sha1].into_iter().find(|hash| offered(hash.mechanism()));
    let (username, password) = (&settings.username, &settings.password.0);
    match scram {
        Some(hash) => {
            let nonce = random::token().map_err(|error| Trouble::Broken(error.to_string()))?;
            let scram = Scram::new(hash, username, nonce);
            prove(wire, hash.mechanism(), &scram, password).await
        }
        None if wire.is_secure() && offered("PLAIN") => {
            let told = BASE64.encode(format!("\0{username}\0{password}").as_bytes());
            wire.send(&format!("<auth xmlns='{SASL}' mechanism='PLAIN'>{told}</auth>")).await?;
            step(wire.stanza().await?, "success").map(drop)
        }
        None => Err(Trouble::Broken("the server offers no way to authenticate that is safe here".to_owned())),
    }
}

async fn prove(wire: &mut Wire, mechanism: &str, scram: &Scram, password: &str) -> Result<(), Trouble> {
    let first = BASE64.encode(scram.first().as_bytes());
    wire.send(&format!("<auth xmlns='{SASL}' mechanism='{mechanism}'>{first}</auth>")).await?;
    let challenge = step(wire.stanza().await?, "challenge")?;
    let proof: Proof = scram.answer(&challenge, password).map_err(Trouble::Broken)?;
    let message = BASE64.encode(proof.message.as_bytes());
    wire.send(&format!("<response xmlns='{SASL}'>{message}</response>")).await?;
    let mut last = wire.stanza().await?;
    let mut signature = None;
    if last.is(SASL, "challenge") {
        // Some give their signature before they say success.
        signature = Some(step(last, "challenge")?);
        wire.send(&format!("<response xmlns='{SASL}'/>")).await?;
        last = wire.stanza().await?;
    }
    let success = step(last, "success")?;
    if proof.is_answered_by(&signature.unwrap_or(success)) {
        return Ok(());
    }
    Err(Trouble::Authentication("the server does not know the password itself".to_owned()))
}

/// What a step of authentication says, if it is this one.
fn step(stanza: Element, wanted: &str) -> Result<String, Trouble> {
    if stanza.is(SASL, "failure") {
        let condition = stanza.condition(SASL).unwrap_or("unknown").to_owned();
        // The server may be able to later.
        return Err(match &*condition {
            "temporary-auth-failure" => Trouble::Broken(condition),
            _ => Trouble::Authentication(format!("the server refuses the credentials: {condition}")),
        });
    }
    let broken = || Trouble::Broken("the server does not keep to the order of authentication".to_owned());
    if !stanza.is(SASL, wanted) {
        return Err(broken());
    }
    match stanza.text.trim() {
        "" | "=" => Ok(String::new()),
        text => {
            let bytes = BASE64.decode(text.as_bytes()).map_err(|_| broken())?;
            String::from_utf8(bytes).map_err(|_| broken())
        }
    }
}

/// Asks for the resource, or any; comes back with the JID.
async fn bind(wire: &mut Wire, resource: &str) -> Result<String, Trouble> {
    let wanted = match resource {
        "" => String::new(),
        resource => format!("<resource>{}</resource>", escape(resource)),
    };
    wire.send(&format!("<iq type='set' id='bind'><bind xmlns='{BIND}'>{wanted}</bind></iq>")).await?;
    let answer = wire.stanza().await?;
    let jid = answer.child(BIND, "bind").and_then(|bind| bind.child(BIND, "jid"));
    match jid {
        Some(jid) if answer.attribute("type") == Some("result") && !jid.text.is_empty() => {
            if jid.text.len() > JID_BYTES || jid.text.chars().any(char::is_control) {
                return Err(Trouble::Broken("the server gives a JID that is none".to_owned()));
            }
            Ok(jid.text.clone())
        }
        _ => {
            let condition = answer.children.iter().find_map(|child| child.condition(STANZAS));
            let condition = condition.unwrap_or("without a reason");
            Err(Trouble::Broken(format!("the server refuses the resource: {condition}")))
        }
    }
}
