//! Pulse rate from detected pulses.
//!
//! The mean of the intervals between neighbouring pulses, without those that a missed or an extra pulse made: an
//! interval is kept when it lies between 0.6 and 1.6 times the median of its neighbours... see [`pulse_rate`].

use afferent_dsp::ppg::DetectedPulse;

/// Changes whenever the same pulses could give another rate.
pub const VERSION: &str = "0.1.0";

/// Fewest intervals for a rate.
pub const MIN_INTERVALS: usize = 3;
/// Intervals of a heart beating at 25 to 240 per minute.
const INTERVAL_S: std::ops::RangeInclusive<f64> = 0.25..=2.4;

/// A pulse rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PulseRate {
    /// Pulses per minute.
    pub per_minute: f64,
    /// Share of the intervals that were plausible, times their mean pulse quality; in [0,1].
    pub quality: f64,
    /// Intervals used.
    pub intervals: usize,
}

/// Pulse rate over consecutive pulses of one window, sampled at `rate_hz`.
///
/// `None` with fewer than [`MIN_INTERVALS`] plausible intervals.
pub fn pulse_rate(pulses: &[DetectedPulse], rate_hz: f64) -> Option<PulseRate> {
    let all: Vec<(f64, f64)> = pulses
        .windows(2)
        .filter(|pair| !pair[1].after_gap)
        .map(|pair| ((pair[1].sample - pair[0].sample) / rate_hz, f64::from(pair[0].quality.min(pair[1].quality))))
        .collect();
    let possible: Vec<(f64, f64)> = all.iter().copied().filter(|(seconds, _)| INTERVAL_S.contains(seconds)).collect();
    if possible.len() < MIN_INTERVALS {
        return None;
    }
    let count = possible.len() as f64;
    let mean = possible.iter().map(|(seconds, _)| seconds).sum::<f64>() / count;
    let quality = possible.iter().map(|(_, quality)| quality).sum::<f64>() / all.len() as f64;
    Some(PulseRate { per_minute: 60.0 / mean, quality, intervals: possible.len() })
}
