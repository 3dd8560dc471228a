//! The internal-rate signal seen three ways: the QRS envelope at every sample, and what only candidates are asked for.

use super::history::History;
use super::levels::Heights;
use super::templates::{Likeness, Templates};
use super::wavelet::Wavelet;
use serde::{Deserialize, Serialize};

/// Centre and half support of the QRS band: high enough to be deaf to T waves and electrode motion, wide enough for
/// ventricular beats (Elgendi 2010 finds 8-20 Hz best on clean signals; noise moves the optimum up).
const QRS_HZ: f64 = 19.0;
const QRS_HALF_S: f64 = 0.06;
/// Below: T and P waves, wide complexes, electrode motion. Above: muscle noise, pacing spikes.
const LOW_HZ: f64 = 10.0;
const LOW_HALF_S: f64 = 0.1;
const HIGH_HZ: f64 = 35.0;
const HIGH_HALF_S: f64 = 0.05;
/// Shapes are compared over this much on both sides of a hump, with shifts of up to `SHIFT_S`.
const SHAPE_HALF_S: f64 = 0.08;
const SHIFT_S: f64 = 0.017;
/// Half the distance over which slopes are taken.
const SLOPE_S: f64 = 0.011;
/// The surroundings of a hump: this long before it.
const SURROUNDINGS_S: (f64, f64) = (0.30, 0.08);
/// Candidates up to this much older than maturity can still be learned from.
const MEMORY_S: f64 = 0.25;
/// How much later than its hump a candidate can be judged.
pub(super) const MATURITY_S: f64 = 0.05;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Bands {
    qrs: Wavelet,
    low: Wavelet,
    high: Wavelet,
    signal: History,
    envelope: History,
    shape_half: usize,
    shifts: usize,
    slope: usize,
    surroundings: (usize, usize),
}

impl Bands {
    pub(super) fn new(rate_hz: f64) -> Self {
        let samples = |seconds: f64| (seconds * rate_hz).round().max(1.0) as usize;
        let qrs = Wavelet::new(rate_hz, QRS_HZ, QRS_HALF_S);
        let low = Wavelet::new(rate_hz, LOW_HZ, LOW_HALF_S);
        let latest = samples(MATURITY_S) + 1 + qrs.half();
        let widest = low.span().max(samples(SHAPE_HALF_S) + samples(SHIFT_S) + samples(SLOPE_S));
        Self {
            high: Wavelet::new(rate_hz, HIGH_HZ, HIGH_HALF_S),
            signal: History::new(latest + widest + samples(MEMORY_S)),
            envelope: History::new(latest + samples(SURROUNDINGS_S.0) + 1),
            shape_half: samples(SHAPE_HALF_S),
            shifts: samples(SHIFT_S),
            slope: samples(SLOPE_S),
            surroundings: (samples(SURROUNDINGS_S.0), samples(SURROUNDINGS_S.1)),
            qrs,
            low,
        }
    }

    /// Delay of the envelope in internal samples.
    pub(super) fn delay(&self) -> usize {
        self.qrs.half()
    }

    pub(super) fn restart(&mut self, value: f32) {
        self.signal.fill(value);
        self.envelope.fill(0.0);
    }

    /// Takes one sample, answers the QRS envelope [`Self::delay`] samples ago.
    pub(super) fn push(&mut self, value: f32) -> f32 {
        self.signal.push(value);
        let envelope = self.qrs.envelope(self.signal.latest());
        self.envelope.push(envelope);
        envelope
    }

    /// Heights of the hump whose peak of height `qrs` is `age` samples older than the newest envelope value.
    pub(super) fn heights(&self, qrs: f32, age: usize) -> Heights {
        let middle = age + self.qrs.half();
        Heights {
            qrs,
            low: self.low.envelope_at(&self.signal, middle),
            high: self.high.envelope_at(&self.signal, middle),
        }
    }

    /// Root mean square of the envelope shortly before the hump.
    pub(super) fn surroundings(&self, age: usize) -> f32 {
        let latest = self.envelope.latest();
        let at = latest.len().saturating_sub(1 + age);
        let before = &latest[at.saturating_sub(self.surroundings.0)..at.saturating_sub(self.surroundings.1)];
        let power = before.iter().map(|envelope| envelope * envelope).sum::<f32>();
        (power / before.len().max(1) as f32).sqrt()
    }

    pub(super) fn likeness(&self, templates: &Templates, age: usize) -> Likeness {
        templates.likeness(&self.slopes(age))
    }

    pub(super) fn learn(&self, templates: &mut Templates, age: usize) {
        templates.learn(&self.slopes(age), self.shifts);
    }

    /// Whether the neighbourhood of a hump this old is still known.
    pub(super) fn remembers(&self, age: u64) -> bool {
        let beside = self.qrs.half() + self.shape_half + self.shifts + self.slope;
        // An age may be as good as infinite: nothing is added to it.
        age < self.signal.latest().len().saturating_sub(beside) as u64
    }

    fn slopes(&self, age: usize) -> Vec<f32> {
        let reach = self.shape_half + self.shifts + self.slope;
        let signal = self.signal.around(age + self.qrs.half(), reach);
        let ends = signal.iter().zip(signal.iter().skip(2 * self.slope));
        ends.map(|(start, end)| end - start).collect()
    }
}
