//! Signal quality of a stretch of ECG, fused from four simple indices.
//!
//! - *likeness* (template correlation, Orphanidou et al. 2015): mean correlation of each beat with the patient's own
//!   beats. Noise never looks the same twice.
//! - *crowding*: humps of the QRS envelope per beat. A clean lead has two or three (QRS, T, P), noise has many. This
//!   takes the place of bSQI (Li, Mark & Clifford 2008): the beats of a strict detector against the finds of a lax one.
//! - *kurtosis* (kSQI, Li et al. 2008): a clean ECG is flat with few high peaks, noise is Gaussian or worse.
//! - *usable*: share of the samples that are neither missing nor stuck at one value.
//!
//! `index = usable * logistic(weighted sum of the first three)`. The weights were fitted on 300 strips of the CinC 2017
//! challenge (noise against all rhythms) and shifted so that 0.7 divides usable from noisy.

use serde::{Deserialize, Serialize};

/// A signal that does not move for this long, in seconds, is stuck.
const LONGEST_REST_S: f64 = 0.2;
const SECOND_S: f64 = 1.0;
const BIAS: f64 = -32.6;
const LIKENESS_WEIGHT: f64 = 37.3;
const CROWDING_WEIGHT: f64 = -3.3;
const KURTOSIS_WEIGHT: f64 = 1.9;

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
    /// Share of samples that are neither missing nor stuck, in [0, 1].
    pub usable: f64,
}

/// Sums since quality was last asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Meter {
    second: u32,
    longest_rest: u32,
    rest: u32,
    previous: f32,
    moments: Moments,
    log_kurtosis: f64,
    seconds: u32,
    ticks: u64,
    stuck: u64,
    beats: u32,
    likeness: f64,
    humps: u32,
}

impl Meter {
    pub(super) fn new(rate_hz: f64) -> Self {
        Self {
            second: (SECOND_S * rate_hz) as u32,
            longest_rest: (LONGEST_REST_S * rate_hz) as u32,
            rest: 0,
            previous: 0.0,
            moments: Moments::default(),
            log_kurtosis: 0.0,
            seconds: 0,
            ticks: 0,
            stuck: 0,
            beats: 0,
            likeness: 0.0,
            humps: 0,
        }
    }

    /// One internal sample.
    pub(super) fn push(&mut self, value: f32) {
        self.ticks += 1;
        self.rest = if value == self.previous { self.rest.saturating_add(1) } else { 0 };
        self.stuck += u64::from(self.rest >= self.longest_rest);
        self.previous = value;
        self.moments.push(value);
        if self.moments.count == self.second {
            self.log_kurtosis += self.moments.log_kurtosis();
            self.seconds += 1;
            self.moments = Moments::default();
        }
    }

    /// Time without a signal.
    pub(super) fn miss(&mut self, ticks: u64) {
        self.ticks = self.ticks.saturating_add(ticks);
        self.stuck = self.stuck.saturating_add(ticks);
    }

    pub(super) fn beat(&mut self, likeness: f32) {
        self.beats += 1;
        self.likeness += f64::from(likeness);
    }

    pub(super) fn hump(&mut self) {
        self.humps += 1;
    }

    pub(super) fn take(&mut self) -> SignalQuality {
        let quality = self.quality();
        self.log_kurtosis = 0.0;
        self.seconds = 0;
        self.ticks = 0;
        self.stuck = 0;
        self.beats = 0;
        self.likeness = 0.0;
        self.humps = 0;
        quality
    }

    fn quality(&self) -> SignalQuality {
        let beats = f64::from(self.beats.max(1));
        let likeness = self.likeness / beats;
        let log_crowding = (f64::from(self.humps.max(1)) / beats).ln();
        let log_kurtosis = match self.seconds {
            0 => self.moments.log_kurtosis(),
            seconds => self.log_kurtosis / f64::from(seconds),
        };
        let usable = 1.0 - self.stuck as f64 / self.ticks.max(1) as f64;
        let sum = BIAS + LIKENESS_WEIGHT * likeness + CROWDING_WEIGHT * log_crowding + KURTOSIS_WEIGHT * log_kurtosis;
        let index = if self.beats == 0 { 0.0 } else { usable / (1.0 + (-sum).exp()) };
        SignalQuality { index, likeness, log_crowding, log_kurtosis, usable }
    }
}

/// Power sums of the deviation from the first value, which keeps them small under any electrode offset.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Moments {
    count: u32,
    origin: f32,
    sums: [f64; 4],
}

impl Moments {
    fn push(&mut self, value: f32) {
        if self.count == 0 {
            self.origin = value;
        }
        self.count += 1;
        let x = f64::from(value - self.origin);
        let square = x * x;
        self.sums[0] += x;
        self.sums[1] += square;
        self.sums[2] += square * x;
        self.sums[3] += square * square;
    }

    fn log_kurtosis(&self) -> f64 {
        let count = f64::from(self.count.max(1));
        let [first, second, third, fourth] = self.sums.map(|sum| sum / count);
        let variance = second - first * first;
        let central = fourth - 4.0 * first * third + 6.0 * first * first * second - 3.0 * first.powi(4);
        if variance <= 1e-12 || central <= 0.0 { 0.0 } else { (central / (variance * variance)).ln().clamp(0.0, 5.0) }
    }
}
