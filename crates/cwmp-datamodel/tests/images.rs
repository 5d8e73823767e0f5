//! Sources that make images of what is about to change: a deletion can be undone, and what is undone is as it was.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use async_trait::async_trait;
use common::Bench;
use cwmp_datamodel::{LogError, Transaction, TransactionLog};
use cwmp_platform::source::ObjectKind;

/// A log that keeps what waits to be confirmed, together with what was changed before.
#[derive(Default)]
struct Kept {
    open: RefCell<Option<Transaction>>,
    held: Cell<bool>,
}

#[async_trait(?Send)]
impl TransactionLog for Kept {
    fn gather(&self) {}

    async fn settle(&self, _: bool) -> Result<(), LogError> {
        Ok(())
    }

    async fn begin(&self, transaction: &Transaction) -> Result<(), LogError> {
        let before = self.open.take().filter(|_| self.held.get());
        let all = before.map_or_else(|| transaction.clone(), |first| first.followed_by(transaction.clone()));
        // As the journal keeps it.
        let json = serde_json::to_string(&all).unwrap();
        self.open.replace(Some(serde_json::from_str(&json).unwrap()));
        Ok(())
    }

    /// What joins a change that waits goes on waiting with it.
    async fn close(&self) -> Result<(), LogError> {
        if !self.held.get() {
            self.open.take();
        }
        Ok(())
    }

    fn confirms(&self) -> bool {
        true
    }

    async fn hold(&self) -> Result<(), LogError> {
        self.held.set(true);
        Ok(())
    }

    async fn keep_undoing(&self) {}
}

const ROW: &str = "Device.IP.Interface.1.";
const TIME: &str = "Device.Time.NTPServer1";

/// A box whose own objects of the network make images.
fn bench() -> (Bench, Rc<Kept>) {
    let mut bench = Bench::new();
    bench.system.put_object(ROW, ObjectKind::Instance { deletable: true });
    bench.system.put("Device.IP.Interface.1.Enable", "true", cwmp_platform::source::Access::ReadWrite);
    bench.system.makes_images.set(true);
    let log = Rc::new(Kept::default());
    bench.model = bench.model.with_log(Rc::clone(&log) as _);
    (bench, log)
}

#[tokio::test]
async fn a_deletion_on_the_way_to_the_acs_waits_to_be_confirmed_and_is_undone_with_its_alias() {
    let (mut bench, log) = bench();
    bench.set(&[(&format!("{ROW}Alias"), "uplink")], "k").await.unwrap();
    log.held.set(false);
    bench.delete(ROW, "gone").await.unwrap();
    assert!(log.held.get(), "it is provisional");
    let transaction = log.open.borrow().clone().unwrap();
    assert!(transaction.can_go_back());
    assert!(transaction.changed().any(|name| name == ROW));
    assert_eq!(bench.values(&[ROW]).await, Err(9005));
    bench.model.undo(&transaction).await.unwrap();
    assert_eq!(bench.value(&format!("{ROW}Enable")).await, "true");
    assert_eq!(bench.value(&format!("{ROW}Alias")).await, "uplink");
    assert_eq!(bench.value(common::KEY).await, "k");
    // Once more, after a cut.
    bench.model.undo(&transaction).await.unwrap();
    assert_eq!(bench.value(&format!("{ROW}Alias")).await, "uplink");
}

#[tokio::test]
async fn what_joins_a_deletion_is_undone_with_it() {
    let (mut bench, log) = bench();
    bench.delete(ROW, "one").await.unwrap();
    bench.set(&[(TIME, "other.example")], "two").await.unwrap();
    let both = log.open.borrow().clone().unwrap();
    let names: Vec<&str> = both.changed().collect();
    assert!(names.contains(&ROW) && names.contains(&TIME), "{names:?}");
    bench.model.undo(&both).await.unwrap();
    assert_eq!(bench.value(TIME).await, "ntp.example");
    assert_eq!(bench.value(&format!("{ROW}Enable")).await, "true");
    assert_eq!(bench.value(common::KEY).await, "first");
}

#[tokio::test]
async fn without_an_image_a_deletion_is_final() {
    let (mut bench, log) = bench();
    bench.system.makes_images.set(false);
    bench.delete(ROW, "gone").await.unwrap();
    assert!(!log.held.get());
    assert!(log.open.borrow().is_none());
}

#[tokio::test]
async fn a_call_of_a_source_with_images_is_written_down_even_where_it_is_alone() {
    let (mut bench, log) = bench();
    bench.system.fails_to_apply.set(true);
    let local = common::set(&[(TIME, "x.example")], "");
    assert!(bench.model.execute(local, cwmp_datamodel::Origin::Local).await.is_err());
    // Written down before, and closed once everything was taken back.
    assert!(log.open.borrow().is_none());
    bench.system.fails_to_apply.set(false);
    let local = common::set(&[(TIME, "y.example")], "");
    bench.model.execute(local, cwmp_datamodel::Origin::Local).await.unwrap();
    assert!(log.open.borrow().is_none() && !log.held.get());
}
