//! How much one caller may ask for: so many requests a second by each key and client, counted at each node.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Callers that are remembered.
const REMEMBERED: usize = 16_384;

/// Counts requests; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Limiter {
    per_second: u32,
    buckets: Arc<Mutex<BTreeMap<String, Bucket>>>,
}

/// What a caller has left. It fills up with time, to what a second brings.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Limiter {
    pub(super) fn new(per_second: u32) -> Self {
        Self { per_second, buckets: Arc::default() }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// It is one too many; how long to wait, always less than a second.
    pub(super) fn count(&self, who: &str, now: Instant) -> Result<(), Duration> {
        let most = f64::from(self.per_second);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= REMEMBERED && !buckets.contains_key(who) {
            // Who has asked for nothing for a second has all of it left.
            buckets.retain(|_, bucket| now.saturating_duration_since(bucket.at) < Duration::from_secs(1));
        }
        if !buckets.contains_key(who) {
            buckets.insert(who.to_owned(), Bucket { left: most, at: now });
        }
        let Some(bucket) = buckets.get_mut(who) else { return Ok(()) };
        let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.left = (bucket.left + passed * most).min(most);
        bucket.at = now;
        if bucket.left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - bucket.left) / most));
        }
        bucket.left -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_brings_what_a_second_may_take() {
        let (limiter, start) = (Limiter::new(10), Instant::now());
        assert_eq!((0..20).filter(|_| limiter.count("a", start).is_ok()).count(), 10);
        assert!(limiter.count("b", start).is_ok());
        let wait = limiter.count("a", start).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_millis(100), "{wait:?}");
        assert!(limiter.count("a", start + wait).is_ok());
        assert!(limiter.count("a", start + wait).is_err());
        let later = start + Duration::from_secs(60);
        assert_eq!((0..20).filter(|_| limiter.count("a", later).is_ok()).count(), 10);
    }
}
