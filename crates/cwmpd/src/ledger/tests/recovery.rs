//! What a start does about what it finds written down.

use cwmp_core::job::TransferId;
use cwmp_datamodel::TransactionPart;
use cwmp_platform::PlatformError;

use super::{boxes::STATE_DIR, *};

fn now(mono: u64) -> Moment {
    let mono = cwmp_core::time::Mono(clock::now(false).mono.0 + mono);
    Moment { boot_id: "boot".to_owned(), now: cwmp_core::time::Now { mono, wall: None } }
}

fn configuration(before: Image) -> Work {
    Work::Configuration { before, transfer: TransferId(7) }
}

/// Writes something down, as an earlier run of the program has.
fn written(sim: &Arc<Sim>, work: Work, confirm: Option<u64>) {
    let (mut journal, _) =
        Journal::open(sim.clone(), std::path::Path::new(STATE_DIR), boxes::OWNER, &now(0)).unwrap();
    journal.begin(Way::Back, work, &now(0)).unwrap();
    if confirm.is_some() {
        journal.applied(confirm, &now(0)).unwrap();
    }
}

fn server(source: &str, value: &str) -> Work {
    let pair = |value: &str| vec![("Device.Time.NTPServer1".to_owned(), value.to_owned())];
    let part = TransactionPart {
        source: source.to_owned(),
        before: pair(value),
        edits: pair("ntp.new"),
        image: None,
    };
    Work::Tree(Transaction { parts: vec![part], ..Transaction::default() })
}

async fn has(cpe: &mut Cpe, line: &str) -> bool {
    cpe.view().await.iter().any(|told| told == line)
}

#[test]
fn a_configuration_that_was_being_loaded_is_replaced_by_the_one_of_before() {
    run(async {
        let image = Image::of_bytes("/etc/box.conf".into(), b"key=old".to_vec()).unwrap();
        for image in [image, Image::File(format!("{STATE_DIR}/saved.conf").into())] {
            let sim = prepared(TELLING).await;
            sim.write_new(std::path::Path::new(&format!("{STATE_DIR}/saved.conf")), b"key=old").unwrap();
            written(&sim, configuration(image), None);
            let disk = sim.clone();
            let cpe = Cpe::start_with(&sim, TELLING, move |mock| {
                mock.expect_load_config().times(1).returning(move |path, _| {
                    assert_eq!(disk.text(path.to_str().unwrap()).as_deref(), Some("key=old"));
                    Ok(LoadConfig::Applied)
                });
            })
            .await;
            assert!(cpe.ledger.journal.borrow().intent().is_none());
            let names = sim.list(std::path::Path::new(STATE_DIR), 99).unwrap();
            assert!(!names.iter().any(|name| name == IMAGE_FILE || name.starts_with("journal")), "{names:?}");
        }
    });
}

#[test]
fn what_cannot_be_put_back_is_tried_again_with_each_start_and_given_up_in_the_end() {
    run(async {
        let sim = prepared(TELLING).await;
        written(&sim, configuration(Image::File("/gone".into())), None);
        for attempt in 0..=cwmp_store::journal::RECOVERY_ATTEMPTS {
            let last = attempt == cwmp_store::journal::RECOVERY_ATTEMPTS;
            let cpe = Cpe::start_with(&sim, TELLING, move |mock| {
                let refuse =
                    |_: &std::path::Path, _: &str| Err(PlatformError::Failed("there is no /gone".to_owned()));
                mock.expect_load_config().times(usize::from(!last)).returning(refuse);
            })
            .await;
            assert_eq!(cpe.ledger.journal.borrow().intent().is_none(), last, "attempt {attempt}");
        }
    });
}

#[test]
fn the_rest_is_put_back_though_a_source_is_gone() {
    run(async {
        let sim = prepared(TELLING).await;
        let Work::Tree(mut transaction) = server("clock", "ntp.before") else { panic!() };
        let Work::Tree(gone) = server("no longer there", "x") else { panic!() };
        transaction.parts.extend(gone.parts);
        written(&sim, Work::Tree(transaction), None);
        let mut cpe = Cpe::start(&sim, TELLING).await;
        assert!(has(&mut cpe, "Device.Time.NTPServer1=ntp.before").await);
        let fault = cpe.acs(across()).await.unwrap_err();
        assert_eq!(fault.code.0, 9002, "a change that is half undone comes first");
        assert!(fault.text.contains("there is no source no longer there"), "{fault}");
    });
}

#[test]
fn a_change_that_nobody_confirms_is_undone_when_its_time_is_over() {
    run(async {
        let sim = prepared(TELLING).await;
        written(&sim, server("clock", "ntp.before"), Some(60_000));
        let mut cpe = Cpe::start(&sim, TELLING).await;
        assert!(has(&mut cpe, "Device.Time.NTPServer1=ntp.old").await);
        let left = cpe.ledger.waits().unwrap();
        assert!(left > Duration::from_secs(30) && left <= Duration::from_secs(60), "{left:?}");
        // The time is over.
        written_deadline_over(&sim);
        let mut cpe = Cpe::start(&sim, TELLING).await;
        assert!(has(&mut cpe, "Device.Time.NTPServer1=ntp.before").await);
        assert_eq!(cpe.ledger.waits(), None);
    });
}

/// The same intent with no time left.
fn written_deadline_over(sim: &Arc<Sim>) {
    let (mut journal, _) =
        Journal::<Work>::open(sim.clone(), std::path::Path::new(STATE_DIR), boxes::OWNER, &now(0)).unwrap();
    journal.applied(Some(0), &now(0)).unwrap();
}

#[test]
fn an_inform_that_the_acs_has_answered_confirms() {
    run(async {
        let sim = prepared(TELLING).await;
        written(&sim, server("clock", "ntp.before"), Some(60_000));
        let mut cpe = Cpe::start(&sim, TELLING).await;
        cpe.acs(DataOp::InformDelivered).await.unwrap();
        assert_eq!(cpe.ledger.waits(), None);
        written_nothing(&sim);
        assert!(has(&mut Cpe::start(&sim, TELLING).await, "Device.Time.NTPServer1=ntp.old").await);
    });
}

fn written_nothing(sim: &Arc<Sim>) {
    assert_eq!(sim.text(&format!("{STATE_DIR}/journal.json")), None);
}

#[test]
fn a_factory_reset_leaves_nothing_to_undo() {
    run(async {
        let sim = prepared(TELLING).await;
        written(&sim, server("clock", "ntp.before"), Some(60_000));
        let cpe = Cpe::start(&sim, TELLING).await;
        cpe.ledger.forget().unwrap();
        assert_eq!(cpe.ledger.waits(), None);
        written_nothing(&sim);
    });
}

#[test]
fn the_task_of_the_tree_undoes_what_is_not_confirmed_while_it_waits_for_questions() {
    run(async {
        let sim = prepared(TELLING).await;
        written(&sim, server("clock", "ntp.before"), Some(20));
        // The start itself may be slower than those 20 ms.
        let mut cpe = Cpe::start(&sim, TELLING).await;
        let (ask, mut questions) = tokio::sync::mpsc::unbounded_channel();
        let undone = async {
            while cpe.ledger.journal.borrow().intent().is_some() {
                tokio::task::yield_now().await;
            }
            drop(ask);
        };
        let ((), none) = tokio::join!(undone, cpe.tree.next(&mut questions));
        assert!(none.is_none());
        assert!(has(&mut cpe, "Device.Time.NTPServer1=ntp.before").await);
    });
}

#[test]
fn a_configuration_whose_loading_the_agent_has_not_heard_of_is_loaded_again_and_waits_on() {
    run(async {
        let sim = prepared(TELLING).await;
        let before = Image::of_bytes("/etc/box.conf".into(), b"key=old".to_vec()).unwrap();
        written(&sim, configuration(before), Some(60_000));
        let cpe = Cpe::start_with(&sim, TELLING, |mock| {
            mock.expect_load_config().times(1).returning(|_, _| Ok(LoadConfig::Applied));
        })
        .await;
        let file = std::path::Path::new("/tmp/transfer-7");
        let loaded = cpe.ledger.load_configuration(file, "", TransferId(7)).await;
        assert!(matches!(loaded, Ok(LoadConfig::Applied)), "{loaded:?}");
        assert!(cpe.ledger.waits().is_some_and(|left| left <= Duration::from_secs(60)));
        let journal = cpe.ledger.journal.borrow();
        let Some(Work::Configuration { before, .. }) = journal.intent().map(|intent| &intent.work) else {
            panic!()
        };
        assert!(*before == Image::Bytes(b"key=old".to_vec()), "what was before is kept");
    });
}

#[test]
fn the_transfer_whose_configuration_was_undone_is_named_until_the_acs_knows() {
    run(async {
        let sim = prepared(TELLING).await;
        let before = Image::of_bytes("/etc/box.conf".into(), b"key=old".to_vec()).unwrap();
        written(&sim, configuration(before), Some(0));
        let undone = |cpe: &Cpe| {
            cpe.ledger.resume();
            let news = cpe.ledger.news();
            news.iter().filter(|news| matches!(news, Input::TransferUndone(TransferId(7)))).count()
        };
        let cpe = Cpe::start_with(&sim, TELLING, |mock| {
            mock.expect_load_config().times(1).returning(|_, _| Ok(LoadConfig::Applied));
        })
        .await;
        assert_eq!(undone(&cpe), 1);
        // The power fails before the agent has stored what it heard.
        let cpe = Cpe::start(&sim, TELLING).await;
        assert_eq!(undone(&cpe), 1);
        cpe.ledger.informed(false);
        assert_eq!(undone(&Cpe::start(&sim, TELLING).await), 1);
        cpe.ledger.informed(true);
        assert_eq!(undone(&Cpe::start(&sim, TELLING).await), 0);
    });
}
