//! The built-in algorithms: one line each in [`NATIVE`], named by `native` in `registry/algorithm`.
//!
//! An algorithm has up to three parts. A [`Detector`] turns the samples of a stream into events as they come; a
//! [`Follower`] turns events (or scalars) into verdicts; `compute` turns what a closed window holds into values.

mod detector;
mod follower;
mod heart;
mod motion;
mod pulse;
mod respiration;
mod skin;
mod smooth;

use super::composite::Part;
use crate::registry::{Algorithm, Calibration, Registry};
use crate::signal::{AbsentReason, Beat, Quality, SampleBlock, Value};
use crate::time::{Instant, Interval};

pub(super) use detector::Detected;
pub(super) use detector::Detector;
pub(super) use follower::{Follower, Verdict};

/// One part of a window for each of a row's inputs to the window's values.
pub(super) type Compose = fn(&[&Part]) -> Vec<Computed>;

/// A built-in algorithm.
#[derive(Debug)]
pub struct Native {
    /// The name rows use.
    pub name: &'static str,
    /// Makes the detector for a sampling rate; none for what works on events or on whole windows.
    pub detector: Option<fn(rate_hz: f64) -> Option<Detector>>,
    /// Makes the part that follows events one by one, across windows.
    pub follower: Option<fn() -> Follower>,
    /// Whether `compute` wants the samples of the window.
    pub samples: bool,
    /// What a closed window gives: signal code, value, quality.
    pub compute: fn(&WindowView<'_>) -> Vec<Computed>,
    /// What a window gives together with those of other streams: one part for each of the row's inputs, in their order.
    pub compose: Option<Compose>,
}

/// Every built-in algorithm.
pub static NATIVE: &[Native] = &[
    Native { detector: Some(detector::ecg), ..of("ecg-beats", heart::beat_series) },
    of("heart-rate", heart::heart_rate),
    of("hrv", heart::variability),
    of("hrv-geometric", heart::geometric_variability),
    Native { follower: Some(follower::fibrillation), ..of("atrial-fibrillation", heart::rhythm) },
    Native { follower: Some(follower::rate_episodes), ..of("rate-episodes", heart::rate_state) },
    Native { detector: Some(detector::ppg), ..of("ppg-pulses", pulse::pulse_rate) },
    of("prv", pulse::variability),
    Native { compose: Some(pulse::arrival), ..of("pulse-arrival-time", |_| Vec::new()) },
    Native { samples: true, ..of("ppg-respiration", respiration::from_pulse_wave) },
    Native { detector: Some(detector::infrared), samples: true, ..of("spo2", pulse::saturation) },
    Native { detector: Some(detector::breath_detector), ..of("breaths", respiration::from_breaths) },
    Native { detector: Some(detector::skin_detector), samples: true, ..of("eda", skin::activity) },
    Native { detector: Some(detector::step_detector), samples: true, ..of("motion", motion::motion) },
    Native { follower: Some(follower::temperature), ..of("temperature-smoothing", smooth::temperature) },
    Native { follower: Some(follower::tissue_oxygen), ..of("tissue-oxygen-smoothing", smooth::tissue_oxygen) },
    Native {
        follower: Some(follower::tissue_oxygen),
        ..of("tissue-oxygen-pressure-smoothing", smooth::tissue_oxygen_pressure)
    },
];

/// An algorithm that computes from closed windows alone.
const fn of(name: &'static str, compute: fn(&WindowView<'_>) -> Vec<Computed>) -> Native {
    Native { name, detector: None, follower: None, samples: false, compute, compose: None }
}

/// Says which registry rows name no built-in algorithm, or one that works on other inputs.
pub fn check(registry: &Registry) -> Vec<String> {
    let problem = |row: &Algorithm| match find(&row.native) {
        None => Some(format!("algorithm/{}: native: there is no built-in {}", row.id, row.native)),
        Some(native) if native.compose.is_some() != row.is_composite() => {
            let needs = if row.is_composite() { "one stream" } else { "several streams" };
            Some(format!("algorithm/{}: with: {} works on {needs}", row.id, row.native))
        }
        Some(_) => None,
    };
    registry.algorithms.values().filter_map(problem).collect()
}

pub(super) fn find(name: &str) -> Option<&'static Native> {
    NATIVE.iter().find(|native| native.name == name)
}

/// What a closed window offers.
#[derive(Debug, Clone, Copy)]
pub struct WindowView<'a> {
    /// The window.
    pub interval: Interval,
    /// The events in it: beats, pulses, breaths, responses, steps.
    pub beats: &'a [Beat],
    /// What the follower said about the time in it.
    pub verdicts: &'a [Verdict],
    /// The last it said before.
    pub before: Option<Verdict>,
    /// Its samples, for algorithms that want them.
    pub samples: Option<&'a SampleBlock>,
    /// The sensor's curve for this algorithm, where the device's model has one.
    pub calibration: Option<&'a Calibration>,
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
    /// When, for an event in the window; none for what speaks about the whole of it.
    pub at: Option<Instant>,
    /// The value.
    pub value: Value,
    /// Its quality.
    pub quality: Quality,
}

impl Computed {
    fn new(signal: &'static str, value: Value, quality: Quality) -> Self {
        Self { signal, at: None, value, quality }
    }

    /// A number, or why there is none.
    fn quantity(signal: &'static str, value: Option<f64>, absent: AbsentReason, quality: Quality) -> Self {
        let value = value.filter(|v| v.is_finite()).map_or(Value::Absent(absent), Value::Quantity);
        Self::new(signal, value, quality)
    }
}

/// Share of a window that must have samples before a statistic speaks about the window.
const MIN_COVERAGE: f64 = 0.5;

/// A rate and how sure it is of itself, as the window's value.
fn per_minute(signal: &'static str, window: &WindowView<'_>, rate: Option<(f64, f64)>) -> Vec<Computed> {
    if window.coverage < MIN_COVERAGE {
        return Vec::new();
    }
    let (value, sure) = rate.map_or((None, 1.0), |(per_minute, sure)| (Some(per_minute), sure));
    vec![Computed::quantity(signal, value, AbsentReason::Error, window.quality.times(sure))]
}
