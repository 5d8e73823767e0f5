//! Cuts and full disks at every operation.

use super::*;

/// Most disks that are looked at after a second trouble.
const DISKS: usize = 4;
const JOURNAL: &str = "/etc/state/journal.json";

/// A call with the power cut after so many of its operations: whether the ACS got its answer, whether the cut came before
/// the end of the call, and the disk.
async fn cut_in_call(disk: &Sim, scenario: &Scenario, operations: usize) -> (bool, bool, Arc<Sim>) {
    let sim = copy(disk);
    let mut cpe = Cpe::start(&sim, scenario.sources).await;
    sim.cut_at(operations);
    let answered = cpe.acs((scenario.call)()).await.is_ok();
    (answered, sim.is_cut(), sim)
}

/// Conformance: 4.16
#[test]
fn a_cut_after_any_operation_of_a_transaction_leaves_all_of_it_or_nothing() {
    run(async {
        for scenario in SCENARIOS {
            let (disk, before, after) = before_and_after(scenario).await;
            let (mut none, mut all) = (0, 0);
            for step in 0.. {
                let (answered, cut, sim) = cut_in_call(&disk, scenario, step).await;
                for disk in sim.after_cut() {
                    let mut cpe = Cpe::start(&disk, scenario.sources).await;
                    let view = cpe.view().await;
                    assert!(view == after || (view == before && !answered), "{}, step {step}", scenario.name);
                    if view == after {
                        all += 1
                    } else {
                        none += 1
                    }
                    assert_eq!(disk.text(JOURNAL), None, "{}, step {step}", scenario.name);
                    // The next call is as good as any.
                    cpe.acs(across()).await.unwrap();
                }
                if !cut {
                    assert!(answered && step > 10, "{}", scenario.name);
                    break;
                }
            }
            println!("{}: nothing on {none} disks, all on {all}", scenario.name);
            assert!(none > 0 && all > 0, "{}", scenario.name);
        }
    });
}

#[test]
fn a_cut_after_any_operation_of_a_recovery_leaves_all_or_nothing_too() {
    run(async {
        for scenario in SCENARIOS {
            let (disk, before, after) = before_and_after(scenario).await;
            let mut recoveries = 0;
            // Some of the cuts of the call, and one disk of each: the recovery itself is cut at every operation.
            for step in (0..).step_by(9) {
                let (answered, cut, sim) = cut_in_call(&disk, scenario, step).await;
                let Some(interrupted) = sim.after_cut().into_iter().find(|disk| disk.text(JOURNAL).is_some())
                else {
                    if cut { continue } else { break }
                };
                for again in 0.. {
                    let disk = copy(&interrupted);
                    disk.cut_at(again);
                    // The start may fail, or go on without power.
                    let _ = Cpe::try_start(&disk, scenario.sources, |_| {}).await;
                    for disk in disk.after_cut().into_iter().take(DISKS) {
                        let mut cpe = Cpe::start(&disk, scenario.sources).await;
                        let view = cpe.view().await;
                        let right = view == after || (view == before && !answered);
                        assert!(right, "{}, step {step}, then {again}", scenario.name);
                        assert_eq!(disk.text(JOURNAL), None);
                        recoveries += 1;
                    }
                    if !disk.is_cut() {
                        break;
                    }
                }
            }
            println!("{}: {recoveries} disks after a cut in a recovery", scenario.name);
            assert!(recoveries > 20, "{}", scenario.name);
        }
    });
}

/// Where a source keeps a password to itself, a call that fails half way leaves that as it was set; so these scenarios are
/// left out.
#[test]
fn a_full_disk_refuses_the_call_and_loses_nothing() {
    run(async {
        for scenario in SCENARIOS.iter().filter(|scenario| scenario.sources.tell_passwords) {
            let (disk, before, after) = before_and_after(scenario).await;
            let mut codes = std::collections::BTreeSet::new();
            for step in 0.. {
                let sim = copy(&disk);
                let mut cpe = Cpe::start(&sim, scenario.sources).await;
                let first = sim.operations();
                sim.fail_at(step, ErrorKind::StorageFull);
                let done = cpe.acs((scenario.call)()).await;
                let over = sim.operations() - first <= step;
                sim.mend();
                let wanted = if done.is_ok() { &after } else { &before };
                assert_eq!(cpe.view().await, *wanted, "{}, step {step}: {done:?}", scenario.name);
                if let Err(fault) = &done {
                    codes.insert(fault.code.0);
                    assert!(fault.text.contains('/'), "which file: {fault}");
                }
                for disk in sim.after_cut().into_iter().take(DISKS) {
                    let view = Cpe::start(&disk, scenario.sources).await.view().await;
                    assert_eq!(view, *wanted, "{}, step {step}, started anew", scenario.name);
                }
                if over {
                    assert!(done.is_ok());
                    break;
                }
            }
            // The sources of this test tell the reason in words alone; the agent's own files are told apart.
            assert_eq!(codes.into_iter().collect::<Vec<_>>(), [9002, 9004], "{}", scenario.name);
        }
    });
}

#[test]
fn a_disk_that_stays_full_half_way_is_put_right_before_the_next_change() {
    run(async {
        for scenario in SCENARIOS.iter().filter(|scenario| scenario.sources.tell_passwords) {
            let (disk, before, after) = before_and_after(scenario).await;
            for step in 0.. {
                let sim = copy(&disk);
                let mut cpe = Cpe::start(&sim, scenario.sources).await;
                let first = sim.operations();
                sim.fill_at(step);
                let done = cpe.acs((scenario.call)()).await;
                let over = sim.operations() - first <= step;
                sim.mend();
                // A set of nothing by somebody on the box.
                let nothing = DataOp::Set { parameters: Vec::new(), parameter_key: ParameterKey::default() };
                cpe.tree.execute(nothing, Origin::Local).await.unwrap();
                let wanted = if done.is_ok() { &after } else { &before };
                assert_eq!(cpe.view().await, *wanted, "{}, step {step}: {done:?}", scenario.name);
                assert_eq!(sim.text(JOURNAL), None);
                if over {
                    break;
                }
            }
        }
    });
}

#[test]
fn a_change_of_the_agents_own_file_alone_is_not_written_down() {
    run(async {
        let disk = prepared(TELLING).await;
        let calls = [
            set(&[("ManagementServer.PeriodicInformInterval", "4321")]),
            DataOp::Delete {
                object_name: "Device.ManagementServer.InformParameter.1.".to_owned(),
                parameter_key: key(),
            },
        ];
        for call in calls {
            let sim = copy(&disk);
            let mut cpe = Cpe::start(&sim, TELLING).await;
            let (operations, written) = (sim.operations(), sim.written());
            cpe.acs(call).await.unwrap();
            // One replacement of a file: remove what is left over, write, fsync, keep the copy, rename, fsync the folder.
            assert_eq!(sim.operations() - operations, 6);
            assert_eq!(sim.written() - written, sim.text("/etc/user.ini").unwrap().len());
        }
    });
}
