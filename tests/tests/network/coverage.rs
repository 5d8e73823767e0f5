//! How much of the model a plain machine has: two interfaces with addresses, routes and a neighbour, and some processes.

use std::{
    collections::BTreeSet,
    process::{Child, Command, Stdio},
};

use cwmp_acs::AcsOptions;
use cwmp_core::{
    event::EventCode,
    rpc::{CpeRequest, CpeResponse, GetParameterNames},
};
use cwmpd_tests::{
    Sandbox, Scene, program,
    scene::{acs_options, get},
};

use crate::{confirmed::of_real_box, namespace::Namespace};

/// The least that a plain machine has.
const PARAMETERS: usize = 600;
/// The least of it that has nothing to do with how many processes run.
const LASTING: usize = 400;
/// Processes that a machine has beside the test: a bare container may have none.
const PROCESSES: usize = 40;

/// Whether a name is still there with the next call: processes come and go, and so do neighbours that are looked for.
fn lasts(name: &str) -> bool {
    !name.contains(".Process.") && !name.contains(".Hosts.")
}

/// The machine, with what lies beyond its interfaces.
struct Machine {
    here: Namespace,
    beyond: Namespace,
    processes: Vec<Child>,
}

impl Machine {
    fn new() -> Option<Self> {
        let (here, beyond) = (Namespace::new()?, Namespace::new()?);
        for (number, (ours, theirs)) in [("eth0", "isp"), ("eth1", "lan")].into_iter().enumerate() {
            here.ip(&format!("link add {ours} type veth peer name {theirs} netns {}", beyond.name));
            here.ip(&format!("link set {ours} up"));
            beyond.ip(&format!("link set {theirs} up"));
            here.ip(&format!("addr add 192.0.2.{}/28 dev {ours}", 16 * number + 2));
            here.ip(&format!("addr add 2001:db8:{number}::2/64 dev {ours} nodad"));
            beyond.ip(&format!("addr add 192.0.2.{}/28 dev {theirs}", 16 * number + 1));
        }
        here.ip("route add default via 192.0.2.1");
        here.ip("-6 route add default via 2001:db8:0::1");
        here.ip("route add 198.51.100.0/24 via 192.0.2.17");
        here.ip("neigh replace 192.0.2.20 lladdr 02:00:00:00:00:50 dev eth1 nud permanent");
        // Each ends with the test, when its input does.
        let idle = || Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        Some(Self { here, beyond, processes: (0..PROCESSES).map(|_| idle()).collect() })
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        for mut process in self.processes.drain(..) {
            drop(process.stdin.take());
            process.wait().ok();
        }
    }
}

#[test]
fn a_plain_machine_has_hundreds_of_parameters_and_each_is_as_the_model_wants_it() {
    let Some(machine) = Machine::new() else { return };
    let folder = tempfile::tempdir().unwrap();
    of_real_box(Sandbox::new(folder.path(), "http://192.0.2.1:7547/")).write().unwrap();
    let program = program::binary().unwrap();
    let datamodel = |verb: &str| {
        let mut command = machine.here.exec(program.to_str().unwrap());
        let output = command.arg("--config").arg(folder.path()).args(["datamodel", verb]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
        text
    };
    let coverage = datamodel("coverage");
    let last = coverage.lines().last().unwrap_or_default();
    let count = last.strip_prefix("coverage: ").and_then(|rest| rest.split(' ').next());
    assert!(last.ends_with(" objects, 0 violations"), "{coverage}");
    assert!(count.unwrap().parse::<usize>().unwrap() >= PARAMETERS, "{coverage}");
    let list = datamodel("list");
    let is_parameter = |line: &&str| !matches!(line.split('\t').nth(1), Some("object" | "table" | "row"));
    let lasting = list.lines().filter(is_parameter).filter(|line| lasts(line)).count();
    eprintln!("{last}; {lasting} are none of processes and hosts");
    assert!(lasting >= LASTING, "{list}");
    for name in ["Device.Ethernet.Interface.2.Stats.BytesSent", "Device.Hosts.Host.1.PhysAddress"] {
        assert!(list.contains(&format!("{name}\t")), "no {name} in {list}");
    }
}

#[test]
fn names_and_values_agree_on_the_whole_tree_of_a_machine() {
    let Some(machine) = Machine::new() else { return };
    program::binary().unwrap();
    machine.beyond.run(async {
        let options = AcsOptions { listen: "192.0.2.1:0".parse().unwrap(), ..acs_options() };
        let mut scene = Scene::new(options, of_real_box).await;
        scene.agent = Some(machine.here.cwmpd(&scene.sandbox));
        scene.session(EventCode::Bootstrap).await;
        let names = GetParameterNames { path: String::new(), next_level: false };
        let answers = scene.calls(vec![CpeRequest::GetParameterNames(names), get(&[""])]).await;
        let [Ok(CpeResponse::GetParameterNames(names)), Ok(CpeResponse::GetParameterValues(values))] =
            &answers[..]
        else {
            panic!("{answers:?}")
        };
        let lasting = |names: &mut dyn Iterator<Item = &str>| -> BTreeSet<String> {
            names.filter(|name| lasts(name)).map(str::to_owned).collect()
        };
        let (objects, parameters): (Vec<&str>, Vec<&str>) =
            names.iter().map(|info| info.name.as_str()).partition(|name| name.ends_with('.'));
        let named = lasting(&mut parameters.into_iter());
        let valued = lasting(&mut values.iter().map(|value| value.name.as_str()));
        assert_eq!(named, valued);
        let objects: BTreeSet<&str> = objects.into_iter().collect();
        for name in &valued {
            let (object, _) = name.rsplit_once('.').unwrap();
            assert!(objects.contains(format!("{object}.").as_str()), "{object}. is not named");
        }
        eprintln!("{} parameters by name and by value", valued.len());
        assert!(valued.len() >= LASTING, "{}", valued.len());
        scene.assert_clean();
    });
}
