//! Electrodermal activity of a window: tonic level and phasic responses (Boucsein et al. 2012,
//! doi:10.1111/j.1469-8986.2012.01384.x).

use afferent_dsp::eda::SkinResponse;

/// Changes whenever the same input could give other values.
pub const VERSION: &str = "1.0.0";

/// Shortest window, in seconds: a response and its recovery.
pub const MIN_WINDOW_S: f64 = 30.0;
/// The tonic level is what the conductance returns to: the lowest in each stretch of this length.
const BLOCK_S: f64 = 10.0;
/// Conductances of human skin, in µS; a dry or lifted electrode reads less.
const PLAUSIBLE_US: std::ops::RangeInclusive<f32> = 0.01..=100.0;
/// Least share of plausible samples.
const LEAST_PRESENT: f64 = 0.5;

/// Electrodermal activity of a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ElectrodermalActivity {
    /// Skin conductance level in µS: the median of the lowest values of 10 s each.
    pub tonic_us: f64,
    /// Mean conductance above that level in µS.
    pub phasic_us: f64,
    /// Skin conductance responses that peak in the window.
    pub responses: usize,
    /// Their rate per minute.
    pub responses_per_minute: f64,
    /// Their mean amplitude in µS, when there are any.
    pub amplitude_us: Option<f64>,
    /// Share of plausible samples, in [0, 1].
    pub quality: f64,
}

/// Summary of one window of conductances in µS and the responses that peak in it.
///
/// `None` for less than [`MIN_WINDOW_S`] or when more than half of the samples are missing or implausible.
pub fn summarize(samples_us: &[f32], rate_hz: f64, responses: &[SkinResponse]) -> Option<ElectrodermalActivity> {
    let window_s = samples_us.len() as f64 / rate_hz;
    let plausible = |sample: &&f32| PLAUSIBLE_US.contains(*sample);
    let present = samples_us.iter().filter(plausible).count();
    let quality = present as f64 / samples_us.len().max(1) as f64;
    if !window_s.is_finite() || window_s < MIN_WINDOW_S || quality < LEAST_PRESENT {
        return None;
    }
    let lowest = |block: &[f32]| block.iter().filter(plausible).copied().min_by(f32::total_cmp);
    let mut levels: Vec<f32> = samples_us.chunks(((BLOCK_S * rate_hz) as usize).max(1)).filter_map(lowest).collect();
    levels.sort_by(f32::total_cmp);
    let tonic_us = f64::from(*levels.get(levels.len() / 2)?);
    let mean = samples_us.iter().filter(plausible).map(|sample| f64::from(*sample)).sum::<f64>() / present as f64;
    let sum: f64 = responses.iter().map(|response| response.amplitude).sum();
    Some(ElectrodermalActivity {
        tonic_us,
        phasic_us: (mean - tonic_us).max(0.0),
        responses: responses.len(),
        responses_per_minute: 60.0 * responses.len() as f64 / window_s,
        amplitude_us: (!responses.is_empty()).then(|| sum / responses.len() as f64),
        quality,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn level_and_responses_are_told_apart() {
        let mut samples = vec![4.0_f32; 240];
        samples[100..110].fill(4.5);
        let response = SkinResponse { onset: 98.0, peak: 100.0, amplitude: 0.5 };
        let activity = summarize(&samples, 4.0, &[response]).unwrap();
        assert_eq!((activity.tonic_us, activity.responses, activity.amplitude_us), (4.0, 1, Some(0.5)));
        assert_eq!(activity.responses_per_minute, 1.0);
        assert!((activity.phasic_us - 5.0 / 240.0).abs() < 1e-9);
    }

    #[test]
    fn a_lifted_electrode_or_a_short_window_has_no_activity() {
        assert_eq!(summarize(&[0.0; 240], 4.0, &[]), None);
        assert_eq!(summarize(&[f32::NAN; 240], 4.0, &[]), None);
        assert_eq!(summarize(&[4.0; 100], 4.0, &[]), None);
        assert_eq!(summarize(&[], 4.0, &[]), None);
    }

    /// When this fails the output has changed: raise [`VERSION`] and note the new value beside it.
    #[test]
    fn output_changes_only_with_the_version() {
        let samples: Vec<f32> =
            (0..400).map(|i| 3.0 + 0.001 * i as f32 + 0.4 * (i as f32 * 0.05).sin().max(0.0)).collect();
        let response = SkinResponse { onset: 98.0, peak: 100.0, amplitude: 0.5 };
        let activity = summarize(&samples, 4.0, &[response; 3]).unwrap();
        let values = [activity.tonic_us, activity.phasic_us, activity.responses_per_minute, activity.quality];
        assert_eq!(
            (VERSION, values.map(|value| (value * 1e4).round())),
            ("1.0.0", [32_000.0, 1309.0, 18_000.0, 10_000.0])
        );
    }
}
