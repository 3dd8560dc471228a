//! Tables and charts of labelled strips.

use super::super::super::report::{Cell, Chart, Findings, Kind, Mark, Strip, Table, measure};
use super::super::super::statistics::{Decisions, Scores, median};
use super::super::super::task::Judged;
use super::super::figures::roc;
use super::{Class, Outcome};

/// Strips judged wrongly that are shown at most.
const MOST_STRIPS: usize = 16;
const CLASSES: [(Class, &str); 4] = [
    (Class::Normal, "normal"),
    (Class::Fibrillation, "fibrillation"),
    (Class::Other, "other"),
    (Class::Noise, "noise"),
];

pub(super) fn findings(judged: &[Judged<Outcome>]) -> Findings {
    let (mut all, mut without_noise) = (Decisions::default(), Decisions::default());
    let (mut fibrillation, mut quality) = (Scores::default(), Scores::default());
    for Judged { outcome, .. } in judged {
        let truth = outcome.label == Class::Fibrillation;
        all.push(outcome.says_fibrillation(), truth);
        if outcome.label != Class::Noise {
            without_noise.push(outcome.says_fibrillation(), truth);
        }
        fibrillation.push(outcome.probability.unwrap_or(0.0), truth);
        quality.push(-outcome.quality, outcome.label == Class::Noise);
    }
    let summary = vec![
        measure("f1_a", "F1 of A", "", 3).of(all.f1()),
        measure("sensitivity", "Se", "%", 1).of(all.sensitivity()),
        measure("specificity", "Sp", "%", 1).of(all.specificity()),
        measure("auc", "AUC, A against the rest", "", 3).of(fibrillation.area()),
        measure("f1_a_without_noise", "F1 of A, noise left out", "", 3).of(without_noise.f1()),
        measure("quality_auc", "signal quality: AUC, noise against the rest", "", 3).of(quality.area()),
    ];
    let charts = vec![
        curve("Fibrillation against the rest (ROC)", &fibrillation),
        curve("Noise against the rest by signal quality (ROC)", &quality),
    ];
    Findings {
        summary,
        tables: vec![classes(judged), strips(judged)],
        charts,
        strips: wrong(judged),
        notes: Vec::new(),
    }
}

fn curve(title: &str, scores: &Scores) -> Chart {
    Chart::new(title, "1 - specificity [%]", "sensitivity [%]")
        .with(Mark::Guide { points: vec![(0.0, 0.0), (100.0, 100.0)] })
        .with(roc("strips", scores))
        .within((0.0, 100.0), (0.0, 100.0))
}

fn classes(judged: &[Judged<Outcome>]) -> Table {
    let columns = [
        measure("strips", "strips", "", 0),
        measure("said_fibrillation", "said A", "", 0),
        measure("not_said", "too few beats", "", 0),
        measure("probability", "probability of A, median", "", 3),
        measure("quality", "quality, median", "", 3),
        measure("usable", "quality from 0.7", "%", 1),
    ];
    let mut table = Table::new("classes", "By label", &columns).of("label");
    for (class, name) in CLASSES {
        let members: Vec<&Outcome> = judged.iter().map(|j| &j.outcome).filter(|o| o.label == class).collect();
        let of = |f: fn(&Outcome) -> f64| members.iter().map(|o| f(o)).collect::<Vec<f64>>();
        let count = |f: fn(&Outcome) -> bool| members.iter().filter(|o| f(o)).count();
        let row: [Cell; 6] = [
            members.len().into(),
            count(Outcome::says_fibrillation).into(),
            count(|o| o.probability.is_none()).into(),
            median(&of(|o| o.probability.unwrap_or(f64::NAN))).into(),
            median(&of(|o| o.quality)).into(),
            (100.0 * count(|o| o.quality >= 0.7) as f64 / members.len() as f64).into(),
        ];
        table.push(Kind::Record, format!("{} {name}", class.name()), row);
    }
    table
}

fn strips(judged: &[Judged<Outcome>]) -> Table {
    let columns = [
        measure("label", "label", "", 0),
        measure("beats", "beats", "", 0),
        measure("probability", "probability of A", "", 3),
        measure("quality", "quality", "", 3),
        measure("verdict", "verdict", "", 0),
    ];
    let mut table = Table::new("strips", "Every strip", &columns);
    for Judged { record, outcome } in judged {
        let verdict = if outcome.is_wrong() { "wrong" } else { "right" };
        let row: [Cell; 5] = [
            outcome.label.name().into(),
            outcome.beats.into(),
            outcome.probability.into(),
            outcome.quality.into(),
            verdict.into(),
        ];
        table.push(Kind::Record, record, row);
    }
    table
}

/// The strips that were judged wrongly with most certainty.
fn wrong(judged: &[Judged<Outcome>]) -> Vec<Strip> {
    let certainty = |o: &Outcome| (o.probability.unwrap_or(0.0) - super::SAID).abs();
    let mut wrong: Vec<&Judged<Outcome>> = judged.iter().filter(|j| j.outcome.is_wrong()).collect();
    wrong.sort_by(|a, b| certainty(&b.outcome).total_cmp(&certainty(&a.outcome)));
    let titled = |j: &&Judged<Outcome>| {
        let (label, probability) = (j.outcome.label.name(), j.outcome.probability.unwrap_or(0.0));
        let title = format!("{}: labelled {label}, probability of A {probability:.2}", j.record);
        Strip { title, ..j.outcome.strip.clone() }
    };
    wrong.iter().take(MOST_STRIPS).map(titled).collect()
}
