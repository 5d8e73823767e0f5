//! What is known of a few names.

use std::net::IpAddr;

use tokio::time::Instant;

use crate::limits;

#[derive(Debug)]
struct Known {
    host: String,
    addresses: Vec<IpAddr>,
    /// From this moment on the servers are to be asked.
    until: Instant,
}

/// At most [`limits::DNS_NAMES`] names; what was kept for longest gives way.
#[derive(Debug, Default)]
pub(super) struct Cache(Vec<Known>);

impl Cache {
    /// The addresses while they hold.
    pub(super) fn fresh(&self, host: &str, now: Instant) -> Option<Vec<IpAddr>> {
        self.find(host).filter(|known| now < known.until).map(|known| known.addresses.clone())
    }

    /// The addresses, whether they still hold or not.
    pub(super) fn stale(&self, host: &str) -> Option<Vec<IpAddr>> {
        self.find(host).map(|known| known.addresses.clone())
    }

    pub(super) fn keep(&mut self, host: &str, addresses: &[IpAddr], until: Instant) {
        self.0.retain(|known| known.host != host);
        if self.0.len() >= limits::DNS_NAMES {
            self.0.remove(0);
        }
        self.0.push(Known { host: host.to_owned(), addresses: addresses.to_vec(), until });
    }

    /// They hold no longer.
    pub(super) fn doubt(&mut self, host: &str) {
        if let Some(known) = self.0.iter_mut().find(|known| known.host == host) {
            known.until = Instant::now();
        }
    }

    fn find(&self, host: &str) -> Option<&Known> {
        self.0.iter().find(|known| known.host == host)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn names_are_kept_for_their_time_and_their_number_is_bounded() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        for n in 0..=limits::DNS_NAMES {
            cache.keep(&format!("n{n}"), &[address], now + Duration::from_secs(30));
        }
        assert_eq!((cache.0.len(), cache.stale("n0")), (limits::DNS_NAMES, None));
        assert_eq!(cache.fresh("n1", now + Duration::from_millis(29_999)), Some(vec![address]));
        assert_eq!(cache.fresh("n1", now + Duration::from_secs(30)), None);
        assert_eq!(cache.stale("n1"), Some(vec![address]));
        cache.doubt("n2");
        assert_eq!((cache.fresh("n2", now), cache.stale("n2")), (None, Some(vec![address])));
        cache.keep("n2", &[], now + Duration::from_secs(1));
        assert_eq!((cache.0.len(), cache.fresh("n2", now)), (limits::DNS_NAMES, Some(Vec::new())));
    }
}
