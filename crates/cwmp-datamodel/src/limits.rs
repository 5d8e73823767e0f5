//! Bounds of the data model that are not bounds of the protocol.

/// Longest text that is matched against a pattern, in characters; a longer one matches none.
pub const PATTERN_TEXT: usize = 1024;
/// Longest value that a source may deliver, in bytes; a longer one fails the call.
pub const VALUE_BYTES: usize = 256 * 1024;
/// Most bytes of paths and values in one snapshot; beyond it the call is answered with 9004.
pub const SNAPSHOT_BYTES: usize = 8 * 1024 * 1024;
/// Most objects in one snapshot; beyond it the call is answered with 9004.
pub const SNAPSHOT_OBJECTS: usize = 65_536;
/// Most snapshots held at a time; the oldest gives way, since a session needs one.
pub const SNAPSHOTS: usize = 4;
/// Most parameters with attributes other than the default; beyond it SetParameterAttributes is answered with 9004.
pub const ATTRIBUTES: usize = 8_192;
/// Most parameters beside the forced ones in one Inform; changes beyond it wait for the next one.
pub const INFORM_PARAMETERS: usize = 512;
/// Most parameters that one lightweight notification is made of; changes beyond it wait for the next one.
pub const LIGHTWEIGHT_PARAMETERS: usize = 512;
/// Most parameter sources of one tree.
pub const SOURCES: usize = 250;
/// Most names that the wildcards of one call may stand for; beyond it the call is answered with 9004.
pub const EXPANDED_NAMES: usize = 65_536;
/// Most aliases other than `cpe-` and the instance number; beyond it the call is answered with 9004.
pub const ALIASES: usize = 4_096;
/// Most rounds in which SetParameterValues makes missing rows: as deep as tables of the model lie in tables.
pub const CREATING_ROUNDS: usize = 8;
