//! Heart rate variability against canonical values.

use std::path::Path;

use afferent_metrics::hrv::{self, consecutive, frequency_domain, frequency_domain_lomb, sample_entropy, time_domain};
use serde_json::Value;

use super::super::folder::{Folder, extension};
use super::super::report::{Algorithm, Cell, Findings, Kind, Measure, Table, measure};
use super::super::task::{Context, Found, Judged, Task};

/// Measures of NN series whose values are known.
///
/// The table is JSON: `{"series": {"name": {"rr_ms": [812, …], "canonical": {"sdnn": 41.2, "welch": {"lf": 830.1}}}}}`;
/// a measure that has no value in it is not compared. Python's `NaN` and `Infinity` are understood.
pub(super) struct Hrv;

/// One series.
pub(super) struct Case {
    nn_ms: Vec<f64>,
    canonical: Value,
}

/// Relative difference of each measure; none where it has no canonical value.
pub(super) struct Outcome {
    intervals: usize,
    differences: Vec<Option<Difference>>,
}

/// How a measure compares.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Difference {
    /// |found - canonical| / |canonical|.
    Relative(f64),
    /// No value was given, which is right for series too short for it.
    Withheld,
}

/// Key, path in the table, and the group its difference is shown in.
const MEASURES: [(&str, &str, usize); 16] = [
    ("mean NN", "/mean_nn", 0),
    ("SDNN", "/sdnn", 0),
    ("RMSSD", "/rmssd", 0),
    ("SDSD", "/sdsd", 0),
    ("pNN50", "/pnn50", 0),
    ("pNN20", "/pnn20", 0),
    ("SD1", "/sd1", 0),
    ("SD2", "/sd2", 0),
    ("SampEn", "/sampen", 1),
    ("VLF (Welch)", "/welch/vlf", 2),
    ("LF (Welch)", "/welch/lf", 2),
    ("HF (Welch)", "/welch/hf", 2),
    ("LF/HF (Welch)", "/welch/lf_hf", 2),
    ("LF (Lomb)", "/lomb/lf", 3),
    ("HF (Lomb)", "/lomb/hf", 3),
    ("LF/HF (Lomb)", "/lomb/lf_hf", 3),
];
const GROUPS: [Measure; 4] = [
    measure("time_domain", "time domain", "rel.", 0),
    measure("sample_entropy", "SampEn", "rel.", 0),
    measure("welch", "Welch", "rel.", 0),
    measure("lomb", "Lomb-Scargle", "rel.", 0),
];

impl Task for Hrv {
    type Case = Case;
    type Outcome = Outcome;
    const NAME: &'static str = "hrv";
    const TITLE: &'static str = "Heart rate variability against canonical values";
    const ABOUT: &'static str = "Measures of NN series (Task Force of the ESC and NASPE 1996, \
        doi:10.1161/01.CIR.93.5.1043) against the values in a table: the largest relative difference of each. A measure \
        is withheld where a series is too short for it.";
    const ALGORITHMS: &'static [Algorithm] = &[Algorithm { id: "heart rate variability", version: hrv::VERSION }];

    fn recognise(context: &Context<'_>) -> Vec<Found<Case>> {
        let folder = context.folder;
        let tables = folder.files.iter().filter(|f| extension(f) == "json");
        tables.flat_map(|file| series(folder, file)).collect()
    }

    fn run(_: &Context<'_>, case: &Case) -> Result<Outcome, String> {
        let found = measured(&case.nn_ms);
        let compare = |((_, path, _), found): (&(&str, &str, usize), Option<f64>)| {
            let expected = case.canonical.pointer(path).and_then(Value::as_f64)?;
            Some(found.map_or(Difference::Withheld, |found| {
                Difference::Relative((found - expected).abs() / expected.abs().max(1e-9))
            }))
        };
        Ok(Outcome { intervals: case.nn_ms.len(), differences: MEASURES.iter().zip(found).map(compare).collect() })
    }

    fn report(judged: &[Judged<Outcome>]) -> Findings {
        let overall = |group: usize| judged.iter().map(|j| j.outcome.largest(group)).fold(f64::NAN, f64::max);
        let summary = GROUPS.iter().enumerate().map(|(group, m)| m.of(overall(group))).collect();
        Findings { summary, tables: vec![by_measure(judged), by_series(judged)], ..Findings::default() }
    }
}

impl Outcome {
    /// The largest difference of a group of measures; NaN where there is none.
    fn largest(&self, group: usize) -> f64 {
        let of_group = MEASURES.iter().zip(&self.differences).filter(|((_, _, g), _)| *g == group);
        let relative = of_group.filter_map(|(_, difference)| match difference {
            Some(Difference::Relative(value)) => Some(*value),
            Some(Difference::Withheld) | None => None,
        });
        relative.fold(f64::NAN, f64::max)
    }
}

fn series(folder: &Folder, file: &Path) -> Vec<Found<Case>> {
    let Ok(text) = folder.text(file) else { return Vec::new() };
    // Python writes numbers that JSON does not know.
    let text = text.replace("-Infinity", "null").replace("Infinity", "null").replace("NaN", "null");
    let Ok(table) = serde_json::from_str::<Value>(&text) else { return Vec::new() };
    let Some(all) = table.get("series").and_then(Value::as_object) else { return Vec::new() };
    let found = |(name, one): (&String, &Value)| {
        let nn_ms: Vec<f64> = one.get("rr_ms")?.as_array()?.iter().filter_map(Value::as_f64).collect();
        let case = Case { nn_ms, canonical: one.get("canonical")?.clone() };
        Some(Found { record: name.clone(), files: vec![file.to_owned()], case })
    };
    all.iter().filter_map(found).collect()
}

/// In the order of [`MEASURES`].
fn measured(nn_ms: &[f64]) -> [Option<f64>; 16] {
    let time = time_domain(nn_ms);
    let nn = consecutive(nn_ms);
    let (welch, lomb) = (frequency_domain(&nn), frequency_domain_lomb(&nn));
    [
        time.map(|t| t.mean_nn),
        time.map(|t| t.sdnn),
        time.map(|t| t.rmssd),
        time.map(|t| t.sdsd),
        time.map(|t| t.pnn50),
        time.map(|t| t.pnn20),
        time.map(|t| t.sd1),
        time.map(|t| t.sd2),
        sample_entropy(nn_ms),
        welch.and_then(|p| p.vlf),
        welch.map(|p| p.lf),
        welch.map(|p| p.hf),
        welch.map(|p| p.lf_hf),
        lomb.map(|p| p.lf),
        lomb.map(|p| p.hf),
        lomb.map(|p| p.lf_hf),
    ]
}

fn by_measure(judged: &[Judged<Outcome>]) -> Table {
    let columns = [
        measure("compared", "series", "", 0),
        measure("withheld", "withheld", "", 0),
        measure("largest_difference", "largest difference", "rel.", 0),
        measure("where", "in", "", 0),
    ];
    let mut table = Table::new("measures", "By measure", &columns).of("measure");
    for (at, (name, _, _)) in MEASURES.iter().enumerate() {
        let (mut compared, mut withheld, mut worst, mut place) = (0_usize, 0_usize, f64::NAN, "");
        for Judged { record, outcome } in judged {
            match outcome.differences.get(at).copied().flatten() {
                Some(Difference::Relative(value)) => {
                    compared += 1;
                    if worst.is_nan() || value > worst {
                        (worst, place) = (value, record);
                    }
                }
                Some(Difference::Withheld) => withheld += 1,
                None => {}
            }
        }
        table.push(Kind::Record, *name, [compared.into(), withheld.into(), worst.into(), Cell::from(place)]);
    }
    table
}

fn by_series(judged: &[Judged<Outcome>]) -> Table {
    let mut columns = vec![measure("intervals", "intervals", "", 0)];
    columns.extend(GROUPS);
    let mut table = Table::new("series", "Largest relative difference by series", &columns).of("series");
    for Judged { record, outcome } in judged {
        let [a, b, c, d] = [0, 1, 2, 3].map(|group| Cell::from(outcome.largest(group)));
        table.push(Kind::Record, record, [outcome.intervals.into(), a, b, c, d]);
    }
    table
}
