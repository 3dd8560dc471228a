//! Whether the atria beat in time with the ventricles.

use afferent_dsp::ecg::DetectedBeat;

/// The stretch in which a P wave lies begins this long before the R peak, in seconds, and ends 60 ms before it, where the
/// QRS begins.
const FROM_S: f64 = 0.30;
/// Its sampling.
const STEP_S: f64 = 0.02;
const STEPS: usize = 12;
/// After a shorter interval the stretch holds the T wave of the beat before.
const SHORTEST_S: f64 = 0.45;
/// Fewest stretches that are compared.
const FEWEST: usize = 4;

/// Mean correlation of the stretches before each R peak with one another, their trends removed, in [-1, 1]: high when a P
/// wave precedes every QRS, near 0 in fibrillation, whose waves keep no time with it.
///
/// `signal` are the samples the `beats` were found in, at `rate_hz`. None with fewer than four beats that have such a
/// stretch: it must lie in the signal, have no missing samples, and not reach the T wave before.
pub fn atrial_coherence(signal: &[f32], rate_hz: f64, beats: &[DetectedBeat]) -> Option<f64> {
    let late = |pair: &&[DetectedBeat]| pair[1].sample - pair[0].sample > SHORTEST_S * rate_hz;
    let stretch = |pair: &[DetectedBeat]| stretch(signal, rate_hz, pair[1].sample);
    let stretches: Vec<[f64; STEPS]> = beats.windows(2).filter(late).filter_map(stretch).collect();
    if stretches.len() < FEWEST {
        return None;
    }
    // The squared length of the sum of unit vectors is their count plus all their pairs' correlations.
    let mut sum = [0.0; STEPS];
    stretches.iter().for_each(|stretch| sum.iter_mut().zip(stretch).for_each(|(sum, value)| *sum += value));
    let count = stretches.len() as f64;
    Some((sum.iter().map(|value| value * value).sum::<f64>() - count) / (count * (count - 1.0)))
}

/// The wave before a beat at an even step, without its mean and slope, scaled to unit length.
fn stretch(signal: &[f32], rate_hz: f64, beat: f64) -> Option<[f64; STEPS]> {
    let mut wave = [0.0; STEPS];
    for (i, value) in wave.iter_mut().enumerate() {
        let at = |step: usize| beat + (step as f64 * STEP_S - FROM_S) * rate_hz;
        if at(i) < 0.0 {
            return None;
        }
        let samples = signal.get(at(i).round() as usize..at(i + 1).round() as usize)?;
        *value = samples.iter().map(|&sample| f64::from(sample)).sum::<f64>() / samples.len() as f64;
    }
    let centre = (STEPS - 1) as f64 / 2.0;
    let mean = wave.iter().sum::<f64>() / STEPS as f64;
    let square: f64 = (0..STEPS).map(|i| (i as f64 - centre).powi(2)).sum();
    let slope = wave.iter().enumerate().map(|(i, value)| (i as f64 - centre) * value).sum::<f64>() / square;
    wave.iter_mut().enumerate().for_each(|(i, value)| *value -= mean + slope * (i as f64 - centre));
    let length = wave.iter().map(|value| value * value).sum::<f64>().sqrt();
    (length > 0.0 && length.is_finite()).then(|| wave.map(|value| value / length))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE_HZ: f64 = 250.0;

    /// A wave of 40 ms that peaks `before_s` before each of ten beats, a second apart.
    fn signal(before_s: impl Fn(usize) -> f64) -> (Vec<f32>, Vec<DetectedBeat>) {
        let beat = |i: usize| DetectedBeat { sample: 250.0 * (i + 1) as f64, quality: 1.0, after_gap: false };
        let beats: Vec<DetectedBeat> = (0..10).map(beat).collect();
        let value = |at: usize| {
            let wave = |(i, beat): (usize, &DetectedBeat)| {
                let distance_s = (at as f64 - beat.sample) / RATE_HZ + before_s(i);
                (-(distance_s / 0.02).powi(2)).exp()
            };
            beats.iter().enumerate().map(wave).sum::<f64>() as f32
        };
        ((0..3000).map(value).collect(), beats)
    }

    #[test]
    fn a_p_wave_before_every_beat_is_coherent_and_a_roaming_one_is_not() {
        let (p_waves, beats) = signal(|_| 0.16);
        assert!(atrial_coherence(&p_waves, RATE_HZ, &beats).is_some_and(|coherence| coherence > 0.99));
        let (roaming, beats) = signal(|i| 0.1 + 0.02 * (i * 7 % 10) as f64);
        assert!(atrial_coherence(&roaming, RATE_HZ, &beats).is_some_and(|coherence| coherence < 0.3));
    }

    #[test]
    fn nothing_is_known_without_beats_or_samples() {
        let (mut samples, beats) = signal(|_| 0.16);
        assert_eq!(atrial_coherence(&samples, RATE_HZ, &beats[..4]), None);
        samples.fill(f32::NAN);
        assert_eq!(atrial_coherence(&samples, RATE_HZ, &beats), None);
        assert_eq!(atrial_coherence(&[], RATE_HZ, &beats), None);
    }
}
