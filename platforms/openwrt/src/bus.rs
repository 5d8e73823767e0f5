//! The bus as this backend uses it, so that tests can answer in its place.

use async_trait::async_trait;
use cwmp_ubus::{Bus, BusError, Table, status};

/// Calls methods of objects on the bus.
#[async_trait(?Send)]
pub(crate) trait Ubus {
    /// All that a method answers, each DATA message a table.
    ///
    /// # Errors
    /// [`BusError`].
    async fn call(&self, object: &str, method: &str, arguments: &Table) -> Result<Vec<Table>, BusError>;
}

#[async_trait(?Send)]
impl Ubus for Bus {
    async fn call(&self, object: &str, method: &str, arguments: &Table) -> Result<Vec<Table>, BusError> {
        Bus::call(self, object, method, arguments).await
    }
}

/// Whether an error says that what was asked for is not there: a service that is not installed or does not run now, or
/// that has nothing to say.
pub(crate) fn is_absent(error: &BusError) -> bool {
    let absent = [status::NOT_FOUND, status::METHOD_NOT_FOUND, status::NO_DATA];
    matches!(error, BusError::Gone(_)) || error.status().is_some_and(|status| absent.contains(&status))
}

/// The announcement by which procd reloads everything that uses a package (`procd_add_reload_trigger`).
pub(crate) fn config_change(package: &str) -> Table {
    Table::new().with("type", "config.change").with("data", Table::new().with("package", package))
}
