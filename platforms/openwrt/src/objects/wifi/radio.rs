//! Device.WiFi.Radio: how a radio is set, and what the kernel says that it can do.
//!
//! The kernel tells of a radio's abilities by the networks that run on it. Of one that is off they are not known; then
//! hostapd judges what is set.

use cwmp_core::fault::SetParameterValuesFault;
use cwmp_linux::{
    files::clean,
    kernel::{self, BandName, Stats},
    rows::counters,
    wireless::{band_name, bandwidth, channel_number, list, standards, widths},
};
use cwmp_platform::source::{
    Access::{self, ReadOnly, ReadWrite},
    ObjectKind, ParameterSink,
};
use cwmp_uci::Section;

use super::{Network, Radio, View, is_on, yes};
use crate::{
    edits::PackageEdits,
    part::{InRow, invalid, not_writable},
};

/// Options with a number each: what holds without them, and the least and the most that hostapd takes.
const NUMBERS: [(&str, &str, u32, u32, u32); 3] = [
    ("BeaconPeriod", "beacon_int", 100, 15, 65_535),
    ("FragmentationThreshold", "frag", 2346, 256, 2346),
    ("RTSThreshold", "rts", 2347, 0, 2347),
];
/// The way of working without HT, as `htmode` has it.
const LEGACY: &str = "NOHT";
/// What stands for the choice of a channel by the radio.
const AUTO: &str = "auto";

/// What the kernel and hostapd say of a radio.
struct Known<'v> {
    radio: Option<&'v kernel::Radio>,
    busy: Option<&'v kernel::Interface>,
    channel: Option<u32>,
    band: Option<BandName>,
}

impl<'v> Known<'v> {
    fn of(view: &'v View, row: &Radio<'_>, networks: &'v [Network<'v>]) -> Self {
        let on = || networks.iter().filter(|one| one.section.get("device") == Some(row.section.name()));
        let interfaces = || on().filter_map(|network| view.interface(network));
        let radio = interfaces().next();
        let radio = radio.and_then(|one| view.kernel.radios.iter().find(|radio| radio.index == one.radio));
        let busy = interfaces().find(|interface| interface.frequency.is_some());
        let told = on().find_map(|network| network.status.as_ref()?.i64("channel"));
        let told = told.and_then(|channel| u32::try_from(channel).ok());
        let channel = told.or_else(|| channel_number(busy?.frequency?));
        let band = match row.section.get("band") {
            Some("2g") => Some(BandName::Band2),
            Some("5g") => Some(BandName::Band5),
            Some("6g") => Some(BandName::Band6),
            _ => None,
        };
        Self { radio, busy, channel: channel.filter(|channel| (1..=255).contains(channel)), band }
    }

    fn bands(&self) -> impl Iterator<Item = &'v kernel::Band> {
        let bands = self.radio.into_iter().flat_map(|radio| &radio.bands);
        bands.filter(|band| !band.channels.is_empty())
    }

    /// What the radio can do in the band that it is set to.
    fn in_use(&self) -> Option<&'v kernel::Band> {
        self.bands().find(|band| Some(band.name) == self.band)
    }

    fn channels(&self) -> Vec<u32> {
        let channels = self.in_use().into_iter().flat_map(|band| &band.channels);
        channels.filter_map(|channel| channel_number(channel.frequency)).collect()
    }

    /// Steps of power: percent of the most that the rules allow, and dBm.
    fn powers(&self) -> Vec<(u32, u32)> {
        let channels = self.in_use().into_iter().flat_map(|band| &band.channels);
        let now = channels.clone().find(|channel| channel_number(channel.frequency) == self.channel);
        let most = match now {
            Some(channel) => channel.max_power,
            None => channels.filter_map(|channel| channel.max_power).max(),
        };
        let Some(most) = most.map(|most| most / 100) else { return Vec::new() };
        let share = |dbm: u32| 100.0 * 10_f64.powf(-f64::from(most.saturating_sub(dbm)) / 10.0);
        let percent = |share: f64| (1..=100).find(|percent| f64::from(*percent) >= share.round());
        let steps = (0..=most.min(40)).rev().filter_map(|dbm| Some((percent(share(dbm))?, dbm)));
        let mut steps: Vec<(u32, u32)> = steps.collect();
        steps.dedup_by_key(|(percent, _)| *percent);
        steps
    }
}

pub(super) fn read(view: &View, row: &Radio<'_>, networks: &[Network<'_>], out: &mut dyn ParameterSink) {
    let (known, section) = (Known::of(view, row, networks), row.section);
    out.object(&format!("{}.", row.path), ObjectKind::Instance { deletable: false });
    out.parameter("Enable", &is_on(section), ReadWrite);
    out.parameter("Status", &status(view, row), ReadOnly);
    out.parameter("Name", &clean(section.name(), 64), ReadOnly);
    out.parameter("LowerLayers", &"", ReadOnly);
    out.parameter("Upstream", &false, ReadOnly);
    let mut bands: Vec<BandName> = known.bands().map(|band| band.name).collect();
    if bands.is_empty() {
        bands.extend(known.band);
    }
    out.parameter("SupportedFrequencyBands", &list(bands.iter().map(|band| band_name(*band))), ReadOnly);
    if let Some(band) = known.band {
        let access = if bands.len() > 1 { ReadWrite } else { ReadOnly };
        out.parameter("OperatingFrequencyBand", &band_name(band), access);
    }
    let mode = Mode::of(section);
    let operating = known.band.zip(mode).map(|(band, mode)| mode.standards(band, slow(section)));
    if known.radio.is_some() {
        let supported = known.bands().flat_map(standards).map(|(_, name)| name);
        out.parameter("SupportedStandards", &list(supported), ReadOnly);
        let supported = known.bands().flat_map(widths);
        out.parameter("SupportedOperatingChannelBandwidths", &list(supported), ReadOnly);
        out.parameter("PossibleChannels", &list(known.channels().into_iter()), ReadOnly);
    }
    if let Some(operating) = operating {
        out.parameter("OperatingStandards", &operating.join(","), ReadWrite);
    }
    out.parameter("ChannelsInUse", &list(known.channel.into_iter()), ReadOnly);
    let set = section.get("channel").and_then(|channel| channel.parse::<u32>().ok());
    if let Some(channel) = set.filter(|channel| (1..=255).contains(channel)).or(known.channel) {
        out.parameter("Channel", &channel, ReadWrite);
    }
    out.parameter("AutoChannelSupported", &true, ReadOnly);
    out.parameter("AutoChannelEnable", &is_auto(section.get("channel")), ReadWrite);
    if let Some(width) = mode.and_then(|mode| mode.width_name()) {
        out.parameter("OperatingChannelBandwidth", &width, ReadWrite);
    }
    if let Some(width) = known.busy.and_then(bandwidth) {
        out.parameter("CurrentOperatingChannelBandwidth", &width, ReadOnly);
    }
    power(&known, section, out);
    let country = section.get("country").filter(|country| is_country(country));
    let access: Access = ReadWrite;
    if let Some(country) = country {
        // The third letter tells inside from outside, which is not set here.
        out.parameter("RegulatoryDomain", &format_args!("{country} "), access);
    }
    for (name, option, usual, least, most) in NUMBERS {
        let value = section.get(option).and_then(|value| value.parse::<u32>().ok());
        let value = value.filter(|value| (least..=most).contains(value)).unwrap_or(usual);
        out.parameter(name, &value, ReadWrite);
    }
    out.object(&format!("{}.Stats.", row.path), ObjectKind::Single);
    let on = networks.iter().filter(|one| one.section.get("device") == Some(section.name()));
    let stats = on.filter_map(|network| view.link(network)?.stats);
    counters(&stats.fold(Stats::default(), Stats::plus), out);
    if let Some(noise) = known.busy.and_then(|interface| interface.noise) {
        out.parameter("Noise", &noise, ReadOnly);
    }
}

fn status(view: &View, row: &Radio<'_>) -> &'static str {
    let is = |name: &str| row.state.and_then(|state| state.bool(name)).unwrap_or(false);
    match (view.state.is_some(), row.state.is_some()) {
        (false, _) => "Unknown",
        // netifd knows only radios that are there.
        (true, false) => "NotPresent",
        _ if is("up") => "Up",
        _ if is("retry_setup_failed") => "Error",
        _ if is("pending") => "Dormant",
        _ => "Down",
    }
}

fn power(known: &Known<'_>, section: &Section, out: &mut dyn ParameterSink) {
    let steps = known.powers();
    if steps.is_empty() {
        // In percent of what is not known nothing can be said but that the radio decides.
        if section.get("txpower").is_none() {
            out.parameter("TransmitPower", &-1, ReadOnly);
        }
        return;
    }
    let supported = steps.iter().map(|(percent, _)| i64::from(*percent)).chain([-1]);
    out.parameter("TransmitPowerSupported", &list(supported), ReadOnly);
    let set = section.get("txpower").and_then(|power| power.parse::<u32>().ok());
    let shown = set.map_or(-1, |set| {
        // More than is allowed is sent with as much as is allowed.
        let step = steps.iter().find(|(_, dbm)| *dbm <= set).or(steps.last());
        step.map_or(-1, |(percent, _)| i64::from(*percent))
    });
    out.parameter("TransmitPower", &shown, ReadWrite);
}

fn is_auto(channel: Option<&str>) -> bool {
    channel.is_none_or(|channel| channel == AUTO || channel == "0")
}

fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// Whether the rates of IEEE 802.11b are offered.
fn slow(section: &Section) -> bool {
    section.get("legacy_rates") == Some("1")
}

/// `htmode`: the newest standard, and the width of the channel in MHz.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mode {
    standard: Newest,
    width: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Newest {
    Legacy,
    Ht,
    Vht,
    He,
    Eht,
}

/// Prefixes of `htmode`.
const NEWEST: [(&str, Newest); 4] =
    [("VHT", Newest::Vht), ("EHT", Newest::Eht), ("HE", Newest::He), ("HT", Newest::Ht)];

impl Mode {
    /// `None` where it is not set or not one of those.
    fn of(section: &Section) -> Option<Self> {
        Self::parse(section.get("htmode")?)
    }

    fn parse(text: &str) -> Option<Self> {
        if text == LEGACY {
            return Some(Self { standard: Newest::Legacy, width: 20 });
        }
        let (prefix, standard) = NEWEST.into_iter().find(|(prefix, _)| text.starts_with(prefix))?;
        // `HT40+` and `HT40-` say on which side the second channel is.
        let width = text.get(prefix.len()..)?.trim_end_matches(['+', '-']).parse().ok()?;
        Some(Self { standard, width }).filter(|mode| mode.most() >= width)
    }

    /// The widest channel of the standard.
    fn most(self) -> u32 {
        match self.standard {
            Newest::Legacy => 20,
            Newest::Ht => 40,
            Newest::Vht | Newest::He => 160,
            Newest::Eht => 320,
        }
    }

    fn text(self) -> String {
        let prefix = NEWEST.into_iter().find(|(_, standard)| *standard == self.standard);
        prefix.map_or_else(|| LEGACY.to_owned(), |(prefix, _)| format!("{prefix}{}", self.width))
    }

    /// The model has two names for 320 MHz, between which the option does not tell.
    fn width_name(self) -> Option<&'static str> {
        Some(match self.width {
            20 => "20MHz",
            40 => "40MHz",
            80 => "80MHz",
            160 => "160MHz",
            _ => return None,
        })
    }

    /// All that a radio does that is set to this.
    fn standards(self, band: BandName, slow: bool) -> Vec<&'static str> {
        let (in_2, in_6) = (band == BandName::Band2, band == BandName::Band6);
        let all = [
            ("b", in_2 && slow),
            ("g", in_2),
            ("a", band == BandName::Band5),
            ("n", !in_6 && self.standard >= Newest::Ht),
            ("ac", band == BandName::Band5 && self.standard >= Newest::Vht),
            ("ax", self.standard >= Newest::He),
            ("be", self.standard >= Newest::Eht),
        ];
        all.into_iter().filter(|(_, does)| *does).map(|(name, _)| name).collect()
    }
}

pub(super) fn edit(
    view: &View,
    row: &Radio<'_>,
    networks: &[Network<'_>],
    changes: &[InRow<'_>],
    wireless: &mut PackageEdits,
) -> Vec<SetParameterValuesFault> {
    let (known, section) = (Known::of(view, row, networks), row.section.name());
    let mut faults = Vec::new();
    // The band first and the standards next: the others are judged by them. The choice of the radio wins over a channel.
    let order = ["OperatingFrequencyBand", "OperatingStandards", "Channel"];
    let mut changes = changes.to_vec();
    changes.sort_by_key(|(name, _)| order.iter().position(|known| known == name).unwrap_or(order.len()));
    let new_band = changes.iter().find(|(name, _)| *name == "OperatingFrequencyBand");
    let new_band = new_band.map(|(_, change)| change.value.as_str());
    let band = match new_band {
        Some(name) => [BandName::Band2, BandName::Band5, BandName::Band6]
            .into_iter()
            .find(|band| band_name(*band) == name),
        None => known.band,
    };
    let channels = Known { band, ..Known::of(view, row, networks) }.channels();
    for (name, change) in changes {
        let value = change.value.as_str();
        let mode = wireless.get(section, "htmode").and_then(|text| Mode::parse(&text));
        let number = NUMBERS.into_iter().find(|(known, ..)| *known == name);
        match name {
            "Enable" => wireless.set_bool(section, "disabled", !yes(value), false),
            "OperatingFrequencyBand" if known.bands().any(|known| Some(known.name) == band) => {
                let option = ["2g", "5g", "6g"];
                let at = ["2.4GHz", "5GHz", "6GHz"].iter().position(|name| *name == value);
                if let Some(option) = at.and_then(|at| option.get(at)) {
                    wireless.set(section, "band", option);
                    // The former channel is none of this band.
                    wireless.set(section, "channel", AUTO);
                }
            }
            "OperatingFrequencyBand" => faults.push(invalid(change, "the radio has no such band")),
            "OperatingStandards" => {
                match band.and_then(|band| with_standards(value, band, row.section, mode)) {
                    Some(mode) => wireless.set(section, "htmode", &mode.text()),
                    None => faults.push(invalid(
                        change,
                        "a radio does one standard and all before it that the band has, such as a,n,ac",
                    )),
                }
            }
            "Channel" if channels.is_empty() || channels.iter().any(|known| known.to_string() == value) => {
                wireless.set(section, "channel", value);
            }
            "Channel" => faults.push(invalid(change, "not one of PossibleChannels")),
            "AutoChannelEnable" if yes(value) => wireless.set(section, "channel", AUTO),
            "AutoChannelEnable" => match known.channel {
                _ if !is_auto(wireless.get(section, "channel").as_deref()) => {}
                Some(channel) => wireless.set(section, "channel", &channel.to_string()),
                None => faults.push(invalid(change, "the radio has no channel yet: set Channel")),
            },
            "OperatingChannelBandwidth" => {
                let width = value.strip_suffix("MHz").and_then(|width| width.parse().ok());
                let wanted = mode.zip(width).map(|(mode, width)| Mode { width, ..mode });
                let fits = |mode: &Mode| {
                    let most = if band == Some(BandName::Band2) { 40 } else { mode.most() };
                    mode.width <= most && mode.width_name().is_some()
                };
                match wanted.filter(fits) {
                    Some(wanted) if Some(wanted) == mode => {}
                    Some(wanted) => wireless.set(section, "htmode", &wanted.text()),
                    None => {
                        faults.push(invalid(change, "OperatingStandards have no such width in this band"))
                    }
                }
            }
            "TransmitPower" if value == "-1" => wireless.unset(section, "txpower"),
            "TransmitPower" => {
                let step = known.powers().into_iter().find(|(percent, _)| percent.to_string() == value);
                match step {
                    Some((_, dbm)) => wireless.set(section, "txpower", &dbm.to_string()),
                    None => faults.push(invalid(change, "not one of TransmitPowerSupported")),
                }
            }
            "RegulatoryDomain" => match value.strip_suffix(' ').filter(|country| is_country(country)) {
                Some(country) => wireless.set(section, "country", country),
                None => {
                    faults.push(invalid(change, "the rules for inside or outside alone cannot be chosen"))
                }
            },
            _ => match number {
                Some((_, option, usual, least, most)) => match value.parse::<u32>() {
                    Ok(value) if value == usual => wireless.unset(section, option),
                    Ok(value) if (least..=most).contains(&value) => {
                        wireless.set(section, option, &value.to_string());
                    }
                    _ => faults.push(invalid(change, format!("only {least} to {most} can be set"))),
                },
                None => faults.push(not_writable(change)),
            },
        }
    }
    faults
}

/// The mode in which a radio does exactly these standards.
fn with_standards(wanted: &str, band: BandName, section: &Section, now: Option<Mode>) -> Option<Mode> {
    let mut wanted: Vec<&str> = wanted.split(',').collect();
    wanted.sort_unstable();
    let width = now.map_or(20, |mode| mode.width);
    let all = [Newest::Legacy, Newest::Ht, Newest::Vht, Newest::He, Newest::Eht];
    let modes = all.into_iter().map(|standard| {
        let mode = Mode { standard, width };
        Mode { width: width.min(mode.most()), ..mode }
    });
    let does = |mode: &Mode| {
        let mut standards = mode.standards(band, slow(section));
        standards.sort_unstable();
        standards == wanted
    };
    // Where two modes do the same (VHT at 2.4 GHz is no standard), the one that is set stays, else the older one.
    let fitting: Vec<Mode> = modes.filter(does).collect();
    fitting.iter().find(|mode| Some(**mode) == now).or(fitting.first()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_read_and_written_as_netifd_has_them() {
        for text in ["NOHT", "HT20", "HT40", "VHT80", "VHT160", "HE20", "HE160", "EHT320"] {
            assert_eq!(Mode::parse(text).map(Mode::text).as_deref(), Some(text));
        }
        assert_eq!(Mode::parse("HT40+"), Some(Mode { standard: Newest::Ht, width: 40 }));
        for odd in ["", "HT", "HT80", "HE320", "XHT20", "HTé", "HE-20"] {
            assert_eq!(Mode::parse(odd), None, "{odd}");
        }
    }
}
