//! Electrodermal activity: level and responses.

use afferent_dsp::eda::SkinResponse;
use afferent_metrics::eda;

use super::{Computed, MIN_COVERAGE, WindowView};
use crate::signal::{AbsentReason, Beat};

pub(super) fn activity(window: &WindowView<'_>) -> Vec<Computed> {
    let Some(block) = window.samples.filter(|_| window.coverage >= MIN_COVERAGE) else { return Vec::new() };
    let response = |beat: &Beat| {
        let peak = beat.at.seconds_since(block.start) * block.rate_hz;
        SkinResponse { onset: peak, peak, amplitude: f64::from(beat.amplitude) }
    };
    let responses: Vec<SkinResponse> = window.beats.iter().map(response).collect();
    let found = eda::summarize(&block.values, block.rate_hz, &responses);
    let quality = window.quality.times(found.map_or(1.0, |f| f.quality));
    let quantity = |signal, value| Computed::quantity(signal, value, AbsentReason::Error, quality);
    let mut computed = vec![
        quantity("eda-tonic", found.map(|f| f.tonic_us)),
        quantity("eda-phasic", found.map(|f| f.phasic_us)),
        quantity("scr-rate", found.map(|f| f.responses_per_minute)),
    ];
    // No responses have no amplitude; that there were none is said by the rate.
    if let Some(amplitude) = found.and_then(|f| f.amplitude_us) {
        computed.push(quantity("scr-amplitude", Some(amplitude)));
    }
    computed
}
