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
    FrequencyDomain, MIN_SPAN_S, MIN_VLF_SPAN_S, SpectralMethod, frequency_domain, frequency_domain_lomb,
};
pub use time_domain::{MIN_INTERVALS, MIN_TRIANGULAR_SPAN_S, TimeDomain, time_domain};

/// Changes whenever the same intervals could give other values.
pub const VERSION: &str = "1.1.0";

/// Anything longer is a gap, not an interval, in milliseconds.
pub const MAX_INTERVAL_MS: f64 = 10_000.0;

fn is_interval(ms: f64) -> bool {
    ms > 0.0 && ms <= MAX_INTERVAL_MS
}

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
    use proptest::prelude::*;

    fn modulated(count: u32) -> Vec<f64> {
        (0..count).map(|i| 850.0 + 40.0 * (f64::from(i) * 0.6).sin() + f64::from(i * 7919 % 31)).collect()
    }

    /// When this fails the output has changed: raise [`VERSION`] and note the new value beside it.
    #[test]
    fn output_changes_only_with_the_version() {
        let nn_ms = modulated(2000);
        let nn = consecutive(&nn_ms);
        let (time, welch) = (time_domain(&nn_ms).unwrap(), frequency_domain(&nn).unwrap());
        let lomb = frequency_domain_lomb(&nn[..400]).unwrap();
        let [index, vlf, total] = [time.triangular_index, welch.vlf, lomb.total].map(Option::unwrap);
        let all = [time.sdnn, time.rmssd, index, time.sd2, vlf, welch.lf, welch.hf, total, lomb.lf_nu, lomb.hf];
        let complexity = [sample_entropy(&nn_ms).unwrap(), dfa_alpha1(&nn_ms).unwrap()];
        let sum: f64 = all.iter().chain(&complexity).sum();
        assert_eq!((VERSION, (sum * 1e6).round()), ("1.1.0", 1_878_567_605.0));
    }

    #[test]
    fn every_measure_has_its_least_amount_of_data() {
        let enough = |count: u32| {
            let nn_ms = modulated(count);
            let frequency = frequency_domain(&consecutive(&nn_ms));
            [
                time_domain(&nn_ms).is_some(),
                frequency.is_some(),
                sample_entropy(&nn_ms).is_some(),
                dfa_alpha1(&nn_ms).is_some(),
                frequency.is_some_and(|powers| powers.total.is_some()),
                time_domain(&nn_ms).is_some_and(|time| time.triangular_index.is_some()),
            ]
        };
        for (count, known) in [(19, 0), (20, 1), (50, 1), (59, 2), (60, 3), (191, 3), (192, 4), (400, 5), (2000, 6)] {
            assert_eq!(enough(count).iter().filter(|&&known| known).count(), known, "{count} intervals");
        }
    }

    fn anything() -> impl Strategy<Value = f64> {
        prop_oneof![9 => 300.0..1800.0_f64, 1 => -1e9..1e300_f64, 1 => Just(f64::NAN), 1 => Just(800.0)]
    }

    proptest! {
        #[test]
        fn no_measure_is_ever_not_a_number(
            plausible in prop::collection::vec(300.0..1800.0_f64, 0..400),
            any in prop::collection::vec(anything(), 0..400),
        ) {
            for nn_ms in [plausible, any] {
                let nn = consecutive(&nn_ms);
                let mut values = Vec::new();
                values.extend([sample_entropy(&nn_ms), dfa_alpha1(&nn_ms)].into_iter().flatten());
                for powers in [frequency_domain(&nn), frequency_domain_lomb(&nn)].into_iter().flatten() {
                    values.extend([powers.lf, powers.hf, powers.lf_hf, powers.lf_nu, powers.hf_nu]);
                    values.extend(powers.vlf.into_iter().chain(powers.total));
                }
                if let Some(time) = time_domain(&nn_ms) {
                    values.extend([time.mean_nn, time.sdnn, time.rmssd, time.sdsd, time.pnn50, time.sd1, time.sd2]);
                    values.extend(time.triangular_index);
                }
                prop_assert!(values.iter().all(|value| value.is_finite()), "{:?}", values);
            }
        }
    }
}
