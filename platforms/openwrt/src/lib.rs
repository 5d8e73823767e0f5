//! The OpenWrt backend.
//!
//! What the box is configured to be is read from its configuration files (UCI) and written there; what it does is asked of
//! its services over ubus, and of the kernel. The verbs are OpenWrt's own programs, run as argument lists.
//!
//! * `survey`: everything that is looked up for one call of the ACS, each thing once;
//! * `edits`: everything that is changed by one call, as one commit, and what is reloaded;
//! * `image`: packages as they were before a change, for the program's journal;
//! * `part`: what an object of the tree is here; `objects/` has one module an object;
//! * `source`: all parts as one parameter source;
//! * `network`: which logical interface is which row, and the uplink;
//! * `layout`: which network device is which row, and what lies on what;
//! * `software`: packages as deployment units;
//! * `providers`: `ubus(...)` and `uci(...)` in mapping files;
//! * `user_config`: the agent's own settings in `/etc/config/cwmpd`.
//!
//! # How to add an object
//! 1. A parameter that is one answer of the bus or one option is a line in `mapping/*.map` (`docs/mapping.md`), and no code.
//! 2. All else is a module below `objects/` with a type that implements `part::Part`, entered in `objects/mod.rs`. It asks
//!    `survey::Survey` for all that it reads, never the bus, a file or the kernel itself.
//! 3. Rows get numbers by what the box knows them by: the name of a section, or of a device, an address
//!    (`survey::Survey::numbers`). Sections without a name are known by what is in them (`part::section_keys`).
//! 4. Writing: `part::Part::edit` gets all changes of a call that concern the object, sorts them by row
//!    (`part::by_row`), and says in `edits::PackageEdits` what the options are to be. Nothing else: committing, reloading
//!    and taking back are the same for all. A command of the model becomes `edits::Edits::call`.
//! 5. New rows are sections with a name from `part::new_section`.
//! 6. References to rows of other objects come from who numbers them: `network::Network` for IP interfaces.
//! 7. Tests: a `testing::Fake` box with the files, the answers and the kernel's lists that the object needs; the delivered
//!    values are held against the model, writes against the resulting file and the announcements on the bus.

mod bus;
mod configuration;
mod device_info;
mod edits;
mod events;
mod firmware;
mod ground;
mod identity;
mod image;
mod layout;
mod limits;
mod network;
mod objects;
mod options;
mod part;
mod platform;
mod providers;
mod renewal;
mod restart;
mod software;
mod source;
mod survey;
mod transfers;
mod user_config;

#[cfg(test)]
mod testing;

pub use cwmp_uci::UciError;
pub use options::Options;
pub use platform::OpenWrt;
pub use user_config::{Content, Odd, Sections, UserConfig};
