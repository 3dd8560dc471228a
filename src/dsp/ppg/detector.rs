//! The streaming detector: joins the stages and keeps the books on positions, gaps and quality.

use serde::{Deserialize, Serialize};

use super::{
    band::{Filtered, Widths},
    inlet::{Inlet, Layout},
    lane::{Lane, Wave},
    period::Period,
    polarity::Polarity,
    stroke::{Stroke, StrokeFinder},
};

/// Changes whenever the same samples could give other pulses or qualities.
pub const VERSION: &str = "1.0.0";

/// Slowest and fastest sampling rate taken, in Hz.
const RATES_HZ: std::ops::RangeInclusive<f64> = 20.0..=1000.0;
/// Coarse, to tell beats: below 2.4 Hz a pulse wave has most of its power, noise and dicrotic waves have little. Fine, to
/// place them: the upstroke has power up to 6 Hz. The trend drops breathing and drift; 30 beats/min still pass. No
/// upstroke fits into the 0.1 s that are bridged.
const LAYOUT: Layout =
    Layout { inner_hz: 50.0, widths: Widths { coarse: 0.42, fine: 0.16, trend: 2.0 }, bridged_s: 0.1 };
/// Ejection reaches its peak within 0.3 s of the steepest point.
const LONGEST_STROKE_S: f64 = 0.5;
/// Part of the usual height by which the wave must come back for a turning point.
const HYSTERESIS: f64 = 0.08;

/// The sampling rate is outside of what a pulse wave can be found at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UnsupportedRate {
    /// The rate asked for, in Hz.
    pub rate_hz: f64,
}

impl std::fmt::Display for UnsupportedRate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "pulses are detected at 20 to 1000 Hz, not at {} Hz", self.rate_hz)
    }
}

impl std::error::Error for UnsupportedRate {}

/// One heart beat in the pulse wave.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DetectedPulse {
    /// Steepest point of the systolic upstroke, in samples since the stream's start; gaps count.
    pub sample: f64,
    /// Likeness to the neighbouring pulses, in [0, 1].
    pub quality: f32,
    /// The first pulse after missing samples: its interval to the previous one means nothing.
    pub after_gap: bool,
}

/// Streaming pulse detector for one PPG channel.
///
/// Equal samples give bit-identical pulses however they are split into calls. The state is some 10 KiB and serializes;
/// a detector read back goes on as if never interrupted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PulseDetector {
    inlet: Inlet,
    horizon: u64,
    after_gap: bool,
    window: Window,
    wave: Wave,
    strokes: StrokeFinder,
    polarity: Polarity,
    period: Period,
    /// Upright and inverted.
    lanes: [Lane; 2],
    inverted: bool,
    /// Last pulse given, in samples of the decimated stretch.
    given: f64,
}

/// What was seen since quality was last taken.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Window {
    samples: u64,
    /// Samples missing or equal to the one before.
    idle: u64,
    pulses: u64,
    quality: f64,
}

impl PulseDetector {
    /// A detector for samples at `rate_hz`, 20 to 1000 Hz.
    pub fn new(rate_hz: f64) -> Result<Self, UnsupportedRate> {
        if !RATES_HZ.contains(&rate_hz) {
            return Err(UnsupportedRate { rate_hz });
        }
        let inlet = Inlet::new(rate_hz, LAYOUT);
        let inner_hz = inlet.inner_hz();
        Ok(Self {
            inlet,
            horizon: 0,
            after_gap: false,
            window: Window::default(),
            wave: Wave::default(),
            strokes: StrokeFinder::new(LONGEST_STROKE_S * inner_hz),
            polarity: Polarity::new(inner_hz),
            period: Period::new(inner_hz),
            lanes: [Lane::new(inner_hz), Lane::new(inner_hz)],
            inverted: false,
            given: f64::NEG_INFINITY,
        })
    }

    /// Takes samples in any unit (NaN and infinities are missing samples) and appends the pulses they complete.
    pub fn push(&mut self, samples: &[f32], pulses: &mut Vec<DetectedPulse>) {
        let mut filtered = Vec::new();
        for &sample in samples {
            let sample = f64::from(sample);
            self.window.samples = self.window.samples.saturating_add(1);
            let idle = !sample.is_finite() || self.inlet.is_repeat(sample);
            self.window.idle = self.window.idle.saturating_add(u64::from(idle));
            let ended = self.inlet.push(sample, &mut filtered);
            self.follow(&mut filtered, ended, pulses);
        }
    }

    /// Counts samples that never arrived; the same as pushing so many NaN.
    pub fn gap(&mut self, missing_samples: u64, pulses: &mut Vec<DetectedPulse>) {
        self.window.samples = self.window.samples.saturating_add(missing_samples);
        self.window.idle = self.window.idle.saturating_add(missing_samples);
        let mut filtered = Vec::new();
        let ended = self.inlet.gap(missing_samples, &mut filtered);
        self.follow(&mut filtered, ended, pulses);
    }

    /// Every pulse before this sample has been given already; never decreases, at most 3 s behind the last sample.
    pub fn horizon(&self) -> u64 {
        self.horizon
    }

    /// Ends the stream and gives the pulses still pending.
    pub fn finish(&mut self, pulses: &mut Vec<DetectedPulse>) {
        let mut filtered = Vec::new();
        let ended = self.inlet.finish(&mut filtered);
        self.follow(&mut filtered, ended, pulses);
        self.horizon = self.inlet.position();
    }

    /// Signal quality index in [0, 1] of what was seen since the last call: the mean pulse quality times the share of
    /// samples that were there and changed. 0 when there was no pulse.
    pub fn take_quality(&mut self) -> f64 {
        let window = std::mem::take(&mut self.window);
        if window.pulses == 0 || window.samples == 0 {
            return 0.0;
        }
        let present = window.samples.saturating_sub(window.idle) as f64 / window.samples as f64;
        (window.quality / window.pulses as f64 * present).clamp(0.0, 1.0)
    }

    /// Filtered samples through the stages; at the end of a stretch all that lies in it is decided.
    fn follow(&mut self, filtered: &mut Vec<Filtered>, ended: bool, pulses: &mut Vec<DetectedPulse>) {
        let first = pulses.len();
        filtered.drain(..).for_each(|value| self.advance(value, pulses));
        if ended {
            self.decide(f64::INFINITY, pulses);
            let end = self.inlet.end();
            while pulses.len() > first && pulses.last().is_some_and(|pulse| pulse.sample >= end) {
                pulses.pop();
            }
            self.forget();
        }
        if !self.inlet.is_within_stretch() {
            self.horizon = self.inlet.position();
        }
    }

    fn advance(&mut self, value: Filtered, pulses: &mut Vec<DetectedPulse>) {
        self.wave.push(value.fine);
        self.polarity.push(value.coarse);
        self.period.push(value.coarse);
        let usual = self.lanes[usize::from(self.inverted)].selector.usual_height();
        if let Some(stroke) = self.strokes.push(value.coarse, HYSTERESIS * usual) {
            self.lanes[usize::from(!stroke.up)].selector.push(stroke);
        }
        self.decide(self.strokes.settled(), pulses);
    }

    /// Gives the beats decided by `now` and drops what is no longer needed.
    fn decide(&mut self, now: f64, pulses: &mut Vec<DetectedPulse>) {
        for inverted in [false, true] {
            let mut beats = Vec::new();
            self.lanes[usize::from(inverted)].decide(now, self.period.seconds(), &self.wave, &mut beats);
            if inverted == self.inverted {
                for (beat, quality) in &beats {
                    self.give(beat, *quality, pulses);
                }
            }
        }
        if self.polarity.is_inverted() != self.inverted {
            self.inverted = !self.inverted;
            self.after_gap = true;
        }
        let earliest = self.lanes.iter().filter_map(|lane| lane.selector.earliest()).fold(now, f64::min);
        self.wave.trim(earliest - self.lanes[0].template.before() as f64 - 2.0);
        let due = self.lanes[usize::from(self.inverted)].selector.earliest().map_or(now, |at| at.min(now));
        self.horizon = self.horizon.max(self.inlet.outer(due - self.lanes[0].reach() - 1.0).max(0.0) as u64);
    }

    fn give(&mut self, beat: &Stroke, quality: f64, pulses: &mut Vec<DetectedPulse>) {
        // A turn of polarity can bring up a beat that lies before the last one given.
        let sample = self.inlet.outer(beat.at);
        if beat.at <= self.given || sample < self.horizon as f64 {
            return;
        }
        self.given = beat.at;
        self.window.pulses += 1;
        self.window.quality += quality;
        pulses.push(DetectedPulse { sample, quality: quality as f32, after_gap: self.after_gap });
        self.after_gap = false;
    }

    fn forget(&mut self) {
        self.wave.reset();
        self.strokes.reset();
        self.polarity.reset();
        self.period.reset();
        self.lanes.iter_mut().for_each(|lane| lane.selector.reset());
        self.given = f64::NEG_INFINITY;
        self.after_gap = true;
    }
}
