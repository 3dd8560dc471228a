//! Circuit breakers: a target that fails again and again is left alone for a while, then asked once; and one that says how
//! long it does not want to be asked is not. So a target that is down costs the others nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::id::{ConnectionId, TenantId};

/// Names a target.
pub type Target = (TenantId, ConnectionId);

/// Failures in a row after which a target is left alone.
const FAILURES: u32 = 5;
/// How long at first, and at most.
const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(120);

#[derive(Debug, Default, Clone, Copy)]
struct State {
    /// In a row.
    failures: u32,
    /// Left alone until then, because it failed.
    until: Option<Instant>,
    /// Left alone until then, because it said so.
    paused: Option<Instant>,
    /// Somebody is trying whether it is back.
    is_tried: bool,
    /// Requests under way.
    busy: usize,
}

/// The breakers of all targets.
#[derive(Debug, Default, Clone)]
pub struct Breakers {
    states: Arc<Mutex<BTreeMap<Target, State>>>,
    /// Most workers at one target.
    most: usize,
}

impl Breakers {
    /// With so many workers at one target at most.
    pub fn new(most: usize) -> Self {
        Self { states: Arc::default(), most: most.max(1) }
    }

    /// Targets that are not to be asked now.
    pub fn closed_to(&self, now: Instant) -> Vec<Target> {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let is_early = |until: Option<Instant>| until.is_some_and(|until| now < until);
        let barred = |state: &State| {
            state.is_tried || state.busy >= self.most || is_early(state.until) || is_early(state.paused)
        };
        states.iter().filter(|(_, state)| barred(state)).map(|(target, _)| target.clone()).collect()
    }

    /// A worker turns to a target.
    pub fn begin(&self, target: &Target) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let state = states.entry(target.clone()).or_default();
        state.busy += 1;
        state.is_tried |= state.failures >= FAILURES;
    }

    /// A worker turns away from it.
    pub fn end(&self, target: &Target) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = states.get_mut(target) {
            state.busy = state.busy.saturating_sub(1);
            state.is_tried = false;
        }
    }

    /// It answered: it is there, whatever it said.
    pub fn answered(&self, target: &Target) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let state = states.entry(target.clone()).or_default();
        (state.failures, state.until, state.is_tried) = (0, None, false);
    }

    /// It did not answer, or said that it cannot. Whether it is left alone from now on, and was not before.
    pub fn failed(&self, target: &Target, now: Instant) -> bool {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let state = states.entry(target.clone()).or_default();
        // What was under way when it began to be left alone tells nothing new.
        if [state.until, state.paused].into_iter().flatten().any(|until| now < until) {
            return false;
        }
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES {
            let doubled = FIRST.saturating_mul(1 << (state.failures - FAILURES).min(8));
            state.until = now.checked_add(doubled.min(LONGEST));
        }
        state.failures == FAILURES
    }

    /// It does not want to be asked for so long.
    pub fn pause(&self, target: &Target, now: Instant, wait: Duration) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let state = states.entry(target.clone()).or_default();
        state.paused = state.paused.max(now.checked_add(wait));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(name: &str) -> Target {
        (TenantId::new("a").unwrap(), ConnectionId::new(name).unwrap())
    }

    #[test]
    fn a_target_that_fails_is_left_alone_and_then_asked_by_one() {
        let (breakers, now, ehr) = (Breakers::new(4), Instant::now(), target("ehr"));
        let later = |seconds| now.checked_add(Duration::from_secs(seconds)).unwrap();
        for _ in 1..FAILURES {
            assert!(!breakers.failed(&ehr, later(5)));
        }
        assert_eq!(breakers.closed_to(later(5)), []);
        assert!(breakers.failed(&ehr, later(5)), "told once");
        assert!(!breakers.failed(&ehr, later(6)), "this one was under way");
        assert_eq!(breakers.closed_to(later(9)), std::slice::from_ref(&ehr));
        assert_eq!(breakers.closed_to(later(11)), []);
        breakers.begin(&ehr);
        assert_eq!(breakers.closed_to(later(11)), std::slice::from_ref(&ehr), "one tries");
        assert!(!breakers.failed(&ehr, later(11)));
        breakers.end(&ehr);
        assert_eq!(breakers.closed_to(later(20)), std::slice::from_ref(&ehr), "longer this time");
        breakers.begin(&ehr);
        breakers.answered(&ehr);
        assert_eq!(breakers.closed_to(later(21)), []);
    }

    #[test]
    fn what_was_under_way_when_a_pause_began_is_no_failure() {
        let (breakers, now, ehr) = (Breakers::new(4), Instant::now(), target("ehr"));
        assert!(!breakers.failed(&ehr, now));
        breakers.pause(&ehr, now, Duration::from_secs(1));
        for _ in 0..2 * FAILURES {
            assert!(!breakers.failed(&ehr, now));
        }
        assert_eq!(breakers.closed_to(now.checked_add(Duration::from_secs(2)).unwrap()), []);
    }

    #[test]
    fn no_target_has_all_the_workers_and_who_asks_for_a_pause_gets_it() {
        let (breakers, now) = (Breakers::new(2), Instant::now());
        let (slow, quota) = (target("slow"), target("quota"));
        breakers.begin(&slow);
        breakers.begin(&slow);
        breakers.pause(&quota, now, Duration::from_secs(29));
        assert_eq!(breakers.closed_to(now), [quota.clone(), slow.clone()]);
        breakers.end(&slow);
        breakers.answered(&quota);
        assert_eq!(breakers.closed_to(now), std::slice::from_ref(&quota), "an answer to somebody else ends no pause");
        assert_eq!(breakers.closed_to(now.checked_add(Duration::from_secs(30)).unwrap()), []);
    }
}
