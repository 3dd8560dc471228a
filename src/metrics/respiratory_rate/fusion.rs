//! Breathing in the electrocardiogram, alone and together with the pulse wave.

use afferent_dsp::{ecg::DetectedBeat, ppg::DetectedPulse};

use super::{
    Modulation, RespiratoryRate, covered, extent, from_modulations, modulation::common_rhythm, pulse_modulations,
};

/// How far around the R peak the QRS complex's highest and lowest sample lie.
const QRS_REACH_S: f64 = 0.06;

/// One window of samples with what was detected in it, positions counted from the window's first sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window<'a, B> {
    /// The samples, in any unit.
    pub samples: &'a [f32],
    /// Their rate in Hz.
    pub rate_hz: f64,
    /// Beats or pulses, ascending.
    pub beats: &'a [B],
}

/// Rate from one window of an ECG lead and its beats: the common rhythm of the QRS complexes' heights, which the moving
/// heart axis and chest modulate, and the RR intervals, which the vagus does.
///
/// `None` for what [`super::from_pulse_wave`] gives none for.
pub fn from_ecg(samples: &[f32], rate_hz: f64, beats: &[DetectedBeat]) -> Option<RespiratoryRate> {
    from_modulations(&ecg_modulations(&Window { samples, rate_hz, beats })?, samples.len() as f64 / rate_hz)
}

/// Rate from one window of a pulse wave and the same window of an ECG lead: the rhythm of the pulse wave's modulations,
/// on which the ECG's have a say as far as they show a rhythm at all. In a ventilated or an old person they may not:
/// breathing hardly moves the heart rate then.
///
/// Falls back on one of them when the other cannot be used; `None` when neither can.
pub fn fuse(pulse: &Window<'_, DetectedPulse>, ecg: &Window<'_, DetectedBeat>) -> Option<RespiratoryRate> {
    let in_ecg = ecg_modulations(ecg);
    let Some(in_pulse) = pulse_modulations(pulse.samples, pulse.rate_hz, pulse.beats) else {
        return from_modulations(&in_ecg?, ecg.samples.len() as f64 / ecg.rate_hz);
    };
    common_rhythm(&in_pulse, in_ecg.as_ref().map_or(&[], |both| both), pulse.samples.len() as f64 / pulse.rate_hz)
}

/// QRS height and RR interval per beat.
fn ecg_modulations(ecg: &Window<'_, DetectedBeat>) -> Option<[Modulation; 2]> {
    let at: Vec<f64> = ecg.beats.iter().map(|beat| beat.sample).collect();
    if !covered(&at, ecg.rate_hz, ecg.samples.len()) {
        return None;
    }
    let height = |&at: &f64| {
        let (low, high) = extent(ecg.samples, at, QRS_REACH_S * ecg.rate_hz)?;
        Some((at / ecg.rate_hz, high - low))
    };
    let interval = |pair: &[DetectedBeat]| {
        let length = (pair[1].sample - pair[0].sample) / ecg.rate_hz;
        (!pair[1].after_gap).then_some((pair[1].sample / ecg.rate_hz, length))
    };
    let heights = Modulation { points: at.iter().filter_map(height).collect() };
    let intervals = Modulation { points: ecg.beats.windows(2).filter_map(interval).collect() };
    Some([heights, intervals])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::respiratory_rate::{GATE, VERSION};

    const RATE_HZ: f64 = 125.0;

    /// QRS complexes, pulses, and where they are, of a heart that breathing at `per_minute` hurries and tilts; only the
    /// pulse wave's baseline follows `pulse_per_minute`.
    fn breathing(
        per_minute: f64,
        pulse_per_minute: f64,
    ) -> (Vec<f32>, Vec<DetectedBeat>, Vec<f32>, Vec<DetectedPulse>) {
        let breath = |t: f64, rate: f64| (std::f64::consts::TAU * rate / 60.0 * t).sin();
        let (mut at_s, mut beats_s) = (0.3, Vec::new());
        while at_s < 64.0 {
            beats_s.push(at_s);
            at_s += 0.8 + 0.04 * breath(at_s, per_minute);
        }
        let bump =
            |t: f64, width: f64| beats_s.iter().map(|beat| (-0.5 * ((t - beat) / width).powi(2)).exp()).sum::<f64>();
        let time = |i: usize| i as f64 / RATE_HZ;
        let ecg = |i: usize| ((1.0 + 0.1 * breath(time(i), per_minute)) * bump(time(i), 0.015)) as f32;
        let pleth = |i: usize| (bump(time(i) - 0.25, 0.08) + 0.1 * breath(time(i), pulse_per_minute)) as f32;
        let count = (64.0 * RATE_HZ) as usize;
        let beat = |s: &f64| DetectedBeat { sample: s * RATE_HZ, quality: 1.0, after_gap: false };
        let pulse = |s: &f64| DetectedPulse { sample: (s + 0.2) * RATE_HZ, quality: 1.0, after_gap: false };
        (
            (0..count).map(ecg).collect(),
            beats_s.iter().map(beat).collect(),
            (0..count).map(pleth).collect(),
            beats_s.iter().map(pulse).filter(|pulse| pulse.sample < count as f64).collect(),
        )
    }

    fn fused(ecg: (&[f32], &[DetectedBeat]), pleth: (&[f32], &[DetectedPulse])) -> Option<RespiratoryRate> {
        let pulse = Window { samples: pleth.0, rate_hz: RATE_HZ, beats: pleth.1 };
        fuse(&pulse, &Window { samples: ecg.0, rate_hz: RATE_HZ, beats: ecg.1 })
    }

    #[test]
    fn breathing_shows_in_the_ecg_and_in_both() {
        for per_minute in [8.0, 14.0, 22.0, 30.0] {
            let (ecg, beats, pleth, pulses) = breathing(per_minute, per_minute);
            for rate in [from_ecg(&ecg, RATE_HZ, &beats), fused((&ecg, &beats), (&pleth, &pulses))] {
                let rate = rate.unwrap();
                assert!((rate.per_minute - per_minute).abs() < 0.5 && rate.quality > GATE, "{rate:?} for {per_minute}");
            }
        }
    }

    #[test]
    fn sources_that_disagree_have_a_lower_quality() {
        let (ecg, beats, pleth, pulses) = breathing(14.0, 14.0);
        let agreed = fused((&ecg, &beats), (&pleth, &pulses)).unwrap();
        let (ecg, beats, pleth, pulses) = breathing(14.0, 23.0);
        let torn = fused((&ecg, &beats), (&pleth, &pulses)).unwrap();
        assert!(torn.quality < 0.7 * agreed.quality, "{torn:?} and {agreed:?}");
    }

    #[test]
    fn one_source_is_enough_and_none_is_not() {
        let (ecg, beats, pleth, pulses) = breathing(14.0, 14.0);
        assert_eq!(fused((&ecg, &beats), (&[], &[])), from_ecg(&ecg, RATE_HZ, &beats));
        let of_pulses = crate::respiratory_rate::from_pulse_wave(&pleth, RATE_HZ, &pulses);
        assert_eq!(fused((&[], &[]), (&pleth, &pulses)), of_pulses);
        assert_eq!(fused((&[], &[]), (&[], &[])), None);
        assert_eq!(fused((&vec![f32::NAN; 8000], &[]), (&vec![0.0; 8000], &[])), None);
    }

    /// When this fails the output has changed: raise [`VERSION`] and note the new value beside it.
    #[test]
    fn output_changes_only_with_the_version() {
        let (ecg, beats, pleth, pulses) = breathing(13.0, 14.0);
        let both = [from_ecg(&ecg, RATE_HZ, &beats).unwrap(), fused((&ecg, &beats), (&pleth, &pulses)).unwrap()];
        let rounded = both.map(|rate| ((rate.per_minute * 1e3).round(), (rate.quality * 1e3).round()));
        assert_eq!((VERSION, rounded), ("1.0.0", [(13_008.0, 990.0), (13_477.0, 986.0)]));
    }
}
