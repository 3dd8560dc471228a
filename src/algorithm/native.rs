//! The built-in algorithms: one line each in [`NATIVE`], named by `native` in `registry/algorithm`.

use afferent_dsp::ecg::BeatDetector;
use afferent_dsp::ppg::{DetectedPulse, PulseDetector};
use afferent_metrics::hrv::{self, NnInterval};
use afferent_metrics::rr::{self, Kind, RrInterval};
use afferent_metrics::{autonomic_state, heart_rate, pulse_rate};
use serde::{Deserialize, Serialize};

use crate::registry::Registry;
use crate::signal::{AbsentReason, Beat, Quality, Value};
use crate::time::Interval;

/// A built-in algorithm.
#[derive(Debug)]
pub struct Native {
    /// The name rows use.
    pub name: &'static str,
    /// Makes the detector that turns samples into beats; none for statistics of beats.
    pub detector: Option<fn(rate_hz: f64) -> Option<Detector>>,
    /// What a closed window gives: signal code, value, quality.
    pub compute: fn(&WindowView<'_>) -> Vec<Computed>,
}

/// Every built-in algorithm.
pub static NATIVE: &[Native] = &[
    Native { name: "ecg-beats", detector: Some(ecg_detector), compute: beat_series },
    Native { name: "heart-rate", detector: None, compute: heart_rate },
    Native { name: "hrv", detector: None, compute: heart_rate_variability },
    Native { name: "ppg-pulses", detector: Some(ppg_detector), compute: pulse_rate },
];

/// Says which registry rows name no built-in algorithm.
pub fn check(registry: &Registry) -> Vec<String> {
    let unknown = registry.algorithms.values().filter(|row| find(&row.native).is_none());
    unknown.map(|row| format!("algorithm/{}: native: there is no built-in {}", row.id, row.native)).collect()
}

pub(super) fn find(name: &str) -> Option<&'static Native> {
    NATIVE.iter().find(|native| native.name == name)
}

/// What a closed window offers.
#[derive(Debug, Clone, Copy)]
pub struct WindowView<'a> {
    /// The window.
    pub interval: Interval,
    /// The beats in it.
    pub beats: &'a [Beat],
    /// Quality of the signal in it.
    pub quality: Quality,
    /// Share of it that has samples.
    pub coverage: f64,
}

/// One value out of a window.
#[derive(Debug, Clone, PartialEq)]
pub struct Computed {
    /// Code of the signal, one of the row's outputs.
    pub signal: &'static str,
    /// The value.
    pub value: Value,
    /// Its quality.
    pub quality: Quality,
}

/// A streaming detector with its state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Detector {
    /// R peaks.
    Ecg(Box<BeatDetector>),
    /// Pulses.
    Ppg(Box<PulseDetector>),
}

/// A beat at a sample position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Detected {
    pub(super) sample: f64,
    pub(super) quality: f64,
    pub(super) after_gap: bool,
}

impl Detector {
    pub(super) fn push(&mut self, samples: &[f32]) -> Vec<Detected> {
        match self {
            Self::Ecg(detector) => collect(|out| detector.push(samples, out), from_beat),
            Self::Ppg(detector) => collect(|out| detector.push(samples, out), from_pulse),
        }
    }

    pub(super) fn gap(&mut self, missing: u64) -> Vec<Detected> {
        match self {
            Self::Ecg(detector) => collect(|out| detector.gap(missing, out), from_beat),
            Self::Ppg(detector) => collect(|out| detector.gap(missing, out), from_pulse),
        }
    }

    pub(super) fn finish(&mut self) -> Vec<Detected> {
        match self {
            Self::Ecg(detector) => collect(|out| detector.finish(out), from_beat),
            Self::Ppg(detector) => collect(|out| detector.finish(out), from_pulse),
        }
    }

    pub(super) fn horizon(&self) -> u64 {
        match self {
            Self::Ecg(detector) => detector.horizon(),
            Self::Ppg(detector) => detector.horizon(),
        }
    }

    pub(super) fn take_quality(&mut self) -> f64 {
        match self {
            Self::Ecg(detector) => detector.take_quality(),
            Self::Ppg(detector) => detector.take_quality(),
        }
    }
}

fn collect<T>(run: impl FnOnce(&mut Vec<T>), convert: fn(&T) -> Detected) -> Vec<Detected> {
    let mut out = Vec::new();
    run(&mut out);
    out.iter().map(convert).collect()
}

fn from_beat(beat: &afferent_dsp::ecg::DetectedBeat) -> Detected {
    Detected { sample: beat.sample, quality: f64::from(beat.quality), after_gap: beat.after_gap }
}

fn from_pulse(pulse: &afferent_dsp::ppg::DetectedPulse) -> Detected {
    Detected { sample: pulse.sample, quality: f64::from(pulse.quality), after_gap: pulse.after_gap }
}

fn ecg_detector(rate_hz: f64) -> Option<Detector> {
    BeatDetector::new(rate_hz).ok().map(|d| Detector::Ecg(Box::new(d)))
}

fn ppg_detector(rate_hz: f64) -> Option<Detector> {
    PulseDetector::new(rate_hz).ok().map(|d| Detector::Ppg(Box::new(d)))
}

/// Share of a window that must have samples before a statistic speaks about the window.
const MIN_COVERAGE: f64 = 0.5;
/// HRV of five minutes needs most of them (Task Force 1996: 5-minute recordings).
const MIN_HRV_COVERAGE: f64 = 0.8;

fn beat_series(window: &WindowView<'_>) -> Vec<Computed> {
    if window.beats.iter().all(|b| b.interval_ms.is_none()) {
        return Vec::new();
    }
    vec![Computed { signal: "rr-interval", value: Value::Beats(window.beats.to_vec()), quality: window.quality }]
}

fn heart_rate(window: &WindowView<'_>) -> Vec<Computed> {
    let rate = heart_rate::mean_heart_rate(&intervals(window.beats));
    per_minute("heart-rate", window, rate.map(|r| (r.per_minute, 1.0 - r.corrected)))
}

fn pulse_rate(window: &WindowView<'_>) -> Vec<Computed> {
    let Some(first) = window.beats.first() else { return per_minute("pulse-rate", window, None) };
    let pulse = |b: &Beat| DetectedPulse {
        sample: b.at.seconds_since(first.at),
        quality: b.quality.index() as f32,
        after_gap: b.interval_ms.is_none(),
    };
    let pulses: Vec<DetectedPulse> = window.beats.iter().map(pulse).collect();
    let rate = pulse_rate::pulse_rate(&pulses, 1.0);
    per_minute("pulse-rate", window, rate.map(|r| (r.per_minute, r.quality)))
}

/// A rate and how sure it is of itself, as the window's value.
fn per_minute(signal: &'static str, window: &WindowView<'_>, rate: Option<(f64, f64)>) -> Vec<Computed> {
    if window.coverage < MIN_COVERAGE {
        return Vec::new();
    }
    let (value, sure) = match rate {
        Some((per_minute, sure)) => (Value::Quantity(per_minute), sure),
        None => (Value::Absent(AbsentReason::Error), 1.0),
    };
    vec![Computed { signal, value, quality: Quality::new(window.quality.index() * sure) }]
}

fn heart_rate_variability(window: &WindowView<'_>) -> Vec<Computed> {
    if window.coverage < MIN_COVERAGE {
        return Vec::new();
    }
    let correction = rr::correct(&intervals(window.beats));
    let nn: Vec<NnInterval> = correction.intervals.iter().map(|i| NnInterval { at_s: i.time_s, ms: i.ms }).collect();
    let enough = window.coverage >= MIN_HRV_COVERAGE;
    let time = enough.then(|| hrv::time_domain(&correction.nn_ms())).flatten();
    let frequency = enough.then(|| hrv::frequency_domain(&nn)).flatten();
    let state = time.as_ref().zip(frequency.as_ref()).and_then(|(t, f)| autonomic_state::classify(t, f));
    // A corrected interval is a guess: the more of them, the less the statistic is worth.
    let quality = Quality::new(window.quality.index() * (1.0 - correction.share()));
    let quantity = |signal, value: Option<f64>| {
        let value = value.filter(|v| v.is_finite()).map_or(Value::Absent(AbsentReason::Unknown), Value::Quantity);
        Computed { signal, value, quality }
    };
    let state = state.map_or(Value::Absent(AbsentReason::Unknown), |(_, s)| Value::Concept(s.code().to_owned()));
    vec![
        quantity("hrv-sdnn", time.as_ref().map(|t| t.sdnn)),
        quantity("hrv-rmssd", time.as_ref().map(|t| t.rmssd)),
        quantity("hrv-pnn50", time.as_ref().map(|t| t.pnn50)),
        quantity("hrv-lf", frequency.as_ref().map(|f| f.lf)),
        quantity("hrv-hf", frequency.as_ref().map(|f| f.hf)),
        quantity("hrv-lf-hf", frequency.as_ref().filter(|f| f.hf > 0.0).map(|f| f.lf_hf)),
        Computed { signal: "hrv-autonomic-state", value: state, quality },
    ]
}

/// The intervals of a window as the metrics take them.
fn intervals(beats: &[Beat]) -> Vec<RrInterval> {
    let mut after_gap = false;
    let mut intervals = Vec::with_capacity(beats.len());
    for beat in beats {
        let Some(ms) = beat.interval_ms else {
            after_gap = true;
            continue;
        };
        intervals.push(RrInterval { time_s: beat.at.0 as f64 / 1e6, ms, kind: Kind::Normal, after_gap });
        after_gap = false;
    }
    rr::without_bursts(&intervals)
}
