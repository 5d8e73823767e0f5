//! Every bound of this crate by name. Those of the protocol are in [`cwmp_core::limits`].

/// Most addresses of one name that are tried before connecting counts as failed.
pub const ADDRESSES: usize = 8;
/// Most addresses of one name that are looked at, to choose those from that are tried: one family must not hide the other.
pub const NAME_ADDRESSES: usize = 32;
/// Wait for an address before the next one is tried beside it, in milliseconds (RFC 8305 5).
pub const CONNECT_STAGGER_MS: u64 = 250;
/// Largest head of a proxy's answer, in bytes.
pub const PROXY_HEAD_BYTES: usize = 16 * 1024;
/// Stack of the thread that makes a socket in a network namespace, in bytes.
pub const NAMESPACE_STACK_BYTES: usize = 64 * 1024;
/// Most name servers that are asked for a name.
pub const DNS_SERVERS: usize = 4;
/// Wait for one name server in each of the rounds, in milliseconds.
pub const DNS_WAITS_MS: [u64; 2] = [2_000, 4_000];
/// Wait for the addresses of one family when those of the other are here, in milliseconds.
pub const DNS_OTHER_FAMILY_MS: u64 = 1_000;
/// Largest datagram that is looked at as an answer, in bytes.
pub const DNS_DATAGRAM_BYTES: usize = 4096;
/// Most records of an answer that are looked at.
pub const DNS_RECORDS: usize = 64;
/// Most aliases (CNAME) between a name and its addresses.
pub const DNS_ALIASES: usize = 8;
/// Names whose addresses are kept; at the limit the one that was kept first gives way.
pub const DNS_NAMES: usize = 8;
/// Longest time that addresses are kept, whatever their TTL, in seconds: a day.
pub const DNS_TTL_S: u32 = 86_400;
/// Most of /etc/hosts and resolv.conf that is read, in bytes.
pub const HOSTS_FILE_BYTES: u64 = 256 * 1024;
/// Bytes that wait in the kernel to be sent: little, so that memory stays small and what the ACS has taken is known about.
pub const SEND_BUFFER_BYTES: u32 = 64 * 1024;
/// Largest head (status line and headers) of a reply of the ACS, in bytes.
pub const REPLY_HEAD_BYTES: usize = 64 * 1024;
/// Longest time from the last byte sent to the last byte of the reply, in milliseconds: ends a reply that trickles.
pub const REPLY_TOTAL_MS: u64 = 600_000;
/// Dates that a chain is verified by while the clock is not set, before it counts as invalid: its certificates may begin to
/// be valid one after the other.
pub const DATE_ATTEMPTS: u32 = 5;
/// Most tickets that are kept to resume TLS with, eight for each server; at the limit the oldest server gives way.
pub const TLS_TICKETS: usize = 32;
/// Largest file with trusted certificates, in bytes.
pub const CA_FILE_BYTES: u64 = 4 * 1024 * 1024;
/// Largest file with the box's certificate or key, in bytes.
pub const CERTIFICATE_FILE_BYTES: u64 = 64 * 1024;
/// Times that one message is sent with credentials before the ACS is believed to refuse them.
pub const AUTHENTICATION_ATTEMPTS: u32 = 3;
/// Consecutive redirects that are followed (TR-069a6 3.4.2: up to five).
pub const REDIRECTS: u32 = 5;
/// Times that one message is sent anew because a kept connection was found closed before anything was written.
pub const RECONNECTS: u32 = 3;
/// Most bytes of a compressed message that are kept to be sent; a longer one is compressed again while it is sent.
pub const COMPRESSED_BYTES: usize = 64 * 1024;

/// Most cookies kept; at the limit the oldest gives way.
pub const COOKIES: usize = 32;
/// Longest cookie, name and value together, in bytes; a longer one is ignored (RFC 6265 6.1).
pub const COOKIE_BYTES: usize = 4096;
/// Bytes of all names and values together; at the limit the oldest cookies give way.
pub const COOKIE_JAR_BYTES: usize = 16 * 1024;
/// Longest Path or Domain of a cookie, in bytes; a cookie with a longer one is ignored.
pub const COOKIE_SCOPE_BYTES: usize = 1024;

/// Largest head of a connection request, in bytes; a larger one is answered with 431 or 414.
pub const REQUEST_HEAD_BYTES: usize = 8 * 1024;
/// Most headers of a connection request.
pub const REQUEST_HEADERS: usize = 64;
/// Most connections that wait for or fail authentication; one more and the oldest of the source that has the most is cut
/// off.
pub const REQUEST_CONNECTIONS: usize = 8;
/// Connections that wait in the kernel to be accepted, for each address that is listened on.
pub const REQUEST_BACKLOG: i32 = 128;
/// Longest life of a connection to the listener, in milliseconds.
pub const REQUEST_CONNECTION_MS: u64 = 15_000;
/// Connection requests accepted at once after a quiet time; beyond it 503.
pub const REQUEST_BURST: u32 = 20;
/// Time after which one more connection request is accepted, in milliseconds: twenty a minute.
pub const REQUEST_REFILL_MS: u64 = 3_000;
/// Wrong passwords from one source (an IPv4 address, a network of IPv6) that are looked at in a burst; beyond it 503.
pub const GUESSES: u32 = 10;
/// Time after which one more is looked at, in milliseconds: ten a minute.
pub const GUESS_REFILL_MS: u64 = 6_000;
/// Wrong passwords from all sources together that are looked at in a burst; beyond it 503 for who has not proved itself yet.
pub const GUESSES_OF_ALL: u32 = 100;
/// Time after which one more is looked at, in milliseconds: one a second.
pub const GUESS_OF_ALL_REFILL_MS: u64 = 1_000;
/// Sources whose wrong passwords are counted; at the limit the one that guessed longest ago gives way.
pub const GUESSING_SOURCES: usize = 32;
/// Sources that are known to have proved the password; at the limit the one that did so longest ago gives way.
pub const PROVEN_SOURCES: usize = 8;
/// How long a nonce of the listener is good, in milliseconds.
pub const NONCE_MS: u64 = 120_000;
/// Most used nonces remembered, so that none is used twice; at the limit the oldest ones expire early.
pub const USED_NONCES: usize = 32;
/// Wait after a failed `accept` (out of file descriptors, for one), in milliseconds.
pub const ACCEPT_PAUSE_MS: u64 = 500;

/// Largest connection request over UDP and largest answer of a STUN server, in bytes; a longer datagram is ignored.
pub const UDP_REQUEST_BYTES: usize = 2048;
/// Connection requests over UDP that are remembered once accepted, and the most of one second.
pub const UDP_REMEMBERED: usize = 16;
/// Time of the ACS for which one note of the last accepted request is good, in seconds; for so long after it requests are
/// refused when the program has started again.
pub const UDP_NOTE_AHEAD_S: u64 = 60;
/// How far the time of a request may lie ahead of a synchronised clock, in seconds.
pub const UDP_AHEAD_S: u64 = 86_400;
/// Wait before a name or a STUN server that has failed is tried again, in milliseconds.
pub const UDP_TRY_AGAIN_MS: u64 = 30_000;
/// Longest wait for the address of the STUN server or the ACS, in milliseconds.
pub const UDP_RESOLVE_MS: u64 = 10_000;

/// Most attributes in an answer of a STUN server; an answer with more is ignored.
pub const STUN_ATTRIBUTES: usize = 32;
/// Longest REALM or NONCE of a STUN server, in bytes (RFC 5389 15.7: fewer than 128 characters).
pub const STUN_TEXT_BYTES: usize = 763;
/// Times that a request to a STUN server is sent (RFC 3489 9.3).
pub const STUN_SENDS: u32 = 9;
/// Wait before it is sent the second time, in milliseconds; doubled for each further time.
pub const STUN_FIRST_RESEND_MS: u64 = 100;
/// Longest wait before it is sent again or counts as unanswered, in milliseconds.
pub const STUN_LAST_RESEND_MS: u64 = 1_600;
/// Keep-alive period while nothing is known of the NAT, in seconds: less than the shortest lifetime that is common, 30 s.
pub const STUN_FIRST_PERIOD_S: u64 = 25;
/// Shortest keep-alive period, and how exactly the lifetime of a binding is searched, in seconds.
pub const STUN_LEAST_PERIOD_S: u64 = 5;
/// Longest keep-alive period where no maximum is set, in seconds.
pub const STUN_LONGEST_PERIOD_S: u64 = 3_600;
/// Wait after a test of the lifetime that came to nothing, in milliseconds.
pub const STUN_TEST_PAUSE_MS: u64 = 600_000;

/// Longest transfer of a file, attempts and waits included, in milliseconds: six hours, for a slow line and a large image.
pub const TRANSFER_MS: u64 = 6 * 3_600_000;
/// Attempts to fetch a file within one job.
pub const FETCH_ATTEMPTS: u32 = 5;
/// Wait before the second attempt, in milliseconds; doubled before each further one.
pub const FETCH_PAUSE_MS: u64 = 1_000;
/// Largest file that is fetched unless the configuration says otherwise, in bytes.
pub const FETCH_BYTES: u64 = 1024 * 1024 * 1024;
/// Bytes that a fetched file leaves free in its file system unless the configuration says otherwise.
pub const FETCH_RESERVE_BYTES: u64 = 1024 * 1024;
/// Bytes that are collected before they are written to the file.
pub const FETCH_CHUNK_BYTES: usize = 64 * 1024;
/// Bytes after which a partial file is brought to stable storage: what a power cut costs at most.
pub const FETCH_SYNC_BYTES: u64 = 1024 * 1024;
/// Most bytes of a reply that is not the file (the page of an error) that are read to keep the connection.
pub const DRAINED_BYTES: usize = 64 * 1024;
/// Longest validator (ETag or Last-Modified) that is kept, in bytes; with a longer one nothing is resumed.
pub const VALIDATOR_BYTES: usize = 1024;
/// Largest note beside a partial file, in bytes.
pub const NOTE_BYTES: u64 = 8 * 1024;
/// Bytes of one piece of a file that is sent.
pub const SEND_CHUNK_BYTES: usize = 16 * 1024;
/// A file that is longer is announced (`Expect: 100-continue`) before it is sent, in bytes.
pub const EXPECT_BYTES: u64 = 64 * 1024;
/// Wait for the server to ask for the announced file, in milliseconds; then it is sent unasked (RFC 9110 10.1.1).
pub const EXPECT_MS: u64 = 1_000;

/// Largest stanza of an XMPP server, in bytes. A connection request has a few hundred.
pub const XMPP_STANZA_BYTES: usize = 16 * 1024;
/// Deepest element in one.
pub const XMPP_DEPTH: usize = 16;
/// Longest time from the connection to the server until the stream can carry connection requests, in milliseconds.
pub const XMPP_HANDSHAKE_MS: u64 = 30_000;
/// Longest wait for the server to take what is sent, and for its answer to a ping, in milliseconds.
pub const XMPP_ANSWER_MS: u64 = 30_000;
/// Time between pings where KeepAliveInterval is -1, in milliseconds: shorter than NATs forget TCP connections.
pub const XMPP_KEEP_ALIVE_MS: u64 = 240_000;
/// Most rounds of PBKDF2 that a server may ask for: more would keep a router busy for seconds.
pub const XMPP_SCRAM_ROUNDS: u32 = 100_000;
/// Longest message of SCRAM that is looked at, in bytes.
pub const XMPP_SCRAM_BYTES: usize = 2048;
/// Most servers of one domain that are tried.
pub const XMPP_SERVERS: usize = 16;
