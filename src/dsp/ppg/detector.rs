//! The streaming detector: joins the stages and keeps the books on positions, gaps and quality.

use serde::{Deserialize, Serialize};

use super::{
    band::Band,
    decimate::Decimator,
    lane::{Lane, Wave},
    polarity::Polarity,
    stroke::{Stroke, StrokeFinder},
};

/// Changes whenever the same samples could give other pulses or qualities.
pub const VERSION: &str = "0.1.0";

/// Slowest and fastest sampling rate taken, in Hz.
const RATES_HZ: std::ops::RangeInclusive<f64> = 20.0..=1000.0;
/// Part of the usual height by which the wave must come back for a turning point.
const HYSTERESIS: f64 = 0.08;
/// Missing stretches up to this are bridged by holding the last value: no upstroke fits into them.
const BRIDGED_S: f64 = 0.1;

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
    /// Likeness to the neighbouring pulses, in [0,1].
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
    /// Longest missing run that is bridged, in samples.
    bridged: u64,
    /// Samples seen, missing ones included.
    position: u64,
    /// Position of the current stretch's first sample.
    stretch: u64,
    /// Last sample present in this stretch.
    held: Option<f64>,
    /// Length of the missing run at the end.
    missing: u64,
    horizon: u64,
    after_gap: bool,
    window: Window,
    decimator: Decimator,
    band: Band,
    wave: Wave,
    strokes: StrokeFinder,
    polarity: Polarity,
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
    missing: u64,
    flat: u64,
    pulses: u64,
    quality: f64,
}

impl PulseDetector {
    /// A detector for samples at `rate_hz`, 20 to 1000 Hz.
    pub fn new(rate_hz: f64) -> Result<Self, UnsupportedRate> {
        if !RATES_HZ.contains(&rate_hz) {
            return Err(UnsupportedRate { rate_hz });
        }
        let decimator = Decimator::new(rate_hz);
        let inner_hz = rate_hz / f64::from(decimator.factor());
        Ok(Self {
            bridged: (BRIDGED_S * rate_hz) as u64,
            position: 0,
            stretch: 0,
            held: None,
            missing: 0,
            horizon: 0,
            after_gap: false,
            window: Window::default(),
            decimator,
            band: Band::new(inner_hz),
            wave: Wave::default(),
            strokes: StrokeFinder::new(inner_hz),
            polarity: Polarity::new(inner_hz),
            lanes: [Lane::new(inner_hz), Lane::new(inner_hz)],
            inverted: false,
            given: f64::NEG_INFINITY,
        })
    }

    /// Takes samples in any unit (NaN and infinities are missing samples) and appends the pulses they complete.
    pub fn push(&mut self, samples: &[f32], pulses: &mut Vec<DetectedPulse>) {
        for &sample in samples {
            if sample.is_finite() { self.take(f64::from(sample), pulses) } else { self.gap(1, pulses) }
        }
    }

    /// Counts samples that never arrived; the same as pushing so many NaN.
    pub fn gap(&mut self, missing_samples: u64, pulses: &mut Vec<DetectedPulse>) {
        self.position = self.position.saturating_add(missing_samples);
        self.missing = self.missing.saturating_add(missing_samples);
        self.window.samples = self.window.samples.saturating_add(missing_samples);
        self.window.missing = self.window.missing.saturating_add(missing_samples);
        if self.missing > self.bridged {
            self.end_stretch(pulses);
            self.horizon = self.position;
        }
    }

    /// Every pulse before this sample has been given already; never decreases, at most 3 s behind the last sample.
    pub fn horizon(&self) -> u64 {
        self.horizon
    }

    /// Ends the stream and gives the pulses still pending.
    pub fn finish(&mut self, pulses: &mut Vec<DetectedPulse>) {
        self.end_stretch(pulses);
        self.horizon = self.position;
    }

    /// Signal quality index in [0,1] of what was seen since the last call: the mean pulse quality times the share of
    /// samples that were there and changed. 0 when there was no pulse.
    pub fn take_quality(&mut self) -> f64 {
        let window = std::mem::take(&mut self.window);
        if window.pulses == 0 || window.samples == 0 {
            return 0.0;
        }
        let absent = window.missing.saturating_add(window.flat);
        let present = window.samples.saturating_sub(absent) as f64 / window.samples as f64;
        (window.quality / window.pulses as f64 * present).clamp(0.0, 1.0)
    }

    fn take(&mut self, sample: f64, pulses: &mut Vec<DetectedPulse>) {
        match self.held {
            Some(held) => {
                self.window.flat += u64::from(sample == held);
                (0..self.missing).for_each(|_| self.advance(held, pulses));
            }
            None => self.stretch = self.position,
        }
        self.missing = 0;
        self.held = Some(sample);
        self.position = self.position.saturating_add(1);
        self.window.samples += 1;
        self.advance(sample, pulses);
    }

    /// One sample through the stages.
    fn advance(&mut self, sample: f64, pulses: &mut Vec<DetectedPulse>) {
        let Some(value) = self.decimator.push(sample).and_then(|inner| self.band.push(inner)) else { return };
        self.wave.push(value);
        self.polarity.push(value);
        let usual = self.lanes[usize::from(self.inverted)].selector.usual_height();
        if let Some(stroke) = self.strokes.push(value, HYSTERESIS * usual) {
            self.lanes[usize::from(!stroke.up)].selector.push(stroke);
        }
        self.decide(self.strokes.settled(), pulses);
    }

    /// Gives the beats decided by `now` and drops what is no longer needed.
    fn decide(&mut self, now: f64, pulses: &mut Vec<DetectedPulse>) {
        for inverted in [false, true] {
            let mut beats = Vec::new();
            self.lanes[usize::from(inverted)].decide(now, &self.wave, &mut beats);
            if inverted == self.inverted {
                beats.iter().for_each(|(beat, quality)| self.give(beat, *quality, pulses));
            }
        }
        if self.polarity.is_inverted() != self.inverted {
            self.inverted = !self.inverted;
            self.after_gap = true;
        }
        let earliest = self.lanes.iter().filter_map(|lane| lane.selector.earliest()).fold(now, f64::min);
        self.wave.trim(earliest - self.lanes[0].template.before() as f64 - 2.0);
        let due = self.lanes[usize::from(self.inverted)].selector.earliest().map_or(now, |at| at.min(now));
        self.horizon = self.horizon.max(self.outer(due).max(0.0) as u64);
    }

    fn give(&mut self, beat: &Stroke, quality: f64, pulses: &mut Vec<DetectedPulse>) {
        // A turn of polarity can bring up a beat that lies before the last one given.
        let sample = self.outer(beat.at);
        if beat.at <= self.given || sample < self.horizon as f64 {
            return;
        }
        self.given = beat.at;
        self.window.pulses += 1;
        self.window.quality += quality;
        pulses.push(DetectedPulse { sample, quality: quality as f32, after_gap: self.after_gap });
        self.after_gap = false;
    }

    /// Position in the stream of a position in the decimated stretch.
    fn outer(&self, at: f64) -> f64 {
        self.stretch as f64 + self.decimator.origin() + at * f64::from(self.decimator.factor())
    }

    /// Holds the last value until all that lies in the stretch is decided, then forgets the stretch.
    fn end_stretch(&mut self, pulses: &mut Vec<DetectedPulse>) {
        let Some(held) = self.held.take() else { return };
        let end = self.position.saturating_sub(self.missing) as f64;
        let mut last = Vec::new();
        let tail = (self.band.delay() + self.lanes[0].template.after() + 2) * self.decimator.factor() as usize;
        (0..tail).for_each(|_| self.advance(held, &mut last));
        self.decide(f64::INFINITY, &mut last);
        pulses.extend(last.into_iter().filter(|pulse| pulse.sample < end));
        self.forget();
    }

    fn forget(&mut self) {
        self.decimator.reset();
        self.band.reset();
        self.wave.reset();
        self.strokes.reset();
        self.polarity.reset();
        self.lanes.iter_mut().for_each(|lane| lane.selector.reset());
        self.given = f64::NEG_INFINITY;
        self.after_gap = true;
    }
}
