//! OpenWrt's configuration files (UCI), read, changed and committed as libuci and its command `uci` do.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use cwmp_uci::{Edit, Uci, UciOptions};
//! # let dir = tempfile::tempdir()?;
//! # std::fs::write(dir.path().join("network"), "config interface 'lan'\n\toption proto 'dhcp'\n")?;
//! # let options = UciOptions { config: dir.path().to_owned(), overrides: None };
//!
//! let uci = Uci::new(options);
//! let proto = uci.load("network")?.section("lan").and_then(|lan| lan.get("proto").map(str::to_owned));
//! assert_eq!(proto.as_deref(), Some("dhcp"));
//!
//! let (section, option) = ("lan".to_owned(), "proto".to_owned());
//! let committed = uci.commit("network", &[Edit::Set { section, option, value: "static".to_owned() }])?;
//! assert_eq!(committed.after, b"\nconfig interface 'lan'\n\toption proto 'static'\n\n");
//! # Ok(())
//! # }
//! ```
//!
//! * [`Package`], [`Section`], [`UciOption`]: a file in memory; [`Package::parse`] reads bytes and needs no disk.
//! * [`Uci::commit`]: all edits or none, locked against other writers, durable when it returns.
//! * [`Watch::changed`]: which packages somebody else has changed.
//! * [`limits`]: every bound by name.
//!
//! A commit tells nobody: what must be reloaded is the platform's to know. Changes that somebody has made with `uci set`
//! and not committed (`/tmp/.uci`) are neither read nor committed nor lost; their owner commits them on top.

pub mod limits;

mod edit;
mod error;
mod file;
mod handover;
mod name;
mod package;
mod read;
mod replace;
mod uci;
mod watch;
mod words;
mod write;

pub use edit::Edit;
pub use error::UciError;
pub use name::{is_name, is_value};
pub use package::{Package, Section, UciOption};
pub use read::SyntaxError;
#[cfg(feature = "sim")]
pub use replace::{Disk, RealDisk};
pub use uci::{Committed, Uci, UciOptions};
pub use watch::Watch;
