//! The client's side of HTTP authentication (TR-069a6 3.4.4, 3.4.5): which challenge is answered, and with what count.

use cwmp_core::digest::{Challenge, Credentials, DigestChallenge, basic};

use crate::random;

/// What the server wants to see in the `Authorization` of every request.
enum Scheme {
    Basic,
    Digest { challenge: DigestChallenge, cnonce: String, nc: u32 },
}

/// Credentials of one session, and what the ACS has asked for. Nothing is sent before a challenge, unless
/// [`Authenticator::offer_basic`] says so.
#[derive(Default)]
pub(crate) struct Authenticator {
    username: String,
    password: String,
    scheme: Option<Scheme>,
}

impl Authenticator {
    pub(crate) fn new(username: &str, password: &str) -> Self {
        Self { username: username.to_owned(), password: password.to_owned(), scheme: None }
    }

    /// Gives Basic credentials unasked, which TR-069a6 3.4.4 allows over TLS, to a server that has asked for them before.
    pub(crate) fn offer_basic(&mut self) {
        self.scheme = Some(Scheme::Basic);
    }

    /// Whether it is Basic that the server sees.
    pub(crate) fn is_basic(&self) -> bool {
        matches!(self.scheme, Some(Scheme::Basic))
    }

    /// Whether the server has asked for credentials that could be given.
    pub(crate) fn is_challenged(&self) -> bool {
        self.scheme.is_some()
    }

    /// Forgets the challenge: another server must ask anew before it sees credentials.
    pub(crate) fn forget_challenge(&mut self) {
        self.scheme = None;
    }

    /// A new connection wants a fresh cnonce (TR-069a6 3.4.5).
    ///
    /// # Errors
    /// When the system has no random source.
    pub(crate) fn connection_changed(&mut self) -> std::io::Result<()> {
        if let Some(Scheme::Digest { cnonce, .. }) = &mut self.scheme {
            *cnonce = random::token()?;
        }
        Ok(())
    }

    /// Takes the `WWW-Authenticate` headers of a 401. Digest goes before Basic; of several Digest challenges the first
    /// that can be answered counts, as the server prefers (RFC 7616 3.7). Returns whether another try makes sense.
    ///
    /// # Errors
    /// When the system has no random source.
    pub(crate) fn challenged<'a>(
        &mut self,
        headers: impl Iterator<Item = &'a [u8]>,
        basic_allowed: bool,
    ) -> std::io::Result<bool> {
        let mut basic_offered = false;
        for header in headers {
            for challenge in Challenge::parse_all(&String::from_utf8_lossy(header)) {
                match challenge {
                    Challenge::Digest(challenge) => {
                        self.scheme = Some(Scheme::Digest { challenge, cnonce: random::token()?, nc: 0 });
                        return Ok(true);
                    }
                    Challenge::Basic { .. } => basic_offered = true,
                }
            }
        }
        // The same Basic credentials again would be refused again.
        let refused = self.is_basic();
        let again = basic_offered && basic_allowed && !refused;
        self.scheme = again.then_some(Scheme::Basic);
        Ok(again)
    }

    /// The value of `Authorization` for a request with this method to `uri` (path and query); `None` while nothing was
    /// asked for. Counts the use of the nonce.
    pub(crate) fn authorization(&mut self, method: &str, uri: &str) -> Option<String> {
        let who = Credentials { username: &self.username, password: &self.password };
        match self.scheme.as_mut()? {
            Scheme::Basic => Some(basic(&who)),
            Scheme::Digest { challenge, cnonce, nc } => {
                *nc = nc.saturating_add(1);
                Some(challenge.answer(&who, method, uri, cnonce, *nc).to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use cwmp_core::digest::{DigestAuthorization, parse_basic};

    use super::*;

    fn challenge(auth: &mut Authenticator, headers: &[&str], basic_allowed: bool) -> bool {
        auth.challenged(headers.iter().map(|header| header.as_bytes()), basic_allowed).unwrap()
    }

    fn digest(auth: &mut Authenticator) -> DigestAuthorization {
        DigestAuthorization::parse(&auth.authorization("POST", "/x").unwrap()).unwrap()
    }

    #[test]
    fn digest_goes_before_basic_in_one_header_or_several() {
        for headers in [
            &["Basic realm=b, Digest realm=d, nonce=1, qop=\"auth\""][..],
            &["Basic realm=b", "Digest realm=d, nonce=1"],
            &["Digest nonce=0, algorithm=TOKEN", "Digest realm=d, nonce=1", "Digest realm=d, nonce=2"],
        ] {
            let mut auth = Authenticator::new("u", "p");
            assert_eq!(auth.authorization("POST", "/x"), None);
            assert!(challenge(&mut auth, headers, true));
            let answer = digest(&mut auth);
            assert_eq!(answer.nonce, "1");
            assert!(answer.verify("POST", "p"));
        }
    }

    /// Conformance: 1.37
    #[test]
    fn the_count_rises_with_a_nonce_and_starts_again_with_the_next() {
        let mut auth = Authenticator::new("u", "p");
        challenge(&mut auth, &["Digest realm=d, nonce=1, qop=auth"], true);
        let counts: Vec<_> = (0..3).map(|_| digest(&mut auth).qop.unwrap().nc).collect();
        assert_eq!(counts, [1, 2, 3]);
        challenge(&mut auth, &["Digest realm=d, nonce=2, qop=auth, stale=true"], true);
        assert_eq!(digest(&mut auth).qop.unwrap().nc, 1);
    }

    /// Conformance: 1.38
    #[test]
    fn a_new_connection_has_a_fresh_cnonce_and_goes_on_counting() {
        let mut auth = Authenticator::new("u", "p");
        challenge(&mut auth, &["Digest realm=d, nonce=1, qop=auth"], true);
        let (first, second) = (digest(&mut auth).qop.unwrap(), digest(&mut auth).qop.unwrap());
        assert_eq!(first.cnonce, second.cnonce);
        auth.connection_changed().unwrap();
        let third = digest(&mut auth).qop.unwrap();
        assert_ne!(third.cnonce, first.cnonce);
        assert_eq!(third.nc, 3);
    }

    #[test]
    fn basic_is_tried_once_and_only_where_allowed() {
        let mut auth = Authenticator::new("u", "p:q");
        assert!(!challenge(&mut auth, &["Basic realm=b"], false));
        assert_eq!(auth.authorization("POST", "/"), None);
        assert!(challenge(&mut auth, &["Basic realm=b"], true));
        assert_eq!(parse_basic(&auth.authorization("POST", "/").unwrap()), Some(("u".into(), "p:q".into())));
        assert!(!challenge(&mut auth, &["Basic realm=b"], true));
        assert!(!challenge(&mut auth, &["Negotiate"], true));
        assert!(!challenge(&mut auth, &[], true));
    }
}
