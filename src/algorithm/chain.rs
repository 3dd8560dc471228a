//! Runs the algorithms of one signal of one stream: samples or beats in, closed windows with their values out.
//!
//! Windows lie in event time, counted from 1970, and close when every detector has passed their end. What comes out does
//! not depend on how samples were cut into packets: blocks are split at window boundaries before anything sees them.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::lane::{Lane, PacketSeen, Window};
use super::native::{self, Detected, Detector, WindowView};
use super::recorder::Recorder;
use crate::id::SignalCode;
use crate::registry::{Algorithm, Registry};
use crate::session::Timeline;
use crate::signal::{AlgorithmRef, Beat, Measured, PacketRange, Quality, Source, Value};
use crate::time::{DeviceTime, Instant, Interval, MICROS};

/// A window that closed, with what it gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Closed {
    /// The window.
    pub window: Interval,
    /// The packets behind it.
    pub packets: PacketRange,
    /// What was measured.
    pub measured: Vec<Measured>,
}

/// A detector of the chain and the beats it found that windows still need.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Stage {
    algorithm: AlgorithmRef,
    detector: Detector,
    beats: VecDeque<Beat>,
    last_sample: Option<f64>,
}

/// Where the beats of a chain come from.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Input {
    /// Samples, through detectors.
    Waveform {
        timeline: Timeline,
        recorder: Option<Recorder>,
        stages: Vec<Stage>,
        /// Samples since the detectors' quality was last asked for.
        unweighed: u64,
    },
    /// Intervals the device measured itself.
    Intervals { beats: VecDeque<Beat>, until: Instant },
}

/// The algorithms of one signal of one stream, with their state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Chain {
    signal: SignalCode,
    input: Input,
    lanes: Vec<Lane>,
    /// What closed windows gave that later, longer windows are computed from.
    given: VecDeque<Source>,
}

impl Chain {
    /// A chain for a waveform that starts at `start`. A rate no detector takes is recorded without being analysed.
    pub fn waveform(registry: &Registry, signal: &SignalCode, start: DeviceTime, rate_hz: f64) -> Self {
        let recorder = registry
            .signal(signal)
            .and_then(|row| row.sampled_data.as_ref())
            .map(|sampled| Recorder::new(sampled.chunk_s, rate_hz));
        let stages: Vec<Stage> = reading(registry, signal)
            .filter_map(|row| {
                let detector = native::find(&row.native)?.detector?(rate_hz)?;
                Some(Stage { algorithm: row.reference(), detector, beats: VecDeque::new(), last_sample: None })
            })
            .collect();
        let mut seconds: Vec<u32> = recorder.iter().map(|r| r.seconds).collect();
        for stage in &stages {
            seconds.extend(windows_of(registry, &stage.algorithm));
        }
        let input = Input::Waveform { timeline: Timeline::new(start, rate_hz), recorder, stages, unweighed: 0 };
        Self { signal: signal.clone(), input, lanes: lanes(seconds), given: VecDeque::new() }
    }

    /// A chain for intervals the device measures itself.
    pub fn intervals(registry: &Registry, signal: &SignalCode, start: Instant) -> Self {
        let mut seconds: Vec<u32> = reading(registry, signal).map(|row| row.window_s).collect();
        seconds.push(60);
        let input = Input::Intervals { beats: VecDeque::new(), until: start };
        Self { signal: signal.clone(), input, lanes: lanes(seconds), given: VecDeque::new() }
    }

    /// Samples a second of a waveform.
    pub fn rate_hz(&self) -> Option<f64> {
        match &self.input {
            Input::Waveform { timeline, .. } => Some(timeline.rate_hz()),
            Input::Intervals { .. } => None,
        }
    }

    /// Takes a packet's samples.
    pub fn push_samples(
        &mut self,
        registry: &Registry,
        packet: &PacketSeen,
        stamp: DeviceTime,
        values: &[f32],
    ) -> Vec<Closed> {
        let Input::Waveform { timeline, recorder, stages, unweighed } = &mut self.input else { return Vec::new() };
        let placement = timeline.place(stamp, values.len());
        if placement.missing > 0 {
            weigh_quality(stages, &mut self.lanes, unweighed);
            for stage in stages.iter_mut() {
                let detected = stage.detector.gap(placement.missing);
                stage.keep(timeline, detected);
            }
        }
        let mut index = placement.start;
        let mut rest = values;
        while !rest.is_empty() {
            let at = timeline.time_of(index as f64);
            let Some(boundary) = self.lanes.iter().map(|l| l.boundary_after(at)).min() else { break };
            let room = timeline.index_at(boundary).saturating_sub(index).max(1) as usize;
            let (piece, after) = rest.split_at(room.min(rest.len()));
            let present = piece.iter().filter(|v| v.is_finite()).count() as u64;
            for lane in &mut self.lanes {
                lane.add(at, packet, present);
            }
            for stage in stages.iter_mut() {
                let detected = stage.detector.push(piece);
                stage.keep(timeline, detected);
            }
            if let Some(recorder) = recorder {
                recorder.push(at, index, piece);
            }
            *unweighed += piece.len() as u64;
            if piece.len() == room {
                weigh_quality(stages, &mut self.lanes, unweighed);
            }
            index += piece.len() as u64;
            rest = after;
        }
        let horizon = stages.iter().map(|s| s.detector.horizon()).min().unwrap_or(index);
        let horizon = timeline.time_of(horizon.min(index) as f64);
        self.close_until(registry, horizon)
    }

    /// Takes intervals the device measured, in time order.
    pub fn push_beats(&mut self, registry: &Registry, packet: &PacketSeen, new: &[Beat]) -> Vec<Closed> {
        let Input::Intervals { beats, until } = &mut self.input else { return Vec::new() };
        for beat in new {
            // A stamp behind what was taken already belongs to the moment after it: beats do not go back in time.
            let at = beat.at.max(until.plus(1));
            *until = at;
            beats.push_back(Beat { at, ..*beat });
            for lane in &mut self.lanes {
                lane.add(at, packet, 1);
            }
        }
        let horizon = *until;
        self.close_until(registry, horizon)
    }

    /// The stream has ended: closes every window with what it has.
    pub fn finish(&mut self, registry: &Registry) -> Vec<Closed> {
        if let Input::Waveform { timeline, stages, unweighed, .. } = &mut self.input {
            for stage in stages.iter_mut() {
                let detected = stage.detector.finish();
                stage.keep(timeline, detected);
            }
            weigh_quality(stages, &mut self.lanes, unweighed);
        }
        self.close_until(registry, Instant(i64::MAX))
    }

    fn close_until(&mut self, registry: &Registry, horizon: Instant) -> Vec<Closed> {
        let mut closed = Vec::new();
        while let Some((end, seconds)) = self.lanes.iter().filter_map(|l| Some((l.oldest_end()?, l.seconds))).min() {
            if end > horizon {
                break;
            }
            let lane = self.lanes.iter_mut().find(|l| l.seconds == seconds);
            let Some(window) = lane.and_then(Lane::close) else { break };
            let measured = self.compute(registry, seconds, &window);
            if !measured.is_empty() {
                closed.push(Closed { window: window.interval, packets: window.packets, measured });
            }
        }
        self.forget();
        closed
    }

    fn compute(&mut self, registry: &Registry, seconds: u32, window: &Window) -> Vec<Measured> {
        let mut measured = Vec::new();
        if let Input::Waveform { recorder: Some(recorder), .. } = &mut self.input
            && recorder.seconds == seconds
            && let Some(block) = recorder.take(window.interval, &self.signal)
        {
            measured.push(device_value(&self.signal, window, Value::Samples(block)));
        }
        if let Input::Intervals { beats, .. } = &self.input
            && seconds == self.lanes.first().map_or(0, |l| l.seconds)
        {
            let inside: Vec<Beat> = beats.iter().filter(|b| window.interval.contains(b.at)).copied().collect();
            measured.push(device_value(&self.signal, window, Value::Beats(inside)));
        }
        self.given.extend(measured.iter().map(source));
        let runs: Vec<(&Algorithm, Vec<Beat>)> = match &self.input {
            Input::Waveform { stages, .. } => stages.iter().flat_map(|s| runs(registry, s, window, seconds)).collect(),
            Input::Intervals { beats, .. } => {
                let inside: Vec<Beat> = beats.iter().filter(|b| window.interval.contains(b.at)).copied().collect();
                let rows = reading(registry, &self.signal).filter(|row| row.window_s == seconds);
                rows.map(|row| (row, inside.clone())).collect()
            }
        };
        for (row, beats) in runs {
            let Some(native) = native::find(&row.native) else { continue };
            let view = WindowView {
                interval: window.interval,
                beats: &beats,
                quality: window.quality(),
                coverage: self.coverage(window, &beats),
            };
            let derived_from: Vec<Source> = self
                .given
                .iter()
                .filter(|s| s.signal == row.input && overlaps(s.interval, window.interval))
                .cloned()
                .collect();
            for computed in (native.compute)(&view) {
                let Some(signal) = row.outputs.iter().find(|o| o.as_str() == computed.signal) else { continue };
                let one = Measured {
                    signal: signal.clone(),
                    interval: window.interval,
                    value: computed.value,
                    quality: computed.quality,
                    algorithm: Some(row.reference()),
                    derived_from: derived_from.clone(),
                    original: None,
                };
                self.given.push_back(source(&one));
                measured.push(one);
            }
        }
        measured
    }

    /// Share of the window that has data.
    fn coverage(&self, window: &Window, beats: &[Beat]) -> f64 {
        let covered_s = match self.rate_hz() {
            Some(rate_hz) => window.present as f64 / rate_hz,
            None => beats.iter().filter_map(|b| b.interval_ms).sum::<f64>() / 1000.0,
        };
        (covered_s / window.interval.seconds()).min(1.0)
    }

    /// Drops beats and sources no open window can need.
    fn forget(&mut self) {
        let longest = self.lanes.last().map_or(0, |l| i64::from(l.seconds) * MICROS);
        let oldest = self.lanes.iter().filter_map(Lane::oldest_start).min();
        let Some(needed) = oldest else { return };
        let beats: Vec<&mut VecDeque<Beat>> = match &mut self.input {
            Input::Waveform { stages, .. } => stages.iter_mut().map(|s| &mut s.beats).collect(),
            Input::Intervals { beats, .. } => vec![beats],
        };
        for beats in beats {
            while beats.front().is_some_and(|b| b.at < needed) {
                beats.pop_front();
            }
        }
        while self.given.front().is_some_and(|s| s.interval.end.plus(longest) <= needed) {
            self.given.pop_front();
        }
    }
}

impl Stage {
    /// Turns sample positions into beats with times and intervals.
    fn keep(&mut self, timeline: &Timeline, detected: Vec<Detected>) {
        for beat in detected {
            let period_ms = 1000.0 / timeline.rate_hz();
            let interval = self.last_sample.map(|last| (beat.sample - last) * period_ms);
            self.last_sample = Some(beat.sample);
            self.beats.push_back(Beat {
                at: timeline.time_of(beat.sample),
                interval_ms: interval.filter(|_| !beat.after_gap),
                quality: Quality::new(beat.quality),
            });
        }
    }
}

/// The rows that read a signal.
fn reading<'a>(registry: &'a Registry, signal: &'a SignalCode) -> impl Iterator<Item = &'a Algorithm> {
    registry.algorithms.values().filter(move |row| &row.input == signal)
}

/// Window lengths of a detector's row and of the rows that read what it gives.
fn windows_of(registry: &Registry, algorithm: &AlgorithmRef) -> Vec<u32> {
    let Some(row) = registry.algorithms.get(&algorithm.id) else { return Vec::new() };
    let readers = row.outputs.iter().flat_map(|output| reading(registry, output)).map(|r| r.window_s);
    std::iter::once(row.window_s).chain(readers).collect()
}

/// The rows to run on a stage's window: the detector's own first, then those that read what it gives.
fn runs<'a>(registry: &'a Registry, stage: &Stage, window: &Window, seconds: u32) -> Vec<(&'a Algorithm, Vec<Beat>)> {
    let Some(own) = registry.algorithms.get(&stage.algorithm.id) else { return Vec::new() };
    let readers = registry.algorithms.values().filter(|row| own.outputs.contains(&row.input));
    let beats: Vec<Beat> = stage.beats.iter().filter(|b| window.interval.contains(b.at)).copied().collect();
    let due = std::iter::once(own).chain(readers).filter(|row| row.window_s == seconds);
    due.map(|row| (row, beats.clone())).collect()
}

fn lanes(mut seconds: Vec<u32>) -> Vec<Lane> {
    seconds.sort_unstable();
    seconds.dedup();
    seconds.into_iter().map(Lane::new).collect()
}

/// Moves the detectors' running quality into the open windows.
fn weigh_quality(stages: &mut [Stage], lanes: &mut [Lane], unweighed: &mut u64) {
    let weight = std::mem::take(unweighed) as f64;
    let Some(stage) = stages.first_mut() else { return };
    let index = stage.detector.take_quality();
    for lane in lanes {
        lane.add_quality(index, weight);
    }
}

fn device_value(signal: &SignalCode, window: &Window, value: Value) -> Measured {
    Measured {
        signal: signal.clone(),
        interval: window.interval,
        value,
        quality: window.quality(),
        algorithm: None,
        derived_from: Vec::new(),
        original: None,
    }
}

fn source(measured: &Measured) -> Source {
    Source { signal: measured.signal.clone(), interval: measured.interval, algorithm: measured.algorithm.clone() }
}

fn overlaps(a: Interval, b: Interval) -> bool {
    a.start < b.end && b.start < a.end
}
