//! Whole questions against name servers on loopback, good ones and others.

use std::{cell::Cell, fs, net::IpAddr};

use domain::{
    base::{Message, MessageBuilder, Ttl, iana::Rcode},
    dep::octseq::array::Array,
    rdata::{A, Aaaa, Cname},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UdpSocket},
    time::advance,
};

use super::{
    answer::{Answer, Question},
    *,
};

/// A record of an answer: owner, seconds, and an address or the name that the owner is an alias of.
type Line<'a> = (&'a str, u32, &'a str);

fn name(text: &str) -> DnsName {
    text.parse().unwrap()
}

/// The answer to a question, with the records of the family that it is for.
fn answer(question: &[u8], code: Rcode, lines: &[Line<'_>]) -> Vec<u8> {
    let question = Message::from_octets(question).unwrap();
    let kind = question.sole_question().unwrap().qtype();
    let mut builder =
        MessageBuilder::from_target(Array::<8192>::default()).unwrap().start_answer(&question, code).unwrap();
    for (owner, ttl, data) in lines {
        let (owner, ttl) = (name(owner), Ttl::from_secs(*ttl));
        match data.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) if kind == Rtype::A => {
                builder.push((owner, ttl, A::new(address))).unwrap()
            }
            Ok(IpAddr::V6(address)) if kind == Rtype::AAAA => {
                builder.push((owner, ttl, Aaaa::new(address))).unwrap();
            }
            Ok(_) => {}
            Err(_) => builder.push((owner, ttl, Cname::new(name(data)))).unwrap(),
        }
    }
    builder.finish().as_ref().to_vec()
}

/// A name server that answers each question as it is told; `None` for silence.
struct Server {
    socket: UdpSocket,
    asked: Cell<usize>,
}

impl Server {
    async fn new() -> Self {
        Self { socket: UdpSocket::bind("127.0.0.1:0").await.unwrap(), asked: Cell::new(0) }
    }

    fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    async fn serve(&self, replies: impl Fn(&[u8], &str, Rtype) -> Vec<Vec<u8>>) {
        let mut buffer = [0; 512];
        loop {
            let (length, from) = self.socket.recv_from(&mut buffer).await.unwrap();
            self.asked.set(self.asked.get() + 1);
            let question = Message::from_octets(&buffer[..length]).unwrap();
            let asked = question.sole_question().unwrap();
            let (asked, kind) = (asked.qname().to_string(), asked.qtype());
            for reply in replies(&buffer[..length], &asked, kind) {
                self.socket.send_to(&reply, from).await.unwrap();
            }
        }
    }

    /// Serves these records of any name.
    async fn serve_lines(&self, lines: &[Line<'_>]) {
        self.serve(|question, _, _| vec![answer(question, Rcode::NOERROR, lines)]).await;
    }
}

/// A resolver with files of its own.
struct Stub {
    resolver: Resolver,
    _folder: TempDir,
}

fn resolver(servers: &[SocketAddr]) -> Stub {
    let folder = tempfile::tempdir().unwrap();
    let hosts = folder.path().join("hosts");
    fs::write(&hosts, "192.0.2.200 known.example\n").unwrap();
    let resolver = Resolver::with_files(servers.to_vec(), hosts, folder.path().join("resolv.conf"));
    Stub { resolver, _folder: folder }
}

impl Stub {
    async fn find(&self, host: &str) -> Result<Vec<String>, String> {
        let found = self.resolver.resolve(&Sockets::default(), host).await;
        found.map(|found| found.iter().map(ToString::to_string).collect())
    }

    /// The same while this runs.
    async fn find_with(&self, host: &str, serving: impl Future<Output = ()>) -> Result<Vec<String>, String> {
        tokio::select! { found = self.find(host) => found, () = serving => unreachable!() }
    }
}

fn texts(list: &[&str]) -> Result<Vec<String>, String> {
    Ok(list.iter().map(|text| (*text).to_owned()).collect())
}

#[tokio::test]
async fn both_families_and_aliases_are_followed_and_strangers_left_out() {
    let server = Server::new().await;
    let lines: &[Line<'_>] = &[
        ("alias2.example", 60, "end.example"),
        ("acs.example", 60, "alias2.example"),
        ("end.example", 60, "192.0.2.1"),
        ("END.example", 60, "192.0.2.2"),
        ("end.example", 60, "2001:db8::1"),
        ("stranger.example", 60, "192.0.2.66"),
    ];
    let found = resolver(&[server.address()]).find_with("ACS.example.", server.serve_lines(lines)).await;
    assert_eq!(found, texts(&["2001:db8::1", "192.0.2.1", "192.0.2.2"]));
    assert_eq!(server.asked.get(), 2);
}

#[tokio::test]
async fn an_alias_without_its_addresses_is_asked_for() {
    let server = Server::new().await;
    let serving = server.serve(|question, asked, _| {
        let lines: &[Line<'_>] = match asked {
            "acs.example" => &[("acs.example", 60, "end.example")],
            _ => &[("end.example", 60, "192.0.2.1")],
        };
        vec![answer(question, Rcode::NOERROR, lines)]
    });
    assert_eq!(resolver(&[server.address()]).find_with("acs.example", serving).await, texts(&["192.0.2.1"]));
    assert_eq!(server.asked.get(), 4);
}

#[tokio::test]
async fn rings_of_aliases_end() {
    let server = Server::new().await;
    let ring: &[Line<'_>] = &[("a.example", 60, "b.example"), ("b.example", 60, "a.example")];
    let found = resolver(&[server.address()]).find_with("a.example", server.serve_lines(ring)).await;
    assert!(found.unwrap_err().contains("SERVFAIL"));
    // One link an answer.
    let serving = server.serve(|question, asked, _| {
        let next = format!("x{}", asked.len());
        vec![answer(
            question,
            Rcode::NOERROR,
            &[(asked, 60, &format!("{next}.{}", if asked.len() > 200 { "a" } else { asked }))],
        )]
    });
    let found = resolver(&[server.address()]).find_with("a.example", serving).await;
    assert_eq!(found.unwrap_err(), "the name is an alias without end");
}

#[tokio::test]
async fn hosts_and_localhost_are_asked_of_no_server() {
    let known = resolver(&["127.0.0.1:1".parse().unwrap()]);
    assert_eq!(known.find("KNOWN.example").await, texts(&["192.0.2.200"]));
    for host in ["localhost", "a.localhost."] {
        assert_eq!(known.find(host).await, texts(&["::1", "127.0.0.1"]));
    }
    assert!(resolver(&[]).find("acs.example").await.unwrap_err().contains("set resolvers"));
    for host in ["a..b", &"x".repeat(64), &"x.".repeat(200)] {
        assert!(known.find(host).await.unwrap_err().contains("no name that DNS could have"), "{host}");
    }
}

#[tokio::test]
async fn the_next_server_is_asked_when_one_refuses_or_is_not_there() {
    let (bad, good) = (Server::new().await, Server::new().await);
    let gone = Server::new().await.address();
    let refusing = bad.serve(|question, _, _| vec![answer(question, Rcode::REFUSED, &[])]);
    let serving = good.serve_lines(&[("acs.example", 60, "192.0.2.1")]);
    let both = async {
        tokio::join!(refusing, serving);
    };
    let found = resolver(&[gone, bad.address(), good.address()]).find_with("acs.example", both).await;
    assert_eq!(found, texts(&["192.0.2.1"]));
    assert_eq!(bad.asked.get(), 2);
    let refusing = bad.serve(|question, _, _| vec![answer(question, Rcode::REFUSED, &[])]);
    let error = resolver(&[gone, bad.address()]).find_with("acs.example", refusing).await.unwrap_err();
    assert!(error.contains(&gone.to_string()) && error.contains("REFUSED"), "{error}");
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_told_from_one_without_addresses() {
    let server = Server::new().await;
    let asked = resolver(&[server.address()]);
    let serving = server.serve(|question, _, _| vec![answer(question, Rcode::NXDOMAIN, &[])]);
    assert_eq!(asked.find_with("acs.example", serving).await, Err("there is no such name".to_owned()));
    assert_eq!(server.asked.get(), 2, "nobody else is asked");
    assert_eq!(asked.find_with("acs.example", server.serve_lines(&[])).await, texts(&[]));
}

/// Conformance: 1.20
#[tokio::test]
async fn a_name_may_have_addresses_of_one_family_alone() {
    let server = Server::new().await;
    let serving = server.serve_lines(&[("acs.example", 60, "2001:db8::1")]);
    assert_eq!(
        resolver(&[server.address()]).find_with("acs.example", serving).await,
        texts(&["2001:db8::1"])
    );
}

#[tokio::test(start_paused = true)]
async fn silence_is_waited_for_in_two_rounds_and_no_longer() {
    let (one, other) = (Server::new().await, Server::new().await);
    let begin = Instant::now();
    let error = resolver(&[one.address(), other.address()]).find("acs.example").await.unwrap_err();
    assert_eq!(begin.elapsed(), Duration::from_secs(12));
    let expected = [&one, &other].map(|server| format!("name server {}: no answer", server.address()));
    assert_eq!(error, expected.join("; "));
}

/// Conformance: 12.12
#[tokio::test]
async fn a_server_that_drops_questions_of_one_family_costs_a_second() {
    let server = Server::new().await;
    let serving = server.serve(|question, _, kind| match kind {
        Rtype::A => vec![answer(question, Rcode::NOERROR, &[("acs.example", 60, "192.0.2.1")])],
        _ => Vec::new(),
    });
    let (asked, begin) = (resolver(&[server.address()]), Instant::now());
    assert_eq!(asked.find_with("acs.example", serving).await, texts(&["192.0.2.1"]));
    assert!(begin.elapsed() >= Duration::from_secs(1));
    // Half an answer is not kept.
    assert_eq!(asked.resolver.cache().stale("acs.example"), None);
}

/// What does not answer the question is passed over; what answers it comes last.
///
/// Conformance: 13.04
#[tokio::test]
async fn hostile_answers_are_passed_over() {
    let server = Server::new().await;
    let serving = server.serve(|question, _, kind| {
        let right = answer(question, Rcode::NOERROR, &[("acs.example", 60, "192.0.2.1")]);
        let evil = answer(
            question,
            Rcode::NOERROR,
            &[("acs.example", 60, "192.0.2.66"), ("acs.example", 60, "2001:db8::66")],
        );
        let changed = |at: usize, to: u8| {
            let mut bytes = evil.clone();
            bytes[at] = to;
            bytes
        };
        let mut wrong_id = evil.clone();
        wrong_id[0] ^= 1;
        // The name of the question begins at 12; its type ends 4 bytes before the records.
        let (other_name, question_again) = (changed(13, b'b'), changed(2, 0));
        let end_of_name = 12 + "acs.example".len() + 2;
        let other_kind = changed(end_of_name + 1, if kind == Rtype::A { 28 } else { 1 });
        let other_class = changed(end_of_name + 3, 3);
        let other_opcode = changed(2, 0x90);
        // The owner of the first record is a pointer to itself, or to what comes behind it.
        let owner = end_of_name + 4;
        let (mut ring, mut forward) = (evil.clone(), evil.clone());
        for (bytes, to) in [(&mut ring, owner), (&mut forward, owner + 2)] {
            bytes.splice(owner..owner + 13, [0xc0, to as u8]);
        }
        let mut oversize = evil.clone();
        oversize.resize(limits::DNS_DATAGRAM_BYTES + 1, 0);
        let mut hostile: Vec<Vec<u8>> = vec![
            wrong_id,
            other_name,
            question_again,
            other_kind,
            other_class,
            other_opcode,
            ring,
            forward,
            oversize,
            Vec::new(),
            b"garbage".to_vec(),
            vec![0xff; 4000],
        ];
        hostile.extend((12..evil.len()).map(|length| evil[..length].to_vec()));
        hostile.push(right);
        hostile
    });
    assert_eq!(resolver(&[server.address()]).find_with("acs.example", serving).await, texts(&["192.0.2.1"]));
}

/// One port in both protocols.
async fn on_both_protocols() -> (TcpListener, Server) {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // Somebody else may have it.
        if let Ok(socket) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
            return (tcp, Server { socket, asked: Cell::new(0) });
        }
    }
}

#[tokio::test]
async fn what_is_cut_short_is_asked_over_tcp() {
    let (tcp, server) = on_both_protocols().await;
    let address = server.address();
    let cutting = server.serve(|question, _, _| {
        let mut cut = answer(question, Rcode::NOERROR, &[]);
        cut[2] |= 2;
        vec![cut]
    });
    let many: Vec<String> = (0..40).map(|n| format!("192.0.2.{n}")).collect();
    let lines: Vec<Line<'_>> = many.iter().map(|address| ("acs.example", 60, address.as_str())).collect();
    let full = async {
        loop {
            let (mut stream, _) = tcp.accept().await.unwrap();
            let mut question = vec![0; usize::from(stream.read_u16().await.unwrap())];
            stream.read_exact(&mut question).await.unwrap();
            let reply = answer(&question, Rcode::NOERROR, &lines);
            stream.write_u16(reply.len() as u16).await.unwrap();
            stream.write_all(&reply).await.unwrap();
        }
    };
    let both = async {
        tokio::join!(cutting, full);
    };
    let found = resolver(&[address]).find_with("acs.example", both).await.unwrap();
    assert_eq!(found, many[..limits::NAME_ADDRESSES]);
}

/// Conformance: 12.11
#[tokio::test]
async fn answers_are_kept_for_their_ttl_and_longer_only_without_a_server() {
    let server = Server::new().await;
    let asked = resolver(&[server.address()]);
    let first = server.serve_lines(&[("acs.example", 30, "192.0.2.1"), ("acs.example", 20, "2001:db8::1")]);
    let old = texts(&["2001:db8::1", "192.0.2.1"]);
    assert_eq!(asked.find_with("acs.example", first).await, old);
    tokio::time::pause();
    advance(Duration::from_secs(19)).await;
    assert_eq!(asked.find("acs.example").await, old);
    assert_eq!(server.asked.get(), 2, "it is known");

    advance(Duration::from_secs(1)).await;
    // Nobody serves: after all waits the old ones must do.
    assert_eq!(asked.find("acs.example").await, old);
    tokio::time::resume();
    let mut late = [0; 512];
    while server.socket.try_recv(&mut late).is_ok() {}
    let moved = server.serve_lines(&[("acs.example", 30, "192.0.2.7")]);
    assert_eq!(asked.find_with("acs.example", moved).await, texts(&["192.0.2.7"]));
    assert_eq!(asked.find("acs.example").await, texts(&["192.0.2.7"]));
    // Addresses that lead nowhere are asked for again at once.
    asked.resolver.doubt("acs.example");
    let moved = server.serve_lines(&[("acs.example", 0, "192.0.2.8")]);
    assert_eq!(asked.find_with("acs.example", moved).await, texts(&["192.0.2.8"]));
    let moved = server.serve_lines(&[("acs.example", u32::MAX, "192.0.2.9")]);
    assert_eq!(asked.find_with("acs.example", moved).await, texts(&["192.0.2.9"]), "0 is not kept");
    assert_eq!(
        asked.resolver.cache().fresh("acs.example", Instant::now()),
        None,
        "nor is what no TTL can be"
    );
}

#[test]
fn questions_differ_in_number_and_are_what_servers_expect() {
    let question = Question { id: 0x1234, name: name("acs.example"), kind: Rtype::AAAA };
    let message = question.message().unwrap();
    assert_eq!(message, b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03acs\x07example\0\0\x1c\0\x01");
    assert!(question.read(&message).is_none(), "a question answers nothing");
    let reply = answer(&message, Rcode::NOERROR, &[("acs.example", 7, "2001:db8::1")]);
    let Some(Answer::Addresses { addresses, ttl }) = question.read(&reply) else { panic!() };
    assert_eq!((addresses, ttl), (vec!["2001:db8::1".parse().unwrap()], 7));
}

proptest::proptest! {
    #[test]
    fn no_message_brings_it_down(bytes: Vec<u8>, cuts: Vec<(u16, u8)>) {
        let question = Question { id: 0, name: name("acs.example"), kind: Rtype::A };
        question.read(&bytes);
        let lines: &[Line<'_>] = &[("acs.example", 60, "end.example"), ("end.example", 60, "192.0.2.1")];
        let mut reply = answer(&question.message().unwrap(), Rcode::NOERROR, lines);
        for (at, to) in cuts {
            let at = usize::from(at) % reply.len();
            reply[at] = to;
        }
        question.read(&reply);
    }
}
