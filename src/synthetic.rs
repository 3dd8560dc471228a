//! Signals with a known answer: an ECG after McSharry et al. 2003 (doi:10.1109/TBME.2003.808805) reduced to its five
//! Gaussians, and a pulse wave that follows it. For demonstrations, load and tests; never for anything clinical.

use std::f64::consts::TAU;
use std::ops::Range;

/// P, Q, R, S, T: place in the beat (share of it, R at 0), width in seconds, height in mV.
const WAVES: [(f64, f64, f64); 5] =
    [(-0.20, 0.025, 0.12), (-0.035, 0.010, -0.10), (0.0, 0.011, 1.10), (0.035, 0.010, -0.22), (0.32, 0.050, 0.28)];

/// Time from the R peak to the pulse at the finger, in seconds.
const PULSE_DELAY_S: f64 = 0.25;

/// A heart with a slowly changing rate and breathing in it, sampled at any rate.
#[derive(Debug, Clone)]
pub struct Heart {
    /// R peak times in seconds from the start, ascending.
    beats: Vec<f64>,
    /// When its atria fibrillate, in seconds from the start.
    fibrillation: Range<f64>,
}

impl Heart {
    /// A heart that beats `rate` times a minute, around which breathing (15 /min) swings by 3 % and blood pressure
    /// control (Mayer waves, 6 /min) by 2.5 %, for `seconds`.
    pub fn new(rate_per_min: impl Fn(f64) -> f64, seconds: f64) -> Self {
        Self::fibrillating(rate_per_min, 0.0..0.0, seconds)
    }

    /// A heart whose atria fibrillate for a while: each interval is between half and one and a half of what it would be, without
    /// any order (but the same each time), and there is no P wave.
    pub fn fibrillating(rate_per_min: impl Fn(f64) -> f64, fibrillation: Range<f64>, seconds: f64) -> Self {
        let mut beats = Vec::new();
        let (mut at, mut disorder) = (0.4, 0x9E37_79B9_7F4A_7C15_u64);
        while at < seconds + 2.0 {
            beats.push(at);
            // Marsaglia's xorshift, doi:10.18637/jss.v008.i14.
            disorder ^= disorder << 13;
            disorder ^= disorder >> 7;
            disorder ^= disorder << 17;
            let swing = if fibrillation.contains(&at) {
                0.5 + (disorder >> 11) as f64 / (1_u64 << 53) as f64
            } else {
                1.0 + 0.03 * (TAU * 0.25 * at).sin() + 0.025 * (TAU * 0.1 * at).sin()
            };
            at += 60.0 / rate_per_min(at) * swing;
        }
        Self { beats, fibrillation }
    }

    /// R peak times in seconds from the start.
    pub fn beats(&self) -> &[f64] {
        &self.beats
    }

    /// Lead II in mV at `at` seconds.
    pub fn ecg(&self, at: f64) -> f64 {
        self.near(at)
            .map(|(beat, length)| {
                let wave = |(place, width, height): (f64, f64, f64)| {
                    let distance = (at - beat - place * length.min(1.0)) / width;
                    height * (-0.5 * distance * distance).exp()
                };
                // The first is the P wave.
                let first = usize::from(self.fibrillation.contains(&beat));
                WAVES.into_iter().skip(first).map(wave).sum::<f64>()
            })
            .sum()
    }

    /// Pulse wave at the finger, without unit, at `at` seconds.
    pub fn ppg(&self, at: f64) -> f64 {
        self.near(at - PULSE_DELAY_S)
            .map(|(beat, _)| {
                let since = at - PULSE_DELAY_S - beat;
                let bump = |centre: f64, width: f64| (-0.5 * ((since - centre) / width).powi(2)).exp();
                bump(0.12, 0.07) + 0.35 * bump(0.38, 0.10)
            })
            .sum()
    }

    /// Heart rate over a span, from the beats in it, in /min.
    pub fn rate(&self, from: f64, to: f64) -> Option<f64> {
        let inside: Vec<f64> = self.beats.iter().copied().filter(|b| (from..to).contains(b)).collect();
        let (first, last) = (inside.first()?, inside.last()?);
        (inside.len() > 1).then(|| 60.0 * (inside.len() - 1) as f64 / (last - first))
    }

    /// The beats whose waves reach `at`, each with the length of its beat.
    fn near(&self, at: f64) -> impl Iterator<Item = (f64, f64)> {
        let first = self.beats.partition_point(|b| *b < at - 1.5);
        let last = self.beats.partition_point(|b| *b < at + 1.5);
        let lengths = self.beats.get(first..(last + 1).min(self.beats.len())).unwrap_or_default();
        lengths.windows(2).map(|pair| match pair {
            [a, b] => (*a, b - a),
            _ => (0.0, 1.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_r_peaks_are_where_the_beats_are() {
        let heart = Heart::new(|_| 72.0, 60.0);
        let beat = heart.beats()[10];
        let peak =
            (-50..50).map(|i| beat + f64::from(i) / 1000.0).max_by(|a, b| heart.ecg(*a).total_cmp(&heart.ecg(*b)));
        assert!((peak.unwrap() - beat).abs() < 0.002);
        assert!((heart.rate(0.0, 60.0).unwrap() - 72.0).abs() < 1.0);
    }
}
