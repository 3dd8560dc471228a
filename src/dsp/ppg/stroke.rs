//! Strokes: the runs between turning points of the band-passed wave.
//!
//! A turning point counts once the wave has come back from it by a part of the usual stroke (hysteresis), so that noise
//! on an upstroke does not cut it in two.

use serde::{Deserialize, Serialize};

/// A stroke is closed at the latest this long after its steepest point: ejection reaches its peak within 0.3 s.
const LONGEST_S: f64 = 0.5;

/// One run from a turning point to the next, positions in samples of the decimated stretch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Stroke {
    /// Steepest point, between samples.
    pub(super) at: f64,
    /// Height between the turning points.
    pub(super) height: f64,
    /// Greatest step between neighbouring samples.
    pub(super) step: f64,
    /// Upwards or downwards.
    pub(super) up: bool,
}

/// Cuts the wave into strokes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StrokeFinder {
    longest: f64,
    trace: Trace,
}

/// The stroke being drawn.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Trace {
    /// Samples taken in this stretch.
    taken: u64,
    value: f64,
    steps: [f64; 2],
    down: bool,
    /// Its turning point and the farthest point so far.
    from: f64,
    far: f64,
    steepest: Steepest,
    /// The steepest point of the way back, the next stroke's when that turns out to be one.
    back: Steepest,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Steepest {
    step: f64,
    at: f64,
}

impl StrokeFinder {
    pub(super) fn new(rate_hz: f64) -> Self {
        Self { longest: LONGEST_S * rate_hz, trace: Trace::default() }
    }

    /// Takes the next sample; a return of `hysteresis` from the farthest point closes the stroke.
    pub(super) fn push(&mut self, value: f64, hysteresis: f64) -> Option<Stroke> {
        let trace = &mut self.trace;
        if trace.taken == 0 {
            *trace = Trace { taken: 1, value, from: value, far: value, ..Trace::default() };
            return None;
        }
        trace.follow(value);
        let sign = trace.sign();
        if sign * (value - trace.far) > 0.0 {
            trace.far = value;
            trace.back = Steepest::default();
        }
        if sign * (trace.far - value) > hysteresis {
            return Some(trace.turn(value));
        }
        let overdue = trace.steepest.step > 0.0 && trace.taken as f64 - trace.steepest.at > self.longest;
        overdue.then(|| trace.cut(value))
    }

    /// No stroke to come has its steepest point before this sample.
    pub(super) fn settled(&self) -> f64 {
        let newest = self.trace.taken as f64 - 3.0;
        let drawn = [self.trace.steepest, self.trace.back].into_iter().filter(|steepest| steepest.step > 0.0);
        drawn.fold(newest, |settled, steepest| settled.min(steepest.at)).max(0.0)
    }

    /// Forgets the signal; the next sample is the first of a new stretch.
    pub(super) fn reset(&mut self) {
        self.trace = Trace::default();
    }
}

impl Trace {
    fn sign(&self) -> f64 {
        if self.down { -1.0 } else { 1.0 }
    }

    /// Notes the step that ends here; the one before is a steepest point when greater than both its neighbours.
    fn follow(&mut self, value: f64) {
        let [before, middle] = self.steps;
        let after = value - self.value;
        let bend = before - 2.0 * middle + after;
        let vertex = if bend == 0.0 { 0.0 } else { ((before - after) / (2.0 * bend)).clamp(-0.5, 0.5) };
        // `middle` ended one sample ago, so its centre lies one and a half back.
        let at = self.taken as f64 - 1.5 + vertex;
        let sign = self.sign();
        let is_top = |sign: f64| sign * middle >= sign * before && sign * middle > sign * after;
        if is_top(sign) && sign * middle > self.steepest.step {
            self.steepest = Steepest { step: sign * middle, at };
        }
        if is_top(-sign) && -sign * middle > self.back.step {
            self.back = Steepest { step: -sign * middle, at };
        }
        self.steps = [middle, after];
        self.value = value;
        self.taken += 1;
    }

    fn turn(&mut self, value: f64) -> Stroke {
        let stroke = self.stroke();
        let steepest = self.back;
        *self = Self { down: !self.down, from: self.far, far: value, steepest, back: Steepest::default(), ..*self };
        stroke
    }

    /// Closes an overlong stroke and goes on in the same direction.
    fn cut(&mut self, value: f64) -> Stroke {
        let stroke = self.stroke();
        *self = Self { from: value, far: value, steepest: Steepest::default(), back: Steepest::default(), ..*self };
        stroke
    }

    fn stroke(&self) -> Stroke {
        Stroke { at: self.steepest.at, height: (self.far - self.from).abs(), step: self.steepest.step, up: !self.down }
    }
}
