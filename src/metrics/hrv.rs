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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// When this fails the output has changed: raise [`VERSION`] and note the new value beside it.
    #[test]
    fn output_changes_only_with_the_version() {
        let nn_ms: Vec<f64> =
            (0..300).map(|i| 850.0 + 40.0 * (f64::from(i) * 0.6).sin() + f64::from(i * 7919 % 31)).collect();
        let nn = consecutive(&nn_ms);
        let (time, welch) = (time_domain(&nn_ms).unwrap(), frequency_domain(&nn).unwrap());
        let lomb = frequency_domain_lomb(&nn).unwrap();
        let all = [time.sdnn, time.rmssd, time.triangular_index, time.sd2, welch.lf, welch.hf, lomb.lf, lomb.hf];
        let complexity = [sample_entropy(&nn_ms).unwrap(), dfa_alpha1(&nn_ms).unwrap()];
        let sum: f64 = all.iter().chain(&complexity).sum();
        assert_eq!((VERSION, (sum * 1e6).round()), ("1.0.0", 1_914_897_143.0));
    }
}
