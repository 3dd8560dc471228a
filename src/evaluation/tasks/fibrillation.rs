//! Atrial fibrillation beat by beat.

mod episodes;
mod figures;

use afferent_dsp::ecg;
use afferent_metrics::atrial_fibrillation::{self, Detector, Score};
use afferent_metrics::rr::{self, Kind, RrInterval};

use super::super::read::beats::Reference;
use super::super::read::columns::Columns;
use super::super::read::ecg::lead;
use super::super::report::{Algorithm, Findings};
use super::super::statistics::{Decisions, Scores};
use super::super::task::{Context, Found, Judged, Task};
use episodes::Episodes;

/// Fibrillation from RR intervals.
pub(super) struct Fibrillation;

/// Where the reference comes from.
pub(super) enum Case {
    /// A WFDB record with rhythm annotations, by its place in the folder's list.
    Record { at: usize, reference: Reference },
    /// A table of beats with a flag, by its place in the folder's list.
    Flags { at: usize },
}

/// One record, judged.
pub(super) struct Outcome {
    /// From the reference's beats.
    reference: Verdicts,
    /// From our own beats, where there is a waveform.
    own: Option<Verdicts>,
}

/// Verdicts on intervals against their labels.
#[derive(Default)]
pub(super) struct Verdicts {
    decisions: Decisions,
    scores: Scores,
    episodes: Episodes,
}

/// A beat and whether the reference says that it fibrillates; none where it says nothing.
type Labelled = (f64, Option<bool>);

impl Task for Fibrillation {
    type Case = Case;
    type Outcome = Outcome;
    const NAME: &'static str = "atrial-fibrillation";
    const TITLE: &'static str = "Atrial fibrillation, beat by beat";
    const ABOUT: &'static str = "The streaming verdict on each RR interval against the rhythm annotated at its later beat; \
        atrial flutter counts with fibrillation, as rhythm annotations of the MIT-BIH databases are commonly read. From \
        the reference's beats, and, where there is a waveform, from the beats we detect in it. Delays are of stream time \
        from the annotated change of rhythm, after at least 30 beats of the other, to the first verdict of the new one.";
    const ALGORITHMS: &'static [Algorithm] = &[
        Algorithm { id: "R peaks (ecg)", version: ecg::VERSION },
        Algorithm { id: "atrial fibrillation", version: atrial_fibrillation::VERSION },
    ];

    fn recognise(context: &Context<'_>) -> Vec<Found<Case>> {
        let folder = context.folder;
        let records = folder.records.iter().enumerate().filter_map(|(at, record)| {
            let reference = Reference::read(folder, record).ok().filter(|r| !r.rhythms.is_empty())?;
            let files = record.annotations.iter().chain([&record.header]).cloned().collect();
            Some(Found { record: record.name.clone(), files, case: Case::Record { at, reference } })
        });
        let flags = folder.tables.iter().enumerate().filter(|(_, sheet)| {
            sheet.column(is_flag).is_some() && sheet.column(|name| sample_rate(name).is_some()).is_some()
        });
        let flags = flags.map(|(at, sheet)| Found {
            record: sheet.name.clone(),
            files: vec![sheet.path.clone()],
            case: Case::Flags { at },
        });
        records.chain(flags).collect()
    }

    fn run(context: &Context<'_>, case: &Case) -> Result<Outcome, String> {
        let folder = context.folder;
        match case {
            Case::Flags { at } => {
                let sheet = folder.tables.get(*at).ok_or("is gone")?;
                let columns = Columns::read(folder, sheet)?;
                let beats = flagged(&columns).ok_or("has no beats with flags")?;
                Ok(Outcome { reference: verdicts(&intervals(&beats), |at_s| label(&beats, at_s)), own: None })
            }
            Case::Record { at, reference } => {
                let record = folder.records.get(*at).ok_or("is gone")?;
                let rhythm = |at_s: f64| reference.rhythm_at(at_s).map(|name| matches!(name, "AFIB" | "AFL"));
                let beats: Vec<Labelled> = reference.beats_s.iter().map(|at_s| (*at_s, rhythm(*at_s))).collect();
                let has_signals = record.head.as_ref().is_ok_and(|head| !head.signals.is_empty());
                let own = has_signals.then(|| own_intervals(context, record)).transpose()?;
                Ok(Outcome {
                    reference: verdicts(&intervals(&beats), rhythm),
                    own: own.map(|intervals| verdicts(&intervals, rhythm)),
                })
            }
        }
    }

    fn report(judged: &[Judged<Outcome>]) -> Findings {
        figures::findings(judged)
    }
}

fn is_flag(name: &str) -> bool {
    matches!(name, "af" | "afib" | "is_af" | "atrial_fibrillation")
}

/// Hertz of a column of sample numbers that names them: `qrs_sample_250hz`.
fn sample_rate(name: &str) -> Option<f64> {
    let digits = name.strip_suffix("hz")?.rsplit(|c: char| !(c.is_ascii_digit() || c == '.')).next()?;
    let is_position = ["sample", "qrs", "beat"].iter().any(|word| name.contains(word));
    digits.parse().ok().filter(|hz| *hz > 0.0 && is_position)
}

fn flagged(columns: &Columns) -> Option<Vec<Labelled>> {
    let rate_hz = columns.names.iter().find_map(|name| sample_rate(&name.to_lowercase()))?;
    let at = columns.find(|name| sample_rate(name).is_some())?;
    let flags = columns.find(is_flag)?;
    let beats = at.iter().zip(flags).filter(|(at, flag)| !(at.is_nan() || flag.is_nan()));
    Some(beats.map(|(at, flag)| (at / rate_hz, Some(*flag > 0.5))).collect())
}

fn label(beats: &[Labelled], at_s: f64) -> Option<bool> {
    let after = beats.partition_point(|(beat, _)| *beat <= at_s);
    beats.get(after.checked_sub(1)?).and_then(|(_, flag)| *flag)
}

fn intervals(beats: &[Labelled]) -> Vec<RrInterval> {
    let interval = |pair: &[Labelled]| {
        let [(before, _), (time_s, _)] = pair else { return None };
        let ms = (time_s - before) * 1000.0;
        (ms > 0.0).then_some(RrInterval { time_s: *time_s, ms, kind: Kind::Normal, after_gap: false })
    };
    beats.windows(2).filter_map(interval).collect()
}

fn own_intervals(context: &Context<'_>, record: &super::super::folder::Record) -> Result<Vec<RrInterval>, String> {
    let lead = lead(context, record)?;
    let (beats, _) = super::detect::beats(&lead)?;
    Ok(rr::intervals(&beats, lead.rate_hz))
}

/// Streams the intervals through the detector; each verdict with the time at which it came out.
fn verdicts(intervals: &[RrInterval], label: impl Fn(f64) -> Option<bool>) -> Verdicts {
    let (mut detector, mut scores): (_, Vec<Score>) = (Detector::new(), Vec::new());
    let mut emitted_s = Vec::new();
    for interval in intervals {
        detector.push(interval, &mut scores);
        emitted_s.resize(scores.len(), interval.time_s);
    }
    detector.finish(&mut scores);
    emitted_s.resize(scores.len(), intervals.last().map_or(0.0, |i| i.time_s));
    let mut verdicts = Verdicts::default();
    let mut labelled = Vec::new();
    for (score, emitted_s) in scores.iter().zip(&emitted_s) {
        let Some(truth) = label(score.time_s) else { continue };
        verdicts.decisions.push(score.fibrillation, truth);
        verdicts.scores.push(score.probability, truth);
        labelled.push((*score, *emitted_s, truth));
    }
    verdicts.episodes = Episodes::of(&labelled);
    verdicts
}
