//! Skin conductance responses in an electrodermal signal.
//!
//! The conductance is decimated to about 4 Hz, smoothed over a second and cut at turning points; a rise of at least
//! 0.05 µS within 0.4 to 5 s is a response (Boucsein et al. 2012, doi:10.1111/j.1469-8986.2012.01384.x).

use serde::{Deserialize, Serialize};

use crate::ppg::{
    band::{Filtered, Widths},
    inlet::{Inlet, Layout},
    stroke::{Stroke, StrokeFinder},
};

/// Changes whenever the same samples could give other responses.
pub const VERSION: &str = "1.0.0";

/// Least amplitude of a response, in the signal's unit, µS.
pub const LEAST_AMPLITUDE_US: f64 = 0.05;
/// Time from onset to peak of a response.
const RISE_S: std::ops::RangeInclusive<f64> = 0.4..=5.0;
/// Slowest and fastest sampling rate taken, in Hz.
const RATES_HZ: std::ops::RangeInclusive<f64> = 2.0..=1000.0;
/// A response recovers by half within ten seconds; what is slower than 40 s is the tonic level.
const LAYOUT: Layout = Layout { inner_hz: 4.0, widths: Widths { coarse: 1.0, fine: 1.0, trend: 40.0 }, bridged_s: 1.0 };
/// The wave must come back by this much for a turning point: well above a wrist sensor's resolution of 0.001 µS.
const HYSTERESIS_US: f64 = 0.01;
const LONGEST_STROKE_S: f64 = 8.0;

/// The sampling rate is outside of what responses can be found at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UnsupportedRate {
    /// The rate asked for, in Hz.
    pub rate_hz: f64,
}

impl std::fmt::Display for UnsupportedRate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "skin conductance responses are detected at 2 to 1000 Hz, not at {} Hz", self.rate_hz)
    }
}

impl std::error::Error for UnsupportedRate {}

/// One skin conductance response.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SkinResponse {
    /// Where the rise starts, in samples since the stream's start; gaps count.
    pub onset: f64,
    /// Where it ends.
    pub peak: f64,
    /// Its height in µS.
    pub amplitude: f64,
}

/// Streaming detector of skin conductance responses; the same answer however the samples are split into calls.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SkinResponseDetector {
    rate_hz: f64,
    inlet: Inlet,
    strokes: StrokeFinder,
}

impl SkinResponseDetector {
    /// A detector for samples at `rate_hz`, 2 to 1000 Hz.
    pub fn new(rate_hz: f64) -> Result<Self, UnsupportedRate> {
        if !RATES_HZ.contains(&rate_hz) {
            return Err(UnsupportedRate { rate_hz });
        }
        let inlet = Inlet::new(rate_hz, LAYOUT);
        let strokes = StrokeFinder::new(LONGEST_STROKE_S * inlet.inner_hz());
        Ok(Self { rate_hz, inlet, strokes })
    }

    /// Takes conductances in µS (NaN and infinities are missing samples) and appends the responses they complete.
    pub fn push(&mut self, samples: &[f32], responses: &mut Vec<SkinResponse>) {
        let mut filtered = Vec::new();
        for &sample in samples {
            let ended = self.inlet.push(f64::from(sample), &mut filtered);
            self.follow(&mut filtered, ended, responses);
        }
    }

    /// Counts samples that never arrived; the same as pushing so many NaN.
    pub fn gap(&mut self, missing_samples: u64, responses: &mut Vec<SkinResponse>) {
        let mut filtered = Vec::new();
        let ended = self.inlet.gap(missing_samples, &mut filtered);
        self.follow(&mut filtered, ended, responses);
    }

    /// Every response before this sample has been given already; at most 30 s behind the last sample.
    pub fn horizon(&self) -> u64 {
        self.inlet.settled(LONGEST_STROKE_S)
    }

    /// Ends the stream and gives the responses still pending.
    pub fn finish(&mut self, responses: &mut Vec<SkinResponse>) {
        let mut filtered = Vec::new();
        let ended = self.inlet.finish(&mut filtered);
        self.follow(&mut filtered, ended, responses);
    }

    fn follow(&mut self, filtered: &mut Vec<Filtered>, ended: bool, responses: &mut Vec<SkinResponse>) {
        let end = if ended { self.inlet.end() } else { f64::INFINITY };
        let strokes = filtered.drain(..).filter_map(|value| self.strokes.push(value.coarse, HYSTERESIS_US));
        let found: Vec<Stroke> = strokes.collect();
        responses.extend(found.iter().filter_map(|stroke| self.response(stroke)).filter(|found| found.peak < end));
        if ended {
            self.strokes.reset();
        }
    }

    fn response(&self, stroke: &Stroke) -> Option<SkinResponse> {
        let (onset, peak) = (self.inlet.outer(stroke.start), self.inlet.outer(stroke.end));
        let response = SkinResponse { onset, peak, amplitude: stroke.height };
        let rise_s = (response.peak - response.onset) / self.rate_hz;
        (stroke.up && stroke.height >= LEAST_AMPLITUDE_US && RISE_S.contains(&rise_s)).then_some(response)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A level with one response of 0.4 µS every 20 s.
    fn signal(rate_hz: f64) -> Vec<f32> {
        let response = |t: f64| if t < 0.0 { 0.0 } else { 0.4 * (t / 1.5) * (1.0 - t / 1.5).exp() };
        let value = |t: f64| 5.0 + 0.002 * t + (0..6).map(|i| response(t - 10.0 - 20.0 * f64::from(i))).sum::<f64>();
        (0..(130.0 * rate_hz) as usize).map(|i| value(i as f64 / rate_hz) as f32).collect()
    }

    fn responses_of(rate_hz: f64, samples: &[f32], chunk: usize) -> Vec<SkinResponse> {
        let (mut detector, mut responses) = (SkinResponseDetector::new(rate_hz).unwrap(), Vec::new());
        samples.chunks(chunk).for_each(|part| detector.push(part, &mut responses));
        detector.finish(&mut responses);
        responses
    }

    #[test]
    fn each_response_is_found_at_its_place() {
        for rate_hz in [4.0, 10.0, 100.0] {
            let found = responses_of(rate_hz, &signal(rate_hz), 1000);
            assert_eq!(found.len(), 6, "{rate_hz} Hz: {found:?}");
            for (i, response) in found.iter().enumerate() {
                let onset_s = response.onset / rate_hz - 10.0 - 20.0 * i as f64;
                assert!(onset_s.abs() < 0.8 && (0.3..0.42).contains(&response.amplitude), "{response:?}");
            }
        }
    }

    #[test]
    fn chunks_do_not_matter_and_a_flat_signal_has_no_response() {
        let mut samples = signal(4.0);
        samples[100] = f32::NAN;
        samples[300..320].fill(f32::INFINITY);
        assert_eq!(responses_of(4.0, &samples, 1), responses_of(4.0, &samples, 999));
        assert_eq!(responses_of(4.0, &[2.0; 1000], 7), vec![]);
        assert_eq!(responses_of(4.0, &[], 7), vec![]);
    }

    /// When this fails the output has changed: raise [`VERSION`] and note the new value beside it.
    #[test]
    fn output_changes_only_with_the_version() {
        let found = responses_of(10.0, &signal(10.0), 100);
        let sum: f64 = found.iter().map(|response| response.onset + response.peak * response.amplitude).sum();
        assert_eq!((VERSION, (sum * 10.0).round()), ("1.0.0", 50_328.0));
    }
}
