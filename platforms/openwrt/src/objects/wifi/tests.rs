use cwmp_core::{fault::FaultCode, rpc::Status};
use cwmp_linux::kernel::{Band, BandName, Channel, Radio as KernelRadio, Role, Width};
use cwmp_platform::source::ParameterSource;
use serde_json::json;

use super::*;
use crate::testing::{Fake, assert_valid, change, values};

const FILE: &str = "
config wifi-device 'radio0'
\toption type 'mac80211'
\toption band '5g'
\toption channel '36'
\toption htmode 'HE80'
\toption country 'DE'
\toption txpower '20'

config wifi-iface 'home'
\toption device 'radio0'
\toption network 'lan'
\toption mode 'ap'
\toption ssid 'Example Home'
\toption encryption 'sae-mixed'
\toption key 'correct horse battery'

config wifi-iface 'guest'
\toption device 'radio0'
\toption network 'guest'
\toption mode 'ap'
\toption ssid 'Example Guest'
\toption encryption 'psk2+ccmp'
\toption key 'welcome-visitors'
\toption isolate '1'
\toption maxassoc '16'
\toption disabled '1'

config wifi-iface 'uplink'
\toption device 'radio0'
\toption mode 'sta'

";

fn fake() -> Fake {
    let fake = Fake::new();
    fake.uci("wireless", FILE);
    fake.bus.answer(
        "network.wireless",
        "status",
        json!({"radio0": {"up": true, "pending": false, "disabled": false, "retry_setup_failed": false,
            "interfaces": [{"section": "home", "ifname": "phy0-ap0"}]}}),
    );
    fake.bus.answer(
        "hostapd.phy0-ap0",
        "get_status",
        json!({"status": "ENABLED", "bssid": "00:00:5e:00:53:20", "ssid": "Example Home", "freq": 5180, "channel": 36}),
    );
    fake.bus.answer(
        "hostapd.phy0-ap0",
        "get_clients",
        json!({"freq": 5180, "clients": {"02:00:5E:10:00:07": {"auth": true, "assoc": true, "authorized": true,
            "ht": true, "vht": true, "he": true, "signal": -47, "bytes": {"rx": 700, "tx": 9000},
            "packets": {"rx": 7, "tx": 90}, "rate": {"rx": 6000, "tx": 24000}}}}),
    );
    fake.kernel.device(7, "phy0-ap0");
    let channel = |frequency| Channel { frequency, max_power: Some(2300) };
    *fake.kernel.wifi.borrow_mut() = Kernel {
        radios: vec![KernelRadio {
            name: "phy0".to_owned(),
            bands: vec![Band {
                name: BandName::Band5,
                channels: [5180, 5200, 5220].map(channel).to_vec(),
                rates: vec![60, 120],
                ht: Some(2),
                vht: Some(0),
                he: Some(4),
                eht: None,
            }],
            ..KernelRadio::default()
        }],
        interfaces: vec![Interface {
            index: 7,
            name: "phy0-ap0".to_owned(),
            radio: 0,
            role: Role::AccessPoint,
            mac: None,
            ssid: None,
            frequency: Some(5180),
            width: Some(Width::Mhz80),
            center: Some(5210),
            power: Some(2000),
            clients: Vec::new(),
            noise: Some(-92),
        }],
        country: Some("DE".to_owned()),
    };
    fake
}

const HOME: &str = "Device.WiFi.SSID.1.";
const POINT: &str = "Device.WiFi.AccessPoint.1.";

/// Applies changes that must be taken; gives the file.
async fn set(fake: &Fake, source: &dyn ParameterSource, changes: &[(&str, &str)]) -> String {
    let changes: Vec<Change> = changes.iter().map(|(name, value)| change(name, value)).collect();
    assert_eq!(source.check(&changes).await, []);
    assert_eq!(source.apply(&changes).await, Ok(Status::Committed));
    fake.file("wireless")
}

/// The names of changes that are refused with 9007.
async fn refused(source: &dyn ParameterSource, changes: &[(&str, &str)]) -> Vec<String> {
    let changes: Vec<Change> = changes.iter().map(|(name, value)| change(name, value)).collect();
    let faults = source.check(&changes).await;
    assert!(faults.iter().all(|fault| fault.code == FaultCode::INVALID_PARAMETER_VALUE), "{faults:?}");
    faults.into_iter().map(|fault| fault.name).collect()
}

#[tokio::test]
async fn all_of_a_radio_and_its_networks_is_told() {
    let fake = fake();
    let source = fake.source_of(Wifi);
    assert_eq!(
        values(&source, "Device.WiFi.Radio.1.").await,
        "AutoChannelEnable=false\nAutoChannelSupported=true\nBeaconPeriod=100\nChannel=36\nChannelsInUse=36\n\
         CurrentOperatingChannelBandwidth=80MHz\nEnable=true\nFragmentationThreshold=2346\nLowerLayers=\nName=radio0\n\
         OperatingChannelBandwidth=80MHz\nOperatingFrequencyBand=5GHz\nOperatingStandards=a,n,ac,ax\n\
         PossibleChannels=36,40,44\nRTSThreshold=2347\nRegulatoryDomain=DE \nStats.BytesReceived=1000\n\
         Stats.BytesSent=2000\nStats.DiscardPacketsReceived=0\nStats.DiscardPacketsSent=0\nStats.ErrorsReceived=0\n\
         Stats.ErrorsSent=0\nStats.Noise=-92\nStats.PacketsReceived=0\nStats.PacketsSent=0\nStatus=Up\n\
         SupportedFrequencyBands=5GHz\nSupportedOperatingChannelBandwidths=20MHz,40MHz,80MHz\n\
         SupportedStandards=a,n,ac,ax\nTransmitPower=50\n\
         TransmitPowerSupported=100,79,63,50,40,32,25,20,16,13,10,8,6,5,4,3,2,1,-1\nUpstream=false\n"
    );
    assert_eq!(
        values(&source, HOME).await,
        "BSSID=00:00:5e:00:53:20\nEnable=true\nLowerLayers=Device.WiFi.Radio.1\nMACAddress=00:00:5e:00:53:20\n\
         Name=home\nSSID=Example Home\nStats.BytesReceived=1000\nStats.BytesSent=2000\n\
         Stats.DiscardPacketsReceived=0\nStats.DiscardPacketsSent=0\nStats.ErrorsReceived=0\nStats.ErrorsSent=0\n\
         Stats.MulticastPacketsReceived=0\nStats.PacketsReceived=0\nStats.PacketsSent=0\nStatus=Up\nUpstream=false\n"
    );
    let modes = "None,OWE,WPA2-Personal,WPA-WPA2-Personal,WPA3-Personal,WPA3-Personal-Transition";
    assert_eq!(
        values(&source, POINT).await,
        format!(
            "AllowedMACAddress=\nAssociatedDevice.1.Active=true\nAssociatedDevice.1.AuthenticationState=true\n\
             AssociatedDevice.1.LastDataDownlinkRate=24000\nAssociatedDevice.1.LastDataUplinkRate=6000\n\
             AssociatedDevice.1.MACAddress=02:00:5e:10:00:07\nAssociatedDevice.1.Noise=-92\n\
             AssociatedDevice.1.OperatingStandard=ax\nAssociatedDevice.1.SignalStrength=-47\n\
             AssociatedDevice.1.Stats.BytesReceived=700\nAssociatedDevice.1.Stats.BytesSent=9000\n\
             AssociatedDevice.1.Stats.PacketsReceived=7\nAssociatedDevice.1.Stats.PacketsSent=90\nEnable=true\n\
             IsolationEnable=false\nMACAddressControlEnabled=false\nMaxAllowedAssociations=0\n\
             SSIDAdvertisementEnabled=true\nSSIDReference=Device.WiFi.SSID.1\nSecurity.KeyPassphrase=\n\
             Security.MFPConfig=Optional\nSecurity.ModeEnabled=WPA3-Personal-Transition\n\
             Security.ModesSupported={modes}\nSecurity.PreSharedKey=\nSecurity.RadiusSecret=\n\
             Security.RadiusServerIPAddr=\nSecurity.RadiusServerPort=1812\nSecurity.RekeyingInterval=86400\n\
             Security.SAEPassphrase=\nStatus=Enabled\nWMMCapability=true\nWMMEnable=true\n"
        )
    );
    let guest = values(&source, "Device.WiFi.AccessPoint.2.").await;
    assert!(guest.contains("Enable=false\n") && guest.contains("Status=Disabled\n"), "{guest}");
    assert!(guest.contains("Security.ModeEnabled=WPA2-Personal\n"), "{guest}");
    // A section that uses another's network is no row.
    assert_eq!(values(&source, "Device.WiFi.SSID.3.").await, "");
    assert_valid(&source).await;
    // Nothing of the keys comes out.
    assert!(!values(&source, "Device.").await.contains("horse"));
}

#[tokio::test]
async fn a_radio_is_set() {
    let fake = fake();
    let source = fake.source_of(Wifi);
    values(&source, "Device.").await;
    let radio = |name: &str| format!("Device.WiFi.Radio.1.{name}");
    let changes = [
        ("Channel", "44"),
        ("OperatingStandards", "n,a,ac"),
        ("OperatingChannelBandwidth", "40MHz"),
        ("TransmitPower", "100"),
        ("RegulatoryDomain", "AT "),
        ("BeaconPeriod", "200"),
        ("RTSThreshold", "500"),
        ("FragmentationThreshold", "1000"),
        ("Enable", "false"),
    ];
    let changes = changes.map(|(name, value)| (radio(name), value));
    let changes: Vec<(&str, &str)> = changes.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    fake.bus.asked();
    let file = set(&fake, &source, &changes).await;
    let radio0 = "
config wifi-device 'radio0'
\toption type 'mac80211'
\toption band '5g'
\toption channel '44'
\toption htmode 'VHT40'
\toption country 'AT'
\toption txpower '23'
\toption beacon_int '200'
\toption rts '500'
\toption frag '1000'
\toption disabled '1'
";
    let (own, others) = FILE.split_once("\nconfig wifi-iface").unwrap();
    let (new, same) = file.split_once("\nconfig wifi-iface").unwrap();
    assert!(own.contains("'HE80'"));
    assert_eq!(same, others);
    assert_eq!(sorted(new), sorted(radio0));
    let told = fake.bus.asked();
    let event = r#"service event {"data":{"package":"wireless"},"type":"config.change"}"#;
    assert_eq!(told.last().map(String::as_str), Some(event));
    let file =
        set(&fake, &source, &[(&radio("AutoChannelEnable"), "true"), (&radio("TransmitPower"), "-1")]).await;
    assert!(file.contains("option channel 'auto'") && !file.contains("txpower"), "{file}");
    // The channel in use becomes the one that is set.
    let file = set(&fake, &source, &[(&radio("AutoChannelEnable"), "false")]).await;
    assert!(file.contains("option channel '36'"), "{file}");
    for (name, value) in [
        ("Channel", "13"),
        ("OperatingStandards", "ax"),
        ("OperatingStandards", "b,g,n"),
        ("OperatingChannelBandwidth", "320MHz-1"),
        ("TransmitPower", "51"),
        ("RegulatoryDomain", "DEI"),
        ("BeaconPeriod", "3"),
        ("RTSThreshold", "2400"),
        ("OperatingFrequencyBand", "2.4GHz"),
    ] {
        assert_eq!(refused(&source, &[(&radio(name), value)]).await, [radio(name)], "{name} {value}");
    }
    assert_eq!(source.check(&[change(&radio("Status"), "Up")]).await[0].code, FaultCode::NOT_WRITABLE);
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[tokio::test]
async fn a_network_and_its_access_point_are_set() {
    let fake = fake();
    let source = fake.source_of(Wifi);
    values(&source, "Device.").await;
    let changes = [
        ("Device.WiFi.SSID.1.SSID", "Elsewhere"),
        ("Device.WiFi.AccessPoint.1.SSIDAdvertisementEnabled", "false"),
        ("Device.WiFi.AccessPoint.1.WMMEnable", "false"),
        ("Device.WiFi.AccessPoint.1.IsolationEnable", "true"),
        ("Device.WiFi.AccessPoint.1.MACAddressControlEnabled", "true"),
        ("Device.WiFi.AccessPoint.1.AllowedMACAddress", "02:00:5e:10:00:07,02:00:5e:10:00:08"),
        ("Device.WiFi.AccessPoint.1.MaxAllowedAssociations", "20"),
        ("Device.WiFi.AccessPoint.1.Security.ModeEnabled", "WPA3-Personal"),
        ("Device.WiFi.AccessPoint.1.Security.KeyPassphrase", "another horse"),
        ("Device.WiFi.AccessPoint.1.Security.SAEPassphrase", "another horse"),
        ("Device.WiFi.AccessPoint.1.Security.RekeyingInterval", "3600"),
        ("Device.WiFi.AccessPoint.1.Security.RadiusServerIPAddr", "192.0.2.9"),
        ("Device.WiFi.AccessPoint.1.Security.RadiusServerPort", "1645"),
        ("Device.WiFi.AccessPoint.1.Security.RadiusSecret", "s3cret"),
        ("Device.WiFi.AccessPoint.2.Enable", "true"),
        ("Device.WiFi.SSID.2.Enable", "true"),
    ];
    let file = set(&fake, &source, &changes).await;
    let home = "\
\toption device 'radio0'
\toption network 'lan'
\toption mode 'ap'
\toption ssid 'Elsewhere'
\toption encryption 'sae'
\toption key 'another horse'
\toption hidden '1'
\toption wmm '0'
\toption isolate '1'
\toption macfilter 'allow'
\tlist maclist '02:00:5e:10:00:07'
\tlist maclist '02:00:5e:10:00:08'
\toption maxassoc '20'
\toption wpa_group_rekey '3600'
\toption auth_server '192.0.2.9'
\toption auth_port '1645'
\toption auth_secret 's3cret'
";
    let (_, after) = file.split_once("config wifi-iface 'home'\n").unwrap();
    let (options, _) = after.split_once("\nconfig wifi-iface 'guest'").unwrap();
    assert_eq!(sorted(options), sorted(home));
    assert!(!file.contains("disabled"), "{file}");
    // A server is there now: what needs it is offered.
    let modes = values(&source, "Device.WiFi.AccessPoint.1.Security.ModesSupported").await;
    assert!(modes.contains("WPA2-Enterprise"), "{modes}");
    let file =
        set(&fake, &source, &[("Device.WiFi.AccessPoint.1.Security.ModeEnabled", "WPA2-Enterprise")]).await;
    assert!(file.contains("option encryption 'wpa2'"), "{file}");
    // A mode that is set already keeps its ciphers.
    let modes = [("Device.WiFi.AccessPoint.2.Security.ModeEnabled", "WPA2-Personal")];
    let modes = modes.map(|(name, value)| change(name, value));
    assert_eq!(source.apply(&modes).await, Ok(Status::Applied));
    assert!(fake.file("wireless").contains("'psk2+ccmp'"));
    let psk = "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF";
    let file = set(
        &fake,
        &source,
        &[
            ("Device.WiFi.AccessPoint.2.Security.PreSharedKey", psk),
            ("Device.WiFi.AccessPoint.2.Security.MFPConfig", "Required"),
        ],
    )
    .await;
    assert!(file.contains(psk) && file.contains("option ieee80211w '2'"), "{file}");
}

#[tokio::test]
async fn what_would_not_work_is_refused() {
    let fake = fake();
    let source = fake.source_of(Wifi);
    values(&source, "Device.").await;
    for (name, value) in [
        ("Device.WiFi.SSID.1.SSID", ""),
        ("Device.WiFi.SSID.1.SSID", "éééééééééééééééééé"),
        ("Device.WiFi.SSID.1.LowerLayers", "Device.WiFi.Radio.9"),
        ("Device.WiFi.AccessPoint.1.MaxAllowedAssociations", "3000"),
        ("Device.WiFi.AccessPoint.1.Security.ModeEnabled", "WPA2-Enterprise"),
        ("Device.WiFi.AccessPoint.1.Security.ModeEnabled", "WEP-64"),
        ("Device.WiFi.AccessPoint.1.Security.KeyPassphrase", "pässword"),
        ("Device.WiFi.AccessPoint.1.Security.PreSharedKey", "00"),
        ("Device.WiFi.AccessPoint.1.Security.RadiusServerPort", "0"),
    ] {
        assert_eq!(refused(&source, &[(name, value)]).await, [name], "{value}");
    }
    let different = [
        ("Device.WiFi.AccessPoint.1.Security.KeyPassphrase", "one passphrase"),
        ("Device.WiFi.AccessPoint.1.Security.SAEPassphrase", "another passphrase"),
    ];
    assert_eq!(refused(&source, &different).await, [different[1].0]);
    let switches = [("Device.WiFi.SSID.1.Enable", "true"), ("Device.WiFi.AccessPoint.1.Enable", "false")];
    assert_eq!(refused(&source, &switches).await, [switches[1].0]);
    let unprotected = [
        ("Device.WiFi.AccessPoint.1.Security.ModeEnabled", "WPA3-Personal"),
        ("Device.WiFi.AccessPoint.1.Security.MFPConfig", "Optional"),
    ];
    assert_eq!(refused(&source, &unprotected).await, [unprotected[1].0]);
    for name in ["SSID.9.SSID", "AccessPoint.1.SSIDReference", "Radio.7.Enable"] {
        let faults = source.check(&[change(&format!("Device.WiFi.{name}"), "x")]).await;
        assert_eq!(faults[0].code, FaultCode::NOT_WRITABLE, "{name}");
    }
    assert_eq!(fake.file("wireless"), FILE);
    // A list of those that are refused does not turn into one of those that are let in.
    let denying =
        FILE.replace("option isolate '1'", "option macfilter 'deny'\n\tlist maclist '02:00:5e:10:00:07'");
    fake.uci("wireless", &denying);
    let guest = values(&source, "Device.WiFi.AccessPoint.2.").await;
    assert!(
        guest.contains("AllowedMACAddress=\n") && guest.contains("MACAddressControlEnabled=false"),
        "{guest}"
    );
    let name = "Device.WiFi.AccessPoint.2.MACAddressControlEnabled";
    assert_eq!(refused(&source, &[(name, "true")]).await, [name]);
}

#[tokio::test]
async fn a_network_is_added_and_deleted() {
    let fake = fake();
    let source = fake.source_of(Wifi);
    values(&source, "Device.").await;
    let (number, status) = source.add(SSIDS, &[]).await.unwrap();
    assert_eq!((number, status), (3, Status::Committed));
    let added =
        format!("{FILE}config wifi-iface 'cwmp_ssid_3'\n\toption mode 'ap'\n\toption disabled '1'\n\n");
    assert_eq!(fake.file("wireless"), added);
    let new = values(&source, "Device.WiFi.SSID.3.").await;
    assert_eq!(
        new,
        "BSSID=\nEnable=false\nLowerLayers=\nMACAddress=\nName=cwmp_ssid_3\nSSID=\nStatus=Down\nUpstream=false\n"
    );
    let point = values(&source, "Device.WiFi.AccessPoint.3.").await;
    assert!(point.contains("SSIDReference=Device.WiFi.SSID.3\n"), "{point}");
    let no_key = "Device.WiFi.AccessPoint.3.Security.ModeEnabled";
    assert_eq!(refused(&source, &[(no_key, "WPA2-Personal")]).await, [no_key]);
    let changes = [
        ("Device.WiFi.SSID.3.SSID", "Third"),
        ("Device.WiFi.SSID.3.LowerLayers", "Device.WiFi.Radio.1."),
        ("Device.WiFi.SSID.3.Enable", "true"),
        ("Device.WiFi.AccessPoint.3.Security.ModeEnabled", "WPA2-Personal"),
        ("Device.WiFi.AccessPoint.3.Security.KeyPassphrase", "12345678"),
    ];
    let file = set(&fake, &source, &changes).await;
    let (_, third) = file.split_once("'cwmp_ssid_3'\n").unwrap();
    let expected = "\toption mode 'ap'\n\toption ssid 'Third'\n\toption device 'radio0'\n\
                    \toption key '12345678'\n\toption encryption 'psk2'\n";
    assert_eq!(sorted(third.trim_end()), sorted(expected));
    source.delete("Device.WiFi.SSID.3.", &[]).await.unwrap();
    assert_eq!(fake.file("wireless"), FILE);
    assert_eq!(values(&source, "Device.WiFi.AccessPoint.3.").await, "");
    for gone in ["Device.WiFi.SSID.3.", "Device.WiFi.AccessPoint.1."] {
        let fault = source.delete(gone, &[]).await.unwrap_err();
        assert_eq!(fault.code, FaultCode::INVALID_PARAMETER_NAME);
    }
    assert!(source.add(RADIOS, &[]).await.is_err() && source.add(ACCESS_POINTS, &[]).await.is_err());
}

#[tokio::test]
async fn a_box_without_radios_asks_nobody() {
    let fake = Fake::new();
    let source = fake.source_of(Wifi);
    values(&source, "Device.").await;
    assert_eq!(fake.bus.asked(), [""; 0]);
    // netifd is away, or the radio is.
    fake.uci("wireless", FILE);
    assert!(values(&source, "Device.WiFi.Radio.1.").await.contains("Status=Unknown\n"));
    fake.bus.answer("network.wireless", "status", json!({}));
    fake.ground.forget();
    assert!(values(&source, "Device.WiFi.Radio.1.").await.contains("Status=NotPresent\n"));
    assert!(values(&source, HOME).await.contains("Status=Down\n"));
}
