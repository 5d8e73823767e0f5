//! The generic Linux backend: any Linux box, and a sandbox for demonstrations and tests.
//!
//! What every Linux has is read from `/proc`, `/sys` and `/etc` ([`cwmp_platform::source::ParameterSource`]s for
//! DeviceInfo and Time), and the network from the kernel through netlink. What has no convention on Linux (flashing,
//! configuration files, factory reset) is a program that the integrator names in [`Options`]; without one the agent does not
//! offer the method. There is no D-Bus here: what speaks it (`systemctl`, `rauc`) has a command line.
//!
//! Every file is read below [`Options::root`], so the tests give the backend a box made of plain files.

mod clock;
mod configuration;
mod device_info;
mod firmware;
mod identity;
mod mapping;
mod net;
mod options;
mod packages;
mod platform;
mod restart;
mod sandbox;
mod time;
mod transfers;
mod updater;
mod vendor_files;

#[cfg(test)]
mod testing;

use cwmp_linux::{command, files, room, zone};

pub use options::{FILES, FirmwareBackend, NamedFile, Options};
pub use platform::GenericLinux;
