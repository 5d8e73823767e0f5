//! What is being done to a deployment unit: its Status while that lasts.

use cwmp_core::{rpc::DuOperation, software::DuTarget};

use super::{Installed, Package, Row, SoftwareModules};

/// An operation on a unit.
pub(super) struct UnderWay {
    target: DuTarget,
    /// What is being installed, once that is known.
    package: Option<Package>,
}

/// While this is kept, the unit shows that it is being changed.
pub struct ChangeGuard<'a>(&'a SoftwareModules);

impl Drop for ChangeGuard<'_> {
    fn drop(&mut self) {
        self.0.under_way.take();
    }
}

impl SoftwareModules {
    /// An operation on a unit is being carried out, its fetch included, until the guard is dropped. One runs at a time.
    #[must_use]
    pub fn begin(&self, target: &DuTarget) -> ChangeGuard<'_> {
        let package = self.inspected.borrow().clone();
        let package = package.filter(|package| package.version == target.version);
        self.under_way.replace(Some(UnderWay { target: target.clone(), package }));
        ChangeGuard(self)
    }

    pub(super) fn is_changing(&self) -> bool {
        self.under_way.borrow().is_some()
    }

    /// Status of a unit.
    pub(super) fn status(&self, row: &Row) -> &'static str {
        let under_way = self.under_way.borrow();
        let target = under_way.as_ref().map(|under_way| &under_way.target);
        match target.filter(|target| row.is(&target.uuid, &target.environment)).map(|it| it.operation) {
            None => "Installed",
            Some(DuOperation::Install) => "Installing",
            Some(DuOperation::Update) => "Updating",
            Some(DuOperation::Uninstall) => "Uninstalling",
        }
    }

    /// A unit that is being installed has its row before the box has it.
    pub(super) fn add_arriving(&self, units: &mut Vec<Installed>) {
        let under_way = self.under_way.borrow();
        let Some(UnderWay { target, package: Some(package) }) = under_way.as_ref() else { return };
        let is_there = |unit: &Installed| {
            unit.package.uuid.eq_ignore_ascii_case(&target.uuid) && unit.environment == target.environment
        };
        if target.operation == DuOperation::Install && !units.iter().any(is_there) {
            units.push(Installed {
                package: Package { uuid: target.uuid.clone(), ..package.clone() },
                url: target.url.clone(),
                environment: target.environment.clone(),
                resolved: false,
                execution_units: Vec::new(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::{OnceCell, RefCell},
        path::Path,
        rc::{Rc, Weak},
    };

    use async_trait::async_trait;
    use cwmp_core::job::{DuDone, JobError};

    use super::*;
    use crate::{
        instances::InstanceNumbers,
        software::{Control, Environment, Inventory, PackageStore},
    };

    /// Has one unit at most, and looks at its row while it changes.
    #[derive(Default)]
    struct Store {
        unit: RefCell<Option<Installed>>,
        seen: RefCell<Vec<(String, u32)>>,
        modules: OnceCell<Weak<SoftwareModules>>,
    }

    fn package(version: &str) -> Package {
        Package { uuid: "u".into(), name: "x".into(), version: version.into(), ..Package::default() }
    }

    #[async_trait(?Send)]
    impl PackageStore for Store {
        async fn inventory(&self) -> Result<Inventory, JobError> {
            let environment = Environment { name: "e".into(), kind: "A".into(), enabled: true };
            let units = self.unit.borrow().clone().into_iter().collect();
            Ok(Inventory { environments: vec![environment], units })
        }

        async fn inspect(&self, file: &Path) -> Result<Package, JobError> {
            Ok(package(&file.display().to_string()))
        }

        async fn apply(&self, target: &DuTarget, _: &Path) -> Result<(), JobError> {
            let modules = self.modules.get().and_then(Weak::upgrade).unwrap();
            for row in &modules.rows().await?.units {
                self.seen.borrow_mut().push((modules.status(row).to_owned(), row.number));
            }
            let unit = Installed {
                package: package(&target.version),
                environment: "e".into(),
                ..Installed::default()
            };
            self.unit.replace((target.operation != DuOperation::Uninstall).then_some(unit));
            Ok(())
        }

        async fn control(&self, _: &Control) -> Result<(), String> {
            Ok(())
        }
    }

    /// Conformance: 11.13
    #[tokio::test(flavor = "current_thread")]
    async fn a_unit_shows_what_is_being_done_to_it_and_keeps_its_row() {
        let store = Rc::new(Store::default());
        let numbers = Rc::new(InstanceNumbers::in_memory());
        let modules = Rc::new(SoftwareModules::new(Rc::clone(&store) as _, numbers));
        store.modules.set(Rc::downgrade(&modules)).ok();
        let mut after = Vec::new();
        for (operation, version) in
            [(DuOperation::Install, "1"), (DuOperation::Update, "2"), (DuOperation::Uninstall, "")]
        {
            let mut target = DuTarget {
                operation,
                before: None,
                uuid: "u".into(),
                version: String::new(),
                url: "http://files/x".into(),
                environment: "e".into(),
            };
            if operation != DuOperation::Uninstall {
                let Ok(DuDone::Fetched(checked)) = modules.check(&target, Path::new(version)).await else {
                    panic!("{operation:?}")
                };
                target = checked;
            } else {
                target.before = Some(Default::default());
            }
            assert!(matches!(modules.apply(&target, Path::new(version)).await, Ok(DuDone::Changed(_))));
            let rows = modules.rows().await.unwrap();
            after.extend(rows.units.iter().map(|row| (modules.status(row), row.number)));
        }
        let seen = store.seen.borrow();
        let seen: Vec<_> = seen.iter().map(|(status, number)| (status.as_str(), *number)).collect();
        assert_eq!(seen, [("Installing", 1), ("Updating", 1), ("Uninstalling", 1)]);
        assert_eq!(after, [("Installed", 1), ("Installed", 1)], "no row is left of one that is gone");
    }
}
