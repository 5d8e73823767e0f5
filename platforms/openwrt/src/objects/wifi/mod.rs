//! Device.WiFi: the sections of package `wireless`, what netifd and hostapd made of them, and what the kernel knows of the radios.
//!
//! A `wifi-device` is a Radio. A `wifi-iface` that serves others is an SSID and an AccessPoint in one: both rows come and go
//! together, and have one switch. Keys are written, and read as empty.

use std::{collections::BTreeMap, rc::Rc};

use async_trait::async_trait;
use cwmp_core::fault::{CwmpFault, SetParameterValuesFault};
use cwmp_linux::kernel::{Interface, Link, Wifi as Kernel};
use cwmp_platform::source::{Change, ObjectKind, ParameterSink, SourceError, Wanted};
use cwmp_ubus::Table;
use cwmp_uci::{Package, Section};

use crate::{
    edits::Edits,
    limits,
    network::tables,
    part::{InRow, Part, below, by_row, internal, invalid, new_section, no_such, not_writable, section_keys},
    survey::Survey,
};

mod access_point;
mod radio;
mod security;
mod ssid;

/// The package.
const WIRELESS: &str = "wireless";
const DEVICE: &str = "wifi-device";
const IFACE: &str = "wifi-iface";
const RADIO: &str = "Device.WiFi.Radio.{i}.";
const RADIOS: &str = "Device.WiFi.Radio.";
const SSID: &str = "Device.WiFi.SSID.{i}.";
const SSIDS: &str = "Device.WiFi.SSID.";
const ACCESS_POINT: &str = "Device.WiFi.AccessPoint.{i}.";
const ACCESS_POINTS: &str = "Device.WiFi.AccessPoint.";
const SECURITY: &str = "Device.WiFi.AccessPoint.{i}.Security.";
const ASSOCIATED: &str = "Device.WiFi.AccessPoint.{i}.AssociatedDevice.{i}.";

pub(crate) struct Wifi;

/// A radio, with everything that is known of it.
struct Radio<'v> {
    /// Path of its row, without the last dot.
    path: String,
    section: &'v Section,
    /// What netifd says; `None` where it does not know it.
    state: Option<&'v Table>,
}

/// A network that the box serves.
struct Network<'v> {
    /// Number of its rows by table: SSID, AccessPoint.
    ssid: u32,
    access_point: Option<u32>,
    section: &'v Section,
    /// Its network device, while it is set up.
    device: Option<&'v str>,
    /// `hostapd.<device> get_status`.
    status: Option<Rc<Table>>,
}

/// All of it at one moment.
struct View {
    package: Rc<Package>,
    state: Option<Rc<Table>>,
    kernel: Rc<Kernel>,
    links: Rc<[Link]>,
    /// What hostapd says, by network device.
    status: BTreeMap<String, Rc<Table>>,
}

impl View {
    async fn look(survey: &Survey) -> Result<Self, SourceError> {
        let package = survey.uci(WIRELESS).await?;
        let state = match radios_of(&package).next() {
            Some(_) => survey.ubus("network.wireless", "status").await?,
            None => None,
        };
        let mut status = BTreeMap::new();
        let devices: Vec<&str> =
            state.iter().flat_map(|state| devices(state)).map(|(_, name)| name).collect();
        for device in devices.into_iter().take(limits::ROWS) {
            if let Some(said) = survey.ubus(&format!("hostapd.{device}"), "get_status").await? {
                status.insert(device.to_owned(), said);
            }
        }
        Ok(Self { package, state, kernel: survey.wifi()?, links: survey.links()?, status })
    }

    fn radios(&self, survey: &Survey) -> Vec<Radio<'_>> {
        let keys = section_keys(radios_of(&self.package), &["path", "phy"]);
        let numbers = survey.numbers(RADIOS, keys.iter().map(String::as_str));
        let rows = radios_of(&self.package).zip(numbers);
        let row = |(section, number): (_, Option<u32>)| {
            let section: &Section = section;
            let state = self.state.as_ref().and_then(|state| state.table(section.name()));
            Some(Radio { path: format!("{RADIOS}{}", number?), section, state })
        };
        rows.filter_map(row).collect()
    }

    fn networks(&self, survey: &Survey) -> Vec<Network<'_>> {
        let keys = network_keys(&self.package);
        let keys = || keys.iter().map(String::as_str);
        let numbers = survey.numbers(SSIDS, keys()).into_iter().zip(survey.numbers(ACCESS_POINTS, keys()));
        let row = |(section, (ssid, access_point)): (_, (Option<u32>, Option<u32>))| {
            let section: &Section = section;
            let state = self.state.as_ref();
            let device = state.and_then(|state| devices(state).find(|(name, _)| *name == section.name()));
            let device = device.map(|(_, device)| device);
            let status = device.and_then(|device| self.status.get(device)).cloned();
            Some(Network { ssid: ssid?, access_point, section, device, status })
        };
        networks_of(&self.package).zip(numbers).filter_map(row).collect()
    }

    /// The kernel's side of a network.
    fn interface(&self, network: &Network<'_>) -> Option<&Interface> {
        self.kernel.interfaces.iter().find(|known| Some(known.name.as_str()) == network.device)
    }

    fn link(&self, network: &Network<'_>) -> Option<&Link> {
        self.links.iter().find(|link| Some(link.name.as_str()) == network.device)
    }
}

/// A device that an access point serves.
pub(super) struct Served {
    /// In lower case.
    pub(super) mac: String,
    /// Path of its row of AssociatedDevice, without the last dot.
    pub(super) device: String,
    /// Path of the network that it uses.
    pub(super) ssid: String,
}

/// All of them.
pub(super) async fn served(survey: &Survey) -> Result<Vec<Served>, SourceError> {
    let view = View::look(survey).await?;
    let mut all = Vec::new();
    for network in view.networks(survey) {
        all.extend(access_point::served(survey, &network).await?);
    }
    Ok(all)
}

/// Which network lies on which radio, as paths without the last dot.
pub(super) async fn layers(survey: &Survey) -> Result<Vec<(String, String)>, SourceError> {
    let view = View::look(survey).await?;
    let radios = view.radios(survey);
    let pair = |network: Network<'_>| {
        let radio = carrier(&radios, network.section)?;
        Some((format!("{SSIDS}{}", network.ssid), radio.path.clone()))
    };
    Ok(view.networks(survey).into_iter().filter_map(pair).collect())
}

/// The radio that carries the network of a section.
fn carrier<'r, 'v>(radios: &'r [Radio<'v>], section: &Section) -> Option<&'r Radio<'v>> {
    radios.iter().find(|radio| section.get("device") == Some(radio.section.name()))
}

fn radios_of(package: &Package) -> impl Iterator<Item = &Section> {
    package.of_type(DEVICE).take(limits::ROWS)
}

/// The sections whose device serves others.
fn networks_of(package: &Package) -> impl Iterator<Item = &Section> {
    let serves = |section: &&Section| section.get("mode").is_none_or(|mode| mode == "ap");
    package.of_type(IFACE).filter(serves).take(limits::ROWS)
}

fn network_keys(package: &Package) -> Vec<String> {
    section_keys(networks_of(package), &["device", "ifname", "network"])
}

/// Sections that are set up, with their network devices.
fn devices(state: &Table) -> impl Iterator<Item = (&str, &str)> {
    let radios = state.iter().filter_map(|(_, radio)| radio.as_table());
    let interfaces = radios.flat_map(|radio| tables(radio, "interfaces"));
    interfaces.filter_map(|interface| Some((interface.str("section")?, interface.str("ifname")?)))
}

/// Whether nothing switches a section off.
fn is_on(section: &Section) -> bool {
    section.get("disabled") != Some("1")
}

fn yes(value: &str) -> bool {
    value == "true"
}

/// The name of the section of a row of the SSID or the AccessPoint table.
fn network_section(survey: &Survey, package: &Package, table: &str, number: u32) -> Option<String> {
    let key = survey.key(table, number)?;
    let at = network_keys(package).iter().position(|known| *known == key)?;
    networks_of(package).nth(at).map(|section| section.name().to_owned())
}

#[async_trait(?Send)]
impl Part for Wifi {
    fn objects(&self) -> &'static [&'static str] {
        &[
            RADIO,
            "Device.WiFi.Radio.{i}.Stats.",
            SSID,
            "Device.WiFi.SSID.{i}.Stats.",
            ACCESS_POINT,
            SECURITY,
            ASSOCIATED,
            "Device.WiFi.AccessPoint.{i}.AssociatedDevice.{i}.Stats.",
        ]
    }

    async fn read(
        &self,
        survey: &Survey,
        wanted: &Wanted<'_>,
        out: &mut dyn ParameterSink,
    ) -> Result<(), SourceError> {
        let view = View::look(survey).await?;
        let (radios, networks) = (view.radios(survey), view.networks(survey));
        out.object(RADIOS, ObjectKind::Table { addable: false });
        for row in &radios {
            radio::read(&view, row, &networks, out);
        }
        out.object(SSIDS, ObjectKind::Table { addable: true });
        for network in &networks {
            ssid::read(&view, &radios, network, out);
        }
        out.object(ACCESS_POINTS, ObjectKind::Table { addable: false });
        for network in &networks {
            let Some(number) = network.access_point else { continue };
            let path = format!("{ACCESS_POINTS}{number}.");
            access_point::read(&path, network, out);
            security::read(&path, network.section, out);
            if wanted.touches(ASSOCIATED) {
                access_point::associated(survey, &view, &path, network, out).await?;
            }
        }
        Ok(())
    }

    async fn edit(
        &self,
        changes: &[&Change],
        edits: &mut Edits,
    ) -> Result<Vec<SetParameterValuesFault>, SourceError> {
        let survey = Rc::clone(edits.survey());
        let view = View::look(&survey).await?;
        let (radios, networks) = (view.radios(&survey), view.networks(&survey));
        let mut faults = Vec::new();
        let wireless = edits.package(WIRELESS).await?;
        for (numbers, changes) in by_row(RADIO, changes) {
            let path = numbers.first().map(|number| format!("{RADIOS}{number}"));
            match radios.iter().find(|radio| Some(&radio.path) == path.as_ref()) {
                Some(radio) => faults.extend(radio::edit(&view, radio, &networks, &changes, wireless)),
                None => faults.extend(refuse(&changes)),
            }
        }
        // What concerns one section is judged together, whichever of its rows was written.
        let mut switches = BTreeMap::<String, bool>::new();
        for (object, table) in [(SSID, SSIDS), (ACCESS_POINT, ACCESS_POINTS), (SECURITY, ACCESS_POINTS)] {
            for (numbers, changes) in by_row(object, changes) {
                let number = numbers.first().copied();
                let section =
                    number.and_then(|number| network_section(&survey, &view.package, table, number));
                let Some(section) = section else {
                    faults.extend(refuse(&changes));
                    continue;
                };
                let (switch, others): (Vec<InRow<'_>>, _) =
                    changes.into_iter().partition(|(name, _)| *name == "Enable" && object != SECURITY);
                for (_, change) in switch {
                    let on = yes(&change.value);
                    if *switches.entry(section.clone()).or_insert(on) == on {
                        wireless.set_bool(&section, "disabled", !on, false);
                    } else {
                        faults.push(invalid(change, "an SSID and its AccessPoint have one switch here"));
                    }
                }
                faults.extend(match object {
                    SSID => ssid::edit(&section, &radios, &others, wireless),
                    ACCESS_POINT => access_point::edit(&section, &others, wireless),
                    _ => security::edit(&section, &others, wireless),
                });
            }
        }
        faults.extend(by_row(ASSOCIATED, changes).into_values().flat_map(|changes| refuse(&changes)));
        Ok(faults)
    }

    async fn add(&self, table: &str, edits: &mut Edits) -> Result<u32, CwmpFault> {
        if table != SSIDS {
            return Err(no_such(table));
        }
        let (number, section) = new_section(edits.survey(), SSIDS, "ssid")?;
        let wireless = edits.package(WIRELESS).await.map_err(internal)?;
        wireless.add(IFACE, &section);
        wireless.set(&section, "mode", "ap");
        // The default of the model: not enabled.
        wireless.set(&section, "disabled", "1");
        Ok(number)
    }

    async fn delete(&self, instance: &str, edits: &mut Edits) -> Result<(), CwmpFault> {
        let numbers = below(SSID, instance).filter(|(_, rest)| rest.is_empty()).map(|(numbers, _)| numbers);
        let number = numbers.and_then(|numbers| numbers.first().copied()).ok_or_else(|| no_such(instance))?;
        let survey = Rc::clone(edits.survey());
        let package = survey.uci(WIRELESS).await.map_err(internal)?;
        let section = network_section(&survey, &package, SSIDS, number).ok_or_else(|| no_such(instance))?;
        edits.package(WIRELESS).await.map_err(internal)?.delete(&section);
        Ok(())
    }
}

fn refuse(changes: &[InRow<'_>]) -> Vec<SetParameterValuesFault> {
    changes.iter().map(|(_, change)| not_writable(change)).collect()
}

#[cfg(test)]
mod tests;
