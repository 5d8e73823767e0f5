//! Packages as they were before a change, to the letter: what the program's journal keeps of it, and what puts it back after a
//! power cut or when the ACS is not reached any more. rpcd's own snapshot lies in memory and is gone with a restart.
//!
//! A whole package comes back: what somebody else has changed in it meanwhile is undone with the change, as with rpcd.

use std::collections::BTreeMap;

use cwmp_platform::source::SourceError;
use cwmp_uci::{Committed, UciError};
use serde::{Deserialize, Serialize};

use crate::{edits::reload, ground::Ground};

/// Packages with their content. Holds secrets.
#[derive(Deserialize, Serialize)]
#[serde(transparent)]
pub(crate) struct Image(BTreeMap<String, Content>);

/// A file.
#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    /// One that is no UTF-8.
    Bytes(Vec<u8>),
}

impl Image {
    /// Of these packages, as they are now; one that is not there is left out: nothing can be written to it.
    ///
    /// # Errors
    /// What cannot be read.
    pub(crate) async fn of(ground: &Ground, packages: Vec<String>) -> Result<String, SourceError> {
        let uci = ground.uci.clone();
        let read = tokio::task::spawn_blocking(move || {
            let mut image = BTreeMap::new();
            for package in packages {
                // No edits: what was read under the lock, and nothing written.
                match uci.commit(&package, &[]) {
                    Ok(Committed { before, .. }) => image.insert(package, before.into()),
                    Err(UciError::Missing { .. }) => None,
                    Err(error) => return Err(SourceError::new(error.to_string())),
                };
            }
            Ok(Self(image))
        });
        let image = read.await.map_err(|error| SourceError::new(format!("reading broke off: {error}")))??;
        serde_json::to_string(&image)
            .map_err(|error| SourceError::new(format!("cannot keep an image: {error}")))
    }

    /// Puts an image back and has what has changed by that reloaded.
    ///
    /// # Errors
    /// What could not be put back; all the rest was.
    pub(crate) async fn restore(image: &str, ground: &Ground) -> Result<(), SourceError> {
        let Self(packages) = serde_json::from_str(image).map_err(|error| {
            SourceError::new(format!("what was kept of the configuration is damaged: {error}"))
        })?;
        let (mut changed, mut failures) = (Vec::new(), Vec::new());
        for (package, content) in packages {
            let (uci, name) = (ground.uci.clone(), package.clone());
            let restored =
                tokio::task::spawn_blocking(move || uci.restore(&name, &content.into_bytes())).await;
            match restored {
                Ok(Ok(committed)) if committed.changed() => changed.push(package),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => failures.push(error.to_string()),
                Err(error) => failures.push(format!("{package}: {error}")),
            }
        }
        reload(ground, changed).await;
        if failures.is_empty() { Ok(()) } else { Err(SourceError::new(failures.join("; "))) }
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|odd| Self::Bytes(odd.into_bytes()), Self::Text)
    }
}

impl Content {
    fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use cwmp_platform::source::ParameterSource;

    use crate::testing::{change, lan_and_wan, values};

    const DHCP: &[u8] = b"# by hand\nconfig dhcp lan\n option interface 'lan'\n\toption note '\xff'\n";

    #[tokio::test]
    async fn a_change_and_a_deletion_are_put_back_to_the_letter() {
        let fake = lan_and_wan();
        fake.root.file("etc/config/dhcp", DHCP);
        let file = || std::fs::read(fake.root.path().join("etc/config/dhcp")).unwrap();
        let source = fake.source();
        values(&source, "Device.").await;
        let changes = [change("Device.DHCPv4.Server.Pool.1.LeaseTime", "600")];
        let image = source.image(&changes, None).await.unwrap().unwrap();
        assert_eq!(file(), DHCP, "an image changes nothing");
        source.apply(&changes).await.unwrap();
        assert_ne!(file(), DHCP);
        source.restore(&image).await.unwrap();
        assert_eq!(file(), DHCP);

        let row = "Device.DHCPv4.Server.Pool.1.";
        let image = source.image(&[], Some(row)).await.unwrap().unwrap();
        source.delete(row, &[]).await.unwrap();
        assert!(!String::from_utf8_lossy(&file()).contains("lan"));
        fake.bus.asked();
        source.restore(&image).await.unwrap();
        assert_eq!(file(), DHCP);
        let told = [r#"service event {"data":{"package":"dhcp"},"type":"config.change"}"#];
        assert_eq!(fake.bus.asked(), told);
        // Again, after another cut: nothing is written, nobody is told.
        source.restore(&image).await.unwrap();
        assert_eq!(fake.bus.asked(), [""; 0]);
        assert!(
            values(&source, row).await.contains("Interface=Device.IP.Interface.2"),
            "it has its number again"
        );
    }

    #[tokio::test]
    async fn a_damaged_image_is_reported() {
        let fake = lan_and_wan();
        let error = fake.source().restore("{").await.unwrap_err().to_string();
        assert!(error.starts_with("what was kept of the configuration is damaged"), "{error}");
    }
}
