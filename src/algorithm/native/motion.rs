//! Activity, steps and posture from a three-axis accelerometer.

use afferent_metrics::motion;

use super::detector::axes;
use super::{Computed, MIN_COVERAGE, WindowView};
use crate::signal::{AbsentReason, Value};

pub(super) fn motion(window: &WindowView<'_>) -> Vec<Computed> {
    let Some(block) = window.samples.filter(|_| window.coverage >= MIN_COVERAGE) else { return Vec::new() };
    let found = motion::summarize(&axes(&block.values), block.rate_hz);
    let quality = window.quality.times(found.map_or(1.0, |f| f.quality));
    let concept = |signal, code: Option<&'static str>| {
        let value = code.map_or(Value::Absent(AbsentReason::Unknown), |c| Value::Concept(c.to_owned()));
        Computed::new(signal, value, quality)
    };
    let quantity = |signal, value| Computed::quantity(signal, value, AbsentReason::Error, quality);
    vec![
        quantity("activity", found.map(|f| f.activity_mg)),
        concept("activity-intensity", found.map(|f| f.intensity.code())),
        concept("posture", found.and_then(|f| f.posture).map(motion::Posture::code)),
        quantity("steps", Some(window.beats.len() as f64)),
    ]
}
