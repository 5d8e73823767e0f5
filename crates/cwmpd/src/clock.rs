//! The two clocks of the box, and word when somebody sets one of them.

use std::{
    os::fd::{AsFd, AsRawFd, RawFd},
    time::Duration,
};

use cwmp_core::time::{Mono, Now, Wall};
use nix::{
    sys::{
        time::TimeSpec,
        timerfd::{ClockId as TimerClock, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags},
    },
    time::{ClockId, clock_gettime},
};
use tokio::io::unix::AsyncFd;

/// Reads both clocks; the date counts only while `synchronised`.
pub(crate) fn now(synchronised: bool) -> Now {
    let mono = milliseconds(ClockId::CLOCK_BOOTTIME).unwrap_or(0);
    let wall = synchronised.then(|| milliseconds(ClockId::CLOCK_REALTIME)).flatten().map(Wall);
    Now { mono: Mono(u64::try_from(mono).unwrap_or(0)), wall }
}

fn milliseconds(clock: ClockId) -> Option<i64> {
    let time = clock_gettime(clock).ok()?;
    // On 32-bit targets the fields are narrower than i64.
    #[allow(clippy::useless_conversion, reason = "the width of time_t depends on the target")]
    let (seconds, nanoseconds) = (i64::from(time.tv_sec()), i64::from(time.tv_nsec()));
    Some(seconds * 1000 + nanoseconds / 1_000_000)
}

/// Tells when the wall clock is set: a timer far ahead that the kernel cancels then.
pub(crate) struct ClockWatch {
    timer: Option<AsyncFd<Timer>>,
}

struct Timer(TimerFd);

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// How far ahead the timer lies. It never needs to fire.
const FAR_AHEAD: Duration = Duration::from_secs(10 * 365 * 86_400);

impl ClockWatch {
    pub(crate) fn new() -> Self {
        // `register` is unsafe because a foreign type may swap its descriptor; this one owns its timer for good.
        #[allow(deprecated, reason = "the replacement is an unsafe function")]
        let timer =
            TimerFd::new(TimerClock::CLOCK_REALTIME, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)
                .ok()
                .and_then(|timer| AsyncFd::new(Timer(timer)).ok());
        if timer.is_none() {
            tracing::warn!(
                "the kernel gives no timer to watch the clock with: a clock that is set is noticed late"
            );
        }
        let watch = Self { timer };
        watch.arm();
        watch
    }

    fn arm(&self) {
        let Some(timer) = &self.timer else { return };
        let now = clock_gettime(ClockId::CLOCK_REALTIME).unwrap_or_else(|_| TimeSpec::new(0, 0));
        let ahead = Expiration::OneShot(now + TimeSpec::from_duration(FAR_AHEAD));
        let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
        let _ = timer.get_ref().0.set(ahead, flags);
    }

    /// Waits until the clock has been set.
    pub(crate) async fn stepped(&self) {
        let Some(timer) = &self.timer else { return std::future::pending().await };
        match timer.readable().await {
            Ok(mut ready) => {
                ready.clear_ready();
                self.arm();
            }
            Err(_) => std::future::pending().await,
        }
    }
}
