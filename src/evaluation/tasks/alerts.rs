//! Alerts of fibrillation in real rhythms with real noise: how many are false, and what keeps them from being.

use afferent_dsp::ecg::{self, BeatDetector};
use afferent_metrics::atrial_fibrillation::{self, Detector};
use afferent_metrics::rr;

use super::super::read::beats::Reference;
use super::super::read::ecg::{Lead, lead};
use super::super::report::{Algorithm, Findings, Kind, Measure, Table, measure};
use super::super::task::{Context, Found, Judged, Task};
use super::noise;
use crate::algorithm::alarm::{Alarm, Heard, Reading};
use crate::registry::Alert as Rule;
use crate::signal::{PacketRange, Quality};
use crate::time::{Instant, Interval, MICROS};

/// Alerts of fibrillation.
pub(super) struct Alerts;

/// A record and the noise it gets.
pub(super) struct Case {
    /// Its place in the folder's list.
    at: usize,
    reference: Reference,
    noise: Option<noise::Place>,
}

/// One record: for each ratio of signal to noise, what each way of raising alerts comes to.
pub(super) struct Outcome(Vec<[Count; WAYS.len()]>);

/// Alerts of one way.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    /// Alerts during which nothing fibrillates.
    false_alerts: u64,
    /// Annotated episodes as long as the rule wants, and those an alert was raised in.
    episodes: u64,
    found: u64,
}

/// Ratios of signal to noise; none: as it is.
const RATIOS: [(Option<f64>, &str); 4] =
    [(None, "as recorded"), (Some(12.0), "12 dB"), (Some(6.0), "6 dB"), (Some(0.0), "0 dB")];

/// Ways of raising alerts: name, whether values of poor quality are left out, whether the condition has to hold.
const WAYS: [(&str, bool, bool); 4] =
    [("neither", false, false), ("gate", true, false), ("hold", false, true), ("rule", true, true)];

/// The rule.
const RULE: &str = "alert-atrial-fibrillation";

impl Task for Alerts {
    type Case = Case;
    type Outcome = Outcome;
    const NAME: &'static str = "alerts";
    const TITLE: &'static str = "Alerts of atrial fibrillation in noise";
    const ABOUT: &'static str = "The rule that raises a Flag, on the beats we detect, beside what would be raised without its \
        gate (beats in a poor signal count), without its hold (the first fibrillating beat raises it), and without either. \
        An alert is false when no beat from its onset to its end is annotated as fibrillation or flutter of the atria; an \
        episode of half a minute or more is found when an alert overlaps it. Noise is added as in the noise stress test.";
    const ALGORITHMS: &'static [Algorithm] = &[
        Algorithm { id: "R peaks (ecg)", version: ecg::VERSION },
        Algorithm { id: "atrial fibrillation", version: atrial_fibrillation::VERSION },
    ];

    fn recognise(context: &Context<'_>) -> Vec<Found<Case>> {
        let folder = context.folder;
        let noise = noise::recordings(folder).first().map(|(_, place)| *place);
        let records = folder.records.iter().enumerate().filter_map(|(at, record)| {
            let has_signals = record.head.as_ref().is_ok_and(|head| !head.signals.is_empty());
            let reference = has_signals.then(|| Reference::read(folder, record).ok()).flatten()?;
            let reference = Some(reference).filter(|reference| !reference.rhythms.is_empty())?;
            let files = record.annotations.iter().chain([&record.header]).cloned().collect();
            Some(Found { record: record.name.clone(), files, case: Case { at, reference, noise } })
        });
        records.collect()
    }

    fn run(context: &Context<'_>, case: &Case) -> Result<Outcome, String> {
        let record = context.folder.records.get(case.at).ok_or("is gone")?;
        let rule = context.registry.alerts.get(RULE).ok_or("there is no rule")?;
        let shortest_s = f64::from(rule.hold_s);
        let lead = lead(context, record)?;
        let beats: Vec<f64> = case.reference.beats_s.iter().map(|s| s * lead.rate_hz).collect();
        let noise = case.noise.map(|place| noise::read(context, place, lead.rate_hz)).transpose()?;
        let mut at_ratio = Vec::new();
        for (snr_db, _) in RATIOS {
            let noisy = match (snr_db, &noise) {
                (None, _) => lead.clone(),
                (Some(_), None) => break,
                (Some(db), Some(noise)) => noise::add(&lead, &beats, noise, db).ok_or("shows no beats")?,
            };
            let readings = readings(&noisy)?;
            at_ratio.push(WAYS.map(|(_, gated, held)| {
                let mut rule = rule.clone();
                rule.min_quality = if gated { rule.min_quality } else { 0.0 };
                rule.hold_s = if held { rule.hold_s } else { 0 };
                count(&case.reference, &alerts(&rule, &readings), shortest_s)
            }));
        }
        Ok(Outcome(at_ratio))
    }

    fn report(judged: &[Judged<Outcome>]) -> Findings {
        let total = |ratio: usize, way: usize| {
            judged.iter().filter_map(|one| one.outcome.0.get(ratio)).fold(Count::default(), |sum, ways| Count {
                false_alerts: sum.false_alerts + ways[way].false_alerts,
                episodes: sum.episodes + ways[way].episodes,
                found: sum.found + ways[way].found,
            })
        };
        let fewer = |ratio: usize| {
            let [without, with] = [0, WAYS.len() - 1].map(|way| total(ratio, way).false_alerts as f64);
            100.0 * (with / without - 1.0)
        };
        let mut table = Table::new("alerts", "False alerts and episodes found", &COLUMNS).of("noise");
        for (ratio, (_, name)) in RATIOS.iter().enumerate() {
            let [neither, gate, hold, rule] = [0, 1, 2, 3].map(|way| total(ratio, way));
            if judged.iter().any(|one| one.outcome.0.len() > ratio) {
                let row = [
                    neither.false_alerts.into(),
                    gate.false_alerts.into(),
                    hold.false_alerts.into(),
                    rule.false_alerts.into(),
                    fewer(ratio).into(),
                    rule.episodes.into(),
                    neither.found.into(),
                    rule.found.into(),
                ];
                table.push(Kind::Record, *name, row);
            }
        }
        let summary = SUMMARY.iter().enumerate().map(|(ratio, measure)| measure.of(fewer(ratio))).collect();
        Findings { summary, tables: vec![table], ..Findings::default() }
    }
}

const SUMMARY: [Measure; 4] = [
    measure("false_alerts_change", "false alerts by gate and hold, as recorded", "%", 0),
    measure("false_alerts_change_12db", "at 12 dB", "%", 0),
    measure("false_alerts_change_6db", "at 6 dB", "%", 0),
    measure("false_alerts_change_0db", "at 0 dB", "%", 0),
];

const COLUMNS: [Measure; 8] = [
    measure("false_alerts_neither", "false alerts with neither", "", 0),
    measure("false_alerts_gate", "with the gate", "", 0),
    measure("false_alerts_hold", "with the hold", "", 0),
    measure("false_alerts", "with both", "", 0),
    measure("change", "change", "%", 0),
    measure("episodes", "episodes", "", 0),
    measure("found_neither", "found with neither", "", 0),
    measure("found", "found with both", "", 0),
];

/// What the follower says of each beat: when, whether it fibrillates, and the quality of the signal around it.
fn readings(lead: &Lead) -> Result<Vec<(f64, bool, f64)>, String> {
    let (mut beats, mut ecg) = (Vec::new(), BeatDetector::new(lead.rate_hz).map_err(|e| e.to_string())?);
    let mut spans = Vec::new();
    for minute in lead.samples.chunks((60.0 * lead.rate_hz) as usize) {
        ecg.push(minute, &mut beats);
        spans.extend(ecg.take_spans());
    }
    ecg.finish(&mut beats);
    let (mut detector, mut scores) = (Detector::new(), Vec::new());
    rr::intervals(&beats, lead.rate_hz).iter().for_each(|interval| detector.push(interval, &mut scores));
    detector.finish(&mut scores);
    let quality = |time_s: f64| {
        let at = spans.partition_point(|(end, _)| *end as f64 / lead.rate_hz <= time_s);
        spans.get(at).map_or(1.0, |(_, index)| *index)
    };
    Ok(scores.iter().map(|score| (score.time_s, score.fibrillation, quality(score.time_s))).collect())
}

/// Onset and end of each alert, in seconds.
fn alerts(rule: &Rule, readings: &[(f64, bool, f64)]) -> Vec<(f64, f64)> {
    let (mut alarm, packets) = (Alarm::default(), PacketRange::of(0, &[0; 32]));
    let mut alerts = Vec::new();
    let seconds = |at: Instant| at.0 as f64 / MICROS as f64;
    let mut tell = |change: Option<crate::algorithm::alarm::Change>| {
        alerts.extend(change.and_then(|change| Some((seconds(change.onset), seconds(change.over?)))));
    };
    for (time_s, fibrillates, quality) in readings {
        let at = Instant((time_s * MICROS as f64) as i64);
        let heard = Heard::Code(if *fibrillates { "atrial-fibrillation" } else { "no-atrial-fibrillation" });
        let (interval, quality) = (Interval { start: at, end: at }, Quality::new(*quality));
        tell(alarm.push(rule, &Reading { interval, heard, quality, packets: &packets }));
    }
    tell(alarm.finish());
    alerts
}

fn count(reference: &Reference, alerts: &[(f64, f64)], shortest_s: f64) -> Count {
    let episodes = episodes(reference);
    let meets = |(from, until): (f64, f64), (start, end): (f64, f64)| from < end && start <= until;
    let wanted: Vec<_> = episodes.iter().filter(|(start, end)| end - start >= shortest_s).collect();
    let is_false = |alert: &&(f64, f64)| !episodes.iter().any(|episode| meets(**alert, *episode));
    let is_found = |episode: &&&(f64, f64)| alerts.iter().any(|alert| meets(*alert, ***episode));
    Count {
        false_alerts: alerts.iter().filter(is_false).count() as u64,
        episodes: wanted.len() as u64,
        found: wanted.iter().filter(is_found).count() as u64,
    }
}

/// Annotated fibrillation or flutter, `[start, end)` in seconds.
fn episodes(reference: &Reference) -> Vec<(f64, f64)> {
    let end_s = reference.beats_s.last().copied().unwrap_or(0.0);
    let ends = reference.rhythms.iter().skip(1).map(|(start, _)| *start).chain([end_s]);
    let spans = reference.rhythms.iter().zip(ends);
    spans
        .filter(|((_, name), _)| matches!(name.as_str(), "AFIB" | "AFL"))
        .map(|((start, _), end)| (*start, end))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_that_meets_no_episode_is_false_and_short_episodes_need_none() {
        let rhythms = [(0.0, "N"), (100.0, "AFIB"), (160.0, "N"), (300.0, "AFL"), (310.0, "N")];
        let rhythms = rhythms.map(|(at, name)| (at, name.to_owned())).into();
        let reference = Reference { beats_s: vec![0.0, 400.0], rhythms, ..Reference::default() };
        let count = count(&reference, &[(10.0, 50.0), (130.0, 200.0), (305.0, 350.0)], 30.0);
        assert_eq!((count.false_alerts, count.episodes, count.found), (1, 1, 1));
    }
}
