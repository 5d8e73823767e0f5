//! Radios, networks and clients.

use super::{
    super::kernel::{Band, BandName, Channel, Client, Interface, Radio, Role, Standard, Stats, Width},
    *,
};

fn channels(frequencies: &[u32]) -> Vec<Channel> {
    frequencies.iter().map(|frequency| Channel { frequency: *frequency, max_power: Some(2000) }).collect()
}

fn two_bands() -> Radio {
    let two = Band {
        name: BandName::Band2,
        channels: channels(&[2412, 2437, 2462]),
        rates: vec![10, 55, 110, 60, 540],
        ht: Some(0x19ef),
        vht: None,
        he: Some(0b0010),
        eht: None,
    };
    let five = Band {
        name: BandName::Band5,
        channels: channels(&[5180, 5200]),
        rates: vec![60, 540],
        ht: Some(0x19ef),
        vht: Some(0b0100),
        he: Some(0b1100),
        eht: None,
    };
    Radio {
        index: 0,
        name: "phy0".to_owned(),
        bands: vec![two, five],
        retries: Some(7),
        long_retries: Some(4),
        ..Radio::default()
    }
}

pub(in crate::net) fn access_point(index: u32, name: &str, radio: u32) -> Interface {
    Interface {
        index,
        name: name.to_owned(),
        radio,
        role: Role::AccessPoint,
        mac: Some(format!("02:00:00:00:00:{index:02x}")),
        ssid: Some(b"Home".to_vec()),
        frequency: Some(5180),
        width: Some(Width::Mhz80),
        center: Some(5210),
        power: Some(1700),
        clients: Vec::new(),
        noise: Some(-95),
    }
}

fn client(mac: &str) -> Client {
    Client {
        mac: mac.to_owned(),
        authorized: Some(true),
        signal: Some(-60),
        sent: kernel_rate(Some(7200), Some(Standard::Ax)),
        received: kernel_rate(Some(3000), Some(Standard::Ac)),
        bytes_sent: Some(5 << 32),
        packets_sent: Some(12),
        retries: Some(3),
        associated_at: Some(0),
        ..Client::default()
    }
}

fn kernel_rate(rate: Option<u32>, standard: Option<Standard>) -> super::super::kernel::Rate {
    super::super::kernel::Rate { rate, standard }
}

/// Two radios: one serves a home network on a bridge and one for guests, the other uses a network.
fn wireless_box() -> (FakeRoot, FakeKernel) {
    let root = FakeRoot::new();
    let mut kernel = FakeKernel::default()
        .device(2, "br0", bridge(), None)
        .device(3, "wlan0", LinkKind::Port, Some(2))
        .device(4, "wlan0-1", LinkKind::Port, None)
        .device(5, "wlan1", LinkKind::Port, None)
        .device(6, "mon0", LinkKind::Port, None);
    for link in &mut kernel.links {
        link.stats = Some(Stats { tx_bytes: 100, rx_errors: 1 << 31, ..Stats::default() });
        if link.name != "br0" {
            root.file(&format!("sys/class/net/{}/phy80211/name", link.name), "phy\n");
        }
    }
    root.file("sys/class/ieee80211/phy0/index", "0\n");
    let home = Interface {
        clients: vec![
            client("aa:00:00:00:00:01"),
            Client { mac: "aa:00:00:00:00:02".to_owned(), ..Client::default() },
        ],
        ..access_point(3, "wlan0", 0)
    };
    let guests = Interface { ssid: Some(b"Guests\xff\0".to_vec()), ..access_point(4, "wlan0-1", 0) };
    let uses = Interface {
        role: Role::Station,
        frequency: Some(2437),
        width: Some(Width::Mhz20),
        clients: vec![client("bb:00:00:00:00:01")],
        ..access_point(5, "wlan1", 1)
    };
    let hears = Interface { role: Role::Helper, ..access_point(6, "mon0", 1) };
    kernel.wifi = Wifi {
        radios: vec![two_bands(), Radio { index: 1, name: "phy1".to_owned(), ..two_bands() }],
        interfaces: vec![home, guests, uses, hears],
        country: Some("DE".to_owned()),
    };
    (root, kernel)
}

/// What an object has, as `Name=value` in the order of the names.
fn shown(collected: &Collected, object: &str) -> String {
    let of_object = collected.values.iter().filter_map(|(path, (value, _))| {
        path.strip_prefix(object).filter(|name| !name.contains('.')).map(|name| format!("{name}={value}"))
    });
    of_object.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_wireless_box_shows_its_radios_networks_and_clients() {
    let (root, kernel) = wireless_box();
    let collected = Collected::from(&network(&root, &kernel), &["Device."]).await;
    assert_values_fit(&collected);
    assert_eq!(
        shown(&collected, "Device.WiFi.Radio.1."),
        "Channel=36 ChannelsInUse=36 CurrentOperatingChannelBandwidth=80MHz Enable=true LongRetryLimit=4 \
         LowerLayers= Name=phy0 OperatingFrequencyBand=5GHz PossibleChannels=36,40 RegulatoryDomain=DE  \
         RetryLimit=7 Status=Up SupportedFrequencyBands=2.4GHz,5GHz \
         SupportedOperatingChannelBandwidths=20MHz,40MHz,80MHz,160MHz SupportedStandards=b,g,n,ax,a,ac \
         TransmitPower=50"
    );
    assert_eq!(
        shown(&collected, "Device.WiFi.Radio.1.Stats."),
        "BytesReceived=0 BytesSent=200 DiscardPacketsReceived=0 DiscardPacketsSent=0 ErrorsReceived=0 \
         ErrorsSent=0 Noise=-95 PacketsReceived=0 PacketsSent=0",
        "the sum of both networks; the narrow counter has begun again"
    );
    assert_eq!(
        shown(&collected, "Device.WiFi.SSID.1."),
        "BSSID=02:00:00:00:00:03 Enable=true LowerLayers=Device.WiFi.Radio.1 MACAddress=02:00:00:00:00:03 \
         Name=wlan0 SSID=Home Status=Up"
    );
    assert_eq!(collected.value("Device.WiFi.SSID.1.Stats.BytesSent"), Some("100"));
    assert_eq!(collected.value("Device.WiFi.SSID.2.SSID"), Some("Guests\u{fffd}"));
    assert_eq!(collected.value("Device.WiFi.SSID.3.BSSID"), Some("bb:00:00:00:00:01"));
    assert_eq!(collected.value("Device.WiFi.SSID.4.Name"), None, "what only listens is no network");
    assert_eq!(
        shown(&collected, "Device.WiFi.AccessPoint.1."),
        "Enable=true SSIDReference=Device.WiFi.SSID.1 Status=Enabled"
    );
    let associated = collected.value("Device.WiFi.AccessPoint.1.AssociatedDevice.1.AssociationTime").unwrap();
    assert!(associated.starts_with("2026-"), "{associated}");
    assert_eq!(
        shown(&collected, "Device.WiFi.AccessPoint.1.AssociatedDevice.1.")
            .replace(&format!("AssociationTime={associated} "), ""),
        "Active=true AuthenticationState=true LastDataDownlinkRate=720000 LastDataUplinkRate=300000 \
         MACAddress=aa:00:00:00:00:01 Noise=-95 OperatingStandard=ax SignalStrength=-60"
    );
    assert_eq!(
        shown(&collected, "Device.WiFi.AccessPoint.1.AssociatedDevice.1.Stats."),
        "BytesSent=21474836480 PacketsSent=12 RetransCount=3"
    );
    assert_eq!(
        shown(&collected, "Device.WiFi.AccessPoint.1.AssociatedDevice.2."),
        "Active=true MACAddress=aa:00:00:00:00:02 Noise=-95"
    );
    assert_eq!(
        shown(&collected, "Device.WiFi.EndPoint.1."),
        "Enable=true ProfileReference= SSIDReference=Device.WiFi.SSID.3 Status=Enabled"
    );
    assert_eq!(
        shown(&collected, "Device.WiFi.EndPoint.1.Stats."),
        "LastDataDownlinkRate=300000 SignalStrength=-60",
        "what is faster than the model allows is left out"
    );
}

#[tokio::test]
async fn networks_lie_on_radios_and_under_links_and_bridge_ports() {
    let (root, kernel) = wireless_box();
    let collected = Collected::from(&network(&root, &kernel), &[""]).await;
    let stack: Vec<String> = (1..)
        .map_while(|row| {
            let layer = |name: &str| collected.value(&format!("Device.InterfaceStack.{row}.{name}"));
            Some(format!("{} {}", layer("HigherLayer")?, layer("LowerLayer")?).replace("Device.", ""))
        })
        .collect();
    let name = |path: &str| collected.value(&format!("Device.{path}.Name")).unwrap_or_default();
    assert_eq!([name("WiFi.SSID.1"), name("WiFi.SSID.2")], ["wlan0", "wlan0-1"]);
    for pair in [
        "Bridging.Bridge.1.Port.2 WiFi.SSID.1",
        "Ethernet.Link.2 WiFi.SSID.2",
        "IP.Interface.2 Ethernet.Link.2",
        "WiFi.SSID.1 WiFi.Radio.1",
        "WiFi.SSID.2 WiFi.Radio.1",
        "WiFi.SSID.3 WiFi.Radio.2",
    ] {
        assert!(stack.iter().any(|found| found == pair), "{pair} is not in {stack:#?}");
    }
    assert_eq!(collected.value("Device.Ethernet.Interface.1.Name"), None);
}

#[tokio::test]
async fn a_host_behind_a_radio_names_it() {
    let (root, mut kernel) = wireless_box();
    kernel = kernel.neighbour(2, "10.0.0.7", "aa:00:00:00:00:01", 0);
    kernel.stations.push(Station { index: 3, mac: "aa:00:00:00:00:01".to_owned() });
    let collected = Collected::from(&network(&root, &kernel), &["Device.Hosts."]).await;
    assert_eq!(collected.value("Device.Hosts.Host.1.Layer1Interface"), Some("Device.WiFi.Radio.1"));
}

#[tokio::test]
async fn clients_are_asked_for_only_where_they_are_wanted() {
    let (root, kernel) = wireless_box();
    let network = network(&root, &kernel);
    Collected::from(&network, &["Device.WiFi.SSID.1.SSID"]).await;
    assert_eq!(kernel.asked(), "links 1, routes 1, wifi in detail 1");
    Collected::from(&network, &["Device.InterfaceStack."]).await;
    assert_eq!(kernel.asked(), "links 1, wifi 1");
}

#[tokio::test]
async fn a_box_without_radios_has_empty_tables_and_asks_nothing() {
    let kernel = FakeKernel::default().device(2, "eth0", LinkKind::Port, None);
    let collected = Collected::from(&network(&FakeRoot::new(), &kernel), &["Device.WiFi."]).await;
    assert_eq!(kernel.asked(), "links 1, routes 1");
    assert!(!collected.values.keys().any(|path| path.starts_with("Device.WiFi.")));
    let tables: Vec<&str> = collected
        .objects
        .iter()
        .map(|(path, _)| path.as_str())
        .filter(|path| path.starts_with("Device.WiFi."))
        .collect();
    assert_eq!(
        tables,
        ["Device.WiFi.Radio.", "Device.WiFi.SSID.", "Device.WiFi.AccessPoint.", "Device.WiFi.EndPoint."]
    );
}

#[tokio::test]
async fn clients_have_an_end_and_keep_their_numbers() {
    let (root, mut kernel) = wireless_box();
    kernel.wifi.interfaces[0].clients =
        (0..1000).map(|n| client(&format!("aa:00:00:00:{:02x}:{:02x}", n / 256, n % 256))).collect();
    let network = network(&root, &kernel);
    let many = Collected::from(&network, &["Device.WiFi."]).await;
    let row = |n: u32| format!("Device.WiFi.AccessPoint.1.AssociatedDevice.{n}.MACAddress");
    assert_eq!(many.value(&row(256)), Some("aa:00:00:00:00:ff"));
    assert_eq!(many.value(&row(257)), None);
    kernel.wifi.interfaces[0].clients.drain(..5);
    kernel.wifi.interfaces[0].clients.truncate(20);
    let network = Network { kernel: Box::new(kernel.clone()), ..network };
    let fewer = Collected::from(&network, &["Device.WiFi."]).await;
    assert_eq!((fewer.value(&row(1)), fewer.value(&row(6))), (None, Some("aa:00:00:00:00:05")));
}
