//! The generic Linux backend: any Linux box, and a sandbox for demonstrations and tests.
//!
//! What every Linux has is read from `/proc`, `/sys` and `/etc` ([`cwmp_platform::source::ParameterSource`]s for
//! DeviceInfo and Time). What has no convention on Linux (flashing, configuration files, factory reset) is a program
//! that the integrator names in [`Options`]; without one the agent does not offer the method. There is no D-Bus here:
//! `/sbin/reboot` does the same on systemd, OpenRC, sysvinit and busybox.
//!
//! Every file is read below [`Options::root`], so the tests give the backend a box made of plain files.

mod clock;
mod command;
mod device_info;
mod files;
mod identity;
mod mapping;
mod options;
mod platform;
mod process;
mod sandbox;
mod time;
mod zone;

#[cfg(test)]
mod testing;

pub use options::Options;
pub use platform::GenericLinux;
