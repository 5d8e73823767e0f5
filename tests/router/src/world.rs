//! The state of the box: its configuration as its services have read it, and what has happened to it.

use crate::{
    devices,
    hosts::{self, Host},
    leases,
    uci::{self, Section},
};
use serde_json::Value as Json;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

/// The state of the box. Tests look into it and change it through [`Router::world`](crate::Router::world).
pub struct World {
    /// The folder that plays `/`.
    pub root: PathBuf,
    /// The devices in the home.
    pub hosts: Vec<Host>,
    /// How often each method was called, by object and method.
    pub calls: BTreeMap<(String, String), u64>,
    /// What `service event` was called with, in order.
    pub service_events: Vec<Json>,
    /// How often services have read each package anew.
    pub reloads: BTreeMap<String, u64>,
    /// Calls of `system reboot`.
    pub reboots: u64,
    /// Users whose password was set, and to what.
    pub passwords: Vec<(String, String)>,
    /// Interfaces that a method has taken down.
    pub(crate) down: BTreeSet<String>,
    pub(crate) network: Vec<Section>,
    pub(crate) wireless: Vec<Section>,
    pub(crate) dhcp: Vec<Section>,
    pub(crate) system: Vec<Section>,
}

impl World {
    pub(crate) fn new(root: PathBuf) -> io::Result<Self> {
        let mut world = Self {
            root,
            hosts: hosts::all(),
            calls: BTreeMap::new(),
            service_events: Vec::new(),
            reloads: BTreeMap::new(),
            reboots: 0,
            passwords: Vec::new(),
            down: BTreeSet::new(),
            network: Vec::new(),
            wireless: Vec::new(),
            dhcp: Vec::new(),
            system: Vec::new(),
        };
        for package in ["network", "wireless", "dhcp", "system"] {
            world.read(package);
        }
        devices::write(&world)?;
        leases::write(&world)?;
        Ok(world)
    }

    fn read(&mut self, package: &str) {
        let sections = uci::read(&self.root, package);
        match package {
            "network" => self.network = sections,
            "wireless" => self.wireless = sections,
            "dhcp" => self.dhcp = sections,
            "system" => self.system = sections,
            // Of the others nothing is played but that they were read.
            _ => {}
        }
    }

    /// A package has changed: what depends on it reads it anew, as its init script would have it done.
    pub(crate) fn reload(&mut self, package: &str) -> io::Result<()> {
        *self.reloads.entry(package.to_owned()).or_default() += 1;
        let packages: &[&str] = match package {
            // netifd reads both.
            "network" | "wireless" => &["network", "wireless"],
            other => &[other],
        };
        packages.iter().for_each(|package| self.read(package));
        match package {
            "network" | "wireless" => devices::write(self),
            "dhcp" => leases::write(self),
            "system" => {
                fs::write(self.root.join("proc/sys/kernel/hostname"), format!("{}\n", self.hostname()))
            }
            _ => Ok(()),
        }
    }

    /// The interfaces that netifd knows: those that are disabled it does not.
    pub(crate) fn interfaces(&self) -> impl Iterator<Item = &Section> {
        self.network.iter().filter(|section| section.kind == "interface" && !section.on("disabled"))
    }

    pub(crate) fn interface(&self, name: &str) -> Option<&Section> {
        self.interfaces().find(|section| section.name == name)
    }

    /// The layer 2 device that an interface is configured on.
    pub(crate) fn device_of(&self, interface: &str) -> Option<&str> {
        self.interface(interface)?.get("device")
    }

    pub(crate) fn is_up(&self, section: &Section) -> bool {
        let lower = section.get("device").and_then(|device| device.strip_prefix('@'));
        let lower_up = lower.is_none_or(|name| self.interface(name).is_some_and(|lower| self.is_up(lower)));
        lower_up && !section.off("auto") && !self.down.contains(&section.name)
    }

    pub(crate) fn hostname(&self) -> &str {
        let system = self.system.iter().find(|section| section.kind == "system");
        system.and_then(|section| section.get("hostname")).unwrap_or("OpenWrt")
    }

    pub(crate) fn counted(&mut self, object: &str, method: &str) {
        *self.calls.entry((object.to_owned(), method.to_owned())).or_default() += 1;
    }

    /// How often a method was called since the last [`World::forget_calls`].
    #[must_use]
    pub fn count(&self, object: &str, method: &str) -> u64 {
        self.calls.get(&(object.to_owned(), method.to_owned())).copied().unwrap_or_default()
    }

    /// Counts anew.
    pub fn forget_calls(&mut self) {
        self.calls.clear();
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
