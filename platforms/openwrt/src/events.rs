//! Tells when something of the box has changed: netifd, the kernel, or somebody who has changed the configuration.

use std::rc::Rc;

use async_trait::async_trait;
use cwmp_linux::NetworkChanges;
use cwmp_platform::Changes;
use cwmp_ubus::{Bus, Events, Subscription};
use cwmp_uci::{UciError, Watch};

use crate::{ground::Ground, software::Services, user_config::PACKAGE};

/// Everything that can tell of a change. What cannot be listened to is left out.
pub(crate) struct BoxChanges {
    /// `network.interface` with ifup and ifdown.
    interfaces: Events,
    kernel: Option<NetworkChanges>,
    configuration: Option<Watch>,
    /// procd, when something starts or stops.
    procd: Subscription,
    /// Orders to init scripts.
    services: Rc<Services>,
}

impl BoxChanges {
    /// Listens from now on.
    pub(crate) fn new(bus: &Bus, ground: &Ground) -> Self {
        let kernel = NetworkChanges::new().inspect_err(|error| {
            tracing::warn!("changes of the network are not noticed at once (netlink): {error}");
        });
        let configuration = ground.uci.watch().inspect_err(|error| {
            tracing::warn!("changes of the configuration are not noticed at once: {error}");
        });
        Self {
            interfaces: bus.events("network.interface"),
            kernel: kernel.ok(),
            configuration: configuration.ok(),
            procd: bus.subscribe("service"),
            services: Rc::clone(&ground.services),
        }
    }
}

#[async_trait(?Send)]
impl Changes for BoxChanges {
    async fn changed(&mut self) {
        let Self { interfaces, kernel, configuration, procd, services } = self;
        let of_kernel = async {
            match kernel {
                Some(kernel) => kernel.changed().await,
                None => std::future::pending().await,
            }
        };
        let of_others = async {
            let Some(watch) = configuration else { return std::future::pending().await };
            loop {
                let mut packages = watch.changed().await?;
                // The agent's settings are no matter of the box, and often its own doing.
                packages.retain(|package| package != PACKAGE);
                if !packages.is_empty() {
                    return Ok::<_, UciError>(packages);
                }
            }
        };
        tokio::select! {
            _ = interfaces.next() => return,
            () = of_kernel => return,
            _ = procd.next() => return,
            () = services.ended.notified() => return,
            changed = of_others => match changed {
                Ok(packages) => {
                    tracing::debug!("somebody has changed {}", packages.join(", "));
                    return;
                }
                Err(error) => {
                    tracing::error!("changes of the configuration are no longer noticed at once: {error}");
                }
            },
        }
        self.configuration = None;
    }
}
