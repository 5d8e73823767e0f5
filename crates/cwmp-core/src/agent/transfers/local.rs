//! Transfers that somebody on the box asks for.

use serde::{Deserialize, Serialize};

use super::calls::Order;
use crate::{
    agent::Agent,
    fault::{CwmpFault, FaultCode},
    io::Level,
    job::DownloadType,
    rpc::CommandKey,
    time::Now,
    transfer::{Origin, What, When},
    wait::Wait,
};

/// A transfer that the ACS has not asked for: `cwmpd download`, `cwmpd upload`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalTransfer {
    /// Whether it goes to the box.
    pub download: bool,
    /// FileType as in the call of the ACS.
    pub file_type: String,
    /// The file server's URL.
    pub url: String,
    /// Username for the file server; empty for none.
    pub username: String,
    /// Password for the file server.
    pub password: String,
    /// TargetFileName of a download.
    pub target_file_name: String,
}

impl std::fmt::Debug for LocalTransfer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = if self.download { "download" } else { "upload" };
        write!(f, "{what} {:?} {:?}", self.file_type, self.url)
    }
}

impl Agent {
    /// Whether such a transfer can be queued.
    ///
    /// # Errors
    /// The fault that the ACS would get for the same call; 9001 for firmware while the ACS alone may upgrade the box
    /// (TR-181 ManagementServer.UpgradesManaged).
    pub fn judge_local_transfer(&self, order: &LocalTransfer) -> Result<(), CwmpFault> {
        self.file_url(&order.url)?;
        self.what(order).map(|_| ())
    }

    fn what(&self, order: &LocalTransfer) -> Result<What, CwmpFault> {
        if !order.download {
            return self.upload_of(order.file_type.clone());
        }
        let what = self.download_of(&order.file_type, 0, order.target_file_name.clone())?;
        let firmware = matches!(
            &what,
            What::Download { file_type: DownloadType::Firmware | DownloadType::StoredFirmware, .. }
        );
        if firmware && self.settings.upgrades_managed {
            let text = "the ACS alone may upgrade this box (ManagementServer.UpgradesManaged)";
            return Err(CwmpFault::new(FaultCode::REQUEST_DENIED, text));
        }
        Ok(what)
    }

    pub(in crate::agent) fn local_transfer(&mut self, order: LocalTransfer, now: Now) {
        let queued = self.what(&order).and_then(|what| {
            self.queue(Order {
                origin: Origin::Local,
                command_key: CommandKey::default(),
                what,
                url: order.url,
                username: order.username,
                password: order.password,
                when: When::After(Wait::new(0, now)),
            })
        });
        match queued {
            Ok(_) => {
                self.persist_changes();
            }
            Err(fault) => {
                self.trace(Level::Warning, format!("a transfer asked for on the box is refused: {fault}"))
            }
        }
    }

    /// Somebody on the box agrees to scheduled downloads that need it.
    pub(in crate::agent) fn confirm_downloads(&mut self, key: &CommandKey, now: Now) {
        let mut found = false;
        for transfer in &mut self.state.transfers {
            if let When::Within(windows) = &mut transfer.when
                && transfer.command_key == *key
                && windows.asks(now).is_some()
            {
                windows.confirmed = true;
                found = true;
            }
        }
        if found {
            self.persist_changes();
        } else {
            self.trace(Level::Warning, format!("no download `{}` waits for a confirmation", key.as_str()));
        }
    }
}
