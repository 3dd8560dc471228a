//! Perfusion index: how much of the light pulsates, in percent (Lima et al. 2002, doi:10.1097/00003246-200206000-00006).

use afferent_dsp::ppg::DetectedPulse;

/// Changes whenever the same samples could give another index.
pub const VERSION: &str = "1.0.0";

/// Fewest pulses for an index.
pub const MIN_PULSES: usize = 4;

/// Median over the pulses of (highest - lowest) / mean from one pulse to the next, in percent.
///
/// The samples are raw light with its level; a plethysmogram whose level was removed has no perfusion index. `None` with
/// fewer than [`MIN_PULSES`] whole pulses or when the level is not positive.
pub fn perfusion_index(samples: &[f32], pulses: &[DetectedPulse]) -> Option<f64> {
    let mut parts: Vec<f64> = pulses.windows(2).filter_map(|pair| part(samples, pair)).collect();
    parts.sort_by(f64::total_cmp);
    (parts.len() >= MIN_PULSES).then(|| parts[parts.len() / 2])
}

fn part(samples: &[f32], pair: &[DetectedPulse]) -> Option<f64> {
    let (from, to) = (pair[0].sample.max(0.0) as usize, pair[1].sample.max(0.0) as usize);
    let beat = samples.get(from..to).filter(|beat| !beat.is_empty() && !pair[1].after_gap)?;
    let mean = beat.iter().map(|sample| f64::from(*sample)).sum::<f64>() / beat.len() as f64;
    let (low, high) = beat.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
    let percent = 100.0 * (f64::from(high) - f64::from(low)) / mean;
    (mean > 0.0 && percent.is_finite()).then_some(percent)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn pulses(count: u32) -> Vec<DetectedPulse> {
        let pulse = |i: u32| DetectedPulse { sample: f64::from(i) * 100.0, quality: 1.0, after_gap: false };
        (0..count).map(pulse).collect()
    }

    #[test]
    fn two_percent_of_the_light_pulsate() {
        let wave: Vec<f32> =
            (0..1000).map(|i| (1000.0 + 10.0 * (std::f64::consts::TAU * f64::from(i) / 100.0).sin()) as f32).collect();
        assert!((perfusion_index(&wave, &pulses(9)).unwrap() - 2.0).abs() < 1e-3);
        assert_eq!(perfusion_index(&wave, &pulses(3)), None);
        assert_eq!(perfusion_index(&[f32::NAN; 1000], &pulses(9)), None);
        assert_eq!(perfusion_index(&[-5.0; 1000], &pulses(9)), None);
    }

    /// When this fails the output has changed: raise [`VERSION`] and note the new value beside it.
    #[test]
    fn output_changes_only_with_the_version() {
        let value = |i: u32| 900.0 + 9.0 * (f64::from(i) * 0.0628).sin() + 0.3 * f64::from(i * 7919 % 11);
        let wave: Vec<f32> = (0..1000).map(|i| value(i) as f32).collect();
        let index = perfusion_index(&wave, &pulses(9)).unwrap();
        assert_eq!((VERSION, (index * 1e4).round()), ("1.0.0", 22_809.0));
    }
}
