//! R peaks in clean records to which real noise is added.

use std::path::PathBuf;

use afferent_dsp::ecg;
use afferent_dsp::evaluate::{Scope, Tally, match_beats};

use super::super::read::beats::Reference;
use super::super::read::ecg::{Lead, lead};
use super::super::report::{Algorithm, Cell, Chart, Findings, Kind, Mark, Measure, Table, measure};
use super::super::task::{Context, Found, Judged, Task};
use super::detect;
use super::noise::{self, FROM_S, STRETCH_S, is_noisy};

/// The noise stress test.
pub(super) struct NoiseStress;

/// A record and the noise it gets.
pub(super) struct Case {
    /// Its place in the folder's list.
    at: usize,
    reference: Reference,
    noise: noise::Place,
    /// Whether the user named the record.
    named: bool,
}

/// One record with one noise.
pub(super) struct Outcome {
    /// Without noise, from minute five on.
    clean: Tally,
    /// In the order of [`RATIOS`].
    at_ratio: Vec<Stressed>,
    named: bool,
}

/// One ratio of signal to noise.
struct Stressed {
    /// From minute five on.
    settled: Tally,
    /// Of this, the noisy stretches.
    noisy: Tally,
}

const RATIOS: [(f64, &str); 5] = [(24.0, "24 dB"), (18.0, "18 dB"), (12.0, "12 dB"), (6.0, "6 dB"), (0.0, "0 dB")];
/// Records that are read worse than this without noise would blur what the noise does.
const CLEAN_F1: f64 = 0.995;

impl Task for NoiseStress {
    type Case = Case;
    type Outcome = Outcome;
    const NAME: &'static str = "noise-stress";
    const TITLE: &'static str = "R peaks in added noise";
    const ABOUT: &'static str = "The noise stress test of Moody, Muldrow and Mark 1984: from minute five on, real noise is \
        added to every second stretch of two minutes, scaled as the program nst of WFDB does (signal power is the squared \
        QRS peak-to-peak amplitude over eight). All stretches from minute five on count; the noisy ones are told apart. \
        Judged are records that are read with an F1 of 99.5 % or more without noise, or those named with --record.";
    const ALGORITHMS: &'static [Algorithm] = &[Algorithm { id: "R peaks (ecg)", version: ecg::VERSION }];

    fn recognise(context: &Context<'_>) -> Vec<Found<Case>> {
        let folder = context.folder;
        let mut found = Vec::new();
        let recordings = noise::recordings(folder);
        if recordings.is_empty() {
            return found;
        }
        for (at, record) in folder.records.iter().enumerate() {
            let has_signals = record.head.as_ref().is_ok_and(|head| !head.signals.is_empty());
            let reference = has_signals.then(|| Reference::read(folder, record).ok()).flatten();
            let Some(reference) = reference.filter(|r| r.beats_s.last().is_some_and(|s| *s > FROM_S + STRETCH_S))
            else {
                continue;
            };
            for (name, place) in &recordings {
                let mut files: Vec<PathBuf> = record.annotations.iter().chain([&record.header]).cloned().collect();
                files.extend(match place {
                    noise::Place::Record(at) => folder.records.get(*at).map(|r| r.header.clone()),
                    noise::Place::Table(at) => folder.tables.get(*at).map(|s| s.path.clone()),
                });
                let named = !context.options.records.is_empty();
                let case = Case { at, reference: reference.clone(), noise: *place, named };
                let many = recordings.len() > 1;
                let record = if many { format!("{} + {name}", record.name) } else { record.name.clone() };
                found.push(Found { record, files, case });
            }
        }
        found
    }

    fn run(context: &Context<'_>, case: &Case) -> Result<Outcome, String> {
        let record = context.folder.records.get(case.at).ok_or("is gone")?;
        let lead = lead(context, record)?;
        let beats: Vec<f64> = case.reference.beats_s.iter().map(|s| s * lead.rate_hz).collect();
        let noise = noise::read(context, case.noise, lead.rate_hz)?;
        let flutter = case.reference.flutter_s.iter().map(|(a, b)| (a * lead.rate_hz, b * lead.rate_hz));
        let settled = Scope { from: FROM_S * lead.rate_hz, excluded: flutter.collect() };
        let mut noisy = settled.clone();
        noisy.excluded.extend(quiet(&lead));
        let judge = |lead: &Lead, scope: &Scope| -> Result<Tally, String> {
            let found: Vec<f64> = detect::beats(lead)?.0.iter().map(|beat| beat.sample).collect();
            Ok(match_beats(&beats, &found, lead.rate_hz, scope))
        };
        let clean = judge(&lead, &settled)?;
        let mut at_ratio = Vec::new();
        for (snr_db, _) in RATIOS {
            let stressed = noise::add(&lead, &beats, &noise, snr_db).ok_or("shows no beats to scale the noise by")?;
            let found: Vec<f64> = detect::beats(&stressed)?.0.iter().map(|beat| beat.sample).collect();
            at_ratio.push(Stressed {
                settled: match_beats(&beats, &found, lead.rate_hz, &settled),
                noisy: match_beats(&beats, &found, lead.rate_hz, &noisy),
            });
        }
        Ok(Outcome { clean, at_ratio, named: case.named })
    }

    fn report(judged: &[Judged<Outcome>]) -> Findings {
        let kept: Vec<&Judged<Outcome>> =
            judged.iter().filter(|j| j.outcome.named || j.outcome.clean.f1() >= CLEAN_F1).collect();
        let totals: Vec<(Tally, Tally)> = (0..RATIOS.len()).map(|at| total(&kept, at)).collect();
        let f1 = |at: usize| totals.get(at).map_or(f64::NAN, |(settled, _)| 100.0 * settled.f1());
        let summary = SUMMARY.iter().enumerate().map(|(at, measure)| measure.of(f1(at))).collect();
        let points = |of: fn(&(Tally, Tally)) -> f64| {
            RATIOS.iter().zip(&totals).map(|((db, _), t)| (*db, 100.0 * of(t))).collect::<Vec<_>>()
        };
        let chart = Chart::new("F1 over signal-to-noise ratio", "signal-to-noise ratio [dB]", "F1 [%]")
            .with(Mark::Line { name: "all from minute five on".to_owned(), points: points(|t| t.0.f1()) })
            .with(Mark::Line { name: "noisy stretches".to_owned(), points: points(|t| t.1.f1()) });
        let notes = vec![format!("{} of {} records are read well enough without noise.", kept.len(), judged.len())];
        Findings {
            summary,
            tables: vec![ratios(&totals), records(&kept, &totals)],
            charts: vec![chart],
            notes,
            ..Findings::default()
        }
    }
}

const SUMMARY: [Measure; 5] = [
    measure("f1_24db", "F1 at 24 dB", "%", 2),
    measure("f1_18db", "F1 at 18 dB", "%", 2),
    measure("f1_12db", "F1 at 12 dB", "%", 2),
    measure("f1_6db", "F1 at 6 dB", "%", 2),
    measure("f1_0db", "F1 at 0 dB", "%", 2),
];

/// The stretches without noise, in samples.
fn quiet(lead: &Lead) -> Vec<(f64, f64)> {
    let end_s = lead.samples.len() as f64 / lead.rate_hz + STRETCH_S;
    let starts = (0_u32..).map(|n| FROM_S + f64::from(n) * STRETCH_S).take_while(|start| *start < end_s);
    let quiet = starts.filter(|start| !is_noisy(*start));
    quiet.map(|start| (start * lead.rate_hz, (start + STRETCH_S) * lead.rate_hz)).collect()
}

fn total(kept: &[&Judged<Outcome>], at: usize) -> (Tally, Tally) {
    let mut total = (Tally::default(), Tally::default());
    for stressed in kept.iter().filter_map(|j| j.outcome.at_ratio.get(at)) {
        total.0.add(&stressed.settled);
        total.1.add(&stressed.noisy);
    }
    total
}

fn ratios(totals: &[(Tally, Tally)]) -> Table {
    let columns = [
        measure("errors", "errors", "", 0),
        measure("sensitivity", "Se", "%", 2),
        measure("positive_predictivity", "PPV", "%", 2),
        measure("f1", "F1", "%", 2),
        measure("noisy_beats", "noisy beats", "", 0),
        measure("noisy_errors", "errors", "", 0),
        measure("noisy_sensitivity", "Se", "%", 2),
        measure("noisy_positive_predictivity", "PPV", "%", 2),
        measure("noisy_f1", "F1", "%", 2),
    ];
    let title = "All records, from minute five on and in the noisy stretches";
    let mut table = Table::new("ratios", title, &columns).of("ratio");
    for ((_, name), (settled, noisy)) in RATIOS.iter().zip(totals) {
        let percent = |share: f64| Cell::from(100.0 * share);
        let row: [Cell; 9] = [
            settled.errors().into(),
            percent(settled.sensitivity()),
            percent(settled.positive_predictivity()),
            percent(settled.f1()),
            (noisy.true_positive + noisy.false_negative).into(),
            noisy.errors().into(),
            percent(noisy.sensitivity()),
            percent(noisy.positive_predictivity()),
            percent(noisy.f1()),
        ];
        table.push(Kind::Record, *name, row);
    }
    table
}

fn records(kept: &[&Judged<Outcome>], totals: &[(Tally, Tally)]) -> Table {
    let columns: Vec<Measure> =
        std::iter::once(measure("f1_clean", "F1 without noise", "%", 2)).chain(SUMMARY).collect();
    let mut table = Table::new("records", "F1 from minute five on", &columns);
    let mut clean = Tally::default();
    for j in kept {
        clean.add(&j.outcome.clean);
        let f1 = |at: usize| Cell::from(j.outcome.at_ratio.get(at).map(|s| 100.0 * s.settled.f1()));
        let row = [(100.0 * j.outcome.clean.f1()).into(), f1(0), f1(1), f1(2), f1(3), f1(4)];
        table.push(Kind::Record, &j.record, row);
    }
    let f1 = |at: usize| Cell::from(totals.get(at).map(|(settled, _)| 100.0 * settled.f1()));
    table.push(Kind::Gross, "gross", [(100.0 * clean.f1()).into(), f1(0), f1(1), f1(2), f1(3), f1(4)]);
    table
}
