//! Respiratory rate, from breaths or from what breathing does to the pulse wave.

use afferent_dsp::respiration::DetectedBreath;
use afferent_metrics::respiratory_rate::{self, RespiratoryRate};

use super::{Computed, MIN_COVERAGE, WindowView, per_minute};
use crate::signal::{AbsentReason, Quality};

/// From a belt or impedance: rate, pauses of at least ten seconds, and the longest of them.
pub(super) fn from_breaths(window: &WindowView<'_>) -> Vec<Computed> {
    let breath = |beat: &crate::signal::Beat| DetectedBreath {
        sample: beat.at.seconds_since(window.interval.start),
        amplitude: f64::from(beat.amplitude),
        after_gap: beat.interval_ms.is_none(),
    };
    let breaths: Vec<DetectedBreath> = window.beats.iter().map(breath).collect();
    let mut computed = rate(window, respiratory_rate::from_breaths(&breaths, 1.0));
    if window.coverage >= MIN_COVERAGE {
        // By the interval each breath ends, so that a pause over the window's edge is whole.
        let intervals_s = window.beats.iter().filter_map(|b| b.interval_ms).map(|ms| ms / 1000.0);
        let gaps: Vec<f64> = intervals_s.filter(|s| *s >= respiratory_rate::APNOEA_S).collect();
        let longest = gaps.iter().copied().fold(0.0, f64::max);
        let quantity = |signal, value| Computed::quantity(signal, Some(value), AbsentReason::Error, window.quality);
        computed.push(quantity("apnea-count", gaps.len() as f64));
        computed.push(quantity("apnea-longest", longest));
    }
    computed
}

/// From a photoplethysmogram.
pub(super) fn from_pulse_wave(window: &WindowView<'_>) -> Vec<Computed> {
    let Some(block) = window.samples else { return Vec::new() };
    let pulses = super::pulse::pulses_in(window, block);
    let found = respiratory_rate::from_pulse_wave(&block.values, block.rate_hz, &pulses);
    let mut computed = rate(window, found);
    // The method has a gate of its own, on how far its modulations agree.
    let passes = found.is_some_and(|f| f.quality >= respiratory_rate::GATE);
    for one in &mut computed {
        one.quality = if passes { window.quality } else { Quality::NONE };
    }
    computed
}

fn rate(window: &WindowView<'_>, found: Option<RespiratoryRate>) -> Vec<Computed> {
    per_minute("respiratory-rate", window, found.map(|r| (r.per_minute, r.quality)))
}
