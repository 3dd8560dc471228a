//! One verdict for a strip of 10 to 60 s, as a handheld recorder takes it.

use super::BOUNDS_S;
use super::statistics::Statistics;
use crate::rr::RrInterval;
use afferent_dsp::ecg::SignalQuality;

/// Fitted on 300 strips of the CinC 2017 challenge (fibrillation against normal, other and noisy).
const BIAS: f64 = -17.55;
const WEIGHTS: [f64; 10] = [1.4548, -0.1151, 0.387, -3.966, 6.2567, 1.1132, -0.0347, 12.5218, -0.6682, 0.7825];

/// Probability of atrial fibrillation, in [0, 1]; above 0.5 the strip shows it. The signal quality of the strip counts:
/// noise makes intervals irregular too. None with fewer than six usable intervals.
pub fn strip_probability(intervals: &[RrInterval], quality: &SignalQuality) -> Option<f64> {
    let seconds = intervals.iter().map(|interval| interval.ms / 1000.0);
    let usable: Vec<f64> = seconds.filter(|seconds| (BOUNDS_S.0..BOUNDS_S.1).contains(seconds)).collect();
    let statistics = Statistics::new(&usable)?;
    let features = [
        statistics.entropy,
        statistics.lower_quartile,
        statistics.deviation,
        statistics.interval,
        statistics.turning,
        statistics.second_differences,
        statistics.middle,
        quality.likeness,
        quality.log_crowding,
        quality.log_kurtosis,
    ];
    let log_odds = BIAS + features.iter().zip(&WEIGHTS).map(|(feature, weight)| feature * weight).sum::<f64>();
    Some(1.0 / (1.0 + (-log_odds).exp()))
}
