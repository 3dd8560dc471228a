//! R peaks against annotated beats.

mod figures;
mod strips;

use afferent_dsp::ecg::{self, BeatDetector};
use afferent_dsp::evaluate::{LEARNING_PERIOD_S, MATCH_WINDOW_S, Scope, Tally, match_beats};

use super::super::cpu;
use super::super::read::beats::Reference;
use super::super::read::ecg::{Lead, lead};
use super::super::report::{Algorithm, Findings, Strip};
use super::super::task::{Context, Found, Judged, Task};

/// Beats of an ECG lead.
pub(super) struct RPeaks;

/// A record with beats.
pub(super) struct Case {
    /// Its place in the folder's list.
    record: usize,
    reference: Reference,
}

/// One record, judged.
pub(super) struct Outcome {
    lead: String,
    annotator: String,
    /// Of the whole record, flutter left out.
    whole: Tally,
    /// Of what comes after the learning period; none where the record is no longer than that.
    settled: Option<Tally>,
    /// Stream time from each R peak to the sample with which it came out, in ms.
    lags_ms: Vec<f64>,
    /// Length of the record, and the time the processor took for it.
    signal_s: f64,
    cpu_s: f64,
    strips: Vec<(usize, Strip)>,
}

impl Task for RPeaks {
    type Case = Case;
    type Outcome = Outcome;
    const NAME: &'static str = "r-peaks";
    const TITLE: &'static str = "R peaks";
    const ABOUT: &'static str = "Detected R peaks against annotated beats, after ANSI/AAMI EC57:2012: a detection and a \
        beat match within 150 ms, each at most once; ventricular flutter and fibrillation do not count. The first five \
        minutes are a learning period; the whole record is given beside it. Emission is stream time from the R peak to \
        the sample with which its beat came out; speed is of processor time.";
    const ALGORITHMS: &'static [Algorithm] = &[Algorithm { id: "R peaks (ecg)", version: ecg::VERSION }];

    fn recognise(context: &Context<'_>) -> Vec<Found<Case>> {
        let found = |(at, record): (usize, &super::super::folder::Record)| {
            let has_signals = record.head.as_ref().is_ok_and(|head| !head.signals.is_empty());
            let reference = has_signals.then(|| Reference::read(context.folder, record).ok()).flatten()?;
            let files = record.annotations.iter().chain(&record.data).chain([&record.header]).cloned().collect();
            Some(Found { record: record.name.clone(), files, case: Case { record: at, reference } })
        };
        context.folder.records.iter().enumerate().filter_map(found).collect()
    }

    fn run(context: &Context<'_>, case: &Case) -> Result<Outcome, String> {
        let record = context.folder.records.get(case.record).ok_or("is gone")?;
        let lead = lead(context, record)?;
        let (detected, cpu_s) = timed(&lead)?;
        let reference: Vec<f64> = case.reference.beats_s.iter().map(|s| s * lead.rate_hz).collect();
        let whole = judge(&lead, &case.reference, &reference, &detected, 0.0);
        let signal_s = lead.samples.len() as f64 / lead.rate_hz;
        let settled = (signal_s > LEARNING_PERIOD_S)
            .then(|| judge(&lead, &case.reference, &reference, &detected, LEARNING_PERIOD_S * lead.rate_hz));
        Ok(Outcome {
            strips: strips::worst(&record.name, &lead, &reference, &detected, settled.as_ref().unwrap_or(&whole)),
            lags_ms: emission_lags_ms(&lead, &case.reference, &reference)?,
            lead: lead.name,
            annotator: case.reference.annotator.clone(),
            whole,
            settled,
            signal_s,
            cpu_s,
        })
    }

    fn report(judged: &[Judged<Outcome>]) -> Findings {
        figures::findings(judged)
    }
}

fn detector(lead: &Lead) -> Result<BeatDetector, String> {
    BeatDetector::new(lead.rate_hz).map_err(|e| e.to_string())
}

/// R peaks in samples, and the seconds of processor time they took.
fn timed(lead: &Lead) -> Result<(Vec<f64>, f64), String> {
    let (mut detector, mut beats) = (detector(lead)?, Vec::new());
    let begin = cpu::time_s();
    detector.push(&lead.samples, &mut beats);
    detector.finish(&mut beats);
    Ok((beats.iter().map(|beat| beat.sample).collect(), cpu::time_s() - begin))
}

/// The number of an ascending list nearest to `to`; infinite if there is none.
fn nearest(sorted: &[f64], to: f64) -> f64 {
    let after = sorted.partition_point(|&x| x < to);
    let around = sorted.get(after.saturating_sub(1)..(after + 1).min(sorted.len())).unwrap_or_default();
    around.iter().copied().min_by(|a, b| (a - to).abs().total_cmp(&(b - to).abs())).unwrap_or(f64::INFINITY)
}

fn judge(lead: &Lead, about: &Reference, reference: &[f64], detected: &[f64], from: f64) -> Tally {
    let excluded = about.flutter_s.iter().map(|(a, b)| (a * lead.rate_hz, b * lead.rate_hz)).collect();
    match_beats(reference, detected, lead.rate_hz, &Scope { from, excluded })
}

/// From each reference beat to the sample with which it came out, where EC57 counts. Sample by sample, so that every beat
/// is seen the moment it comes out.
fn emission_lags_ms(lead: &Lead, about: &Reference, reference: &[f64]) -> Result<Vec<f64>, String> {
    let (mut detector, mut beats, mut lags) = (detector(lead)?, Vec::new(), Vec::new());
    let learning = LEARNING_PERIOD_S * lead.rate_hz;
    let from = if lead.samples.len() as f64 > learning { learning } else { 0.0 };
    let is_flutter = |at: f64| about.flutter_s.iter().any(|(from, to)| (*from..*to).contains(&(at / lead.rate_hz)));
    for (position, sample) in lead.samples.iter().enumerate() {
        detector.push(std::slice::from_ref(sample), &mut beats);
        for beat in beats.drain(..) {
            let annotated = nearest(reference, beat.sample);
            let is_match = (annotated - beat.sample).abs() <= MATCH_WINDOW_S * lead.rate_hz;
            if is_match && annotated >= from && !is_flutter(annotated) {
                lags.push((position as f64 - annotated) / lead.rate_hz * 1000.0);
            }
        }
    }
    Ok(lags)
}
