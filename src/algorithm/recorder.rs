//! Keeps the waveform itself until its window closes.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::id::SignalCode;
use crate::signal::{Packed, SampleBlock};
use crate::time::{Instant, Interval, MICROS};

/// The samples of one window. Missing samples in the middle are NaN; missing ones at the ends are left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Chunk {
    interval: Interval,
    start: Instant,
    first_index: u64,
    values: Packed,
}

/// Waveform chunks of a stream, cut at the windows of the registry row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Recorder {
    pub(super) seconds: u32,
    rate_hz: f64,
    dimensions: usize,
    chunks: VecDeque<Chunk>,
}

impl Recorder {
    pub(super) fn new(seconds: u32, rate_hz: f64, dimensions: usize) -> Self {
        Self { seconds, rate_hz, dimensions, chunks: VecDeque::new() }
    }

    /// Appends samples that lie in one window; `index` counts moments, missing ones too.
    pub(super) fn push(&mut self, at: Instant, index: u64, values: &[f32]) {
        let interval = Interval::aligned(at, i64::from(self.seconds) * MICROS);
        if self.chunks.back().is_none_or(|c| c.interval != interval) {
            let values = Packed::default();
            self.chunks.push_back(Chunk { interval, start: at, first_index: index, values });
        }
        let Some(chunk) = self.chunks.back_mut() else { return };
        let expected = (index - chunk.first_index) as usize * self.dimensions;
        chunk.values.pad(expected);
        chunk.values.extend(values);
    }

    /// Takes the chunk of a window out.
    pub(super) fn take(&mut self, interval: Interval, signal: &SignalCode) -> Option<SampleBlock> {
        let position = self.chunks.iter().position(|c| c.interval == interval)?;
        let chunk = self.chunks.remove(position)?;
        Some(SampleBlock {
            signal: signal.clone(),
            start: chunk.start,
            rate_hz: self.rate_hz,
            dimensions: self.dimensions,
            values: chunk.values.to_vec(),
        })
    }
}
