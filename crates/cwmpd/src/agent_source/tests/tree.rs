//! The source as a part of the parameter tree.

use cwmp_core::{
    io::{DataOp, DataReply},
    rpc::{ParameterKey, ParameterValueStruct},
};
use cwmp_datamodel::{DataModel, Origin};

use super::*;
use crate::attributes::AttributeFile;

/// The tree over this source, with its attributes in a file beside the layers.
fn tree(source: AgentSource, dir: &TempDir) -> (DataModel, Rc<AgentSource>) {
    let file = dir.path().join("attributes.json");
    let (attributes, problems) = AttributeFile::open(RealFiles::shared(), &file, "a box".to_owned()).unwrap();
    assert_eq!(problems, []);
    let source = Rc::new(source);
    let model = DataModel::new(vec![Rc::clone(&source) as _], Rc::new(attributes));
    (model.with_addressing(source.addressing()), source)
}

/// SetParameterValues of parameters below `Device.ManagementServer.`; codes of the parameters that were refused.
async fn set_in(model: &mut DataModel, values: &[(&str, &str)]) -> Result<(), Vec<u32>> {
    let parameters = changes(values).into_iter().map(|change| ParameterValueStruct {
        name: change.name,
        value_type: None,
        value: change.value,
    });
    let op = DataOp::Set { parameters: parameters.collect(), parameter_key: ParameterKey::default() };
    let refused = |fault: CwmpFault| fault.parameters.iter().map(|entry| entry.code.0).collect();
    model.execute(op, Origin::Acs).await.map(|_| ()).map_err(refused)
}

/// Names and values below `Device.ManagementServer.InformParameter.`.
async fn rows_in(model: &mut DataModel) -> Vec<String> {
    let op = DataOp::Values { names: vec![TABLE.to_owned()] };
    let Ok(DataReply::Listing { snapshot, .. }) = model.execute(op, Origin::Acs).await else { panic!() };
    let held = model.snapshot(snapshot).unwrap();
    model.release(snapshot);
    held.entries().map(|entry| format!("{}{}={}", entry.object, entry.name, entry.text)).collect()
}

/// Conformance: 4.57, 9.26
#[tokio::test]
async fn rows_are_made_and_named_by_alias_and_stay_so_over_a_restart() {
    let Cpe { dir, source, .. } = fresh();
    let (mut model, _) = tree(source, &dir);
    let values = [
        ("InformParameter.[up].ParameterName", "Device.DeviceInfo.UpTime"),
        ("InformParameter.[up].Enable", "true"),
    ];
    assert_eq!(set_in(&mut model, &values).await, Err(vec![9005, 9005]));
    set_in(&mut model, &[("AutoCreateInstances", "true"), ("InstanceMode", "InstanceAlias")]).await.unwrap();
    // The source itself refuses the value: the row goes again.
    let forced = [("InformParameter.[x].ParameterName", "Device.DeviceInfo.SoftwareVersion")];
    assert_eq!(set_in(&mut model, &forced).await, Err(vec![9007]));
    assert_eq!(rows_in(&mut model).await, [""; 0]);
    set_in(&mut model, &values).await.unwrap();
    let wanted = [
        "Device.ManagementServer.InformParameter.[up].Enable=true",
        "Device.ManagementServer.InformParameter.[up].Alias=up",
        "Device.ManagementServer.InformParameter.[up].ParameterName=Device.DeviceInfo.UpTime",
        "Device.ManagementServer.InformParameter.[up].EventList=",
    ];
    assert_eq!(rows_in(&mut model).await, wanted);
    drop(model);
    let Cpe { dir, source, .. } = started(dir);
    let (mut model, source) = tree(source, &dir);
    assert_eq!(rows_in(&mut model).await, wanted);
    assert_eq!(source.layers.borrow().rows("ManagementServer.InformParameter"), [2]);
}
