//! The parameter source of all objects that the bus, the configuration and the kernel tell together: asks the parts.

use std::{collections::BTreeMap, rc::Rc};

use async_trait::async_trait;
use cwmp_core::{
    fault::{CwmpFault, SetParameterValuesFault},
    rpc::Status,
};
use cwmp_platform::source::{Change, ParameterSink, ParameterSource, SourceError, Wanted};

use crate::{
    edits::Edits,
    ground::Ground,
    image::Image,
    part::{Part, Parts, below, internal, no_such, not_writable},
};

/// All parts as one source: what a call changes in several of them is one commit.
pub(crate) struct Router {
    ground: Rc<Ground>,
    parts: Parts,
    objects: Vec<&'static str>,
}

impl Router {
    pub(crate) fn new(ground: Rc<Ground>, parts: Parts) -> Self {
        let objects = parts.iter().flat_map(|part| part.objects()).copied().collect();
        Self { ground, parts, objects }
    }

    /// The part that answers for the object in which a parameter lies, or for an instance or a table.
    fn owner(&self, name: &str) -> Option<(usize, &Rc<dyn Part>)> {
        let lies_in = |object: &&str| {
            let table = object.strip_suffix("{i}.");
            let of_row = below(object, name).is_some_and(|(_, rest)| !rest.contains('.'));
            of_row || table.is_some_and(|table| below(table, name).is_some_and(|(_, rest)| rest.is_empty()))
        };
        self.parts.iter().enumerate().find(|(_, part)| part.objects().iter().any(lies_in))
    }

    /// Has each part turn its changes into edits.
    async fn edit(
        &self,
        changes: &[Change],
        edits: &mut Edits,
    ) -> Result<Vec<SetParameterValuesFault>, SourceError> {
        let (mut faults, mut shares) = (Vec::new(), BTreeMap::<usize, Vec<&Change>>::new());
        for change in changes {
            match self.owner(&change.name) {
                Some((at, _)) => shares.entry(at).or_default().push(change),
                None => faults.push(not_writable(change)),
            }
        }
        for (at, share) in shares {
            if let Some(part) = self.parts.get(at) {
                faults.extend(part.edit(&share, edits).await?);
            }
        }
        Ok(faults)
    }

    /// Keeps the numbers of new rows before anybody sees them. A box whose disk is full answers all the same.
    async fn keep_numbers(&self) {
        if let Err(error) = self.ground.numbers.keep().await {
            tracing::error!("new rows may have other numbers after a restart: {error}");
        }
    }

    /// Commits; what was looked up before is not true any more.
    async fn commit(&self, edits: Edits) -> Result<Status, SourceError> {
        let done = edits.commit().await;
        self.ground.forget();
        done
    }

    fn edits(&self) -> Edits {
        Edits::new(self.ground.survey())
    }
}

#[async_trait(?Send)]
impl ParameterSource for Router {
    fn name(&self) -> &'static str {
        "openwrt"
    }

    fn objects(&self) -> &[&'static str] {
        &self.objects
    }

    fn forget(&self) {
        self.ground.forget();
    }

    async fn read(&self, wanted: &Wanted<'_>, out: &mut dyn ParameterSink) -> Result<(), SourceError> {
        let survey = self.ground.survey();
        for part in &self.parts {
            if part.objects().iter().any(|object| wanted.touches(object)) {
                part.read(&survey, wanted, out).await?;
            }
        }
        self.keep_numbers().await;
        Ok(())
    }

    async fn check(&self, changes: &[Change]) -> Vec<SetParameterValuesFault> {
        match self.edit(changes, &mut self.edits()).await {
            Ok(faults) => faults,
            Err(error) => {
                let faults = changes.iter();
                faults
                    .map(|change| SetParameterValuesFault {
                        name: change.name.clone(),
                        code: cwmp_core::fault::FaultCode::INTERNAL_ERROR,
                        text: error.to_string(),
                    })
                    .collect()
            }
        }
    }

    async fn apply(&self, changes: &[Change]) -> Result<Status, SourceError> {
        let mut edits = self.edits();
        let faults = self.edit(changes, &mut edits).await?;
        if let Some(fault) = faults.first() {
            return Err(SourceError::new(format!("{}: {}", fault.name, fault.text)));
        }
        self.commit(edits).await
    }

    /// A channel that was chosen automatically is kept by setting it, unless the same call leaves the choice to the box.
    fn hears_repeats(&self, name: &str) -> bool {
        name.ends_with(".Channel") || name.ends_with(".AutoChannelEnable")
    }

    async fn image(&self, changes: &[Change], deleted: Option<&str>) -> Result<Option<String>, SourceError> {
        let mut edits = self.edits();
        self.edit(changes, &mut edits).await?;
        if let (Some(row), Some((_, part))) = (deleted, deleted.and_then(|row| self.owner(row))) {
            part.delete(row, &mut edits).await.map_err(|fault| SourceError::new(fault.to_string()))?;
        }
        let packages: Vec<String> = edits.changed().into_iter().map(str::to_owned).collect();
        Image::of(&self.ground, packages).await.map(Some)
    }

    async fn restore(&self, image: &str) -> Result<(), SourceError> {
        let restored = Image::restore(image, &self.ground).await;
        self.ground.forget();
        restored
    }

    async fn add(&self, table: &str, extra: &[Change]) -> Result<(u32, Status), CwmpFault> {
        let (_, part) = self.owner(table).ok_or_else(|| no_such(table))?;
        let mut edits = self.edits();
        let number = part.add(table, &mut edits).await?;
        let faults = self.edit(extra, &mut edits).await.map_err(internal)?;
        if let Some(fault) = faults.into_iter().next() {
            return Err(CwmpFault::new(fault.code, fault.text));
        }
        // A number that is lost by a power cut would be given to another row.
        self.ground.numbers.keep().await.map_err(|error| internal(SourceError::new(error)))?;
        let status = self.commit(edits).await.map_err(internal)?;
        Ok((number, status))
    }

    async fn delete(&self, instance: &str, extra: &[Change]) -> Result<Status, CwmpFault> {
        let (_, part) = self.owner(instance).ok_or_else(|| no_such(instance))?;
        let mut edits = self.edits();
        part.delete(instance, &mut edits).await?;
        let faults = self.edit(extra, &mut edits).await.map_err(internal)?;
        if let Some(fault) = faults.into_iter().next() {
            return Err(CwmpFault::new(fault.code, fault.text));
        }
        self.commit(edits).await.map_err(internal)
    }
}

#[cfg(test)]
mod tests {
    use cwmp_core::fault::FaultCode;

    use super::*;
    use crate::testing::{change, lan_and_wan, values};

    const SYSTEM: &str =
        "config system\n\toption timezone 'UTC0'\n\nconfig timeserver 'ntp'\n\toption enabled '1'\n";
    const DHCP: &str = "config dhcp 'lan'\n\toption interface 'lan'\n";

    #[tokio::test]
    async fn what_several_objects_change_is_one_commit_a_package() {
        let fake = lan_and_wan();
        fake.uci("system", SYSTEM);
        fake.uci("dhcp", DHCP);
        let source = fake.source();
        values(&source, "Device.").await;
        // Whatever is looked at: netifd is asked once.
        assert_eq!(fake.bus.asked(), ["network.interface dump"]);
        let changes = [
            change("Device.DHCPv4.Server.Pool.1.LeaseTime", "600"),
            change("Device.Time.Enable", "false"),
            change("Device.DHCPv4.Server.Pool.1.DomainName", "home"),
        ];
        assert_eq!(source.check(&changes).await, []);
        source.apply(&changes).await.unwrap();
        assert_eq!(
            fake.bus.asked(),
            [
                r#"service event {"data":{"package":"system"},"type":"config.change"}"#,
                r#"service event {"data":{"package":"dhcp"},"type":"config.change"}"#,
            ]
        );
        // What was looked up before is forgotten.
        assert!(values(&source, "Device.Time.").await.contains("Enable=false"));
        let unknown = [change("Device.Time.X", "1"), change("Device.Nowhere.Y", "1")];
        let faults = source.check(&unknown).await;
        assert_eq!(faults.iter().map(|fault| fault.code).collect::<Vec<_>>(), [FaultCode::NOT_WRITABLE; 2]);
        assert!(source.add("Device.Time.", &[]).await.is_err());
        assert!(source.delete("Device.Time.", &[]).await.is_err());
    }

    #[tokio::test]
    async fn a_package_that_cannot_be_written_takes_those_before_it_back() {
        let fake = lan_and_wan();
        fake.uci("system", SYSTEM);
        fake.uci("dhcp", DHCP);
        let source = fake.source();
        values(&source, "Device.").await;
        let changes =
            [change("Device.Time.Enable", "false"), change("Device.DHCPv4.Server.Pool.1.LeaseTime", "600")];
        assert_eq!(source.check(&changes).await, []);
        // Somebody breaks the file between the look and the commit.
        fake.root.file("etc/config/dhcp", "config dhcp 'lan'\n\toption ba-d 'x'\n");
        fake.bus.asked();
        let error = source.apply(&changes).await.unwrap_err().to_string();
        assert!(error.contains("dhcp:2"), "{error}");
        assert_eq!(fake.file("system"), SYSTEM);
        assert_eq!(fake.bus.asked(), [""; 0]);
    }

    #[tokio::test]
    async fn a_bus_that_is_away_leaves_the_change_for_the_next_start_of_the_services() {
        let fake = lan_and_wan();
        fake.uci("system", SYSTEM);
        let source = fake.source();
        fake.bus.fail("service", "event", cwmp_ubus::BusError::Disconnected("service event".to_owned()));
        let done = source.apply(&[change("Device.Time.Enable", "false")]).await;
        assert_eq!(done, Ok(Status::Committed));
        assert!(fake.file("system").contains("option enabled '0'"));
    }
}
