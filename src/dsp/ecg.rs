//! Streaming R-peak detector for one ECG lead.
//!
//! Samples go in, beats come out about 50 ms after their R peak (99 % within 150 ms), and the answer does not depend on how the samples were
//! cut into calls. The way of a sample:
//!
//! 1. `front`: boxcar decimation to 125-250 Hz (one internal rate for all devices), bridging of short dropouts.
//! 2. `bands`: a quadrature pair of FIR filters (`wavelet`) turns each QRS, of either polarity, into one hump of the
//!    envelope (`hump`).
//! 3. `decision`: a hump far above everything lately is a beat while it still rises. Any other is measured when its
//!    surroundings are known and scored (`score`): height against running levels of beats and noise (`levels`, after
//!    Pan & Tompkins 1985), likeness with the patient's own beats (`templates`), timing in the rhythm.
//!    What is likely, and has met nothing better, is a beat 140 ms after its R peak.
//! 4. `path`: what stays doubtful waits, less than [`LONGEST_LAG_S`], for the most likely sequence of beats.
//! 5. `locate`: the R peak is the extremum of the raw signal near the hump, interpolated between samples.
//! 6. `quality`: how far the stretch can be trusted.

mod bands;
mod decision;
mod front;
mod history;
mod hump;
mod levels;
mod locate;
mod path;
mod quality;
mod score;
mod templates;
mod wavelet;

use bands::Bands;
use decision::{Decision, Moment};
use front::Front;
use hump::HumpFinder;
use locate::Locator;
pub use quality::SignalQuality;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Changes whenever the detector's output for the same samples can change.
pub const VERSION: &str = "1.2.0";

/// Sampling rates the detector works at, in Hz.
pub const RATES_HZ: std::ops::RangeInclusive<f64> = 100.0..=1000.0;

/// No beat is emitted later than this after its R peak, in seconds.
pub const LONGEST_LAG_S: f64 = 1.5;

/// Spans [`BeatDetector::take_spans`] remembers.
const MOST_SPANS: usize = 12;

/// Internal samples that let the last hump end.
const FLUSH_TICKS: u64 = 4;

/// The sampling rate is outside [`RATES_HZ`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UnsupportedRate(pub f64);

impl std::fmt::Display for UnsupportedRate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sampling rate {} Hz is outside {}-{} Hz", self.0, RATES_HZ.start(), RATES_HZ.end())
    }
}

impl std::error::Error for UnsupportedRate {}

/// One heart beat.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DetectedBeat {
    /// Position of the R peak in samples since the stream's start; missing samples count.
    pub sample: f64,
    /// How sure the beat is, in [0, 1].
    pub quality: f32,
    /// Samples are missing between the previous beat and this one: their distance is no RR interval.
    pub after_gap: bool,
}

/// Streaming R-peak detector. Its state is a few KiB and serializable at any moment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BeatDetector {
    front: Front,
    bands: Bands,
    locator: Locator,
    humps: HumpFinder,
    decision: Decision,
    horizon: u64,
    /// What [`Self::take_spans`] gives.
    spans: VecDeque<(u64, f64)>,
}

impl BeatDetector {
    /// # Errors
    /// If `rate_hz` is not within [`RATES_HZ`].
    pub fn new(rate_hz: f64) -> Result<Self, UnsupportedRate> {
        if !RATES_HZ.contains(&rate_hz) {
            return Err(UnsupportedRate(rate_hz));
        }
        let front = Front::new(rate_hz);
        let internal_rate_hz = front.internal_rate_hz();
        Ok(Self {
            front,
            bands: Bands::new(internal_rate_hz),
            locator: Locator::new(rate_hz),
            humps: HumpFinder::default(),
            decision: Decision::new(internal_rate_hz),
            horizon: 0,
            spans: VecDeque::new(),
        })
    }

    /// Takes the next samples, in mV; NaN or infinite stands for a missing sample. Beats that became certain are
    /// appended to `beats` in ascending order.
    pub fn push(&mut self, samples: &[f32], beats: &mut Vec<DetectedBeat>) {
        for &sample in samples {
            self.push_one(sample, beats);
        }
        self.move_horizon();
    }

    /// Time moves on by `missing_samples` without a signal; the filters restart.
    pub fn gap(&mut self, missing_samples: u64, beats: &mut Vec<DetectedBeat>) {
        self.finish(beats);
        self.decision.quality().miss(missing_samples / self.front.factor());
        self.front.skip(missing_samples);
    }

    /// Every beat before this sample has been emitted already. Never decreases.
    pub fn horizon(&self) -> u64 {
        self.horizon
    }

    /// Quality index of what was pushed since the last call, in [0, 1]: see [`SignalQuality::index`]. Asked once a second
    /// or once a window; beats count in the stretch in which they were measured, about 0.1 s after their R peak.
    pub fn take_quality(&mut self) -> f64 {
        self.take_signal_quality().index
    }

    /// As [`Self::take_quality`], with the indices that were fused.
    pub fn take_signal_quality(&mut self) -> SignalQuality {
        self.decision.quality().take()
    }

    /// The quality of each ten seconds that are over since the last call, counted from the start of the stream: the sample each
    /// of them ends at, and its [`SignalQuality::index`]. Asked at least every two minutes: no more is remembered.
    pub fn take_spans(&mut self) -> Vec<(u64, f64)> {
        self.spans.drain(..).collect()
    }

    /// End of the stream: what is still waiting is decided with what is known.
    pub fn finish(&mut self, beats: &mut Vec<DetectedBeat>) {
        let held = self.front.held();
        let next = self.front.tick();
        for tick in next..next + 2 * self.bands.delay() as u64 + FLUSH_TICKS {
            self.advance(tick, held, beats);
        }
        self.decision.flush(&self.bands, beats);
        self.humps = HumpFinder::default();
        self.front.restart();
        self.horizon = self.front.position();
    }

    fn push_one(&mut self, sample: f32, beats: &mut Vec<DetectedBeat>) {
        let step = self.front.push(sample);
        if step.restarted {
            self.bands.restart(step.held);
            self.locator.restart(step.held);
            self.decision.interrupt();
        }
        self.locator.push(step.held);
        if let Some((tick, value)) = step.decimated {
            self.decision.quality().push(value);
            let span = self.decision.quality().span();
            if let Some(quality) = span {
                if self.spans.len() == MOST_SPANS {
                    self.spans.pop_front();
                }
                self.spans.push_back((self.front.position(), quality.index));
            }
            self.advance(tick, value, beats);
        }
    }

    /// One step at the internal rate.
    fn advance(&mut self, tick: u64, value: f32, beats: &mut Vec<DetectedBeat>) {
        let envelope = self.bands.push(value);
        let Some(tick) = tick.checked_sub(self.bands.delay() as u64) else { return };
        let hump = self.humps.push(tick, envelope);
        let peak_near = |tick: u64| self.locator.locate(self.front.position_of(tick as f64), self.front.position());
        let moment =
            Moment { tick, envelope, hump, rising: self.humps.is_rising(), bands: &self.bands, peak_near: &peak_near };
        self.decision.advance(&moment, beats);
    }

    fn move_horizon(&mut self) {
        let Some(tick) = self.front.tick().checked_sub(1 + self.bands.delay() as u64) else { return };
        let open = self.front.position_of(self.humps.open_since(tick) as f64) - self.locator.reach() as f64;
        let earliest = open.min(self.decision.oldest_pending());
        self.horizon = self.horizon.max(earliest.max(0.0) as u64).min(self.front.position());
    }
}

#[cfg(test)]
mod tests;
