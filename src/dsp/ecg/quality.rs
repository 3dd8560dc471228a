//! Signal quality of a stretch of ECG, fused from four simple indices.
//!
//! - *likeness* (template correlation, Orphanidou et al. 2015): mean correlation of each beat with the patient's own
//!   beats. Noise never looks the same twice.
//! - *crowding*: humps of the QRS envelope per beat. A clean lead has two or three (QRS, T, P), noise has many. This
//!   takes the place of bSQI (Li, Mark & Clifford 2008): the beats of a strict detector against the finds of a lax one.
//! - *kurtosis* (kSQI, Li et al. 2008): a clean ECG is flat with few high peaks, noise is Gaussian or worse.
//! - *usable*: share of the seconds' samples that are neither missing, nor stuck at one value, nor buried in mains hum
//!   or muscle. Of the power of an ECG nearly all lies below 40 Hz, which pSQI (Li, Mark & Clifford 2008) makes use of;
//!   here a second counts as buried when the mean square frequency of its power is above that.
//!
//! `index = usable * logistic(weighted sum of the first three)`. The weights are fitted by the metrics' example
//! `fit_rhythm` on strips of the CinC 2017 challenge (noise against all rhythms) and shifted so that 0.7 divides usable
//! from noisy.

use serde::{Deserialize, Serialize};

/// A signal that does not move for this long, in seconds, is stuck.
const LONGEST_REST_S: f64 = 0.2;
const SECOND_S: f64 = 1.0;
/// Seconds of a span whose quality is told by itself: that of the strips the weights were fitted on, at least.
const SPAN_S: u64 = 10;
/// A signal whose power lies above this on average is hum or muscle.
const HIGHEST_HZ: f64 = 40.0;
/// Less is rounding, in mV squared.
const LEAST_VARIANCE: f64 = 1e-12;
const BIAS: f64 = -43.673;
/// Of [`SignalQuality::fused`].
const WEIGHTS: [f64; 3] = [48.705, -4.243, 2.392];

/// Quality of a stretch of signal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SignalQuality {
    /// The fused index, in [0, 1]; below 0.7 the stretch is not fit for measurements.
    pub index: f64,
    /// Mean correlation of beats with known beat shapes, in [-1,1]; 0 without beats.
    pub likeness: f64,
    /// Natural logarithm of humps per beat.
    pub log_crowding: f64,
    /// Mean over seconds of the natural logarithm of kurtosis; 1.1 for Gaussian noise, near 3 for a clean ECG.
    pub log_kurtosis: f64,
    /// Share of samples that are neither missing, nor stuck, nor buried in hum, in [0, 1].
    pub usable: f64,
}

impl SignalQuality {
    /// What the index weighs: likeness, crowding, kurtosis.
    pub fn fused(&self) -> [f64; 3] {
        [self.likeness, self.log_crowding, self.log_kurtosis]
    }
}

/// What quality is computed from, over a stretch of signal.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Sums {
    log_kurtosis: f64,
    seconds: u32,
    ticks: u64,
    stuck: u64,
    beats: u32,
    likeness: f64,
    humps: u32,
}

/// Sums since quality was last asked for, and of the span that is under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Meter {
    second: u32,
    longest_rest: u32,
    /// Power of the steps from sample to sample, over that of the samples, at [`HIGHEST_HZ`].
    roughest: f64,
    rest: u32,
    previous: f32,
    moments: Moments,
    asked: Sums,
    span: Sums,
}

impl Meter {
    pub(super) fn new(rate_hz: f64) -> Self {
        Self {
            second: (SECOND_S * rate_hz) as u32,
            longest_rest: (LONGEST_REST_S * rate_hz) as u32,
            roughest: 4.0 * (std::f64::consts::PI * HIGHEST_HZ / rate_hz).sin().powi(2),
            rest: 0,
            previous: 0.0,
            moments: Moments::default(),
            asked: Sums::default(),
            span: Sums::default(),
        }
    }

    /// One internal sample.
    pub(super) fn push(&mut self, value: f32) {
        self.rest = if value == self.previous { self.rest.saturating_add(1) } else { 0 };
        let stuck = u64::from(self.rest >= self.longest_rest);
        self.previous = value;
        self.moments.push(value);
        self.each(|sums| {
            sums.ticks += 1;
            sums.stuck += stuck;
        });
        if self.moments.count == self.second {
            let log_kurtosis = self.moments.log_kurtosis();
            let buried = if self.moments.roughness() > self.roughest { u64::from(self.second) } else { 0 };
            self.each(|sums| {
                sums.log_kurtosis += log_kurtosis;
                sums.seconds += 1;
                sums.stuck += buried;
            });
            self.moments = Moments::default();
        }
    }

    /// Time without a signal.
    pub(super) fn miss(&mut self, ticks: u64) {
        self.each(|sums| {
            sums.ticks = sums.ticks.saturating_add(ticks);
            sums.stuck = sums.stuck.saturating_add(ticks);
        });
    }

    pub(super) fn beat(&mut self, likeness: f32) {
        self.each(|sums| {
            sums.beats += 1;
            sums.likeness += f64::from(likeness);
        });
    }

    pub(super) fn hump(&mut self) {
        self.each(|sums| sums.humps += 1);
    }

    pub(super) fn take(&mut self) -> SignalQuality {
        let sums = std::mem::take(&mut self.asked);
        self.quality(&sums)
    }

    /// The quality of a span of [`SPAN_S`], at its end.
    pub(super) fn span(&mut self) -> Option<SignalQuality> {
        if self.span.ticks < u64::from(self.second) * SPAN_S {
            return None;
        }
        let sums = std::mem::take(&mut self.span);
        Some(self.quality(&sums))
    }

    fn each(&mut self, count: impl Fn(&mut Sums)) {
        count(&mut self.asked);
        count(&mut self.span);
    }

    fn quality(&self, sums: &Sums) -> SignalQuality {
        let beats = f64::from(sums.beats.max(1));
        let likeness = sums.likeness / beats;
        let log_crowding = (f64::from(sums.humps.max(1)) / beats).ln();
        let log_kurtosis = match sums.seconds {
            0 => self.moments.log_kurtosis(),
            seconds => sums.log_kurtosis / f64::from(seconds),
        };
        // A second may count twice, as stuck in part and as buried, or end after it was last asked for.
        let usable = (1.0 - sums.stuck as f64 / sums.ticks.max(1) as f64).max(0.0);
        let mut quality = SignalQuality { index: 0.0, likeness, log_crowding, log_kurtosis, usable };
        let sum = BIAS + WEIGHTS.iter().zip(quality.fused()).map(|(weight, part)| weight * part).sum::<f64>();
        if sums.beats > 0 {
            quality.index = usable / (1.0 + (-sum).exp());
        }
        quality
    }
}

/// Power sums of the deviation from the first value, which keeps them small under any electrode offset.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Moments {
    count: u32,
    origin: f32,
    previous: f32,
    sums: [f64; 4],
    /// Sum of the squared steps from sample to sample.
    steps: f64,
}

impl Moments {
    fn push(&mut self, value: f32) {
        if self.count == 0 {
            self.origin = value;
            self.previous = value;
        }
        self.steps += f64::from(value - self.previous).powi(2);
        self.previous = value;
        self.count += 1;
        let x = f64::from(value - self.origin);
        let square = x * x;
        self.sums[0] += x;
        self.sums[1] += square;
        self.sums[2] += square * x;
        self.sums[3] += square * square;
    }

    /// Power of the steps over that of the samples; 0 for a signal that does not move.
    fn roughness(&self) -> f64 {
        let count = f64::from(self.count.max(1));
        let variance = self.sums[1] / count - (self.sums[0] / count).powi(2);
        if variance <= LEAST_VARIANCE { 0.0 } else { self.steps / count / variance }
    }

    fn log_kurtosis(&self) -> f64 {
        let count = f64::from(self.count.max(1));
        let [first, second, third, fourth] = self.sums.map(|sum| sum / count);
        let variance = second - first * first;
        let central = fourth - 4.0 * first * third + 6.0 * first * first * second - 3.0 * first.powi(4);
        if variance <= LEAST_VARIANCE || central <= 0.0 {
            0.0
        } else {
            (central / (variance * variance)).ln().clamp(0.0, 5.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::BeatDetector;
    use super::SignalQuality;

    const RATE_HZ: f64 = 250.0;
    const SECONDS: usize = 30;

    /// A QRS of 1 mV, a P and a T wave every 0.8 s.
    fn ecg(i: usize) -> f32 {
        let phase = (i as f64 / RATE_HZ) % 0.8;
        let wave = |at_s: f64, width_s: f64, mv: f64| mv * (-((phase - at_s) / width_s).powi(2)).exp();
        (wave(0.2, 0.025, 0.12) + wave(0.36, 0.012, 1.0) - wave(0.39, 0.012, 0.25) + wave(0.6, 0.05, 0.25)) as f32
    }

    fn quality_of(signal: impl Fn(usize) -> f32) -> SignalQuality {
        let Ok(mut detector) = BeatDetector::new(RATE_HZ) else { unreachable!("the rate is supported") };
        let half = SECONDS * RATE_HZ as usize / 2;
        let clean: Vec<f32> = (0..half).map(ecg).collect();
        detector.push(&clean, &mut Vec::new());
        detector.take_quality();
        detector.push(&(half..2 * half).map(signal).collect::<Vec<f32>>(), &mut Vec::new());
        detector.take_signal_quality()
    }

    /// Deterministic noise in [-1, 1).
    fn noise(i: usize) -> f32 {
        let mixed = (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        ((mixed >> 40) as f32 / (1_u64 << 23) as f32) - 1.0
    }

    #[test]
    fn a_clean_lead_is_good_and_what_is_done_to_it_shows() {
        assert!(quality_of(ecg).index > 0.95, "{:?}", quality_of(ecg));
        let hum = |i: usize| (10.0 * (std::f64::consts::TAU * 50.0 * i as f64 / RATE_HZ).sin()) as f32;
        let motion = |i: usize| 4.0 * (0..100).map(|back| noise(i.saturating_sub(back))).sum::<f32>() / 10.0;
        let bad: [(&str, &dyn Fn(usize) -> f32); 5] = [
            ("hum", &|i| ecg(i) + hum(i)),
            ("saturation", &|_| 5.0),
            ("flat line", &|_| 0.0),
            ("electrode motion", &|i| ecg(i) + motion(i)),
            ("noise alone", &noise),
        ];
        for (name, signal) in bad {
            let quality = quality_of(signal);
            assert!(quality.index < 0.7, "{name}: {quality:?}");
        }
    }

    #[test]
    fn each_ten_seconds_have_a_quality_of_their_own_however_they_come() {
        let Ok(detector) = BeatDetector::new(RATE_HZ) else { unreachable!("the rate is supported") };
        let ten = 10 * RATE_HZ as usize;
        let signal: Vec<f32> =
            (0..6 * ten).map(|i| if (2 * ten..4 * ten).contains(&i) { noise(i) } else { ecg(i) }).collect();
        let spans = |piece: usize| {
            let (mut detector, mut spans) = (detector.clone(), Vec::new());
            for samples in signal.chunks(piece) {
                detector.push(samples, &mut Vec::new());
                spans.extend(detector.take_spans());
            }
            spans
        };
        let whole = spans(6 * ten);
        assert_eq!((spans(1), spans(777)), (whole.clone(), whole.clone()));
        let ends: Vec<u64> = whole.iter().map(|(end, _)| *end).collect();
        assert_eq!(ends, [1, 2, 3, 4, 5, 6].map(|n| n * ten as u64));
        let usable: Vec<bool> = whole.iter().map(|(_, index)| *index > 0.7).collect();
        assert_eq!(usable, [true, true, false, false, true, true], "{whole:?}");
    }

    #[test]
    fn a_little_hum_does_no_harm() {
        let hum = |i: usize| (0.1 * (std::f64::consts::TAU * 50.0 * i as f64 / RATE_HZ).sin()) as f32;
        assert!(quality_of(|i| ecg(i) + hum(i)).index > 0.8);
    }
}
