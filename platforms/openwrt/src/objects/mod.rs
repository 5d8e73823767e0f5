//! The objects of the tree, one module each. How to add one: see the crate's first page.

use std::rc::Rc;

pub(crate) use nat::{FIREWALL, lease::run as end_mappings};

use crate::part::Parts;

mod bridging;
mod dhcpv4_client;
mod dhcpv4_hosts;
mod dhcpv4_pool;
mod dhcpv6_client;
mod dhcpv6_server;
mod dns;
mod ethernet;
mod firewall;
mod hosts;
mod ip;
mod nat;
mod ppp;
mod router_advertisement;
mod routing;
mod stack;
mod time;
mod wifi;

/// All of them.
pub(crate) fn parts() -> Parts {
    vec![
        Rc::new(time::Time),
        Rc::new(ip::Ip),
        Rc::new(ppp::Ppp),
        Rc::new(ethernet::Ethernet),
        Rc::new(bridging::Bridging),
        Rc::new(stack::Stack),
        Rc::new(routing::Routing),
        Rc::new(nat::Nat),
        Rc::new(firewall::Firewall),
        Rc::new(dhcpv4_pool::Pool),
        Rc::new(wifi::Wifi),
        Rc::new(dhcpv4_hosts::Hosts),
        Rc::new(hosts::Hosts),
        Rc::new(dhcpv4_client::Client),
        Rc::new(dhcpv6_client::Client),
        Rc::new(dhcpv6_server::Server),
        Rc::new(router_advertisement::RouterAdvertisement),
        Rc::new(dns::Dns),
    ]
}
