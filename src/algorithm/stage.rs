//! A detector on a waveform, with the events it found that windows still need.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::native::{Detected, Detector};
use crate::session::Timeline;
use crate::signal::{AlgorithmRef, Beat, Quality};

/// A detector of a chain and what it found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Stage {
    pub(super) algorithm: AlgorithmRef,
    pub(super) detector: Detector,
    pub(super) beats: VecDeque<Beat>,
    last_sample: Option<f64>,
}

impl Stage {
    pub(super) fn new(algorithm: AlgorithmRef, detector: Detector) -> Self {
        Self { algorithm, detector, beats: VecDeque::new(), last_sample: None }
    }

    /// Turns sample positions into events with times and intervals, keeps them and gives them on.
    pub(super) fn keep(&mut self, timeline: &Timeline, detected: &[Detected]) -> Vec<Beat> {
        let period_ms = 1000.0 / timeline.rate_hz();
        let mut new = Vec::with_capacity(detected.len());
        for one in detected {
            let interval = self.last_sample.map(|last| (one.sample - last) * period_ms);
            self.last_sample = Some(one.sample);
            new.push(Beat {
                at: timeline.time_of(one.sample),
                interval_ms: interval.filter(|_| !one.after_gap),
                amplitude: one.amplitude as f32,
                quality: Quality::new(one.quality),
            });
        }
        self.beats.extend(&new);
        new
    }
}
