//! Settings that the agent keeps for a backend: the layered configuration, as far as a backend needs it.

/// The layered configuration (user over provider over factory), as a backend sees it.
///
/// A backend uses it for parameters that the box itself has no place for, such as `DeviceInfo.ProvisioningCode`, and for
/// its own section. Sections are object paths without `Device.` and without the last dot (`DeviceInfo`,
/// `ManagementServer.InformParameter.1`); keys are parameter names; values are in CWMP lexical form.
pub trait Settings {
    /// The value in force, or `None` where no layer has one.
    fn get(&self, section: &str, key: &str) -> Option<String>;

    /// Sets values (section, key, value) in the user layer: all or none, on stable storage when it returns.
    ///
    /// # Errors
    /// A sentence that names the file and the reason; then nothing is changed.
    fn set(&self, values: &[(&str, &str, &str)]) -> Result<(), String>;
}
