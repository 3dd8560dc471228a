//! Running levels: how high beats and noise stand in the envelope, and how far apart beats are.

use serde::{Deserialize, Serialize};

/// Share of a new value in a running level: about eight beats of memory (Pan & Tompkins 1985).
const RATE: f32 = 0.125;
/// One beat moves a level no further than to twice or half of it, so a single artefact cannot spoil it.
const LARGEST_STEP: f32 = 2.0;
/// The highest recent noise is forgotten by half in this many seconds.
const NOISE_PEAK_HALF_LIFE_S: f64 = 10.0;
const INTERVALS: usize = 8;
/// Median RR interval assumed before beats are known, and its bounds, in seconds.
const FIRST_INTERVAL_S: f32 = 0.8;
const INTERVAL_BOUNDS_S: (f32, f32) = (0.3, 1.5);

/// Irregularity beyond this is complete, as in atrial fibrillation.
const MOST_IRREGULAR: f32 = 0.4;
/// What one beat that is not sure adds to the irregularity.
const UNSURE_STEP: f32 = 0.05;

/// Heights of one hump in the three bands, in mV.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Heights {
    pub(super) qrs: f32,
    pub(super) low: f32,
    pub(super) high: f32,
}

/// What the latest RR intervals let expect.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Rhythm {
    /// Median interval, in seconds.
    pub(super) interval_s: f32,
    /// Mean deviation from it, relative.
    pub(super) irregularity: f32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Levels {
    /// Of beats.
    pub(super) beat: Heights,
    /// Height of the latest beat.
    pub(super) previous: f32,
    /// Of humps that are no beats.
    pub(super) noise: f32,
    /// Highest recent hump that was no beat.
    pub(super) noise_peak: f32,
    noise_decay: f32,
    intervals_s: [f32; INTERVALS],
    next_interval: usize,
    rhythm: Rhythm,
    /// Added to the irregularity for beats that were not sure.
    unsure: f32,
}

impl Levels {
    pub(super) fn new(rate_hz: f64) -> Self {
        Self {
            beat: Heights::default(),
            previous: 0.0,
            noise: 0.0,
            noise_peak: 0.0,
            noise_decay: 0.5_f64.powf(1.0 / (NOISE_PEAK_HALF_LIFE_S * rate_hz)) as f32,
            intervals_s: [FIRST_INTERVAL_S; INTERVALS],
            next_interval: 0,
            rhythm: Rhythm { interval_s: FIRST_INTERVAL_S, irregularity: MOST_IRREGULAR },
            unsure: 0.0,
        }
    }

    pub(super) fn known(&self) -> bool {
        self.beat.qrs > 0.0
    }

    /// Starts over from one beat.
    pub(super) fn start(&mut self, beat: Heights, noise: f32) {
        self.beat = beat;
        self.previous = beat.qrs;
        self.noise = noise;
        self.noise_peak = noise;
    }

    pub(super) fn forget(&mut self) {
        self.beat = Heights::default();
    }

    /// One internal sample passes.
    pub(super) fn pass(&mut self) {
        self.noise_peak *= self.noise_decay;
    }

    pub(super) fn learn_beat(&mut self, heights: Heights) {
        follow(&mut self.beat.qrs, heights.qrs);
        follow(&mut self.beat.low, heights.low);
        follow(&mut self.beat.high, heights.high);
        self.previous = heights.qrs;
    }

    pub(super) fn learn_noise(&mut self, height: f32) {
        self.noise += RATE * (height.min(self.beat.qrs) - self.noise);
        self.noise_peak = self.noise_peak.max(height);
    }

    pub(super) fn learn_interval(&mut self, seconds: f32) {
        self.intervals_s[self.next_interval] = seconds;
        self.next_interval = (self.next_interval + 1) % INTERVALS;
        let mut sorted = self.intervals_s;
        sorted.sort_by(f32::total_cmp);
        let median = 0.5 * (sorted[INTERVALS / 2 - 1] + sorted[INTERVALS / 2]);
        let spread: f32 = sorted.iter().map(|interval| (interval - median).abs()).sum::<f32>() / INTERVALS as f32;
        self.rhythm = Rhythm {
            interval_s: median.clamp(INTERVAL_BOUNDS_S.0, INTERVAL_BOUNDS_S.1),
            irregularity: (spread / median).min(MOST_IRREGULAR),
        };
        self.unsure = (self.unsure - UNSURE_STEP).max(0.0);
    }

    /// A beat whose interval cannot be trusted: the rhythm may have changed.
    pub(super) fn doubt_rhythm(&mut self) {
        self.unsure = (self.unsure + UNSURE_STEP).min(MOST_IRREGULAR);
    }

    /// So many beats were not sure that any interval is better than the old ones.
    pub(super) fn rhythm_is_stale(&self) -> bool {
        self.unsure >= MOST_IRREGULAR
    }

    pub(super) fn rhythm(&self) -> Rhythm {
        let irregularity = (self.rhythm.irregularity + self.unsure).min(MOST_IRREGULAR);
        Rhythm { irregularity, ..self.rhythm }
    }
}

fn follow(level: &mut f32, value: f32) {
    *level += RATE * (value.clamp(*level / LARGEST_STEP, *level * LARGEST_STEP) - *level);
}
