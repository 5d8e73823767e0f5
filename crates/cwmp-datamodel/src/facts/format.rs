//! The layout of a facts file, shared by the reader (this crate) and the writer (`cargo xtask datamodel`).
//!
//! All numbers are little-endian.
//!
//! ```text
//! header      magic "CWF1", then four u32: file offsets of OBJECTS, PARAMETERS, RULES and RECORDS. TEXT begins
//!             after the header; a section ends where the next begins.
//! TEXT        every name and every text of a facet. Texts overlap where one contains or continues another.
//! OBJECTS     the objects in pre-order, 9 bytes each: u32 entry, u16 number of objects in its subtree (itself
//!             included), u16 index of its first parameter, u8 number of its parameters. The next sibling of object i
//!             is therefore object i + subtree.
//! PARAMETERS  u32 entry each. Objects with equal parameters share one run of them.
//! RULES       u16 offset into RECORDS for each distinct set of facts, and one more that marks the end.
//! RECORDS     two bytes (TYPE and FLAG constants), then facets: a TAG byte and its operands. Numbers are LEB128
//!             varints, signed ones in zigzag form; a text is its offset in TEXT and its length, both varints.
//! entry       bits 0-15 offset of the name in TEXT; bits 16-20 its length, or 0 where the byte at that offset holds
//!             the length and the name follows it; bits 21-31 number of its rule.
//! ```

/// First bytes of the file: layout 1.
pub(crate) const MAGIC: [u8; 4] = *b"CWF1";
/// Bytes before TEXT.
pub(crate) const HEADER: usize = 20;
/// Bytes of an object.
pub(crate) const OBJECT: usize = 9;
/// Bytes of a parameter.
pub(crate) const PARAMETER: usize = 4;

/// Longest name whose length fits into an entry.
pub(crate) const SHORT_NAME: usize = 31;
/// Most rules that an entry can number.
pub(crate) const RULES: usize = 1 << 11;

/// Types by number, as the TSV and TR-106 name them: first byte of a record, bits 0-3.
pub(crate) const TYPES: [&str; 10] = [
    "string",
    "int",
    "unsignedInt",
    "long",
    "unsignedLong",
    "boolean",
    "dateTime",
    "base64",
    "hexBinary",
    "decimal",
];
/// In place of a type: a single object.
pub(crate) const TYPE_OBJECT: u8 = 14;
/// In place of a type: a table.
pub(crate) const TYPE_TABLE: u8 = 15;
/// First byte, bits 4-5: access by number. A few rows leave it open; they are read-only.
pub(crate) const ACCESS: [&str; 4] = ["readOnly", "readWrite", "writeOnceReadOnly", ""];
/// First byte: the value is a comma-separated list.
pub(crate) const FLAG_LIST: u8 = 1 << 6;

/// Second byte, bits 0-1: status by number.
pub(crate) const STATUS: [&str; 4] = ["current", "deprecated", "obsoleted", "deleted"];
/// Second byte, bits 2-5: notify rules by number.
pub(crate) const NOTIFY: [&str; 4] = ["forcedInform", "forceEnabled", "forceDefaultEnabled", "canDeny"];
/// Second byte: reads as empty.
pub(crate) const FLAG_HIDDEN: u8 = 1 << 6;
/// Second byte: reads as false, acts when set.
pub(crate) const FLAG_COMMAND: u8 = 1 << 7;

/// Length: at most (max).
pub(crate) const TAG_LENGTH_TO: u8 = 1;
/// Length: from, to.
pub(crate) const TAG_LENGTH: u8 = 2;
/// Range: signed minimum.
pub(crate) const TAG_RANGE_FROM: u8 = 3;
/// Range: signed maximum.
pub(crate) const TAG_RANGE_TO: u8 = 4;
/// Range: signed minimum and maximum.
pub(crate) const TAG_RANGE: u8 = 5;
pub(crate) const TAG_NAMED: u8 = 16;
pub(crate) const TAG_ENUMERATION: u8 = 17;
pub(crate) const TAG_ENUMERATION_REF: u8 = 18;
pub(crate) const TAG_PATTERN: u8 = 19;
pub(crate) const TAG_PATH_REF: u8 = 20;
pub(crate) const TAG_KEY: u8 = 21;
pub(crate) const TAG_COUNT: u8 = 22;
pub(crate) const TAG_ENABLE: u8 = 23;
pub(crate) const TAG_DEFAULT_OBJECT: u8 = 24;
pub(crate) const TAG_DEFAULT_FACTORY: u8 = 25;
pub(crate) const TAG_DEFAULT_IMPLEMENTATION: u8 = 26;
/// Facets with one text: tag and name in the TSV. The last three are defaults.
pub(crate) const TEXT_FACETS: [(u8, &str); 11] = [
    (TAG_NAMED, "type"),
    (TAG_ENUMERATION, "enum"),
    (TAG_ENUMERATION_REF, "enumRef"),
    (TAG_PATTERN, "pattern"),
    (TAG_PATH_REF, "pathRef"),
    (TAG_KEY, "key"),
    (TAG_COUNT, "count"),
    (TAG_ENABLE, "enable"),
    (TAG_DEFAULT_OBJECT, "default object"),
    (TAG_DEFAULT_FACTORY, "default factory"),
    (TAG_DEFAULT_IMPLEMENTATION, "default implementation"),
];
