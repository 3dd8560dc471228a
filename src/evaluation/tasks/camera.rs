//! Pulse rate of a finger on a phone's camera.

use std::path::PathBuf;

use afferent_dsp::ppg;
use afferent_metrics::pulse_rate::{self, PulseRate, pulse_rate};

use super::super::folder::{Folder, Sheet};
use super::super::read::columns::{Columns, evenly};
use super::super::read::ecg::Lead;
use super::super::read::waves::{beside, stem};
use super::super::report::{Algorithm, Cell, Findings, Kind, Table, measure};
use super::super::statistics::{mean, mean_absolute, root_mean_square};
use super::super::task::{Context, Found, Judged, Task, groups};
use super::detect::pulses;
use super::figures::{BIAS, MEAN_ABSOLUTE_ERROR, ROOT_MEAN_SQUARE, bland_altman};

/// Frames of a camera against RR intervals.
pub(super) struct Camera;

/// A table of frames and the intervals beside it, by their places in the folder's list.
pub(super) struct Case {
    frames: usize,
    intervals: PathBuf,
}

/// One recording, judged; rates in /min.
pub(super) struct Outcome {
    reference: f64,
    found: Option<PulseRate>,
    channel: &'static str,
}

/// Frames come when they come; they are put on an even grid of this rate.
const RATE_HZ: f64 = 30.0;
const CHANNELS: [&str; 3] = ["r", "g", "b"];
/// Lengths of an RR interval in ms: what a file of other numbers does not hold.
const INTERVALS_MS: std::ops::Range<f64> = 200.0..3000.0;

impl Task for Camera {
    type Case = Case;
    type Outcome = Outcome;
    const NAME: &'static str = "camera";
    const TITLE: &'static str = "Pulse rate from a camera";
    const ABOUT: &'static str = "Pulse rate over a whole recording of a finger on a phone's camera, from the colour whose \
        pulses look most alike, against the mean of the RR intervals a chest strap recorded with it.";
    const ALGORITHMS: &'static [Algorithm] = &[
        Algorithm { id: "pulses (ppg)", version: ppg::VERSION },
        Algorithm { id: "pulse rate", version: pulse_rate::VERSION },
    ];

    fn recognise(context: &Context<'_>) -> Vec<Found<Case>> {
        let folder = context.folder;
        let is_frames = |s: &Sheet| {
            let first = s.first.first().is_some_and(|cell| cell.to_lowercase().starts_with("time"));
            first && CHANNELS.iter().all(|c| s.column(|name| name == *c).is_some())
        };
        let found = |(at, sheet): (usize, &Sheet)| {
            let intervals = beside(folder, sheet, |other| intervals_ms(folder, other).is_some())?.path.clone();
            let files = vec![sheet.path.clone(), intervals.clone()];
            Some(Found { record: stem(sheet).to_owned(), files, case: Case { frames: at, intervals } })
        };
        folder.tables.iter().enumerate().filter(|(_, s)| is_frames(s)).filter_map(found).collect()
    }

    fn run(context: &Context<'_>, case: &Case) -> Result<Outcome, String> {
        let folder = context.folder;
        let sheet = folder.tables.get(case.frames).ok_or("is gone")?;
        let beside = folder.tables.iter().find(|s| s.path == case.intervals).ok_or("is gone")?;
        let intervals = intervals_ms(folder, beside).ok_or("has no RR intervals")?;
        let columns = Columns::read(folder, sheet)?;
        let time_s = seconds(&columns)?;
        let mut best: Option<(PulseRate, &'static str)> = None;
        for channel in CHANNELS {
            let Some(values) = columns.find(|name| name == channel) else { continue };
            let samples = evenly(&time_s, values, RATE_HZ);
            let wave = Lead { name: channel.to_uppercase(), rate_hz: RATE_HZ, samples };
            let Some(rate) = pulse_rate(&pulses(&wave)?, RATE_HZ) else { continue };
            if best.is_none_or(|(so_far, _)| rate.quality > so_far.quality) {
                best = Some((rate, channel));
            }
        }
        let reference = 60_000.0 / mean(intervals);
        Ok(Outcome { reference, found: best.map(|b| b.0), channel: best.map_or("", |b| b.1) })
    }

    fn report(judged: &[Judged<Outcome>]) -> Findings {
        let all = errors(judged.iter());
        let pairs: Vec<(f64, f64)> = judged.iter().filter_map(|j| j.outcome.pair()).collect();
        let summary = vec![
            measure("mae", "MAE", "/min", 2).of(mean_absolute(&all)),
            measure("answered", "recordings with a rate", "%", 0).of(100.0 * all.len() as f64 / judged.len() as f64),
        ];
        let charts = vec![bland_altman("Pulse rate from a camera", "pulse rate", "/min", &pairs)];
        Findings { summary, tables: vec![table(judged)], charts, ..Findings::default() }
    }
}

impl Outcome {
    fn pair(&self) -> Option<(f64, f64)> {
        self.found.map(|rate| (rate.per_minute, self.reference))
    }
}

fn errors<'a>(judged: impl Iterator<Item = &'a Judged<Outcome>>) -> Vec<f64> {
    judged.filter_map(|j| j.outcome.pair()).map(|(found, reference)| found - reference).collect()
}

/// The numbers of a file that holds nothing but intervals.
fn intervals_ms(folder: &Folder, sheet: &Sheet) -> Option<Vec<f64>> {
    let text = folder.text(&sheet.path).ok()?;
    let numbers: Vec<f64> = text
        .split([' ', ',', ';', '\t', '\n', '\r'])
        .filter(|w| !w.is_empty())
        .map(str::parse)
        .collect::<Result<_, _>>()
        .ok()?;
    (numbers.len() > 5 && numbers.iter().all(|ms| INTERVALS_MS.contains(ms))).then_some(numbers)
}

/// Times of the frames: seconds, or milliseconds where they would be too slow for a camera.
fn seconds(columns: &Columns) -> Result<Vec<f64>, String> {
    let per_row = columns.rate_hz()?;
    let times = columns.values.first().ok_or("has no times")?;
    let scale = if per_row < 1.0 { 0.001 } else { 1.0 };
    Ok(times.iter().map(|t| t * scale).collect())
}

fn table(judged: &[Judged<Outcome>]) -> Table {
    let columns = [
        measure("reference", "reference", "/min", 2),
        measure("found", "found", "/min", 2),
        measure("channel", "colour", "", 0),
        measure("quality", "quality", "", 2),
        BIAS,
        MEAN_ABSOLUTE_ERROR,
        ROOT_MEAN_SQUARE,
    ];
    let mut table = Table::new("camera", "Whole recordings", &columns);
    for Judged { record, outcome } in judged {
        let error = outcome.pair().map(|(found, reference)| found - reference);
        let (found, quality) = (outcome.found.map(|r| r.per_minute), outcome.found.map(|r| r.quality));
        let channel = outcome.channel.to_uppercase();
        let row: [Cell; 7] = [
            outcome.reference.into(),
            found.into(),
            channel.as_str().into(),
            quality.into(),
            error.into(),
            error.map(f64::abs).into(),
            error.map(f64::abs).into(),
        ];
        table.push(Kind::Record, record, row);
    }
    for (name, members) in groups(judged) {
        let errors = errors(members.into_iter());
        let none = || Cell::from("");
        let (bias, absolute) = (mean(errors.iter().copied()).into(), mean_absolute(&errors).into());
        let square = root_mean_square(&errors).into();
        table.push(Kind::Gross, name, [none(), none(), none(), none(), bias, absolute, square]);
    }
    table
}
