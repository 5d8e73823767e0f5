//! The whole course against a server and a NAT that are made of sums, in virtual time.

use cwmp_core::settings::Secret;

use super::*;
use crate::stun::message::is_stun;

const SERVER: &str = "198.51.100.1:3478";
const HOME: &str = "192.168.1.2:7547";

/// What the server says to a request.
#[derive(Clone)]
enum Manner {
    /// Answers, and redirects answers where it is asked to.
    Redirects,
    /// The same, with RESPONSE-PORT alone; RESPONSE-ADDRESS it does not see.
    RedirectsByPort,
    /// Answers, and refuses to redirect.
    Plain,
    /// Says nothing.
    Silent,
    /// Wants this proof first: an error code, with realm and nonce or without.
    Asks(u16, Option<(&'static str, &'static str)>, fn(&Seen) -> bool),
}

/// A request as the server has seen it.
#[derive(Clone, Debug)]
struct Seen {
    at: Mono,
    line: Line,
    attributes: Vec<(u16, Vec<u8>)>,
}

impl Seen {
    fn get(&self, kind: u16) -> Option<&[u8]> {
        self.attributes.iter().find(|(found, _)| *found == kind).map(|(_, value)| &value[..])
    }
}

struct Mapping {
    line: Line,
    generation: u32,
    port: u16,
    until: Mono,
}

struct World {
    binding: Binding,
    now: Mono,
    manner: Manner,
    /// How long the NAT remembers, in milliseconds.
    remembers: u64,
    /// Whether the NAT makes the same mapping again after it has forgotten it.
    preserves: bool,
    public: &'static str,
    generation: u32,
    next_port: u16,
    mappings: Vec<Mapping>,
    seen: Vec<Seen>,
    told: Vec<SocketAddr>,
    lost: Option<Loss>,
    /// Milliseconds for which nothing could have come in through the door.
    deaf: u64,
}

fn settings() -> StunSettings {
    StunSettings { enable: true, minimum_keep_alive: 5, ..StunSettings::default() }
}

/// IDs that are unique here.
fn ids() -> Ids {
    let mut count: u128 = 0x77;
    Box::new(move || {
        count += 1;
        Some(count.to_le_bytes())
    })
}

impl World {
    fn new(settings: StunSettings, manner: Manner) -> Self {
        let (server, home) = (SERVER.parse().unwrap(), HOME.parse().unwrap());
        let mut world = Self {
            binding: Binding::new(settings, server, home, ids()),
            now: Mono(1000),
            manner,
            remembers: 120_000,
            preserves: false,
            public: "203.0.113.7",
            generation: 0,
            next_port: 50_000,
            mappings: Vec::new(),
            seen: Vec::new(),
            told: Vec::new(),
            lost: None,
            deaf: 0,
        };
        world.binding.begin(server, home, world.now);
        world.act();
        world
    }

    fn begin(&mut self, home: &str) {
        self.lost = None;
        self.binding.begin(SERVER.parse().unwrap(), home.parse().unwrap(), self.now);
        self.act();
    }

    /// Lets so many seconds pass.
    fn pass(&mut self, seconds: u64) {
        let end = self.now.after_ms(seconds * 1000);
        while let Some(at) = self.binding.next_wakeup().filter(|at| *at <= end) {
            self.go_to(at.max(self.now));
            self.binding.at(self.now);
            self.act();
        }
        self.go_to(end);
    }

    fn go_to(&mut self, to: Mono) {
        let open = self.mappings.iter().filter(|mapping| mapping.line == Line::Door).map(|m| m.until).max();
        self.deaf += to.since(open.unwrap_or(Mono(0)).max(self.now));
        self.now = to;
    }

    fn act(&mut self) {
        while let Some(act) = self.binding.poll() {
            match act {
                Act::Send(line, bytes) => self.send(line, &bytes),
                Act::OpenTest => self.generation += 1,
                Act::CloseTest | Act::Tested { .. } => {}
                Act::Mapped(address) => self.told.push(address),
                Act::Lost(loss) => self.lost = Some(loss),
            }
        }
    }

    /// Through the NAT to the server; what it answers comes back where it can.
    fn send(&mut self, line: Line, bytes: &[u8]) {
        assert!(is_stun(bytes));
        let port = self.translate(line);
        let request = seen(self.now, line, bytes);
        self.seen.push(request.clone());
        let id: TransactionId = bytes[4..20].try_into().unwrap();
        let number = |value: &[u8], at: usize| u16::from_be_bytes([value[at], value[at + 1]]);
        let redirected = match self.manner {
            Manner::RedirectsByPort => request.get(0x27).map(|value| number(value, 0)),
            _ => request.get(2).map(|value| number(value, 2)),
        };
        let mapped = |port: u16| {
            let ip: std::net::Ipv4Addr = self.public.parse().unwrap();
            let mut value = vec![0, 1];
            value.extend(port.to_be_bytes());
            value.extend(ip.octets());
            answer(0x0101, id, &[(1, value)])
        };
        let (to, answer) = match &self.manner {
            Manner::Silent => return,
            Manner::Plain if redirected.or(request.get(0x27).map(|_| 0)).is_some() => {
                (port, answer(0x0111, id, &[(9, vec![0, 0, 4, 20])]))
            }
            Manner::Asks(code, ask, right) if !right(&request) => {
                let mut attributes = vec![(9, vec![0, 0, (code / 100) as u8, (code % 100) as u8])];
                if let Some((realm, nonce)) = ask {
                    attributes.extend([(0x14, realm.as_bytes().to_vec()), (0x15, nonce.as_bytes().to_vec())]);
                }
                (port, answer(0x0111, id, &attributes))
            }
            _ => (redirected.unwrap_or(port), mapped(port)),
        };
        let Some(mapping) = self.mappings.iter_mut().find(|mapping| mapping.port == to) else { return };
        let current = mapping.line == Line::Door || mapping.generation == self.generation;
        if mapping.until > self.now && current {
            mapping.until = self.now.after_ms(self.remembers);
            let line = mapping.line;
            self.binding.receive(line, SERVER.parse().unwrap(), &answer, self.now);
        }
    }

    fn translate(&mut self, line: Line) -> u16 {
        let until = self.now.after_ms(self.remembers);
        let generation = if line == Line::Door { 0 } else { self.generation };
        let now = self.now;
        let known =
            self.mappings.iter_mut().find(|mapping| mapping.line == line && mapping.generation == generation);
        if let Some(mapping) = known {
            if mapping.until <= now && !self.preserves {
                self.next_port += 1;
                mapping.port = self.next_port;
            }
            mapping.until = until;
            return mapping.port;
        }
        self.next_port += 1;
        self.mappings.push(Mapping { line, generation, port: self.next_port, until });
        self.next_port
    }

    fn door(&self) -> Vec<&Seen> {
        self.seen.iter().filter(|seen| seen.line == Line::Door).collect()
    }

    /// The longest pause between requests through the door since that moment, in milliseconds.
    fn longest_pause(&self, since: Mono) -> u64 {
        let times: Vec<_> = self.door().iter().map(|seen| seen.at).filter(|at| *at >= since).collect();
        times.windows(2).map(|pair| pair[1].since(pair[0])).max().unwrap_or(0)
    }
}

fn seen(at: Mono, line: Line, bytes: &[u8]) -> Seen {
    let mut attributes = Vec::new();
    let mut rest = &bytes[20..];
    while let [a, b, c, d, ..] = rest {
        let length = usize::from(u16::from_be_bytes([*c, *d]));
        attributes.push((u16::from_be_bytes([*a, *b]), rest[4..4 + length].to_vec()));
        rest = &rest[4 + length.next_multiple_of(4)..];
    }
    Seen { at, line, attributes }
}

fn answer(kind: u16, id: TransactionId, attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, value) in attributes {
        body.extend(kind.to_be_bytes());
        body.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        body.extend(value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let mut out = kind.to_be_bytes().to_vec();
    out.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    out.extend(id);
    out.extend(body);
    out
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Conformance: 6.29, 6.30
#[test]
fn a_new_mapping_is_announced_and_then_kept_open() {
    let mut world = World::new(settings(), Manner::Plain);
    world.pass(300);
    assert_eq!(world.told, [address("203.0.113.7:50001")]);
    let of_binding = |seen: &Seen| seen.get(0xC001) == Some(b"dslforum.org/TR-111 ");
    assert!(world.door().iter().all(|seen| of_binding(seen)));
    let changes: Vec<bool> = world.door().iter().map(|seen| seen.get(0xC002).is_some()).collect();
    assert_eq!(changes[..4], [false, true, false, false]);
    assert_eq!(changes.iter().filter(|change| **change).count(), 1);
    assert_eq!(world.longest_pause(Mono(0)), limits::STUN_FIRST_PERIOD_S * 1000);
    assert_eq!(world.deaf, 0);
    assert!(world.door().iter().all(|seen| seen.get(8).is_none() && seen.get(6).is_none()), "unasked");
}

/// Conformance: 6.33
#[test]
fn the_period_adapts_to_a_nat_that_forgets_after_45_s() {
    for (minimum, maximum, within) in [
        (5, None, 30_000..=45_000),
        (30, Some(40), 30_000..=40_000),
        (30, Some(30), 30_000..=30_000),
        (40, None, 40_000..=45_000),
    ] {
        let settings =
            StunSettings { minimum_keep_alive: minimum, maximum_keep_alive: maximum, ..settings() };
        let mut world = World::new(settings, Manner::Redirects);
        world.remembers = 45_000;
        world.pass(3_600);
        let since = world.now;
        world.pass(3_600);
        let pause = world.longest_pause(since);
        assert!(within.contains(&pause), "{minimum} {maximum:?}: {pause} ms");
        assert_eq!(world.deaf, 0, "the door is never used to find out");
        assert_eq!(world.told.len(), 1);
    }
}

/// Conformance: 6.33
#[test]
fn it_works_with_servers_that_redirect_in_the_newer_way_alone() {
    let mut world = World::new(settings(), Manner::RedirectsByPort);
    world.remembers = 100_000;
    world.pass(3_600);
    let since = world.now;
    world.pass(3_600);
    assert!((60_000..100_000).contains(&world.longest_pause(since)), "{}", world.longest_pause(since));
    assert_eq!(world.deaf, 0);
}

/// Conformance: 6.33
#[test]
fn a_nat_with_a_long_memory_needs_few_packets() {
    let mut world = World::new(settings(), Manner::Redirects);
    world.remembers = 600_000;
    world.pass(10_000);
    let (before, since) = (world.door().len(), world.now);
    world.pass(86_400);
    assert!(world.longest_pause(since) > 300_000);
    assert!(world.door().len() - before < 250, "{}", world.door().len() - before);
    assert_eq!(world.deaf, 0);
}

/// Conformance: 6.33
#[test]
fn what_a_nat_makes_again_as_it_was_proves_nothing() {
    let mut world = World::new(settings(), Manner::Redirects);
    (world.remembers, world.preserves) = (30_000, true);
    world.pass(7_200);
    assert!(world.longest_pause(Mono(0)) < 30_000);
    assert_eq!((world.deaf, world.told.len()), (0, 1));
}

/// Conformance: 6.30, 6.32
#[test]
fn another_mapping_is_told_of_and_announced() {
    let mut world = World::new(settings(), Manner::Plain);
    world.pass(60);
    world.public = "203.0.113.99";
    world.pass(30);
    assert_eq!(world.told[1..], [address("203.0.113.99:50001")]);
    assert_eq!(world.door().iter().filter(|seen| seen.get(0xC002).is_some()).count(), 2);
    assert_eq!(world.binding.lifetime.period().as_secs(), limits::STUN_FIRST_PERIOD_S);

    // The NAT forgets sooner than it did: the port is another one, and the period becomes shorter.
    world.remembers = 20_000;
    world.pass(120);
    assert!(world.told.len() > 2);
    let (told, since) = (world.told.len(), world.now);
    world.pass(600);
    assert_eq!(world.told.len(), told);
    assert!(world.longest_pause(since) < 20_000);
}

/// Conformance: 6.31
#[test]
fn credentials_are_shown_where_the_server_asks_and_the_box_has_some() {
    let user = |world_settings: StunSettings| StunSettings {
        username: "user".into(),
        password: Secret("pw".into()),
        ..world_settings
    };
    let classic = |seen: &Seen| seen.get(8).is_some() && seen.get(6) == Some(b"user");
    let mut world = World::new(settings(), Manner::Asks(401, None, classic));
    world.pass(1);
    assert_eq!(world.lost, Some(Loss::Asked(401)));
    assert!(world.seen.iter().all(|seen| seen.get(8).is_none()));

    let mut world = World::new(user(settings()), Manner::Asks(401, None, classic));
    world.pass(100);
    assert_eq!((world.told.len(), world.lost), (1, None));
    let shown: Vec<bool> = world.door().iter().map(|seen| seen.get(8).is_some()).collect();
    assert!(!shown[0] && shown[1..].iter().all(|shown| *shown), "{shown:?}");

    let long_term = |seen: &Seen| {
        seen.get(8).is_some() && seen.get(0x14) == Some(b"realm") && seen.get(0x15) == Some(b"nonce")
    };
    let mut world = World::new(user(settings()), Manner::Asks(401, Some(("realm", "nonce")), long_term));
    world.pass(1);
    assert_eq!(world.told.len(), 1);
    // The nonce becomes stale.
    let next = |seen: &Seen| seen.get(0x15) == Some(b"next");
    world.manner = Manner::Asks(438, Some(("realm", "next")), next);
    world.pass(60);
    assert_eq!((world.told.len(), world.lost), (1, None));

    let mut world = World::new(user(settings()), Manner::Asks(401, None, |_| false));
    world.pass(1);
    assert_eq!(world.lost, Some(Loss::Credentials(401)));
    assert_eq!(world.seen.len(), 3, "both ways to compute the proof");
}

#[test]
fn a_server_that_does_not_answer_is_asked_nine_times_and_then_given_up() {
    let mut world = World::new(settings(), Manner::Silent);
    world.pass(600);
    let times: Vec<u64> = world.seen.iter().map(|seen| seen.at.0 - 1000).collect();
    assert_eq!(times, [0, 100, 300, 700, 1500, 3100, 4700, 6300, 7900]);
    assert_eq!(world.lost, Some(Loss::Silent));
    assert_eq!(world.binding.next_wakeup(), None);
    world.manner = Manner::Plain;
    world.begin(HOME);
    assert_eq!(world.told.len(), 1);
}

#[test]
fn from_another_address_of_the_box_everything_begins_anew() {
    let mut world = World::new(settings(), Manner::Redirects);
    world.pass(3_600);
    assert!(world.binding.lifetime.period().as_secs() > 60);
    world.begin("192.168.1.3:7547");
    assert_eq!(world.told.len(), 2, "whether there is a NAT has to be judged again");
    assert_eq!(world.binding.lifetime.period().as_secs(), limits::STUN_FIRST_PERIOD_S);
}

#[test]
fn nobody_but_the_server_is_believed() {
    let mut world = World::new(settings(), Manner::Silent);
    let Door::Asks { exchange, .. } = &mut world.binding.door else { panic!() };
    // Only a test can know the ID.
    exchange.next = Mono(0);
    let Due::Send(_, request) = exchange.at(Mono(1)) else { panic!() };
    let id: TransactionId = request[4..20].try_into().unwrap();
    let right = answer(0x0101, id, &[(1, vec![0, 1, 1, 2, 203, 0, 113, 66])]);
    let (server, now) = (address(SERVER), world.now);
    let other_id = answer(0x0101, [9; 16], &[(1, vec![0, 1, 1, 2, 203, 0, 113, 66])]);
    world.binding.receive(Line::Door, server, &other_id, now);
    for from in ["198.51.100.1:3479", "198.51.100.2:3478"] {
        world.binding.receive(Line::Door, address(from), &right, now);
    }
    world.binding.receive(Line::Tested, server, &right, now);
    world.binding.receive(Line::Asker, server, &right, now);
    for cut in 0..right.len() {
        world.binding.receive(Line::Door, server, &right[..cut], now);
    }
    for at in 0..20 {
        let mut wrong = right.clone();
        wrong[at] ^= 0x40;
        world.binding.receive(Line::Door, server, &wrong, now);
    }
    world.act();
    assert_eq!((world.told.len(), world.lost), (0, None));
    world.binding.receive(Line::Door, server, &right, now);
    world.act();
    assert_eq!(world.told, [address("203.0.113.66:258")]);
    // A copy of it is the answer to nothing.
    let before = world.seen.len();
    world.binding.receive(Line::Door, server, &right, now);
    world.act();
    assert_eq!((world.told.len(), world.seen.len()), (1, before));
}

#[test]
fn a_server_that_falls_silent_during_a_test_says_nothing_about_the_nat() {
    let mut world = World::new(settings(), Manner::Redirects);
    world.pass(20);
    assert!(matches!(world.binding.test, Test::Silent { .. }));
    world.manner = Manner::Silent;
    world.pass(60);
    assert_eq!(world.lost, Some(Loss::Silent));
    world.manner = Manner::Redirects;
    world.begin(HOME);
    world.pass(7_200);
    assert!(world.binding.lifetime.period().as_secs() > 60, "{:?}", world.binding.lifetime);
}
