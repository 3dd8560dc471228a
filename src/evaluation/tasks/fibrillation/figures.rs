//! Tables and charts of fibrillation.

use super::super::super::report::{Cell, Chart, Findings, Kind, Mark, Measure, Table, measure};
use super::super::super::statistics::median;
use super::super::super::task::{Judged, groups};
use super::super::figures::roc;
use super::{Outcome, Verdicts};

const SENSITIVITY: Measure = measure("sensitivity", "Se", "%", 2);
const SPECIFICITY: Measure = measure("specificity", "Sp", "%", 2);
const PREDICTIVITY: Measure = measure("positive_predictivity", "PPV", "%", 2);
const AREA: Measure = measure("auc", "AUC", "", 4);
const AT_98: Measure = measure("specificity_at_sensitivity_98", "Sp at Se 98 %", "%", 2);
const ONSET: Measure = measure("onset_delay", "onset delay, median", "s", 0);
const OFFSET: Measure = measure("offset_delay", "offset delay, median", "s", 0);

pub(super) fn findings(judged: &[Judged<Outcome>]) -> Findings {
    let reference = table("reference_beats", "From the reference's beats", judged, |o| Some(&o.reference));
    let total = sum(judged.iter().map(|j| &j.outcome.reference));
    let own: Vec<&Verdicts> = judged.iter().filter_map(|j| j.outcome.own.as_ref()).collect();
    let mut tables = vec![reference];
    let mut curves = vec![("reference beats", &total)];
    let mut summary = vec![
        SENSITIVITY.of(total.decisions.sensitivity()),
        SPECIFICITY.of(total.decisions.specificity()),
        AREA.of(total.scores.area()),
        AT_98.of(100.0 * total.scores.specificity_at(0.98)),
        ONSET.of(median(&total.episodes.onset_s)),
        OFFSET.of(median(&total.episodes.offset_s)),
    ];
    let own_total = sum(own.iter().copied());
    if !own.is_empty() {
        tables.push(table("own_beats", "From the beats we detect", judged, |o| o.own.as_ref()));
        curves.push(("own beats", &own_total));
        summary.push(measure("own_sensitivity", "own beats: Se", "%", 2).of(own_total.decisions.sensitivity()));
        summary.push(measure("own_specificity", "own beats: Sp", "%", 2).of(own_total.decisions.specificity()));
    }
    let mut chart = Chart::new("Fibrillation by beat (ROC)", "1 - specificity [%]", "sensitivity [%]");
    for (name, verdicts) in &curves {
        chart = chart.with(roc(name, &verdicts.scores));
    }
    let at = |v: &Verdicts| (100.0 - v.decisions.specificity(), v.decisions.sensitivity());
    let points = curves.iter().map(|(_, v)| at(v)).collect();
    let chart = chart.with(Mark::Dots { name: "operating point".to_owned(), points });
    Findings { summary, tables, charts: vec![chart.within((0.0, 50.0), (50.0, 100.0))], ..Findings::default() }
}

fn sum<'a>(verdicts: impl Iterator<Item = &'a Verdicts>) -> Verdicts {
    let mut total = Verdicts::default();
    for one in verdicts {
        total.decisions.add(&one.decisions);
        total.scores.extend(&one.scores);
        total.episodes.add(&one.episodes);
    }
    total
}

fn table(
    name: &'static str,
    title: &str,
    judged: &[Judged<Outcome>],
    of: impl Fn(&Outcome) -> Option<&Verdicts>,
) -> Table {
    let columns = [
        measure("beats", "beats", "", 0),
        measure("fibrillating", "in AF", "", 0),
        SENSITIVITY,
        SPECIFICITY,
        PREDICTIVITY,
        AREA,
        AT_98,
        measure("onsets", "onsets", "", 0),
        measure("onsets_seen", "seen", "", 0),
        ONSET,
        OFFSET,
    ];
    let row = |v: &Verdicts| -> [Cell; 11] {
        [
            v.decisions.total().into(),
            v.scores.positives().into(),
            v.decisions.sensitivity().into(),
            v.decisions.specificity().into(),
            v.decisions.predictivity().into(),
            v.scores.area().into(),
            (100.0 * v.scores.specificity_at(0.98)).into(),
            v.episodes.onsets.into(),
            v.episodes.onset_s.len().into(),
            median(&v.episodes.onset_s).into(),
            median(&v.episodes.offset_s).into(),
        ]
    };
    let mut table = Table::new(name, title, &columns);
    for j in judged {
        if let Some(verdicts) = of(&j.outcome) {
            table.push(Kind::Record, &j.record, row(verdicts));
        }
    }
    for (name, members) in groups(judged) {
        let total = sum(members.iter().filter_map(|j| of(&j.outcome)));
        if total.decisions.total() > 0 {
            table.push(Kind::Gross, name, row(&total));
        }
    }
    table
}
