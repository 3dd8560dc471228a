//! Heart rate variability after the 1996 Task Force standard (doi:10.1161/01.CIR.93.5.1043) and its successors.
//!
//! Input are normal-to-normal intervals; every function answers `None` when there is less data than it documents.

mod complexity;
mod frequency_domain;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod golden;
mod spline;
mod time_domain;

pub use complexity::{MIN_DFA_INTERVALS, MIN_ENTROPY_INTERVALS, dfa_alpha1, sample_entropy};
pub use frequency_domain::{
    FrequencyDomain, LOMB_METHOD, MIN_SPAN_S, MIN_VLF_SPAN_S, WELCH_METHOD, frequency_domain, frequency_domain_lomb,
};
pub use time_domain::{MIN_INTERVALS, TimeDomain, time_domain};

/// Changes whenever the same intervals could give other values.
pub const VERSION: &str = "1.0.0";

/// One normal-to-normal interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NnInterval {
    /// Time of the beat that ends the interval, in seconds on any axis.
    pub at_s: f64,
    /// Length in milliseconds.
    pub ms: f64,
}

/// Intervals laid end to end, the first one ending at its own length.
pub fn consecutive(nn_ms: &[f64]) -> Vec<NnInterval> {
    let mut end_ms = 0.0;
    let mut place = |&ms: &f64| {
        end_ms += ms;
        NnInterval { at_s: end_ms / 1000.0, ms }
    };
    nn_ms.iter().map(&mut place).collect()
}
