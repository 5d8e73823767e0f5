//! The source of `Device.IP.Diagnostics.`, and the way from a written DiagnosticsState to the agent and back.

use std::rc::Rc;

use async_trait::async_trait;
use cwmp_core::{fault::SetParameterValuesFault, io::Input, job::Diagnostic, rpc::Status};
use cwmp_platform::source::{
    Access, Change, ObjectKind, ParameterSink, ParameterSource, SourceError, Wanted,
};

use crate::{
    echo::{Icmp, IpVersion, Network},
    ip_ping::IpPing,
    object::{Object, Test},
    state::Transition,
};

const OBJECT: &str = "Device.IP.Diagnostics.";

/// The network device (`eth0`) of a row of `Device.IP.Interface.`, named as in a parameter: `Device.IP.Interface.1`. `None`
/// for a row that is not there or has no device.
pub type InterfaceDevice = Rc<dyn Fn(&str) -> Option<String>>;

/// The diagnostics of the box: a source of parameters for the tree, and the work behind them for the agent.
///
/// What an operation on the tree has written comes into force with [`Diagnostics::settle`], not before.
pub struct Diagnostics {
    ipv4_ping: bool,
    ipv6_ping: bool,
    objects: Vec<Box<dyn Object>>,
}

impl Diagnostics {
    /// All diagnostics, idle, with the defaults of their inputs.
    #[must_use]
    pub fn new(interfaces: InterfaceDevice) -> Self {
        Self::over(Rc::new(Icmp), interfaces)
    }

    pub(crate) fn over(network: Rc<dyn Network>, interfaces: InterfaceDevice) -> Self {
        Self {
            ipv4_ping: network.supports(IpVersion::V4),
            ipv6_ping: network.supports(IpVersion::V6),
            objects: vec![Box::new(Test::new(IpPing::new(network, interfaces)))],
        }
    }

    /// Ends an operation on the tree: what it has written to the diagnostics comes into force (`keep`) or is forgotten.
    /// Whoever drives the data model calls this after each SetParameterValues, AddObject and DeleteObject, failed or not,
    /// and gives the inputs to the agent before anything else runs. `by_acs`: the operation was one of the ACS.
    #[must_use]
    pub fn settle(&self, keep: bool, by_acs: bool) -> Vec<Input> {
        let input = |object: &dyn Object| {
            let diagnostic = object.diagnostic();
            Some(match object.settle(keep)? {
                Transition::Requested => Input::DiagnosticRequested { diagnostic, by_acs },
                Transition::Withdrawn => Input::DiagnosticWithdrawn(diagnostic),
            })
        };
        self.objects.iter().filter_map(|object| input(object.as_ref())).collect()
    }

    /// Runs a diagnostic with the inputs that are set now, and leaves state and results for the ACS to read
    /// ([`cwmp_core::job::Job::Diagnose`]). Does nothing when it is not requested. It always ends, and stops when it is
    /// dropped.
    pub async fn run(&self, diagnostic: Diagnostic) {
        if let Some(object) = self.objects.iter().find(|object| object.diagnostic() == diagnostic) {
            object.run().await;
        }
    }

    /// The changes of each object that has some.
    fn of_each<'c>(&self, changes: &'c [Change]) -> impl Iterator<Item = (&dyn Object, Vec<&'c Change>)> {
        self.objects.iter().filter_map(move |object| {
            let own = changes.iter().filter(|change| change.name.starts_with(object.path()));
            let own: Vec<&Change> = own.collect();
            (!own.is_empty()).then_some((object.as_ref(), own))
        })
    }
}

#[async_trait(?Send)]
impl ParameterSource for Diagnostics {
    fn name(&self) -> &'static str {
        "diagnostics"
    }

    fn objects(&self) -> &[&'static str] {
        &[OBJECT, "Device.IP.Diagnostics.IPPing."]
    }

    async fn read(&self, wanted: &Wanted<'_>, out: &mut dyn ParameterSink) -> Result<(), SourceError> {
        if wanted.touches(OBJECT) {
            out.object(OBJECT, ObjectKind::Single);
            out.parameter("IPv4PingSupported", &self.ipv4_ping, Access::ReadOnly);
            out.parameter("IPv6PingSupported", &self.ipv6_ping, Access::ReadOnly);
        }
        for object in self.objects.iter().filter(|object| wanted.touches(object.path())) {
            object.show(out);
        }
        Ok(())
    }

    async fn check(&self, changes: &[Change]) -> Vec<SetParameterValuesFault> {
        self.of_each(changes).flat_map(|(object, own)| object.check(&own)).collect()
    }

    async fn apply(&self, changes: &[Change]) -> Result<Status, SourceError> {
        for (object, own) in self.of_each(changes) {
            object.stage(&own)?;
        }
        Ok(Status::Applied)
    }
}
