//! R peaks in excerpts of annotated records that somebody added noise to.

use afferent_dsp::ecg;
use afferent_dsp::evaluate::{Scope, Tally, match_beats};

use super::super::folder::Record;
use super::super::read::beats::Reference;
use super::super::read::columns::Columns;
use super::super::read::ecg::{Lead, lead};
use super::super::report::{Algorithm, Cell, Findings, Kind, Table, measure};
use super::super::task::{Context, Found, Judged, Task};
use super::detect;

/// Excerpts such as those of the MIT-BIH Noise Stress Test Database.
pub(super) struct NoisyExcerpts;

/// An excerpt and the record it is of, by their places in the folder's lists.
pub(super) struct Case {
    table: usize,
    record: usize,
    reference: Reference,
}

/// One excerpt, judged.
pub(super) struct Outcome {
    /// Where in the record it begins, and where in it the noise does, in seconds.
    from_s: f64,
    noise_s: f64,
    /// Of all of it, and of the noisy part.
    whole: Tally,
    noisy: Tally,
}

/// Samples of an excerpt's clean beginning that are looked for in the record.
const PROBE: usize = 720;
/// Largest difference between steps of an excerpt and of the record that rounding explains, in mV.
const ROUNDING_MV: f32 = 0.006;

impl Task for NoisyExcerpts {
    type Case = Case;
    type Outcome = Outcome;
    const NAME: &'static str = "noisy-excerpts";
    const TITLE: &'static str = "R peaks in noisy excerpts";
    const ABOUT: &'static str = "Excerpts of an annotated record, in mV a line, that begin clean and go on with noise, such \
        as those of the MIT-BIH Noise Stress Test Database: named after the record, found in it by their clean beginning, \
        and judged by its beats within 150 ms.";
    const ALGORITHMS: &'static [Algorithm] = &[Algorithm { id: "R peaks (ecg)", version: ecg::VERSION }];

    fn recognise(context: &Context<'_>) -> Vec<Found<Case>> {
        let folder = context.folder;
        let mut found = Vec::new();
        let column = |(_, s): &(usize, &super::super::folder::Sheet)| s.is_headless() && s.first.len() == 1;
        for (table, sheet) in folder.tables.iter().enumerate().filter(column) {
            let name = sheet.name.rsplit('/').next().unwrap_or_default();
            let is_of = |record: &Record| {
                let stem = record.header.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
                name.strip_prefix(stem.as_str()).is_some_and(|rest| rest.starts_with(|c: char| !c.is_ascii_digit()))
            };
            let Some(at) = folder.records.iter().position(is_of) else { continue };
            let Some(record) = folder.records.get(at) else { continue };
            if let Ok(reference) = Reference::read(folder, record) {
                let case = Case { table, record: at, reference };
                found.push(Found { record: sheet.name.clone(), files: vec![sheet.path.clone()], case });
            }
        }
        found
    }

    fn run(context: &Context<'_>, case: &Case) -> Result<Outcome, String> {
        let record = context.folder.records.get(case.record).ok_or("is gone")?;
        let sheet = context.folder.tables.get(case.table).ok_or("is gone")?;
        let whole = lead(context, record)?;
        let samples: Vec<f32> =
            Columns::read(context.folder, sheet)?.present(0).into_iter().map(|v| v as f32).collect();
        let start =
            place(&whole.samples, &samples).ok_or_else(|| format!("does not begin as any part of {}", record.name))?;
        let noise = noise_from(whole.samples.get(start..).unwrap_or_default(), &samples);
        let rate_hz = whole.rate_hz;
        let excerpt = Lead { name: whole.name, rate_hz, samples };
        let end = (start + excerpt.samples.len()) as f64;
        let inside = case.reference.beats_s.iter().map(|s| s * rate_hz).filter(|at| (start as f64..end).contains(at));
        let beats: Vec<f64> = inside.map(|at| at - start as f64).collect();
        let found: Vec<f64> = detect::beats(&excerpt)?.0.iter().map(|beat| beat.sample).collect();
        let judge = |from: f64| match_beats(&beats, &found, rate_hz, &Scope { from, excluded: Vec::new() });
        Ok(Outcome {
            from_s: start as f64 / rate_hz,
            noise_s: noise as f64 / rate_hz,
            whole: judge(0.0),
            noisy: judge(noise as f64),
        })
    }

    fn report(judged: &[Judged<Outcome>]) -> Findings {
        let mut noisy = Tally::default();
        judged.iter().for_each(|j| noisy.add(&j.outcome.noisy));
        let summary = vec![
            measure("f1", "F1 in noise", "%", 2).of(100.0 * noisy.f1()),
            measure("errors", "errors", "", 0).of(noisy.errors() as f64),
        ];
        Findings { summary, tables: vec![table(judged, &noisy)], ..Findings::default() }
    }
}

/// Where in a record an excerpt begins, whatever its offset: the steps from sample to sample are the same.
fn place(record: &[f32], excerpt: &[f32]) -> Option<usize> {
    let probe = excerpt.get(..PROBE)?;
    let same = |window: &[f32]| {
        window.windows(2).zip(probe.windows(2)).all(|(a, b)| match (a, b) {
            ([a0, a1], [b0, b1]) => ((a1 - a0) - (b1 - b0)).abs() < ROUNDING_MV,
            _ => false,
        })
    };
    record.windows(PROBE).position(same)
}

/// The first sample from which the excerpt differs from the record by more than its offset and rounding.
fn noise_from(record: &[f32], excerpt: &[f32]) -> usize {
    let offset = record.first().zip(excerpt.first()).map_or(0.0, |(a, b)| b - a);
    let differs = |(a, b): (&f32, &f32)| (b - a - offset).abs() > 2.0 * ROUNDING_MV;
    record.iter().zip(excerpt).position(differs).unwrap_or(excerpt.len())
}

fn table(judged: &[Judged<Outcome>], total: &Tally) -> Table {
    let columns = [
        measure("from", "from", "s", 1),
        measure("noise_from", "noise after", "s", 1),
        measure("errors_whole", "errors in all", "", 0),
        measure("beats", "beats in noise", "", 0),
        measure("missed", "missed", "", 0),
        measure("extra", "extra", "", 0),
        measure("sensitivity", "Se", "%", 2),
        measure("positive_predictivity", "PPV", "%", 2),
        measure("f1", "F1", "%", 2),
    ];
    let row = |tally: &Tally, [from, noise, errors]: [Cell; 3]| -> [Cell; 9] {
        [
            from,
            noise,
            errors,
            (tally.true_positive + tally.false_negative).into(),
            tally.false_negative.into(),
            tally.false_positive.into(),
            (100.0 * tally.sensitivity()).into(),
            (100.0 * tally.positive_predictivity()).into(),
            (100.0 * tally.f1()).into(),
        ]
    };
    let mut table = Table::new("excerpts", "In the noisy part", &columns);
    for Judged { record, outcome } in judged {
        let about = [outcome.from_s.into(), outcome.noise_s.into(), outcome.whole.errors().into()];
        table.push(Kind::Record, record, row(&outcome.noisy, about));
    }
    table.push(Kind::Gross, "gross", row(total, ["".into(), "".into(), "".into()]));
    table
}
