//! What every Linux box has, for the backends in `platforms/`: files below a root, programs as argument lists, what
//! mapping files reach, the network as the kernel tells it through netlink, processes, who can log in, room, time
//! zones.
//!
//! Nothing here knows a distribution, a bus or a configuration file, and nothing chooses: a backend does.
//!
//! Layers: [`netlink`] is bytes, [`kernel`] what they mean, [`rows`] what tables of devices have in common.

pub mod command;
pub mod files;
pub mod host;
pub mod kernel;
pub mod leases;
pub mod moment;
pub mod netlink;
pub mod processes;
pub mod room;
pub mod rows;
pub mod system;
pub mod users;
pub mod wireless;
pub mod zone;

mod changes;
mod folder_watch;
mod off_thread;

#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use changes::NetworkChanges;
pub use folder_watch::FolderWatch;
pub use off_thread::off_thread;
