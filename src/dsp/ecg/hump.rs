//! Finds the humps of the envelope with as little delay as noise allows.

use serde::{Deserialize, Serialize};

/// A hump has ended when the envelope has fallen to this share of its peak; a new one begins when it has risen as much
/// above the valley.
const HYSTERESIS: f32 = 0.96;

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Hump {
    pub(super) tick: u64,
    pub(super) height: f32,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct HumpFinder {
    rising: bool,
    extreme: f32,
    extreme_tick: u64,
}

impl HumpFinder {
    pub(super) fn push(&mut self, tick: u64, envelope: f32) -> Option<Hump> {
        if self.rising {
            self.follow_rise(tick, envelope)
        } else {
            self.follow_fall(tick, envelope);
            None
        }
    }

    pub(super) fn is_rising(&self) -> bool {
        self.rising
    }

    /// The earliest tick a hump that is still open can have.
    pub(super) fn open_since(&self, tick: u64) -> u64 {
        if self.rising { self.extreme_tick } else { tick }
    }

    fn follow_rise(&mut self, tick: u64, envelope: f32) -> Option<Hump> {
        if envelope >= self.extreme {
            self.extreme = envelope;
            self.extreme_tick = tick;
            return None;
        }
        if envelope > self.extreme * HYSTERESIS {
            return None;
        }
        let hump = Hump { tick: self.extreme_tick, height: self.extreme };
        self.rising = false;
        self.extreme = envelope;
        self.extreme_tick = tick;
        Some(hump)
    }

    fn follow_fall(&mut self, tick: u64, envelope: f32) {
        if envelope <= self.extreme {
            self.extreme = envelope;
        } else if envelope * HYSTERESIS > self.extreme {
            self.rising = true;
            self.extreme = envelope;
        }
        self.extreme_tick = tick;
    }
}
