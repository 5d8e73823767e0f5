//! The parameter tree: what the ACS reads, sets and watches.
//!
//! [`DataModel`] executes what the agent asks of the tree ([`cwmp_core::io::DataOp`]). Values come from the
//! [`cwmp_platform::source::ParameterSource`]s; types, ranges and access come from [`facts`], so that a source only says
//! what this box has and can do.
//!
//! Where to look:
//! * [`facts`]: what TR-181 says, a compact file that is looked up in place;
//! * [`validate`], [`lexical`], [`pattern`]: whether a text is a value of a parameter;
//! * [`snapshot`]: what the sources delivered for one call, and the entries of a listing;
//! * `model`: reading; `set`, `instances`, `set_attributes`: changing; `inform`: what an Inform carries and when a watched
//!   value is news;
//! * `snapshot::address`, `aliases`, `create`: wildcards, and instances that are named by aliases;
//! * `references`: values that name rows and parameters;
//! * [`mapping`]: parameters that need no code; `survey`: the tree as an integrator sees it;
//! * `transaction`: changes that reach several places, and what a start after a power cut does about them;
//! * `uplink`: which changes may cut the box off from the ACS;
//! * [`limits`]: every bound, by name.

mod aliases;
mod attributes;
mod create;
pub mod facts;
mod inform;
mod instances;
pub mod lexical;
mod lightweight;
pub mod limits;
pub mod mapping;
mod model;
pub mod pattern;
mod references;
mod set;
mod set_attributes;
pub mod snapshot;
mod survey;
mod transaction;
mod unique;
mod uplink;
pub mod validate;

pub use attributes::{AttributeError, AttributeStore, Attributes, Deviation};
pub use model::{Addressing, DataModel, Origin};
pub use survey::{Planned, Surveyed};
pub use transaction::{
    AliasChange, Deletion, LogError, NamedValue, TableRows, Transaction, TransactionLog, TransactionPart,
};
