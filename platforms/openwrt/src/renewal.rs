//! Has the DHCP clients of the uplink ask their servers again.

use std::rc::Rc;

use cwmp_platform::PlatformError;
use cwmp_ubus::Table;

use crate::{ground::Ground, network::Interface, survey::Survey};

/// Protocols of netifd whose clients tell what DHCP servers say.
const CLIENTS: [&str; 2] = ["dhcp", "dhcpv6"];

impl Ground {
    /// Both versions of IP may be interfaces of their own on one device: all clients on the uplink's device are asked.
    pub(crate) async fn renew_dhcp(self: &Rc<Self>) -> Result<(), PlatformError> {
        let failed = |error: &dyn std::fmt::Display| PlatformError::Failed(error.to_string());
        let survey = Survey::new(Rc::clone(self));
        let network = survey.network().await.map_err(|error| failed(&error))?;
        let uplink = network.uplink(&survey).await.map_err(|error| failed(&error))?;
        let nothing = PlatformError::Unsupported("ask for the ACS by DHCP: its uplink has no DHCP client");
        let Some(uplink) = uplink else { return Err(nothing) };
        let of_uplink = |one: &&Interface| {
            one.name == uplink.name || (one.device.is_some() && one.device == uplink.device)
        };
        let states = network.interfaces().iter().filter(of_uplink).flat_map(|one| network.states(one));
        let clients = states.filter(|state| state.str("proto").is_some_and(|proto| CLIENTS.contains(&proto)));
        let names: Vec<&str> = clients.filter_map(|state| state.str("interface")).collect();
        if names.is_empty() {
            return Err(nothing);
        }
        for name in names {
            let called = self.bus.call(&format!("network.interface.{name}"), "renew", &Table::new()).await;
            called.map_err(|error| failed(&error))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::lan_and_wan;

    #[tokio::test]
    async fn the_clients_on_the_device_of_the_uplink_are_asked() {
        let fake = lan_and_wan();
        for client in ["wan6", "wan_6"] {
            fake.bus.answer(&format!("network.interface.{client}"), "renew", json!({}));
        }
        fake.ground.renew_dhcp().await.unwrap();
        let asked = fake.bus.asked();
        let renewed: Vec<&str> =
            asked.iter().filter(|call| call.ends_with(" renew")).map(String::as_str).collect();
        assert_eq!(renewed, ["network.interface.wan6 renew", "network.interface.wan_6 renew"]);
    }

    #[tokio::test]
    async fn an_uplink_without_a_client_is_no_failure() {
        let fake = lan_and_wan();
        let dump = json!({"interface": [
            {"interface": "wan", "up": true, "proto": "static", "l3_device": "eth0", "device": "eth0",
             "route": [{"target": "0.0.0.0", "mask": 0, "nexthop": "198.51.100.1"}]},
        ]});
        fake.bus.answer("network.interface", "dump", dump);
        fake.ground.forget();
        let error = fake.ground.renew_dhcp().await.unwrap_err();
        assert!(matches!(error, PlatformError::Unsupported(_)), "{error}");
        fake.bus.fail("network.interface", "dump", cwmp_ubus::BusError::Disconnected("the bus".to_owned()));
        let error = fake.ground.renew_dhcp().await.unwrap_err();
        assert!(matches!(error, PlatformError::Failed(_)), "{error}");
    }
}
