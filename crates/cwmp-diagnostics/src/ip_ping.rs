//! `Device.IP.Diagnostics.IPPing.`: its parameters and when they can be used.
//!
//! TR-181 gives ProtocolVersion and DSCP defaults; those of the other inputs are ours: three echo requests of 56 bytes, as
//! ping(8) sends them, with a second each.

mod run;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use cwmp_core::job::Diagnostic;
use cwmp_platform::source::{Access, ParameterSink};

use crate::{
    diagnostics::InterfaceDevice,
    echo::{IpVersion, Network},
    limits,
    object::{Inputs, Kind},
    state::DiagnosticError,
};

/// IPPing.
pub(crate) struct IpPing {
    network: Rc<dyn Network>,
    interfaces: InterfaceDevice,
}

impl IpPing {
    pub(crate) fn new(network: Rc<dyn Network>, interfaces: InterfaceDevice) -> Self {
        Self { network, interfaces }
    }
}

/// Writable parameters of IPPing, but for DiagnosticsState.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PingInputs {
    /// Interface: a row of `Device.IP.Interface.`, or empty for the way that the routes lead.
    interface: String,
    /// ProtocolVersion; `None` for Any.
    protocol_version: Option<IpVersion>,
    /// Host: a name or an address.
    host: String,
    /// NumberOfRepetitions, 1 or more.
    number_of_repetitions: u32,
    /// Timeout in milliseconds, 1 or more.
    timeout: u32,
    /// DataBlockSize in bytes, 1 to 65535.
    data_block_size: u16,
    /// DSCP, 0 to 63.
    dscp: u8,
}

impl Default for PingInputs {
    fn default() -> Self {
        Self {
            interface: String::new(),
            protocol_version: None,
            host: String::new(),
            number_of_repetitions: 3,
            timeout: 1000,
            data_block_size: 56,
            dscp: 0,
        }
    }
}

impl Inputs for PingInputs {
    fn set(&mut self, name: &str, value: &str) -> bool {
        match name {
            "Interface" => value.clone_into(&mut self.interface),
            "ProtocolVersion" => {
                self.protocol_version = IpVersion::ALL.into_iter().find(|v| v.name() == value)
            }
            "Host" => value.clone_into(&mut self.host),
            "NumberOfRepetitions" => return number(value, &mut self.number_of_repetitions),
            "Timeout" => return number(value, &mut self.timeout),
            "DataBlockSize" => return number(value, &mut self.data_block_size),
            "DSCP" => return number(value, &mut self.dscp),
            _ => return false,
        }
        true
    }
}

fn number<N: std::str::FromStr>(value: &str, into: &mut N) -> bool {
    value.parse().map(|number| *into = number).is_ok()
}

/// Read-only parameters of IPPing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PingResults {
    /// IPAddressUsed: the address of the box that the requests were sent from; empty before the first run.
    ip_address_used: String,
    /// SuccessCount.
    success_count: u32,
    /// FailureCount.
    failure_count: u32,
    /// AverageResponseTimeDetailed in microseconds; 0, as the others, where nothing has answered.
    average: u32,
    /// MinimumResponseTimeDetailed in microseconds.
    minimum: u32,
    /// MaximumResponseTimeDetailed in microseconds.
    maximum: u32,
}

impl Kind for IpPing {
    const DIAGNOSTIC: Diagnostic = Diagnostic::IpPing;
    const OBJECT: &'static str = "Device.IP.Diagnostics.IPPing.";
    type Inputs = PingInputs;
    type Results = PingResults;

    fn show(inputs: &PingInputs, results: &PingResults, out: &mut dyn ParameterSink) {
        out.parameter("Interface", &inputs.interface, Access::ReadWrite);
        let version = inputs.protocol_version.map_or("Any", IpVersion::name);
        out.parameter("ProtocolVersion", &version, Access::ReadWrite);
        out.parameter("Host", &inputs.host, Access::ReadWrite);
        out.parameter("NumberOfRepetitions", &inputs.number_of_repetitions, Access::ReadWrite);
        out.parameter("Timeout", &inputs.timeout, Access::ReadWrite);
        out.parameter("DataBlockSize", &inputs.data_block_size, Access::ReadWrite);
        out.parameter("DSCP", &inputs.dscp, Access::ReadWrite);
        out.parameter("IPAddressUsed", &results.ip_address_used, Access::ReadOnly);
        out.parameter("SuccessCount", &results.success_count, Access::ReadOnly);
        out.parameter("FailureCount", &results.failure_count, Access::ReadOnly);
        out.parameter("AverageResponseTime", &milliseconds(results.average), Access::ReadOnly);
        out.parameter("MinimumResponseTime", &milliseconds(results.minimum), Access::ReadOnly);
        out.parameter("MaximumResponseTime", &milliseconds(results.maximum), Access::ReadOnly);
        out.parameter("AverageResponseTimeDetailed", &results.average, Access::ReadOnly);
        out.parameter("MinimumResponseTimeDetailed", &results.minimum, Access::ReadOnly);
        out.parameter("MaximumResponseTimeDetailed", &results.maximum, Access::ReadOnly);
    }

    fn unusable(&self, inputs: &PingInputs) -> Option<String> {
        if inputs.host.is_empty() {
            return Some("Host is empty: set it before Requested or with it".to_owned());
        }
        let each = u64::from(inputs.timeout).max(limits::PACE_MS);
        if u64::from(inputs.number_of_repetitions).saturating_mul(each) > limits::RUN_MS {
            let most = limits::RUN_MS / 1000;
            return Some(format!(
                "NumberOfRepetitions and Timeout come to more than {most} s: lower one of them"
            ));
        }
        let known = inputs.interface.is_empty() || (self.interfaces)(&inputs.interface).is_some();
        (!known).then(|| format!("{} has no network device: choose another Interface", inputs.interface))
    }

    async fn run(&self, inputs: PingInputs) -> Result<PingResults, DiagnosticError> {
        let device =
            if inputs.interface.is_empty() { None } else { Some((self.interfaces)(&inputs.interface)) };
        let device = match device {
            Some(None) => {
                tracing::warn!("IPPing: {} has no network device now", inputs.interface);
                return Err(DiagnosticError::Other);
            }
            Some(device) => device,
            None => None,
        };
        run::run(self.network.as_ref(), &inputs, device).await
    }
}

/// Rounds half up, so that three times in order stay in order.
fn milliseconds(microseconds: u32) -> u32 {
    microseconds / 1000 + u32::from(microseconds % 1000 >= 500)
}
