//! Joins the judgements of neighbouring intervals: forward-backward smoothing of a two-state Markov chain (Rabiner 1989,
//! doi:10.1109/5.18626) with a fixed lag.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Intervals of the future a judgement takes into account.
pub(super) const LAG: usize = 24;
/// Probability that the next interval belongs to the same rhythm: an episode lasts a few hundred intervals.
const STAY: f64 = 0.995;
/// The log odds of one window are bounded, so that no single one decides.
const BOUND: f64 = 0.5;

/// An interval whose judgement is final.
pub(super) struct Settled {
    pub(super) time_s: f64,
    pub(super) length_s: f64,
    pub(super) log_odds: f64,
}

/// State: at most [`LAG`] intervals and the odds so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Chain {
    waiting: VecDeque<Waiting>,
    /// Log odds given everything up to the last interval.
    log_odds: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Waiting {
    time_s: f64,
    length_s: f64,
    /// Likelihood ratio of this interval alone.
    ratio: f64,
    /// Log odds given everything up to this interval.
    log_odds: f64,
}

impl Chain {
    /// Takes the next interval with its log likelihood ratio; answers the interval that became final.
    pub(super) fn push(&mut self, time_s: f64, length_s: f64, evidence: f64) -> Option<Settled> {
        let evidence = evidence.clamp(-BOUND, BOUND);
        let odds = self.log_odds.exp();
        self.log_odds = ((STAY * odds + 1.0 - STAY) / ((1.0 - STAY) * odds + STAY)).ln() + evidence;
        self.waiting.push_back(Waiting { time_s, length_s, ratio: evidence.exp(), log_odds: self.log_odds });
        if self.waiting.len() > LAG { self.settle() } else { None }
    }

    /// Time of the oldest interval that is not settled, in seconds.
    pub(super) fn waiting_since(&self) -> Option<f64> {
        self.waiting.front().map(|interval| interval.time_s)
    }

    /// The oldest waiting interval, judged by what came before and what is waiting behind it.
    pub(super) fn settle(&mut self) -> Option<Settled> {
        let oldest = self.waiting.pop_front()?;
        let future = self.waiting.iter().rev().fold(1.0, |later, interval| {
            let ratio = later * interval.ratio;
            (STAY * ratio + 1.0 - STAY) / ((1.0 - STAY) * ratio + STAY)
        });
        let Waiting { time_s, length_s, log_odds, .. } = oldest;
        Some(Settled { time_s, length_s, log_odds: log_odds + future.ln() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(evidence: &[f64]) -> Vec<f64> {
        let mut chain = Chain::default();
        let mut settled: Vec<f64> = Vec::new();
        for (i, &evidence) in evidence.iter().enumerate() {
            settled.extend(chain.push(i as f64, 1.0, evidence).map(|settled| settled.log_odds));
        }
        settled.extend(std::iter::from_fn(|| chain.settle().map(|settled| settled.log_odds)));
        settled
    }

    #[test]
    fn no_evidence_leaves_even_odds() {
        assert!(run(&[0.0; 50]).iter().all(|log_odds| log_odds.abs() < 1e-12));
    }

    #[test]
    fn past_and_future_count_alike() {
        let evidence: Vec<f64> = (0..21).map(|i| if i == 10 { 0.4 } else { 0.05 }).collect();
        let settled = run(&evidence);
        for i in 0..10 {
            assert!((settled[i] - settled[20 - i]).abs() < 1e-9, "{i}: {settled:?}");
        }
        assert!(settled[10] > settled[0]);
    }

    #[test]
    fn a_moment_of_doubt_does_not_end_an_episode() {
        let evidence: Vec<f64> = (0..100).map(|i| if (48..53).contains(&i) { -0.4 } else { 0.4 }).collect();
        assert!(run(&evidence).iter().all(|&log_odds| log_odds > 0.0));
    }
}
