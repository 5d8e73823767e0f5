//! The policy for reports of changes of software.

use cwmp_core::{
    fault::FaultCode,
    rpc::DuOperation::{Install, Update},
};

use super::fresh;

#[test]
fn the_policy_for_software_is_there_where_there_is_software() {
    let there = fresh();
    let set = [
        ("DUStateChangeComplPolicy.Enable", "true"),
        ("DUStateChangeComplPolicy.OperationTypeFilter", "Install,Uninstall"),
        ("DUStateChangeComplPolicy.ResultTypeFilter", "Both"),
        ("DUStateChangeComplPolicy.FaultCodeFilter", "9018,9027"),
    ];
    assert_eq!(there.set(&set).len(), 4);
    there.source.show_software();
    assert_eq!(there.set(&set), []);
    let there = there.restarted();
    let policy = there.source.settings().autonomous_software;
    assert!(policy.wants(Install, None) && !policy.wants(Update, None));
    assert!(policy.wants(Install, Some(FaultCode(9018))) && !policy.wants(Install, Some(FaultCode(9001))));
    there.source.show_software();
    let read = there.read("Device.ManagementServer.DUStateChangeComplPolicy.");
    assert!(read.iter().any(|line| line.ends_with("OperationTypeFilter rw Install,Uninstall")), "{read:?}");
}
