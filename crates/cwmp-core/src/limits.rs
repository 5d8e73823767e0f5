//! Every bound of the protocol by name. At a limit there is a fault or an error, never unbounded memory.

/// Largest envelope accepted from the ACS, in bytes. TR-069a6 3.5 asks for at least 32 KB.
pub const ENVELOPE_BYTES: usize = 1024 * 1024;
/// Deepest element nesting accepted in an envelope.
pub const ENVELOPE_DEPTH: usize = 24;
/// Most elements accepted in one envelope.
pub const ENVELOPE_ELEMENTS: usize = 65_536;
/// Most attributes accepted on one element.
pub const ELEMENT_ATTRIBUTES: usize = 32;
/// Longest text of one element, in bytes after decoding of entities.
pub const ELEMENT_TEXT: usize = 256 * 1024;
/// Most entries in one array of a request (parameter names, values, attributes, operations).
pub const ARRAY_ENTRIES: usize = 8_192;

/// Largest envelope that the ACS side of the codec accepts, in bytes: the answer for a whole tree (development ACS, tests).
pub const ACS_ENVELOPE_BYTES: usize = 64 * 1024 * 1024;
/// Most elements that the ACS side of the codec accepts in one envelope.
pub const ACS_ENVELOPE_ELEMENTS: usize = 4_000_000;

/// Longest `cwmp:ID` header, in characters (TR-069a6 3.5).
pub const HEADER_ID: usize = 256;
/// Longest CommandKey and ParameterKey, in characters.
pub const COMMAND_KEY: usize = 32;
/// Longest parameter or object name, in characters (TR-069a6 A.2.2).
pub const PARAMETER_NAME: usize = 256;
/// Longest EventCode, in characters.
pub const EVENT_CODE: usize = 64;
/// Most events in one Inform (TR-069a6 A.3.3.1); further ones wait for the next session.
pub const INFORM_EVENTS: usize = 64;
/// Most events kept while they wait for delivery; beyond it new ones are not taken (a session is owed for long by then).
pub const QUEUED_EVENTS: usize = 256;
/// Bytes of a lightweight notification up to which parameters share it, so that it needs no fragments on its way.
pub const LIGHTWEIGHT_MESSAGE: usize = 1_400;
/// Largest parameter that a lightweight notification carries, encoded, in bytes; alone, it still fits into a datagram.
pub const LIGHTWEIGHT_PARAMETER: usize = 60_000;

/// Most ScheduleInform calls whose `M ScheduleInform` the ACS has not yet got; beyond it the call is refused with 9004.
pub const SCHEDULED_INFORMS: usize = 128;
/// Most vendor events that wait for delivery; beyond it new ones are not taken, so that those of the standard have room.
pub const VENDOR_EVENTS: usize = 32;
/// Most calls whose answers wait for the store, those of interrupted sessions included; beyond it 9004.
pub const STORING_PROMISES: usize = 8;

/// Most transfers that are queued, running or not yet reported; beyond it the call is refused with 9004. TR-069a6 A.4.1.1 asks
/// for a list of at most 16.
pub const TRANSFERS: usize = 16;
/// Tries after the first one in a time window whose MaxRetries leaves the number to the CPE.
pub const TRANSFER_RETRIES: u32 = 3;
/// Wait before a scheduled download is tried again in its window, in milliseconds.
pub const TRANSFER_RETRY_MS: u64 = 60_000;
/// Most RequestDownload calls that wait until it is known whether the ACS takes them.
pub const WANTED_DOWNLOADS: usize = 8;
/// How long a box that restarts by itself after an upgrade may take to go down, in milliseconds; then the upgrade has failed.
pub const RESTART_MS: u64 = 900_000;

/// Most operations in one ChangeDUState; beyond it the call is refused with 9004 (TR-069a6 A.4.1.10 asks for at least 16).
pub const DU_OPERATIONS: usize = 16;
/// Most calls of ChangeDUState that are not yet reported; beyond it 9004.
pub const DU_CHANGES: usize = 8;
/// Most deployment units that one operation may concern.
pub const DU_TARGETS: usize = 64;
/// Most changes of deployment units that the ACS has not ordered and has not yet heard of; what comes then is not kept.
pub const DU_UNORDERED: usize = 256;
/// When the box is asked again which deployment units it has, after it could not tell, in milliseconds.
pub const SURVEY_AGAIN_MS: u64 = 10_000;
/// How long after a ChangeDUState what is not done counts as failed, in milliseconds (TR-069a6 A.4.1.10).
pub const DU_CHANGE_MS: u64 = 86_400_000;

/// Shortest time before a missing reply counts as a failure, in milliseconds (TR-069a6 3.4.2: at least 30 s).
pub const REPLY_TIMEOUT_MS: u64 = 60_000;
/// Longest wait for a TCP connection to the ACS, in milliseconds.
pub const CONNECT_TIMEOUT_MS: u64 = 30_000;
/// How long no connection to an ACS that DHCP has told of comes about before DHCP is asked again, in milliseconds (TR-069a6
/// 3.1).
pub const UNREACHABLE_MS: u64 = 300_000;
/// Longest wait for the data model before the call is answered with 9002, in milliseconds.
pub const DATA_TIMEOUT_MS: u64 = 20_000;
/// Requests that an ACS may make in one session before the agent ends it as failed.
pub const SESSION_REQUESTS: u32 = 100_000;
/// Times that one request is repeated after fault 8005 before the session counts as failed; the next session tries again.
pub const REPEATS_AFTER_8005: u32 = 5;
/// A later ask for a retry (Retry-After) is honoured up to this many seconds.
pub const RETRY_AFTER_SECONDS: u32 = 86_400;
