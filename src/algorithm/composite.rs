//! What several streams of a patient give together: rows with more than one input.
//!
//! A stream's share in a window is a [`Part`]. Parts are kept; whenever one comes or changes, what they give together is
//! computed anew from all of them, so that it does not matter in which order the streams arrive.

use serde::{Deserialize, Serialize};

use super::native;
use crate::id::{DeviceKey, SignalCode, StreamName};
use crate::registry::Registry;
use crate::signal::{AlgorithmRef, Beat, Measured, Quality, Source, Value};
use crate::time::Interval;

/// What one stream has to offer for one window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Device.
    pub device: DeviceKey,
    /// Stream.
    pub stream: StreamName,
    /// What the events are.
    pub signal: SignalCode,
    /// What found them; none for what the device measured itself.
    pub algorithm: Option<AlgorithmRef>,
    /// The window.
    pub window: Interval,
    /// Quality of the window.
    pub quality: Quality,
    /// The events.
    pub beats: Vec<Beat>,
}

/// A measurement of several streams, and which of the parts it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Composed {
    /// The measurement.
    pub measured: Measured,
    /// Places of its parts among those given.
    pub parts: Vec<usize>,
}

impl Part {
    /// The share of a measurement in what rows with several inputs read; none when no row reads it.
    pub fn of(registry: &Registry, device: &DeviceKey, stream: &StreamName, measured: &Measured) -> Option<Self> {
        let Value::Beats(beats) = &measured.value else { return None };
        let mut composites = registry.algorithms.values().filter(|row| row.is_composite());
        composites.any(|row| row.inputs().any(|input| *input == measured.signal)).then(|| Self {
            device: device.clone(),
            stream: stream.clone(),
            signal: measured.signal.clone(),
            algorithm: measured.algorithm.clone(),
            window: measured.interval,
            quality: measured.quality,
            beats: beats.clone(),
        })
    }

    fn source(&self) -> Source {
        let (signal, algorithm) = (self.signal.clone(), self.algorithm.clone());
        Source { signal, interval: self.window, algorithm, stream: Some((self.device.clone(), self.stream.clone())) }
    }
}

/// What the parts of one window give together. Of several parts with the same signal the one of the best quality counts,
/// of equals the first by device and stream.
pub fn compose(registry: &Registry, parts: &[Part]) -> Vec<Composed> {
    let mut composed = Vec::new();
    for row in registry.algorithms.values().filter(|row| row.is_composite()) {
        let chosen: Option<Vec<usize>> = row.inputs().map(|signal| best(parts, signal, row.window_s)).collect();
        let Some((chosen, run)) = chosen.zip(native::find(&row.native).and_then(|n| n.compose)) else { continue };
        let given: Vec<&Part> = chosen.iter().map(|&place| &parts[place]).collect();
        for one in run(&given) {
            let Some(signal) = row.outputs.iter().find(|o| o.as_str() == one.signal) else { continue };
            let measured = Measured {
                signal: signal.clone(),
                interval: given[0].window,
                value: one.value,
                quality: one.quality,
                algorithm: Some(row.reference()),
                derived_from: given.iter().map(|part| part.source()).collect(),
                original: None,
            };
            composed.push(Composed { measured, parts: chosen.clone() });
        }
    }
    composed
}

fn best(parts: &[Part], signal: &SignalCode, window_s: u32) -> Option<usize> {
    let fits = |part: &Part| part.signal == *signal && part.window.seconds() == f64::from(window_s);
    let better = |a: &Part, b: &Part| {
        let by_quality = b.quality.index().total_cmp(&a.quality.index());
        by_quality.then_with(|| (&a.device, &a.stream).cmp(&(&b.device, &b.stream)))
    };
    let fitting = parts.iter().enumerate().filter(|(_, part)| fits(part));
    fitting.min_by(|(_, a), (_, b)| better(a, b)).map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Instant, MICROS};

    fn part(device: &str, signal: &str, quality: f64, at_s: impl Fn(i32) -> f64) -> Part {
        let beat = |i: i32| Beat {
            at: Instant((at_s(i) * MICROS as f64) as i64),
            interval_ms: (i > 0).then_some(800.0),
            amplitude: 0.0,
            quality: Quality::GOOD,
        };
        Part {
            device: DeviceKey::new(device).unwrap(),
            stream: StreamName::new("s").unwrap(),
            signal: SignalCode::new(signal).unwrap(),
            algorithm: None,
            window: Interval { start: Instant(0), end: Instant(60 * MICROS) },
            quality: Quality::new(quality),
            beats: (0..74).map(beat).collect(),
        }
    }

    #[test]
    fn the_best_sensor_of_each_kind_counts_whatever_the_order() {
        let registry = Registry::builtin().unwrap();
        let beat = |i: i32| 0.4 + 0.8 * f64::from(i);
        let mut parts = vec![
            part("finger", "pulse-interval", 0.9, |i| beat(i) + 0.24),
            part("ear", "pulse-interval", 0.5, |i| beat(i) + 0.18),
            part("patch", "rr-interval", 1.0, beat),
        ];
        let composed = compose(&registry, &parts);
        assert_eq!(composed.len(), 1);
        let Value::Quantity(arrival) = composed[0].measured.value else { panic!("{composed:?}") };
        assert!((arrival - 240.0).abs() < 0.1, "{arrival}");
        assert_eq!(composed[0].parts, [2, 0]);
        parts.reverse();
        assert_eq!(compose(&registry, &parts)[0].measured, composed[0].measured);
        parts.remove(0);
        assert_eq!(compose(&registry, &parts), []);
    }
}
