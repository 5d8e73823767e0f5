//! Tells when something of the box has changed: netifd, the kernel, or the configuration.

use async_trait::async_trait;
use cwmp_linux::NetworkChanges;
use cwmp_platform::Changes;
use cwmp_ubus::{Bus, Events};

/// Everything that can tell of a change.
pub(crate) struct BoxChanges {
    /// `network.interface` with ifup and ifdown.
    interfaces: Events,
    /// None where the kernel cannot be listened to.
    kernel: Option<NetworkChanges>,
}

impl BoxChanges {
    /// Listens from now on.
    pub(crate) fn new(bus: &Bus) -> Self {
        let kernel = NetworkChanges::new().inspect_err(|error| {
            tracing::warn!("changes of the network are not noticed at once (netlink): {error}");
        });
        Self { interfaces: bus.events("network.interface"), kernel: kernel.ok() }
    }
}

#[async_trait(?Send)]
impl Changes for BoxChanges {
    async fn changed(&mut self) {
        let kernel = async {
            match &mut self.kernel {
                Some(kernel) => kernel.changed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interfaces.next() => {}
            () = kernel => {}
        }
    }
}
