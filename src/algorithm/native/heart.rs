//! What the intervals between beats say: rate, variability, rhythm.

use std::collections::BTreeMap;

use afferent_metrics::atrial_fibrillation::MIN_BURDEN_S;
use afferent_metrics::hrv::{self, FrequencyDomain, NnInterval, TimeDomain};
use afferent_metrics::rr::{self, Correction, Kind, RrInterval};
use afferent_metrics::{autonomic_state, heart_rate};

use super::follower::{FIBRILLATION, NO_FIBRILLATION, NORMAL_RATE};
use super::{Computed, MIN_COVERAGE, WindowView, per_minute};
use crate::signal::{AbsentReason, Beat, Quality, Value};

/// Variability over a window needs most of it (Task Force 1996: 5-minute recordings).
const MIN_VARIABILITY_COVERAGE: f64 = 0.8;
/// Share of a window in fibrillation from which the window counts as fibrillation.
const MOSTLY: f64 = 0.5;

pub(super) fn beat_series(window: &WindowView<'_>) -> Vec<Computed> {
    if window.beats.iter().all(|b| b.interval_ms.is_none()) {
        return Vec::new();
    }
    vec![Computed::new("rr-interval", Value::Beats(window.beats.to_vec()), window.quality)]
}

pub(super) fn heart_rate(window: &WindowView<'_>) -> Vec<Computed> {
    let rate = heart_rate::mean_heart_rate(&intervals(window.beats));
    per_minute("heart-rate", window, rate.map(|r| (r.per_minute, 1.0 - r.corrected)))
}

/// The corrected intervals of a window that variability is computed from.
pub(super) struct Corrected {
    correction: Correction,
    /// Their lengths, in ms; none when too little of the window is there for its variability.
    pub(super) nn_ms: Option<Vec<f64>>,
    quality: Quality,
}

impl Corrected {
    /// None for a window nothing can be said about.
    pub(super) fn of(window: &WindowView<'_>) -> Option<Self> {
        if window.coverage < MIN_COVERAGE {
            return None;
        }
        let correction = rr::correct(&intervals(window.beats));
        let nn_ms = (window.coverage >= MIN_VARIABILITY_COVERAGE).then(|| correction.nn_ms());
        // A corrected interval is a guess: the more of them, the less the statistic is worth.
        let quality = window.quality.times(1.0 - correction.share());
        Some(Self { correction, nn_ms, quality })
    }

    pub(super) fn time_domain(&self) -> Option<TimeDomain> {
        self.nn_ms.as_deref().and_then(hrv::time_domain)
    }

    fn frequency_domain(&self) -> Option<FrequencyDomain> {
        self.nn_ms.as_ref()?;
        let intervals = self.correction.intervals.iter();
        hrv::frequency_domain(&intervals.map(|i| NnInterval { at_s: i.time_s, ms: i.ms }).collect::<Vec<_>>())
    }

    pub(super) fn quantity(&self, signal: &'static str, value: Option<f64>) -> Computed {
        Computed::quantity(signal, value, AbsentReason::Unknown, self.quality)
    }
}

pub(super) fn variability(window: &WindowView<'_>) -> Vec<Computed> {
    let Some(corrected) = Corrected::of(window) else { return Vec::new() };
    let (time, frequency) = (corrected.time_domain(), corrected.frequency_domain());
    let nn_ms = corrected.nn_ms.as_deref();
    let state = time.as_ref().zip(frequency.as_ref()).and_then(|(t, f)| autonomic_state::classify(t, f));
    let quantity = |signal, value| corrected.quantity(signal, value);
    let state = state.map_or(Value::Absent(AbsentReason::Unknown), |(_, s)| Value::Concept(s.code().to_owned()));
    vec![
        quantity("hrv-sdnn", time.as_ref().map(|t| t.sdnn)),
        quantity("hrv-rmssd", time.as_ref().map(|t| t.rmssd)),
        quantity("hrv-pnn50", time.as_ref().map(|t| t.pnn50)),
        quantity("hrv-lf", frequency.as_ref().map(|f| f.lf)),
        quantity("hrv-hf", frequency.as_ref().map(|f| f.hf)),
        quantity("hrv-lf-hf", frequency.as_ref().map(|f| f.lf_hf)),
        quantity("hrv-sdsd", time.as_ref().map(|t| t.sdsd)),
        quantity("hrv-vlf", frequency.as_ref().and_then(|f| f.vlf)),
        quantity("hrv-total-power", frequency.as_ref().and_then(|f| f.total)),
        quantity("hrv-lf-nu", frequency.as_ref().map(|f| f.lf_nu)),
        quantity("hrv-hf-nu", frequency.as_ref().map(|f| f.hf_nu)),
        quantity("hrv-sd1", time.as_ref().map(|t| t.sd1)),
        quantity("hrv-sd2", time.as_ref().map(|t| t.sd2)),
        quantity("hrv-sample-entropy", nn_ms.and_then(hrv::sample_entropy)),
        quantity("hrv-dfa-alpha1", nn_ms.and_then(hrv::dfa_alpha1)),
        Computed::new("hrv-autonomic-state", state, corrected.quality),
    ]
}

/// The triangular index needs twenty minutes, so it has a window of its own.
pub(super) fn geometric_variability(window: &WindowView<'_>) -> Vec<Computed> {
    let Some(corrected) = Corrected::of(window) else { return Vec::new() };
    let index = corrected.time_domain().and_then(|t| t.triangular_index);
    vec![corrected.quantity("hrv-triangular-index", index)]
}

/// Whether the window's beats come from fibrillating atria, for how much of its time, and where that began and ended.
pub(super) fn rhythm(window: &WindowView<'_>) -> Vec<Computed> {
    if window.coverage < MIN_COVERAGE {
        return Vec::new();
    }
    let judged_s: f64 = window.verdicts.iter().map(|v| v.value).sum();
    let fibrillating_s: f64 = window.verdicts.iter().filter(|v| v.holds).map(|v| v.value).sum();
    let share = (judged_s >= MIN_BURDEN_S).then(|| fibrillating_s / judged_s);
    let state = share.map(|s| if s >= MOSTLY { FIBRILLATION } else { NO_FIBRILLATION });
    let state = state.map_or(Value::Absent(AbsentReason::Unknown), |s| Value::Concept(s.to_owned()));
    let burden = share.map(|s| 100.0 * s);
    let mut computed = vec![
        Computed::new("rhythm", state, window.quality),
        Computed::quantity("af-burden", burden, AbsentReason::Unknown, window.quality),
    ];
    computed.extend(events(window));
    computed
}

/// The state of the rate that lasted longest in the window, and where episodes began and ended.
pub(super) fn rate_state(window: &WindowView<'_>) -> Vec<Computed> {
    if window.coverage < MIN_COVERAGE {
        return Vec::new();
    }
    let mut state = window.before.and_then(|v| v.event?.rate_state()).unwrap_or(NORMAL_RATE);
    let mut since = window.interval.start;
    let mut lasted: BTreeMap<&str, i64> = BTreeMap::new();
    let changes = window.verdicts.iter().filter_map(|v| Some((v.at, v.event?.rate_state()?)));
    for (at, next) in changes.chain([(window.interval.end, state)]) {
        *lasted.entry(state).or_default() += at.0 - since.0;
        (state, since) = (next, at);
    }
    let longest = lasted.into_iter().max_by_key(|(_, micros)| *micros).map_or(NORMAL_RATE, |(state, _)| state);
    let mut computed = vec![Computed::new("rate-state", Value::Concept(longest.to_owned()), window.quality)];
    computed.extend(events(window));
    computed
}

/// Beginnings and ends of episodes in the window.
fn events(window: &WindowView<'_>) -> Vec<Computed> {
    let event = |code: &'static str, at| Computed {
        at: Some(at),
        ..Computed::new("rhythm-event", Value::Concept(code.to_owned()), window.quality)
    };
    window.verdicts.iter().filter_map(|v| Some(event(v.event?.code(), v.at))).collect()
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
