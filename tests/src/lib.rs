//! What tests of the whole program share: a sandbox folder that plays a box, and the real program running in it.
//!
//! The tests themselves are in `tests/tests/`; `src/bin/` has the demo and the benchmark, which drive the program in the
//! same way.

pub mod conformance;
pub mod dns;
pub mod loopback;
pub mod powercut;
pub mod program;
pub mod replay;
pub mod sandbox;
pub mod scene;
pub mod simulate;
pub mod software;
pub mod tunnel;
pub mod usage;

pub use program::Cwmpd;
pub use sandbox::Sandbox;
pub use scene::Scene;
