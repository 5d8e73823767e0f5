//! Who may come in: HTTP Basic and Digest on the server's side (RFC 7617, RFC 7616).

use std::collections::{HashMap, VecDeque};

use cwmp_core::digest::{self, Challenge, DigestAuthorization, DigestChallenge};

use crate::{
    limits,
    options::{Authentication, Login},
    report::Rule,
};

/// Checks credentials for one protection space.
pub(crate) struct Gate {
    authentication: Authentication,
    realm: &'static str,
    /// Nonces issued, with the count last seen.
    nonces: HashMap<String, Uses>,
    /// The same nonces, oldest first.
    issued: VecDeque<String>,
}

/// What is known of a nonce.
#[derive(Clone, Copy)]
struct Uses {
    /// The connection that got the challenge.
    connection: u64,
    last_count: u32,
    requests: u32,
}

/// A request at the gate.
pub(crate) struct Visitor<'a> {
    pub(crate) connection: u64,
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    /// The Authorization header.
    pub(crate) authorization: Option<&'a str>,
}

/// What the gate says.
pub(crate) enum Verdict {
    /// Come in; rules that were broken on the way.
    Admitted(Vec<(Rule, String)>),
    /// 401 with this WWW-Authenticate.
    Challenge(String),
}

impl Gate {
    pub(crate) fn new(authentication: Authentication, realm: &'static str) -> Self {
        Self { authentication, realm, nonces: HashMap::new(), issued: VecDeque::new() }
    }

    /// Judges the Authorization header of a request.
    pub(crate) fn admit(&mut self, visitor: &Visitor<'_>) -> Verdict {
        let authorization = visitor.authorization;
        match self.authentication.clone() {
            Authentication::None => Verdict::Admitted(Vec::new()),
            Authentication::Basic(login) => {
                let given = authorization.and_then(digest::parse_basic);
                let right = given.is_some_and(|(username, password)| {
                    let same = |a: &str, b: &str| digest::constant_time_eq(a.as_bytes(), b.as_bytes());
                    same(&username, &login.username) & same(&password, &login.password)
                });
                if right {
                    Verdict::Admitted(Vec::new())
                } else {
                    Verdict::Challenge(format!("Basic realm=\"{}\"", self.realm))
                }
            }
            Authentication::Digest { login, algorithm, nonce_uses } => {
                let given = authorization.and_then(DigestAuthorization::parse);
                let given = given.filter(|given| given.algorithm == algorithm);
                match given.map(|given| self.judge(&given, visitor, &login, nonce_uses)) {
                    Some(Judgement::Right(findings)) => Verdict::Admitted(findings),
                    Some(Judgement::Stale) => {
                        Verdict::Challenge(self.challenge(visitor.connection, algorithm, true))
                    }
                    Some(Judgement::Wrong) | None => {
                        Verdict::Challenge(self.challenge(visitor.connection, algorithm, false))
                    }
                }
            }
        }
    }

    fn judge(
        &mut self,
        given: &DigestAuthorization,
        visitor: &Visitor<'_>,
        login: &Login,
        nonce_uses: Option<u32>,
    ) -> Judgement {
        let right = given.username == login.username
            && given.realm == self.realm
            && given.verify(visitor.method, &login.password);
        if !right {
            return Judgement::Wrong;
        }
        let Some(uses) = self.nonces.get_mut(&given.nonce) else { return Judgement::Stale };
        if nonce_uses.is_some_and(|most| uses.requests >= most) {
            return Judgement::Stale;
        }
        let mut findings = Vec::new();
        match &given.qop {
            Some(qop) if qop.nc <= uses.last_count => {
                findings.push((Rule::Digest, format!("nc {} after {}", qop.nc, uses.last_count)));
            }
            Some(qop) => uses.last_count = qop.nc,
            None => findings.push((Rule::Digest, "no qop although auth was offered".to_owned())),
        }
        if given.uri != visitor.target {
            findings.push((Rule::Digest, format!("uri is not the request target {}", visitor.target)));
        }
        if uses.requests == 0 && uses.connection != visitor.connection {
            let text =
                format!("the challenge went to connection {}, and is answered on another", uses.connection);
            findings.push((Rule::SameConnection, text));
        }
        uses.requests = uses.requests.saturating_add(1);
        Judgement::Right(findings)
    }

    fn challenge(&mut self, connection: u64, algorithm: digest::Algorithm, stale: bool) -> String {
        let nonce = random_hex();
        if self.issued.len() >= limits::NONCES {
            if let Some(oldest) = self.issued.pop_front() {
                self.nonces.remove(&oldest);
            }
        }
        self.issued.push_back(nonce.clone());
        self.nonces.insert(nonce.clone(), Uses { connection, last_count: 0, requests: 0 });
        let realm = self.realm.to_owned();
        let opaque = Some(nonce.chars().rev().take(8).collect());
        DigestChallenge { realm, nonce, opaque, algorithm, qop_auth: true, stale }.to_string()
    }
}

enum Judgement {
    Right(Vec<(Rule, String)>),
    Stale,
    Wrong,
}

/// Sixteen random bytes in hexadecimal. Should the system have no random source, the clock and a count serve: what this
/// is used for (cookies, nonces of a development server) has to be distinct before anything else.
pub(crate) fn random_hex() -> String {
    let mut bytes = [0; 16];
    if getrandom::fill(&mut bytes).is_err() {
        use std::hash::{BuildHasher, Hasher, RandomState};
        let (high, low) =
            (RandomState::new().build_hasher().finish(), RandomState::new().build_hasher().finish());
        bytes = ((u128::from(high) << 64) | u128::from(low)).to_be_bytes();
    }
    format!("{:032x}", u128::from_be_bytes(bytes))
}

/// The Authorization header that answers a WWW-Authenticate: Digest where offered, else Basic.
pub(crate) fn answer_challenge(header: &str, login: &Login, method: &str, target: &str) -> Option<String> {
    let who = digest::Credentials { username: &login.username, password: &login.password };
    let challenges = Challenge::parse_all(header);
    let digest = challenges.iter().find_map(|challenge| match challenge {
        Challenge::Digest(challenge) => Some(challenge),
        Challenge::Basic { .. } => None,
    });
    match digest {
        Some(challenge) => Some(challenge.answer(&who, method, target, &random_hex(), 1).to_string()),
        None if challenges.is_empty() => None,
        None => Some(digest::basic(&who)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post<'a>(target: &'a str, authorization: Option<&'a str>) -> Visitor<'a> {
        Visitor { connection: 1, method: "POST", target, authorization }
    }

    fn challenge(gate: &mut Gate, authorization: Option<&str>) -> String {
        match gate.admit(&post("/acs", authorization)) {
            Verdict::Challenge(text) => text,
            Verdict::Admitted(_) => panic!("admitted"),
        }
    }

    #[test]
    fn digest_admits_what_answers_its_challenge() {
        let mut gate = Gate::new(Authentication::digest("cpe", "secret"), "acs");
        let header = challenge(&mut gate, None);
        let login = Login::new("cpe", "secret");
        let answer = answer_challenge(&header, &login, "POST", "/acs").unwrap();
        assert!(
            matches!(gate.admit(&post("/acs", Some(&answer))), Verdict::Admitted(found) if found.is_empty())
        );
        let Verdict::Admitted(found) = gate.admit(&post("/other", Some(&answer))) else {
            panic!("not admitted")
        };
        assert_eq!(found.len(), 2, "the count did not grow and the target is another: {found:?}");
        let wrong = answer_challenge(&header, &Login::new("cpe", "guess"), "POST", "/acs").unwrap();
        assert!(!challenge(&mut gate, Some(&wrong)).contains("stale"));
    }

    #[test]
    fn a_challenge_is_answered_where_it_was_made() {
        let mut gate = Gate::new(Authentication::digest("cpe", "secret"), "acs");
        let header = challenge(&mut gate, None);
        let answer = answer_challenge(&header, &Login::new("cpe", "secret"), "POST", "/acs").unwrap();
        let elsewhere = Visitor { connection: 2, ..post("/acs", Some(&answer)) };
        let Verdict::Admitted(found) = gate.admit(&elsewhere) else { panic!("not admitted") };
        assert!(matches!(found.as_slice(), [(Rule::SameConnection, _)]), "{found:?}");
    }

    #[test]
    fn a_nonce_grows_stale() {
        let login = Login::new("cpe", "secret");
        let algorithm = digest::Algorithm::Sha256;
        let authentication = Authentication::Digest { login: login.clone(), algorithm, nonce_uses: Some(1) };
        let mut gate = Gate::new(authentication, "acs");
        let header = challenge(&mut gate, None);
        let answer = answer_challenge(&header, &login, "POST", "/acs").unwrap();
        assert!(matches!(gate.admit(&post("/acs", Some(&answer))), Verdict::Admitted(_)));
        assert!(challenge(&mut gate, Some(&answer)).contains("stale=true"));
    }

    #[test]
    fn basic_admits_the_right_password_alone() {
        let mut gate = Gate::new(Authentication::basic("cpe", "secret"), "acs");
        let header = challenge(&mut gate, None);
        let right = answer_challenge(&header, &Login::new("cpe", "secret"), "POST", "/acs").unwrap();
        assert!(matches!(gate.admit(&post("/acs", Some(&right))), Verdict::Admitted(_)));
        let wrong = answer_challenge(&header, &Login::new("cpe", "guess"), "POST", "/acs").unwrap();
        assert_eq!(challenge(&mut gate, Some(&wrong)), header);
    }
}
