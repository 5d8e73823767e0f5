//! When watched parameters are compared because the box says that something has changed: once for a burst of changes.

use std::time::Duration;

use cwmp_platform::Changes;
use tokio::time::Instant;

/// From the first change of a burst to the comparison: an address that changes brings a few messages with it.
const SETTLES: Duration = Duration::from_millis(500);
/// Least time between two comparisons, for a box whose routes never come to rest.
const PAUSE: Duration = Duration::from_secs(2);

/// Waits for changes of the box.
pub(crate) struct ChangeWatch {
    changes: Option<Box<dyn Changes>>,
    /// When to compare, once something has changed.
    due: Option<Instant>,
    last: Option<Instant>,
}

impl ChangeWatch {
    /// Of a box that tells of its changes, or of one that does not.
    pub(crate) fn new(changes: Option<Box<dyn Changes>>) -> Self {
        Self { changes, due: None, last: None }
    }

    /// Waits until watched parameters are to be compared. It may be dropped at any await.
    pub(crate) async fn settled(&mut self) {
        let Some(changes) = &mut self.changes else { return std::future::pending().await };
        loop {
            let Some(due) = self.due else {
                changes.changed().await;
                let soon = Instant::now() + SETTLES;
                self.due = Some(self.last.map_or(soon, |last| soon.max(last + PAUSE)));
                continue;
            };
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(due) => {
                    self.due = None;
                    self.last = Some(Instant::now());
                    return;
                }
                // Part of the same burst.
                () = changes.changed() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use tokio::sync::mpsc;

    use super::*;

    struct Told(mpsc::UnboundedReceiver<()>);

    #[async_trait(?Send)]
    impl Changes for Told {
        async fn changed(&mut self) {
            if self.0.recv().await.is_none() {
                std::future::pending().await
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_of_changes_is_one_comparison() {
        let (tell, told) = mpsc::unbounded_channel();
        let mut watch = ChangeWatch::new(Some(Box::new(Told(told))));
        let start = Instant::now();
        for _ in 0..50 {
            tell.send(()).unwrap();
        }
        watch.settled().await;
        assert_eq!(start.elapsed(), SETTLES);
        let idle = tokio::time::timeout(Duration::from_secs(3600), watch.settled()).await;
        assert!(idle.is_err(), "nothing has changed since");
    }

    #[tokio::test(start_paused = true)]
    async fn a_box_that_never_rests_is_compared_at_a_bounded_pace() {
        let (tell, told) = mpsc::unbounded_channel();
        let mut watch = ChangeWatch::new(Some(Box::new(Told(told))));
        let start = Instant::now();
        let mut compared = Vec::new();
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        while start.elapsed() < Duration::from_secs(10) {
            // The wait is dropped again and again, as the loop of the driver does.
            tokio::select! {
                () = watch.settled() => compared.push(start.elapsed()),
                _ = tick.tick() => tell.send(()).unwrap(),
            }
        }
        assert_eq!(compared.first(), Some(&SETTLES));
        assert!(compared.windows(2).all(|pair| pair[1] - pair[0] >= PAUSE), "{compared:?}");
        assert_eq!(compared.len(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_box_that_does_not_tell_is_never_compared_for_it() {
        let mut watch = ChangeWatch::new(None);
        assert!(tokio::time::timeout(Duration::from_secs(3600), watch.settled()).await.is_err());
    }
}
