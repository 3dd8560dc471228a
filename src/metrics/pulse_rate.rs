//! Pulse rate from detected pulses.
//!
//! Beats over time, the mean interval's inverse: unlike the median's it is right in atrial fibrillation. Intervals that a
//! missed or an extra pulse made are told by the median of all and repaired first; pulses unlike their neighbours are left
//! out where there are others enough.

use afferent_dsp::ppg::DetectedPulse;

/// Changes whenever the same pulses could give another rate.
pub const VERSION: &str = "1.0.0";

/// Fewest intervals for a rate.
pub const MIN_INTERVALS: usize = 3;
/// Longest time without a pulse that is still an interval: 20 beats/min.
const LONGEST_S: f64 = 3.0;
/// From this multiple of the median on, an interval holds missed pulses.
const MISSED: f64 = 1.75;
/// Below this part of the median an interval may be an extra pulse's, when it makes a whole one with its neighbour.
const EXTRA: f64 = 0.6;
const WHOLE: std::ops::RangeInclusive<f64> = 0.8..=1.2;

/// Pulse quality from which on an interval's pulses are taken for pulses without doubt, and how many such are enough.
const ALIKE: f64 = 0.6;
const ENOUGH: usize = 8;
/// Pulse quality that tells a premature beat from an artefact between two beats.
const SURE: f64 = 0.75;

/// A pulse rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PulseRate {
    /// Pulses per minute.
    pub per_minute: f64,
    /// Share of the intervals that were plausible, times their mean pulse quality; in [0, 1].
    pub quality: f64,
    /// Intervals used.
    pub intervals: usize,
}

/// Pulse rate over consecutive pulses of one window, sampled at `rate_hz`.
///
/// `None` with fewer than [`MIN_INTERVALS`] intervals of at most 3 s.
pub fn pulse_rate(pulses: &[DetectedPulse], rate_hz: f64) -> Option<PulseRate> {
    let intervals: Vec<(f64, f64)> = pulses
        .windows(2)
        .filter(|pair| !pair[1].after_gap)
        .map(|pair| ((pair[1].sample - pair[0].sample) / rate_hz, f64::from(pair[0].quality.min(pair[1].quality))))
        .filter(|(seconds, _)| *seconds > 0.0 && *seconds <= LONGEST_S)
        .collect();
    if intervals.len() < MIN_INTERVALS {
        return None;
    }
    let quality = intervals.iter().map(|(_, quality)| quality).sum::<f64>() / (pulses.len() - 1) as f64;
    let alike: Vec<(f64, f64)> = intervals.iter().copied().filter(|(_, quality)| *quality >= ALIKE).collect();
    let used = if alike.len() >= ENOUGH { alike } else { intervals };
    let mut sorted: Vec<f64> = used.iter().map(|(seconds, _)| *seconds).collect();
    sorted.sort_by(f64::total_cmp);
    let beats = beats(&used, sorted[sorted.len() / 2]);
    Some(PulseRate { per_minute: 60.0 * beats / sorted.iter().sum::<f64>(), quality, intervals: used.len() })
}

/// Beats in the intervals' time: one per interval, more in one with missed pulses, one in two that make a usual one
/// together when the pulse between them is not beyond doubt.
fn beats(intervals: &[(f64, f64)], median_s: f64) -> f64 {
    let mut beats = 0.0;
    let mut rest = intervals;
    while let [(seconds, quality), after @ ..] = rest {
        let split = after.first().is_some_and(|(next_s, next_quality)| {
            let short = seconds.min(*next_s) < EXTRA * median_s && WHOLE.contains(&((seconds + next_s) / median_s));
            short && quality.max(*next_quality) < SURE
        });
        beats += if *seconds > MISSED * median_s { (seconds / median_s).round() } else { 1.0 };
        rest = if split { &after[1..] } else { after };
    }
    beats
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pulses(at_s: &[f64]) -> Vec<DetectedPulse> {
        at_s.iter().map(|s| DetectedPulse { sample: s * 100.0, quality: 1.0, after_gap: false }).collect()
    }

    #[track_caller]
    fn check(at_s: &[f64], expected: Option<f64>) {
        let rate = pulse_rate(&pulses(at_s), 100.0).map(|rate| rate.per_minute);
        assert_eq!(rate.map(|rate| (rate * 100.0).round() / 100.0), expected);
    }

    #[test]
    fn missed_and_extra_pulses_do_not_change_the_rate() {
        check(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0], Some(60.0));
        check(&[0.0, 1.0, 2.0, 4.0, 5.0, 6.0], Some(60.0));
        let mut extra = pulses(&[0.0, 1.0, 2.0, 2.4, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(pulse_rate(&extra, 100.0).map(|rate| rate.per_minute), Some(70.0));
        extra[3].quality = 0.5;
        assert_eq!(pulse_rate(&extra, 100.0).map(|rate| rate.per_minute), Some(60.0));
    }

    #[test]
    fn irregular_intervals_count_as_they_are() {
        check(&[0.0, 0.7, 1.6, 2.3, 3.4, 4.2, 5.0], Some(72.0));
    }

    #[test]
    fn too_few_pulses_have_no_rate() {
        check(&[], None);
        check(&[0.0, 1.0, 2.0], None);
        check(&[0.0, 5.0, 10.0, 15.0, 20.0], None);
    }

    #[test]
    fn an_interval_across_a_gap_is_none() {
        let mut gap = pulses(&[0.0, 1.0, 2.0, 3.5, 4.5, 5.5]);
        gap[3].after_gap = true;
        assert_eq!(pulse_rate(&gap, 100.0).map(|rate| rate.per_minute), Some(60.0));
    }

    /// When this fails the output has changed: raise [`VERSION`] and note the new value beside it.
    #[test]
    fn output_changes_only_with_the_version() {
        let at_s: Vec<f64> = (0..40).map(|i| f64::from(i) * 0.8 + 0.05 * f64::from(i * 37 % 11)).collect();
        let rate = pulse_rate(&pulses(&at_s), 100.0).map(|rate| (rate.per_minute * 1e6).round());
        assert_eq!((VERSION, rate), ("1.0.0", Some(74_760_383.0)));
    }
}
