//! How long to wait for the next attempt: exponential, with full jitter, up to a cap.
//! <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>

use std::time::Duration;

/// How patient delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// The first wait is up to this.
    pub base: Duration,
    /// No wait is longer, unless the receiver asks for it.
    pub cap: Duration,
    /// Attempts in a row without any effect after which an operation is a dead letter. While a target is known to be down its
    /// operations are not attempted, and none of them is used up.
    pub attempts: i64,
}

impl Default for Patience {
    fn default() -> Self {
        Self { base: Duration::from_secs(1), cap: Duration::from_secs(1800), attempts: 16 }
    }
}

impl Patience {
    /// The wait after so many attempts that failed, from 1; `random` is anywhere from 0 to 1.
    pub fn wait(&self, failed: i64, random: f64) -> Duration {
        let doubled = 2_f64.powi(i32::try_from(failed.clamp(1, 31) - 1).unwrap_or(30));
        let most = (self.base.as_secs_f64() * doubled).min(self.cap.as_secs_f64());
        Duration::from_secs_f64(most * random.clamp(0.0, 1.0))
    }
}

/// Anywhere from 0 to 1.
pub fn random() -> f64 {
    let mut bytes = [0_u8; 4];
    // Without randomness waits are as long as they get.
    if getrandom::fill(&mut bytes).is_err() {
        return 1.0;
    }
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_are_anywhere_below() {
        let patience = Patience::default();
        let most: Vec<u64> = [1, 2, 3, 11, 12, 99].map(|n| patience.wait(n, 1.0).as_secs()).into();
        assert_eq!(most, [1, 2, 4, 1024, 1800, 1800]);
        assert_eq!(patience.wait(5, 0.0), Duration::ZERO);
        assert_eq!(patience.wait(5, 0.5).as_secs(), 8);
        assert!((0..100).all(|_| (0.0..=1.0).contains(&random())));
    }
}
