//! Strokes: the runs between turning points of the band-passed wave.
//!
//! A turning point counts once the wave has come back from it by a part of the usual stroke (hysteresis), so that noise
//! on an upstroke does not cut it in two.

use serde::{Deserialize, Serialize};

/// One run from a turning point to the next, positions in samples of the decimated stretch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stroke {
    /// Steepest point, between samples.
    pub(crate) at: f64,
    /// The turning point it starts from.
    pub(crate) start: f64,
    /// The turning point it ends in.
    pub(crate) end: f64,
    /// Height between the turning points.
    pub(crate) height: f64,
    /// Greatest step between neighbouring samples.
    pub(crate) step: f64,
    /// Upwards or downwards.
    pub(crate) up: bool,
}

/// Cuts the wave into strokes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StrokeFinder {
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
    from_at: f64,
    far: f64,
    far_at: f64,
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
    /// A stroke is closed at the latest `longest` samples after its steepest point.
    pub(crate) fn new(longest: f64) -> Self {
        Self { longest, trace: Trace::default() }
    }

    /// Takes the next sample; a return of `hysteresis` from the farthest point closes the stroke.
    pub(crate) fn push(&mut self, value: f64, hysteresis: f64) -> Option<Stroke> {
        let trace = &mut self.trace;
        if trace.taken == 0 {
            *trace = Trace { taken: 1, value, from: value, far: value, ..Trace::default() };
            return None;
        }
        trace.follow(value);
        let sign = trace.sign();
        if sign * (value - trace.far) > 0.0 {
            trace.far = value;
            trace.far_at = trace.taken as f64 - 1.0;
            trace.back = Steepest::default();
        }
        if sign * (trace.far - value) > hysteresis {
            return trace.turn(value);
        }
        let overdue = |steepest: Steepest| steepest.step > 0.0 && trace.taken as f64 - steepest.at > self.longest;
        let (stroke_is_overdue, back_is_overdue) = (overdue(trace.steepest), overdue(trace.back));
        if back_is_overdue {
            // A return this slow and this small is no stroke.
            trace.back = Steepest::default();
        }
        if stroke_is_overdue { trace.cut(value) } else { None }
    }

    /// No stroke to come has its steepest point before this sample.
    pub(crate) fn settled(&self) -> f64 {
        let newest = self.trace.taken as f64 - 3.0;
        let drawn = [self.trace.steepest, self.trace.back].into_iter().filter(|steepest| steepest.step > 0.0);
        drawn.fold(newest, |settled, steepest| settled.min(steepest.at)).max(0.0)
    }

    /// Forgets the signal; the next sample is the first of a new stretch.
    pub(crate) fn reset(&mut self) {
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

    fn turn(&mut self, value: f64) -> Option<Stroke> {
        let stroke = self.stroke();
        let now = self.taken as f64 - 1.0;
        let steepest = self.back;
        *self = Self {
            down: !self.down,
            from: self.far,
            from_at: self.far_at,
            far: value,
            far_at: now,
            steepest,
            back: Steepest::default(),
            ..*self
        };
        stroke
    }

    /// Closes an overlong stroke and goes on in the same direction.
    fn cut(&mut self, value: f64) -> Option<Stroke> {
        let stroke = self.stroke();
        let now = self.taken as f64 - 1.0;
        *self = Self {
            from: value,
            from_at: now,
            far: value,
            far_at: now,
            steepest: Steepest::default(),
            back: Steepest::default(),
            ..*self
        };
        stroke
    }

    /// The stroke drawn so far; `None` when it has no steepest point.
    fn stroke(&self) -> Option<Stroke> {
        (self.steepest.step > 0.0).then(|| Stroke {
            at: self.steepest.at,
            start: self.from_at,
            end: self.far_at,
            height: (self.far - self.from).abs(),
            step: self.steepest.step,
            up: !self.down,
        })
    }
}
