//! Tables and charts of pulses.

use afferent_dsp::evaluate::Tally;

use super::super::super::matching::Matched;
use super::super::super::read::ecg::Lead;
use super::super::super::report::{Cell, Findings, Kind, Strip, Table, measure};
use super::super::super::statistics::{mean, mean_absolute, median, root_mean_square};
use super::super::super::task::{Judged, groups};
use super::super::figures::{BIAS, MEAN_ABSOLUTE_ERROR, ROOT_MEAN_SQUARE, bland_altman};
use super::{Outcome, Rate};

/// Quality below which a rate is marked as doubtful, in the server as here.
const GOOD: f64 = 0.7;
/// Seconds of signal shown around errors.
const STRIP_S: f64 = 10.0;

pub(super) fn findings(judged: &[Judged<Outcome>]) -> Findings {
    let total = tally(judged.iter());
    let all: Vec<Rate> = judged.iter().flat_map(|j| j.outcome.rates.iter().copied()).collect();
    let windows: usize = judged.iter().map(|j| j.outcome.windows).sum();
    let summary = vec![
        measure("f1", "pulses: F1", "%", 2).of(100.0 * total.f1()),
        measure("rate_mae", "pulse rate, 30 s: MAE", "/min", 2).of(mean_absolute(&errors(&all))),
        measure("rate_answered", "windows with a rate", "%", 1).of(share(all.len(), windows)),
        measure("rate_mae_good", "MAE at quality from 0.7", "/min", 2).of(mean_absolute(&errors(&good(&all)))),
        measure("rate_kept", "windows of that quality", "%", 1).of(share(good(&all).len(), windows)),
    ];
    let pairs: Vec<(f64, f64)> = all.iter().map(|r| (r.found, r.reference)).collect();
    Findings {
        summary,
        tables: vec![beats(judged), rates(judged)],
        charts: vec![bland_altman("Pulse rate, 30 s windows", "pulse rate", "/min", &pairs)],
        strips: judged.iter().filter_map(|j| j.outcome.strip.clone()).collect(),
        notes: Vec::new(),
    }
}

fn tally<'a>(judged: impl Iterator<Item = &'a Judged<Outcome>>) -> Tally {
    let mut total = Tally::default();
    judged.for_each(|j| total.add(&j.outcome.tally));
    total
}

fn errors(rates: &[Rate]) -> Vec<f64> {
    rates.iter().map(|r| r.found - r.reference).collect()
}

fn good(rates: &[Rate]) -> Vec<Rate> {
    rates.iter().copied().filter(|r| r.quality >= GOOD).collect()
}

fn share(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole as f64
}

fn beats(judged: &[Judged<Outcome>]) -> Table {
    let columns = [
        measure("lead", "ECG", "", 0),
        measure("beats", "beats", "", 0),
        measure("missed", "missed", "", 0),
        measure("extra", "extra", "", 0),
        measure("sensitivity", "Se", "%", 2),
        measure("positive_predictivity", "PPV", "%", 2),
        measure("f1", "F1", "%", 2),
        measure("delay", "delay", "ms", 0),
        measure("delay_spread", "its SD", "ms", 1),
    ];
    let row = |tally: &Tally, lead: &str, delay_s: f64| -> [Cell; 9] {
        [
            lead.into(),
            (tally.true_positive + tally.false_negative).into(),
            tally.false_negative.into(),
            tally.false_positive.into(),
            (100.0 * tally.sensitivity()).into(),
            (100.0 * tally.positive_predictivity()).into(),
            (100.0 * tally.f1()).into(),
            (1000.0 * delay_s).into(),
            tally.offset_deviation_ms().into(),
        ]
    };
    let mut table = Table::new("pulses", "Pulses", &columns);
    for Judged { record, outcome } in judged {
        table.push(Kind::Record, record, row(&outcome.tally, &outcome.lead, outcome.delay_s));
    }
    for (name, members) in groups(judged) {
        let delays: Vec<f64> = members.iter().map(|j| j.outcome.delay_s).collect();
        table.push(Kind::Gross, name, row(&tally(members.iter().copied()), "", median(&delays)));
    }
    table
}

fn rates(judged: &[Judged<Outcome>]) -> Table {
    let columns = [
        measure("windows", "windows", "", 0),
        measure("answered", "with a rate", "%", 1),
        MEAN_ABSOLUTE_ERROR,
        ROOT_MEAN_SQUARE,
        BIAS,
        measure("kept", "quality from 0.7", "%", 1),
        measure("mae_good", "MAE of these", "/min", 2),
    ];
    let row = |rates: &[Rate], windows: usize| -> [Cell; 7] {
        let (errors, good) = (errors(rates), good(rates));
        [
            windows.into(),
            share(rates.len(), windows).into(),
            mean_absolute(&errors).into(),
            root_mean_square(&errors).into(),
            mean(errors.iter().copied()).into(),
            share(good.len(), windows).into(),
            mean_absolute(&self::errors(&good)).into(),
        ]
    };
    let mut table = Table::new("pulse_rate", "Pulse rate, 30 s windows", &columns);
    for Judged { record, outcome } in judged {
        table.push(Kind::Record, record, row(&outcome.rates, outcome.windows));
    }
    for (name, members) in groups(judged) {
        let rates: Vec<Rate> = members.iter().flat_map(|j| j.outcome.rates.iter().copied()).collect();
        table.push(Kind::Gross, name, row(&rates, members.iter().map(|j| j.outcome.windows).sum()));
    }
    table
}

/// The ten seconds around the first error; beats are drawn where their pulse should be.
pub(super) fn strip(record: &str, wave: &Lead, beats_s: &[f64], pulses_s: &[f64], matched: &Matched) -> Option<Strip> {
    let tally = &matched.tally;
    let first = tally.missed_at.iter().chain(&tally.extra_at).copied().reduce(f64::min)?;
    let from_s = (first - STRIP_S / 2.0).max(0.0);
    let from = (from_s * wave.rate_hz) as usize;
    let samples = wave.samples.iter().skip(from).take((STRIP_S * wave.rate_hz) as usize).copied().collect();
    let inside = |at: &f64| (from_s..from_s + STRIP_S).contains(at);
    let beats = beats_s.iter().map(|b| (b + matched.delay_s, !tally.missed_at.contains(b)));
    let pulses = pulses_s.iter().map(|p| (*p, !tally.extra_at.contains(&(p - matched.delay_s))));
    Some(Strip {
        title: format!("{record}, {}: the first error of {}", wave.name, tally.errors()),
        unit: wave.name.clone(),
        from_s,
        rate_hz: wave.rate_hz,
        samples,
        reference: beats.filter(|(at, _)| inside(at)).collect(),
        detected: pulses.filter(|(at, _)| inside(at)).collect(),
    })
}
