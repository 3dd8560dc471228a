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
    /// Seconds of the pieces in which a chunk is remembered when it is taken out, as what it shows may be known only later; 0
    /// where nobody asks.
    piece_s: u32,
    rate_hz: f64,
    dimensions: usize,
    chunks: VecDeque<Chunk>,
    /// What is remembered of chunks that were taken out.
    pieces: VecDeque<Chunk>,
}

impl Recorder {
    /// One with chunks of so many `seconds`, which remembers what is taken out in pieces of `piece_s`.
    pub(super) fn new(seconds: u32, piece_s: u32, rate_hz: f64, dimensions: usize) -> Self {
        Self { seconds, piece_s, rate_hz, dimensions, chunks: VecDeque::new(), pieces: VecDeque::new() }
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
        let block = self.block(&chunk, signal);
        let length = i64::from(self.piece_s) * MICROS;
        let mut start = interval.start;
        while length > 0 && start < interval.end {
            let interval = Interval { start, end: start.plus(length) };
            let piece = block.between(interval);
            let (start_of_piece, values) = (piece.start, Packed::from(piece.values.as_slice()));
            self.pieces.push_back(Chunk { interval, start: start_of_piece, first_index: 0, values });
            start = interval.end;
        }
        Some(block)
    }

    /// Drops what was remembered of before the last whole piece before `at`.
    pub(super) fn forget(&mut self, at: Instant) {
        let length = i64::from(self.piece_s) * MICROS;
        while self.pieces.front().is_some_and(|piece| piece.interval.end.plus(length) <= at) {
            self.pieces.pop_front();
        }
    }

    /// The samples of an interval that lies in an open chunk, or is a piece that is remembered; none where there are none.
    pub(super) fn piece(&self, interval: Interval, signal: &SignalCode) -> Option<SampleBlock> {
        let holds = |chunk: &&Chunk| chunk.interval.start <= interval.start && interval.end <= chunk.interval.end;
        let chunk = self.pieces.iter().chain(&self.chunks).find(holds)?;
        let piece = self.block(chunk, signal).between(interval);
        piece.values.iter().any(|value| value.is_finite()).then_some(piece)
    }

    fn block(&self, chunk: &Chunk, signal: &SignalCode) -> SampleBlock {
        SampleBlock {
            signal: signal.clone(),
            start: chunk.start,
            rate_hz: self.rate_hz,
            dimensions: self.dimensions,
            values: chunk.values.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_out_can_be_seen_for_a_while() {
        let (signal, hz) = (SignalCode::new("ecg").unwrap(), 10_u64);
        let mut recorder = Recorder::new(60, 10, 10.0, 1);
        let second = |s: i64| Instant(s * MICROS);
        let span = |from: i64, until: i64| Interval { start: second(from), end: second(until) };
        for s in 0..75_i64 {
            let index = s.cast_unsigned() * hz;
            let values: Vec<f32> = (0..10).map(|i| (index + i) as f32).collect();
            recorder.push(second(s), index, &values);
        }
        let piece = |recorder: &Recorder, from, until| {
            let piece = recorder.piece(span(from, until), &signal)?;
            Some((piece.start, piece.values.len(), piece.values[0], piece.values.last().copied()?))
        };
        assert_eq!(piece(&recorder, 20, 30), Some((second(20), 100, 200.0, 299.0)));
        recorder.take(span(0, 60), &signal).unwrap();
        assert_eq!(piece(&recorder, 20, 30), Some((second(20), 100, 200.0, 299.0)));
        recorder.forget(second(69));
        assert_eq!(piece(&recorder, 40, 50), None);
        assert_eq!(piece(&recorder, 50, 60), Some((second(50), 100, 500.0, 599.0)));
        assert_eq!(piece(&recorder, 60, 70), Some((second(60), 100, 600.0, 699.0)));
        assert_eq!(piece(&recorder, 70, 80), Some((second(70), 50, 700.0, 749.0)));
        assert_eq!(piece(&recorder, 80, 90), None);
    }
}
