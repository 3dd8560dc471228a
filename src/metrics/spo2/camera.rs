//! Saturation from a phone camera on a lit fingertip, by how the light's level changes.
//!
//! A camera's broad, overlapping channels hold little of the ratio of ratios; the light's slow level holds more (Hoffman
//! et al. 2022, doi:10.1038/s41746-022-00665-y). By the modified Beer-Lambert law (Delpy et al. 1988,
//! doi:10.1088/0031-9155/33/12/008) the logarithm of each channel's light follows the amounts of oxygenated and
//! deoxygenated blood: red is darkened by the latter far more than by the former, green by both alike, so the change of
//! red, freed of the change of green, is the change of saturation.
//!
//! Only changes are told: the person starts at a known saturation, and exposure, focus and light stay as they are. Light
//! that jumps means that the finger has moved: it does not count until it is back, and when that takes long, nothing is
//! told from there on until a new start.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Changes whenever the same samples could give another saturation.
pub const VERSION: &str = "1.0.0";

/// The start's light is averaged over this long, breaths and pulses with it.
pub const REFERENCE_S: usize = 60;
/// The light of this long makes one saturation: it changes over tens of seconds.
pub const WINDOW_S: usize = 30;
/// Time between saturations.
pub const HOP_S: usize = 10;
/// What a person at rest breathing room air starts with, percent.
pub const USUAL_START_PERCENT: f64 = 97.5;
/// Difference of the log light to the last second's that only a moving finger makes: breaths make some 0.03.
const JUMP: f64 = 0.25;
/// Change from one second to the next at which a second counts half.
const UNSTEADY: f64 = 0.05;
/// Least share of a second's samples that make its light.
const LEAST_PRESENT: f64 = 0.5;
/// Seconds without such light after which the finger may lie elsewhere; less than a window.
const LONGEST_PAUSE_S: u64 = 20;
/// Saturations the calibration was made for.
const BELIEVED: std::ops::RangeInclusive<f64> = 60.0..=105.0;

/// How saturation follows light, percent per unit of its natural logarithm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Of red light; positive.
    pub red: f64,
    /// Of green light; negative: it takes the change in the amount of blood out.
    pub green: f64,
}

impl Calibration {
    /// Least squares over three volunteers of Hoffman et al. 2022, both hands, 66 to 100 %, one phone model.
    pub const HOFFMAN_2022: Self = Self { red: 91.0, green: -39.0 };
}

/// One saturation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CameraSaturation {
    /// End of its window, in samples since the stream's start.
    pub sample: u64,
    /// Percent, at most 100.
    pub percent: f64,
    /// Steadiness and completeness of the light, in [0, 1].
    pub quality: f64,
}

/// Streaming saturation for one camera; the same answer however the samples are split into calls.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CameraOximeter {
    /// Samples per second.
    rate: u64,
    calibration: Calibration,
    start_percent: f64,
    position: u64,
    second: Second,
    /// Seconds of the last window, newest last; `None` was dark or displaced.
    recent: VecDeque<Option<Light>>,
    reference: Reference,
    pause: u64,
}

/// Logarithm of the light of one second, and how far it is to be trusted.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Light {
    red: f64,
    green: f64,
    trust: f64,
}

impl Light {
    /// Itself, trusted the less the farther it is from the light before; `None` when the finger has moved between.
    fn after(self, before: Option<Self>) -> Option<Self> {
        let Some(before) = before else { return Some(self) };
        let change = (self.red - before.red).abs().max((self.green - before.green).abs());
        let steady = 1.0 / (1.0 + (change / UNSTEADY) * (change / UNSTEADY));
        (change <= JUMP).then_some(Self { trust: self.trust * steady, ..self })
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Second {
    red: f64,
    green: f64,
    present: u64,
    seen: u64,
}

/// The light at the known saturation.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Reference {
    /// Sums over the seconds so far.
    Gathering {
        red: f64,
        green: f64,
        seconds: usize,
    },
    Known {
        red: f64,
        green: f64,
    },
    /// The finger moved.
    Lost,
}

const EMPTY: Reference = Reference::Gathering { red: 0.0, green: 0.0, seconds: 0 };

impl CameraOximeter {
    /// An oximeter for frames at `rate` per second (at least 1) of a finger at `start_percent` saturation at first.
    pub fn new(rate: std::num::NonZeroU32, calibration: Calibration, start_percent: f64) -> Self {
        Self {
            rate: u64::from(rate.get()),
            calibration,
            start_percent,
            position: 0,
            second: Second::default(),
            recent: VecDeque::new(),
            reference: EMPTY,
            pause: 0,
        }
    }

    /// The finger lies anew, at this saturation.
    pub fn restart(&mut self, start_percent: f64) {
        self.start_percent = start_percent;
        self.recent.clear();
        self.reference = EMPTY;
        self.pause = 0;
    }

    /// Whether the finger moved, so that nothing is told before [`Self::restart`].
    pub fn is_lost(&self) -> bool {
        matches!(self.reference, Reference::Lost)
    }

    /// Takes frames' mean red and green, linear light in any unit; what is not positive and finite is missing.
    pub fn push(&mut self, frames: &[[f32; 2]], saturations: &mut Vec<CameraSaturation>) {
        for frame in frames {
            if frame.iter().all(|light| light.is_finite() && *light > 0.0) {
                self.second.red += f64::from(frame[0]);
                self.second.green += f64::from(frame[1]);
                self.second.present += 1;
            }
            self.position += 1;
            self.second.seen += 1;
            if self.second.seen == self.rate {
                saturations.extend(self.close_second());
            }
        }
    }

    /// Counts frames that never arrived; the same as pushing so many NaN.
    pub fn gap(&mut self, missing: u64, saturations: &mut Vec<CameraSaturation>) {
        // A longer pause loses the reference and empties the window: only the position is left to keep.
        let told = (WINDOW_S as u64 + HOP_S as u64 + 2) * self.rate;
        let skipped = missing.saturating_sub(told) / (HOP_S as u64 * self.rate) * (HOP_S as u64 * self.rate);
        (skipped..missing).for_each(|_| self.push(&[[f32::NAN; 2]], saturations));
        self.position += skipped;
    }

    fn close_second(&mut self) -> Option<CameraSaturation> {
        let Second { red, green, present, seen } = std::mem::take(&mut self.second);
        let share = present as f64 / seen as f64;
        let mean = |sum: f64| (sum / present as f64).ln();
        let light = (share >= LEAST_PRESENT).then(|| Light { red: mean(red), green: mean(green), trust: share });
        self.follow(light);
        let on_hop = (self.position / self.rate).is_multiple_of(HOP_S as u64);
        on_hop.then(|| self.saturation()).flatten()
    }

    fn follow(&mut self, light: Option<Light>) {
        let before = self.recent.iter().rev().flatten().next().copied();
        let light = light.and_then(|light| light.after(before));
        self.pause = if light.is_some() { 0 } else { self.pause.saturating_add(1) };
        if self.recent.len() == WINDOW_S {
            self.recent.pop_front();
        }
        self.recent.push_back(light);
        self.reference = match (self.reference, light) {
            (Reference::Gathering { .. }, None) if self.pause > LONGEST_PAUSE_S => {
                self.recent.clear();
                EMPTY
            }
            (Reference::Known { .. }, None) if self.pause > LONGEST_PAUSE_S => Reference::Lost,
            (Reference::Gathering { red, green, seconds }, Some(light)) => {
                gather(red + light.red, green + light.green, seconds + 1)
            }
            (unchanged, _) => unchanged,
        };
    }

    fn saturation(&self) -> Option<CameraSaturation> {
        let Reference::Known { red, green } = self.reference else { return None };
        let lights: Vec<&Light> = self.recent.iter().flatten().collect();
        if self.recent.len() < WINDOW_S || 2 * lights.len() < WINDOW_S {
            return None;
        }
        let mean = |of: fn(&Light) -> f64| lights.iter().map(|light| of(light)).sum::<f64>() / lights.len() as f64;
        let change = self.calibration.red * (mean(|light| light.red) - red)
            + self.calibration.green * (mean(|light| light.green) - green);
        let percent = self.start_percent + change;
        let quality = lights.iter().map(|light| light.trust).sum::<f64>() / WINDOW_S as f64;
        BELIEVED.contains(&percent).then(|| CameraSaturation {
            sample: self.position,
            percent: percent.min(100.0),
            quality: quality.clamp(0.0, 1.0),
        })
    }
}

fn gather(red: f64, green: f64, seconds: usize) -> Reference {
    if seconds == REFERENCE_S {
        return Reference::Known { red: red / seconds as f64, green: green / seconds as f64 };
    }
    Reference::Gathering { red, green, seconds }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
