//! What the pulse wave says: rate, pulse rate variability, perfusion, oxygen saturation.

use afferent_dsp::ppg::DetectedPulse;
use afferent_metrics::spo2::{self, Calibration};
use afferent_metrics::{pulse_arrival_time, pulse_perfusion, pulse_rate as metric};

use super::detector::INFRARED;
use super::heart::Corrected;
use super::{Computed, MIN_COVERAGE, WindowView, per_minute};
use crate::algorithm::composite::Part;
use crate::signal::{AbsentReason, Quality, SampleBlock, Value};

pub(super) fn pulse_rate(window: &WindowView<'_>) -> Vec<Computed> {
    let mut computed = rate(window);
    if window.beats.iter().any(|b| b.interval_ms.is_some()) {
        computed.push(Computed::new("pulse-interval", Value::Beats(window.beats.to_vec()), window.quality));
    }
    computed
}

/// Statistics of the intervals between pulses. Not quite those of R-R intervals: the pulse's transit time varies too
/// (Schäfer and Vagedes 2013, doi:10.1016/j.ijcard.2012.03.119), so they have codes of their own.
pub(super) fn variability(window: &WindowView<'_>) -> Vec<Computed> {
    let Some(corrected) = Corrected::of(window) else { return Vec::new() };
    let time = corrected.time_domain();
    vec![
        corrected.quantity("prv-sdnn", time.as_ref().map(|t| t.sdnn)),
        corrected.quantity("prv-rmssd", time.as_ref().map(|t| t.rmssd)),
    ]
}

/// Oxygen saturation, perfusion index and pulse rate from red and infrared light.
///
/// Without the sensor's curve there is no saturation: a curve of another sensor would give a wrong one.
pub(super) fn saturation(window: &WindowView<'_>) -> Vec<Computed> {
    let mut computed = rate(window);
    let Some(block) = window.samples.filter(|_| window.coverage >= MIN_COVERAGE) else { return computed };
    let (red, infrared, pulses) = (block.channel(1 - INFRARED), block.channel(INFRARED), pulses_in(window, block));
    let found = window.calibration.and_then(|curve| {
        let curve = Calibration { constant: curve.constant, linear: curve.linear, quadratic: curve.quadratic };
        spo2::saturation(&red, &infrared, block.rate_hz, &pulses, &curve)
    });
    let absent = if window.calibration.is_some() { AbsentReason::Error } else { AbsentReason::NotPerformed };
    let quality = window.quality.times(found.map_or(1.0, |f| f.quality));
    computed.push(Computed::quantity("spo2", found.map(|f| f.percent), absent, quality));
    let perfusion = pulse_perfusion::perfusion_index(&infrared, &pulses);
    computed.push(Computed::quantity("perfusion-index", perfusion, AbsentReason::Error, window.quality));
    computed
}

/// Pulse arrival time from the beats of an ECG and the pulses of a photoplethysmogram over the same window.
pub(super) fn arrival(parts: &[&Part]) -> Vec<Computed> {
    let [beats, pulses] = parts else { return Vec::new() };
    let start = beats.window.start;
    let seconds = |part: &Part| part.beats.iter().map(|b| b.at.seconds_since(start)).collect::<Vec<f64>>();
    let arrivals = pulse_arrival_time::arrivals(&seconds(beats), &seconds(pulses));
    let found = pulse_arrival_time::summarize(&arrivals, beats.beats.len());
    let quality = beats.quality.index().min(pulses.quality.index()) * found.map_or(1.0, |f| f.quality);
    let median = found.map(|f| f.median_ms);
    vec![Computed::quantity("pulse-arrival-time", median, AbsentReason::Error, Quality::new(quality))]
}

fn rate(window: &WindowView<'_>) -> Vec<Computed> {
    let first = window.beats.first().map_or(window.interval.start, |b| b.at);
    let rate = metric::pulse_rate(&pulses(window, |at| at.seconds_since(first)), 1.0);
    per_minute("pulse-rate", window, rate.map(|r| (r.per_minute, r.quality)))
}

/// The window's pulses, counted in samples of the block.
pub(super) fn pulses_in(window: &WindowView<'_>, block: &SampleBlock) -> Vec<DetectedPulse> {
    pulses(window, |at| at.seconds_since(block.start) * block.rate_hz)
}

fn pulses(window: &WindowView<'_>, place: impl Fn(crate::time::Instant) -> f64) -> Vec<DetectedPulse> {
    let pulse = |beat: &crate::signal::Beat| DetectedPulse {
        sample: place(beat.at),
        quality: beat.quality.index() as f32,
        after_gap: beat.interval_ms.is_none(),
    };
    window.beats.iter().map(pulse).collect()
}
