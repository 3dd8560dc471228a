//! Tables and charts of R peaks.

use afferent_dsp::evaluate::Tally;

use super::super::super::report::{Cell, Chart, Figure, Findings, Kind, Mark, Measure, Strip, Table, measure};
use super::super::super::statistics::{mean, median, quantile};
use super::super::super::task::{Judged, grouped};
use super::Outcome;

/// Strips shown of a folder at most: the records with most errors have theirs.
const MOST_STRIPS: usize = 40;

const SENSITIVITY: Measure = measure("sensitivity", "Se", "%", 2);
const PREDICTIVITY: Measure = measure("positive_predictivity", "PPV", "%", 2);
const F1: Measure = measure("f1", "F1", "%", 3);
const ERRORS: Measure = measure("errors", "errors", "", 0);
const BIAS: Measure = measure("bias", "bias", "ms", 1);
const JITTER: Measure = measure("jitter", "jitter", "ms", 2);
const EMISSION_P50: Measure = measure("emission_p50", "emission p50", "ms", 0);
const EMISSION_P99: Measure = measure("emission_p99", "emission p99", "ms", 0);
const SPEED: Measure = measure("speed", "speed", "x real time", 0);

pub(super) fn findings(judged: &[Judged<Outcome>]) -> Findings {
    let settled: Vec<(&str, &Outcome, &Tally)> =
        judged.iter().filter_map(|j| Some((j.record.as_str(), &j.outcome, j.outcome.settled.as_ref()?))).collect();
    let whole: Vec<(&str, &Outcome, &Tally)> =
        judged.iter().map(|j| (j.record.as_str(), &j.outcome, &j.outcome.whole)).collect();
    let main = if settled.is_empty() { &whole } else { &settled };
    let mut tables = Vec::new();
    if !settled.is_empty() {
        tables.push(accuracy("after_learning", "After the first five minutes (EC57)", &settled));
    }
    tables.push(accuracy("whole", "Whole record", &whole));
    tables.push(timing(main, judged));
    let total = gross(main);
    let worst = main.iter().map(|(_, _, tally)| 100.0 * tally.f1()).fold(f64::INFINITY, f64::min);
    let lags = all_lags(judged);
    let summary = vec![
        F1.of(100.0 * total.f1()),
        ERRORS.of(total.errors() as f64),
        measure("worst_f1", "worst record's F1", "%", 2).of(worst),
        BIAS.of(median(&each(main, Tally::bias_ms))),
        JITTER.of(median(&each(main, Tally::offset_deviation_ms))),
        EMISSION_P50.of(quantile(&lags, 0.5)),
        EMISSION_P99.of(quantile(&lags, 0.99)),
        speed(judged),
    ];
    let charts = vec![offsets(&total), emission(&lags)];
    Findings { summary, tables, charts, strips: strips(judged), notes: Vec::new() }
}

type Line<'a> = (&'a str, &'a Outcome, &'a Tally);

fn gross<'a>(lines: impl IntoIterator<Item = &'a Line<'a>>) -> Tally {
    let mut total = Tally::default();
    lines.into_iter().for_each(|(_, _, tally)| total.add(tally));
    total
}

fn each(lines: &[Line<'_>], of: impl Fn(&Tally) -> f64) -> Vec<f64> {
    lines.iter().map(|(_, _, tally)| of(tally)).collect()
}

fn accuracy(name: &'static str, title: &str, lines: &[Line<'_>]) -> Table {
    let columns = [
        measure("lead", "lead", "", 0),
        measure("annotator", "ref.", "", 0),
        measure("beats", "beats", "", 0),
        measure("missed", "missed", "", 0),
        measure("extra", "extra", "", 0),
        ERRORS,
        SENSITIVITY,
        PREDICTIVITY,
        F1,
    ];
    let mut table = Table::new(name, title, &columns);
    let row = |tally: &Tally, lead: &str, annotator: &str| -> [Cell; 9] {
        [
            lead.into(),
            annotator.into(),
            (tally.true_positive + tally.false_negative).into(),
            tally.false_negative.into(),
            tally.false_positive.into(),
            tally.errors().into(),
            (100.0 * tally.sensitivity()).into(),
            (100.0 * tally.positive_predictivity()).into(),
            (100.0 * tally.f1()).into(),
        ]
    };
    for (record, outcome, tally) in lines {
        table.push(Kind::Record, *record, row(tally, &outcome.lead, &outcome.annotator));
    }
    for (name, members) in grouped(lines, |line| line.0) {
        table.push(Kind::Gross, name, row(&gross(members), "", ""));
    }
    let average = |of: fn(&Tally) -> f64| Cell::from(100.0 * mean(each(lines, of)));
    let none = || Cell::from("");
    let (se, ppv, f1) = (average(Tally::sensitivity), average(Tally::positive_predictivity), average(Tally::f1));
    table.push(Kind::Average, "average", [none(), none(), none(), none(), none(), none(), se, ppv, f1]);
    table
}

fn timing(lines: &[Line<'_>], judged: &[Judged<Outcome>]) -> Table {
    let columns = [BIAS, JITTER, EMISSION_P50, EMISSION_P99, SPEED];
    let mut table = Table::new("timing", "Timing and speed", &columns);
    for (record, outcome, tally) in lines {
        let lag = |share| Cell::from(quantile(&outcome.lags_ms, share));
        let speed = Cell::from(outcome.signal_s / outcome.cpu_s);
        let row = [tally.bias_ms().into(), tally.offset_deviation_ms().into(), lag(0.5), lag(0.99), speed];
        table.push(Kind::Record, *record, row);
    }
    let lags = all_lags(judged);
    let row = [
        median(&each(lines, Tally::bias_ms)).into(),
        median(&each(lines, Tally::offset_deviation_ms)).into(),
        quantile(&lags, 0.5).into(),
        quantile(&lags, 0.99).into(),
        speed(judged).value.into(),
    ];
    table.push(Kind::Gross, "median of records; emission and speed of all", row);
    table
}

fn all_lags(judged: &[Judged<Outcome>]) -> Vec<f64> {
    judged.iter().flat_map(|j| j.outcome.lags_ms.iter().copied()).collect()
}

fn speed(judged: &[Judged<Outcome>]) -> Figure {
    let (signal, cpu) = judged.iter().fold((0.0, 0.0), |(s, c), j| (s + j.outcome.signal_s, c + j.outcome.cpu_s));
    SPEED.of(signal / cpu)
}

/// Histogram of detected minus annotated, a bar a 5 ms.
fn offsets(total: &Tally) -> Chart {
    const WIDTH: f64 = 5.0;
    let offsets = total.offsets_ms();
    let bars = (-30..30).map(|n| {
        let from = f64::from(n) * WIDTH;
        let inside = offsets.iter().filter(|o| (from..from + WIDTH).contains(*o)).count();
        (from, 100.0 * inside as f64 / offsets.len().max(1) as f64)
    });
    Chart::new("Detected minus annotated R peak", "offset [ms]", "share of beats [%]")
        .with(Mark::Bars { bars: bars.collect(), width: WIDTH })
}

/// Share of the beats that have come out, over time.
fn emission(lags: &[f64]) -> Chart {
    const LONGEST_MS: f64 = 300.0;
    let mut sorted = lags.to_vec();
    sorted.sort_by(f64::total_cmp);
    let share = |ms: f64| 100.0 * sorted.partition_point(|lag| *lag <= ms) as f64 / sorted.len().max(1) as f64;
    let points = (0..=100).map(|n| f64::from(n) / 100.0 * LONGEST_MS).map(|ms| (ms, share(ms))).collect();
    Chart::new("Emission after the R peak", "stream time after the R peak [ms]", "beats emitted [%]")
        .with(Mark::Line { name: "beats".to_owned(), points })
        .within((0.0, LONGEST_MS), (0.0, 100.0))
}

/// The stretches with most errors, in the order of the records.
fn strips(judged: &[Judged<Outcome>]) -> Vec<Strip> {
    let all = || judged.iter().flat_map(|j| &j.outcome.strips);
    let mut counts: Vec<usize> = all().map(|(errors, _)| *errors).collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let fewest = counts.get(MOST_STRIPS).map_or(0, |errors| errors + 1);
    let kept = all().filter(|(errors, _)| *errors >= fewest.max(1)).take(MOST_STRIPS);
    kept.map(|(_, strip)| strip.clone()).collect()
}
