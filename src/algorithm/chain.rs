//! Runs the algorithms of one signal of one stream: samples, intervals or scalars in, closed windows with their values out.
//!
//! Windows lie in event time, counted from 1970, and close when every detector has passed their end. What comes out does
//! not depend on how samples were cut into packets: blocks are split at window boundaries before anything sees them.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::lane::{Lane, PacketSeen, Window};
use super::native::{self, Verdict, WindowView};
use super::recorder::Recorder;
use super::stage::Stage;
use super::watch::{Said, Watch};
use crate::id::SignalCode;
use crate::registry::{Algorithm, DeviceModel, Registry};
use crate::session::Timeline;
use crate::signal::{AlgorithmRef, Beat, Measured, PacketRange, Quality, SampleBlock, Source, Value};
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

/// The rows a chain works by.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// Signals and algorithms.
    pub registry: &'a Registry,
    /// The device's model, where it is known.
    pub model: Option<&'a DeviceModel>,
}

/// Where the events of a chain come from.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Input {
    /// Samples, through detectors.
    Waveform {
        timeline: Timeline,
        dimensions: usize,
        recorders: Vec<Recorder>,
        stages: Vec<Stage>,
        /// Samples since the detectors' quality was last asked for.
        unweighed: u64,
    },
    /// Intervals the device measured itself.
    Intervals { beats: VecDeque<Beat>, until: Instant },
    /// Single values, followed but not kept.
    Scalars { until: Instant },
}

/// The algorithms of one signal of one stream, with their state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Chain {
    signal: SignalCode,
    input: Input,
    lanes: Vec<Lane>,
    watches: Vec<Watch>,
    /// What closed windows gave that later, longer windows are computed from.
    given: VecDeque<Source>,
    /// Before this nothing will be said any more.
    settled: Instant,
}

impl Chain {
    /// A chain for a waveform that starts at `start`. A rate no detector takes is recorded without being analysed.
    pub fn waveform(registry: &Registry, signal: &SignalCode, start: DeviceTime, rate_hz: f64) -> Self {
        let form = registry.signal(signal).and_then(|row| row.sampled_data.as_ref());
        let dimensions = form.map_or(1, |form| usize::from(form.dimensions));
        let stages: Vec<Stage> = reading(registry, signal)
            .filter_map(|row| Some(Stage::new(row.reference(), native::find(&row.native)?.detector?(rate_hz)?)))
            .collect();
        let mut recorded: Vec<u32> = form.iter().map(|form| form.chunk_s).collect();
        let mut seconds = recorded.clone();
        let mut watches = Vec::new();
        for row in reading(registry, signal).filter(|row| is_runnable(&stages, row)) {
            seconds.push(row.window_s);
            if native::find(&row.native).is_some_and(|n| n.samples) {
                recorded.push(row.window_s);
            }
        }
        for output in stages.iter().filter_map(|s| registry.algorithms.get(&s.algorithm.id)).flat_map(|r| &r.outputs) {
            seconds.extend(reading(registry, output).filter(|row| !is_watch(row)).map(|row| row.window_s));
            watches.extend(Watch::on(registry, output));
        }
        recorded.sort_unstable();
        recorded.dedup();
        let is_evidence = registry.alerts.values().any(|rule| rule.evidence.as_ref() == Some(signal));
        let piece_s =
            |seconds| form.filter(|form| is_evidence && form.chunk_s == seconds).map_or(0, |form| form.strip_s);
        let recorder = |seconds| Recorder::new(seconds, piece_s(seconds), rate_hz, dimensions);
        let recorders = recorded.into_iter().map(recorder).collect();
        let timeline = Timeline::new(start, rate_hz);
        let input = Input::Waveform { timeline, dimensions, recorders, stages, unweighed: 0 };
        Self {
            signal: signal.clone(),
            input,
            lanes: lanes(seconds),
            watches,
            given: VecDeque::new(),
            settled: Instant::MIN,
        }
    }

    /// A chain for intervals the device measures itself.
    pub fn intervals(registry: &Registry, signal: &SignalCode, start: Instant) -> Self {
        let readers = reading(registry, signal).filter(|row| !is_watch(row));
        let mut seconds: Vec<u32> = readers.map(|row| row.window_s).collect();
        seconds.push(60);
        let input = Input::Intervals { beats: VecDeque::new(), until: start };
        let watches = Watch::on(registry, signal);
        Self {
            signal: signal.clone(),
            input,
            lanes: lanes(seconds),
            watches,
            given: VecDeque::new(),
            settled: Instant::MIN,
        }
    }

    /// A chain for single values; none when no algorithm reads them.
    pub fn scalars(registry: &Registry, signal: &SignalCode, start: Instant) -> Option<Self> {
        let watches = Watch::on(registry, signal);
        let input = Input::Scalars { until: start };
        let chain = Self {
            signal: signal.clone(),
            input,
            lanes: Vec::new(),
            watches,
            given: VecDeque::new(),
            settled: Instant::MIN,
        };
        (!chain.watches.is_empty()).then_some(chain)
    }

    /// Samples a second of a waveform.
    pub fn rate_hz(&self) -> Option<f64> {
        match &self.input {
            Input::Waveform { timeline, .. } => Some(timeline.rate_hz()),
            Input::Intervals { .. } | Input::Scalars { .. } => None,
        }
    }

    /// Takes a packet's samples.
    pub fn push_samples(
        &mut self,
        rows: Rows<'_>,
        packet: &PacketSeen,
        stamp: DeviceTime,
        values: &[f32],
    ) -> Vec<Closed> {
        let Input::Waveform { timeline, dimensions, recorders, stages, unweighed } = &mut self.input else {
            return Vec::new();
        };
        // Only now: until it is asked for what comes next, what was said last may still have to be shown.
        recorders.iter_mut().for_each(|recorder| recorder.forget(self.settled));
        let dimensions = *dimensions;
        let placement = timeline.place(stamp, values.len() / dimensions);
        if placement.missing > 0 {
            weigh_quality(stages, &mut self.lanes, &mut self.watches, unweighed);
            for stage in stages.iter_mut() {
                let detected = stage.detector.gap(placement.missing);
                follow(&mut self.watches, rows.registry, stage, timeline, &detected);
            }
        }
        let mut index = placement.start;
        let mut rest = values;
        while !rest.is_empty() {
            let at = timeline.time_of(index as f64);
            let all = self.lanes.iter().chain(self.watches.iter().map(|w| &w.lane));
            let Some(boundary) = all.map(|l| l.boundary_after(at)).min() else { break };
            let room = timeline.index_at(boundary).saturating_sub(index).max(1) as usize;
            let (piece, after) = rest.split_at((room * dimensions).min(rest.len()));
            let present = piece.chunks(dimensions).filter(|v| v.iter().any(|v| v.is_finite())).count() as u64;
            for lane in every(&mut self.lanes, &mut self.watches) {
                lane.add(at, packet, present);
            }
            for stage in stages.iter_mut() {
                let detected = stage.detector.push(piece);
                follow(&mut self.watches, rows.registry, stage, timeline, &detected);
            }
            for recorder in recorders.iter_mut() {
                recorder.push(at, index, piece);
            }
            let taken = piece.len() / dimensions;
            *unweighed += taken as u64;
            if taken == room {
                weigh_quality(stages, &mut self.lanes, &mut self.watches, unweighed);
            }
            index += taken as u64;
            rest = after;
        }
        let horizon = stages.iter().map(|s| s.detector.horizon()).min().unwrap_or(index);
        let horizon = timeline.time_of(horizon.min(index) as f64);
        self.close_until(rows, horizon)
    }

    /// Takes intervals the device measured, in time order.
    pub fn push_beats(&mut self, rows: Rows<'_>, packet: &PacketSeen, new: &[Beat]) -> Vec<Closed> {
        let Input::Intervals { beats, until } = &mut self.input else { return Vec::new() };
        for beat in new {
            // A stamp behind what was taken already belongs to the moment after it: beats do not go back in time.
            let beat = Beat { at: beat.at.max(until.plus(1)), ..*beat };
            *until = beat.at;
            beats.push_back(beat);
            for lane in every(&mut self.lanes, &mut self.watches) {
                lane.add(beat.at, packet, 1);
            }
            self.watches.iter_mut().for_each(|w| w.push(&beat));
        }
        let horizon = *until;
        self.close_until(rows, horizon)
    }

    /// Takes a single value.
    pub fn push_scalar(&mut self, rows: Rows<'_>, packet: &PacketSeen, at: Instant, value: f64) -> Vec<Closed> {
        let Input::Scalars { until } = &mut self.input else { return Vec::new() };
        let at = at.max(until.plus(1));
        *until = at;
        let one = Beat { at, interval_ms: Some(value), amplitude: 0.0, quality: Quality::GOOD };
        for watch in &mut self.watches {
            watch.lane.add(at, packet, 1);
            watch.push(&one);
        }
        self.close_until(rows, at)
    }

    /// Whether one of its followers speaks of a signal moment by moment.
    pub fn speaks_of(&self, signal: &SignalCode) -> bool {
        self.watches.iter().any(|watch| watch.heard.as_ref() == Some(signal))
    }

    /// What its followers said since this was last asked for.
    pub fn take_said(&mut self) -> Vec<Said> {
        self.watches.iter_mut().flat_map(Watch::take_said).collect()
    }

    /// The waveform itself during an interval, as far as it is remembered: the open windows, and before them back to the last
    /// whole strip before what followers have not spoken of yet.
    pub fn piece(&self, registry: &Registry, interval: Interval) -> Option<SampleBlock> {
        let Input::Waveform { recorders, .. } = &self.input else { return None };
        let form = registry.signal(&self.signal)?.sampled_data.as_ref()?;
        recorders.iter().find(|recorder| recorder.seconds == form.chunk_s)?.piece(interval, &self.signal)
    }

    /// The stream has ended: closes every window with what it has.
    pub fn finish(&mut self, rows: Rows<'_>) -> Vec<Closed> {
        if let Input::Waveform { timeline, stages, unweighed, .. } = &mut self.input {
            for stage in stages.iter_mut() {
                let detected = stage.detector.finish();
                follow(&mut self.watches, rows.registry, stage, timeline, &detected);
            }
            weigh_quality(stages, &mut self.lanes, &mut self.watches, unweighed);
        }
        self.watches.iter_mut().for_each(Watch::flush);
        self.close_until(rows, Instant(i64::MAX))
    }

    fn close_until(&mut self, rows: Rows<'_>, horizon: Instant) -> Vec<Closed> {
        let mut closed = Vec::new();
        while let Some((end, seconds)) = self.lanes.iter().filter_map(|l| Some((l.oldest_end()?, l.seconds))).min() {
            if end > horizon {
                break;
            }
            let lane = self.lanes.iter_mut().find(|l| l.seconds == seconds);
            let Some(window) = lane.and_then(Lane::close) else { break };
            let measured = self.compute(rows, seconds, &window);
            closed.extend(given(&window, measured));
        }
        // Watches come after: what they say is derived from what the windows above gave.
        let mut settled = horizon;
        for number in 0..self.watches.len() {
            let until = self.watches[number].settle(horizon);
            settled = settled.min(until);
            while self.watches[number].lane.oldest_end().is_some_and(|end| end <= until) {
                let Some(window) = self.watches[number].lane.close() else { break };
                let measured = self.judge(rows, number, &window);
                closed.extend(given(&window, measured));
            }
            self.watches[number].forget();
        }
        self.settled = settled;
        self.forget();
        closed
    }

    fn compute(&mut self, rows: Rows<'_>, seconds: u32, window: &Window) -> Vec<Measured> {
        let mut measured = Vec::new();
        let mut block = None;
        if let Input::Waveform { recorders, .. } = &mut self.input {
            let recorder = recorders.iter_mut().find(|r| r.seconds == seconds);
            block = recorder.and_then(|r| r.take(window.interval, &self.signal));
        }
        let row = rows.registry.signal(&self.signal).and_then(|row| row.sampled_data.as_ref());
        if let Some(block) = block.as_ref().filter(|_| row.is_some_and(|form| form.chunk_s == seconds)) {
            measured.push(device_value(&self.signal, window, Value::Samples(block.clone())));
        }
        if let Input::Intervals { beats, .. } = &self.input
            && seconds == self.lanes.first().map_or(0, |l| l.seconds)
        {
            measured.push(device_value(&self.signal, window, Value::Beats(inside(beats, window.interval))));
        }
        self.given.extend(measured.iter().map(source));
        for (row, beats) in self.runs(rows.registry, window, seconds) {
            let material = Material { beats: &beats, samples: block.as_ref(), ..Material::default() };
            measured.extend(self.run(rows, row, window, &material));
        }
        measured
    }

    /// What a watch says about one of its windows.
    fn judge(&mut self, rows: Rows<'_>, number: usize, window: &Window) -> Vec<Measured> {
        let watch = &self.watches[number];
        let Some(row) = rows.registry.algorithms.get(&watch.row) else { return Vec::new() };
        let (verdicts, before) = watch.about(window.interval);
        self.run(rows, row, window, &Material { verdicts: &verdicts, before, ..Material::default() })
    }

    fn run(&mut self, rows: Rows<'_>, row: &Algorithm, window: &Window, material: &Material<'_>) -> Vec<Measured> {
        let Some(native) = native::find(&row.native) else { return Vec::new() };
        let view = WindowView {
            interval: window.interval,
            beats: material.beats,
            verdicts: material.verdicts,
            before: material.before,
            samples: material.samples,
            calibration: rows.model.and_then(|m| m.calibration(&row.id)),
            quality: window.quality(),
            coverage: self.coverage(window, material.beats),
        };
        let derived_from: Vec<Source> = self
            .given
            .iter()
            .filter(|s| s.signal == row.input && overlaps(s.interval, window.interval))
            .cloned()
            .collect();
        let mut measured = Vec::new();
        for computed in (native.compute)(&view) {
            let Some(signal) = row.outputs.iter().find(|o| o.as_str() == computed.signal) else { continue };
            let one = Measured {
                signal: signal.clone(),
                interval: computed.at.map_or(window.interval, |at| Interval { start: at, end: at }),
                value: computed.value,
                quality: computed.quality,
                algorithm: Some(row.reference()),
                derived_from: derived_from.clone(),
                original: None,
            };
            self.given.push_back(source(&one));
            measured.push(one);
        }
        measured
    }

    /// The rows to run on a window and the events in it for each: a detector's own row first, then those that read what it
    /// gives, then those that read the signal itself and take the first detector's events with it.
    fn runs<'a>(&self, registry: &'a Registry, window: &Window, seconds: u32) -> Vec<(&'a Algorithm, Vec<Beat>)> {
        let due = |row: &&'a Algorithm| row.window_s == seconds && !is_watch(row);
        let mut runs = Vec::new();
        match &self.input {
            Input::Waveform { stages, .. } => {
                for stage in stages {
                    let Some(own) = registry.algorithms.get(&stage.algorithm.id) else { continue };
                    let readers = own.outputs.iter().flat_map(|output| reading(registry, output));
                    let beats = inside(&stage.beats, window.interval);
                    runs.extend(std::iter::once(own).chain(readers).filter(due).map(|row| (row, beats.clone())));
                }
                let plain = reading(registry, &self.signal)
                    .filter(|row| stages.iter().all(|s| s.algorithm.id != row.id) && is_runnable(stages, row));
                let beats = stages.first().map(|s| inside(&s.beats, window.interval)).unwrap_or_default();
                runs.extend(plain.filter(due).map(|row| (row, beats.clone())));
            }
            Input::Intervals { beats, .. } => {
                let beats = inside(beats, window.interval);
                runs.extend(reading(registry, &self.signal).filter(due).map(|row| (row, beats.clone())));
            }
            Input::Scalars { .. } => {}
        }
        runs
    }

    /// Share of the window that has data.
    fn coverage(&self, window: &Window, beats: &[Beat]) -> f64 {
        let covered_s = match &self.input {
            Input::Waveform { timeline, .. } => window.present as f64 / timeline.rate_hz(),
            Input::Intervals { beats: all, .. } if beats.is_empty() => interval_sum_s(&inside(all, window.interval)),
            Input::Intervals { .. } => interval_sum_s(beats),
            Input::Scalars { .. } => return 1.0,
        };
        (covered_s / window.interval.seconds()).min(1.0)
    }

    /// Drops events and sources no open window can need.
    fn forget(&mut self) {
        let all = || self.lanes.iter().chain(self.watches.iter().map(|w| &w.lane));
        let longest = all().map(|l| i64::from(l.seconds) * MICROS).max().unwrap_or(0);
        let Some(needed) = all().filter_map(Lane::oldest_start).min() else { return };
        let beats: Vec<&mut VecDeque<Beat>> = match &mut self.input {
            Input::Waveform { stages, .. } => stages.iter_mut().map(|s| &mut s.beats).collect(),
            Input::Intervals { beats, .. } => vec![beats],
            Input::Scalars { .. } => Vec::new(),
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

/// What a row works on, besides the window itself.
#[derive(Default)]
struct Material<'a> {
    beats: &'a [Beat],
    verdicts: &'a [Verdict],
    before: Option<Verdict>,
    samples: Option<&'a SampleBlock>,
}

/// The rows that read a signal.
fn reading<'a, 's>(
    registry: &'a Registry,
    signal: &'s SignalCode,
) -> impl Iterator<Item = &'a Algorithm> + use<'a, 's> {
    registry.algorithms.values().filter(move |row| &row.input == signal && row.with.is_empty())
}

/// Whether a row follows events across windows instead of computing from whole ones.
fn is_watch(row: &Algorithm) -> bool {
    native::find(&row.native).is_some_and(|n| n.follower.is_some())
}

/// Whether a row that reads a waveform can run at its rate: one with a detector only when that takes it.
fn is_runnable(stages: &[Stage], row: &Algorithm) -> bool {
    let needs_detector = native::find(&row.native).is_some_and(|n| n.detector.is_some());
    !is_watch(row) && (!needs_detector || stages.iter().any(|s| s.algorithm.id == row.id))
}

/// Keeps what a stage detected and gives it to the watches on what its row writes.
fn follow(
    watches: &mut [Watch],
    registry: &Registry,
    stage: &mut Stage,
    timeline: &Timeline,
    detected: &[native::Detected],
) {
    let spans = stage.detector.take_spans();
    if detected.is_empty() && spans.is_empty() {
        return;
    }
    let new = stage.keep(timeline, detected);
    let Some(own) = registry.algorithms.get(&stage.algorithm.id) else { return };
    for watch in watches.iter_mut().filter(|w| own.outputs.contains(&w.input)) {
        spans.iter().for_each(|(end, index)| watch.weigh(timeline.time_of(*end as f64), Quality::new(*index)));
        new.iter().for_each(|beat| watch.push(beat));
    }
}

fn lanes(mut seconds: Vec<u32>) -> Vec<Lane> {
    seconds.sort_unstable();
    seconds.dedup();
    seconds.into_iter().map(Lane::new).collect()
}

/// The lanes of rows that compute from whole windows, and those of the watches.
fn every<'a>(lanes: &'a mut [Lane], watches: &'a mut [Watch]) -> impl Iterator<Item = &'a mut Lane> {
    lanes.iter_mut().chain(watches.iter_mut().map(|w| &mut w.lane))
}

/// Moves the detectors' running quality into the open windows.
fn weigh_quality(stages: &mut [Stage], lanes: &mut [Lane], watches: &mut [Watch], unweighed: &mut u64) {
    let weight = std::mem::take(unweighed) as f64;
    let Some(index) = stages.first_mut().and_then(|stage| stage.detector.take_quality()) else { return };
    for lane in every(lanes, watches) {
        lane.add_quality(index, weight);
    }
}

fn inside(beats: &VecDeque<Beat>, interval: Interval) -> Vec<Beat> {
    beats.iter().filter(|b| interval.contains(b.at)).copied().collect()
}

fn interval_sum_s(beats: &[Beat]) -> f64 {
    beats.iter().filter_map(|b| b.interval_ms).sum::<f64>() / 1000.0
}

/// A window that gave something.
fn given(window: &Window, measured: Vec<Measured>) -> Option<Closed> {
    let closed = Closed { window: window.interval, packets: window.packets.clone(), measured };
    (!closed.measured.is_empty()).then_some(closed)
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
    let algorithm: Option<AlgorithmRef> = measured.algorithm.clone();
    Source { signal: measured.signal.clone(), interval: measured.interval, algorithm, stream: None }
}

fn overlaps(a: Interval, b: Interval) -> bool {
    a.start < b.end && b.start < a.end
}
