//! Oxygen saturation of a finger on a phone's camera.

use std::num::NonZeroU32;

use afferent_metrics::spo2::camera::{self, Calibration, CameraOximeter, HOP_S, USUAL_START_PERCENT};

use super::super::folder::Sheet;
use super::super::read::columns::Columns;
use super::super::read::waves::beside;
use super::super::report::{Algorithm, Cell, Findings, Kind, Table, measure};
use super::super::statistics::{mean, mean_absolute, quantile, root_mean_square};
use super::super::task::{Context, Found, Judged, Task, groups};
use super::figures::{BIAS, MEAN_ABSOLUTE_ERROR, ROOT_MEAN_SQUARE, bland_altman};

/// Frames of a camera against pulse oximeters.
pub(super) struct CameraSaturationTask;

/// A table of frames and the oximeters' readings beside it, by their places in the folder's list.
pub(super) struct Case {
    frames: usize,
    readings: usize,
}

/// Saturations found and shown by the oximeters, in percent.
pub(super) struct Outcome {
    pairs: Vec<(f64, f64)>,
    lost: bool,
}

/// What oximeters show; less is a sensor that is off.
const SHOWN_PERCENT: std::ops::RangeInclusive<f64> = 30.0..=100.0;
/// Oximeters that must agree on there being a reading.
const LEAST_SHOWN: usize = 2;

impl Task for CameraSaturationTask {
    type Case = Case;
    type Outcome = Outcome;
    const NAME: &'static str = "camera-saturation";
    const TITLE: &'static str = "Oxygen saturation from a camera";
    const ABOUT: &'static str = "Saturation every ten seconds from the red and green light of a finger on a phone's camera, \
        the first minute taken as 97.5 %, against the median of the pulse oximeters worn with it. The stored calibration \
        was fitted on the development half of Hoffman et al. 2022.";
    const ALGORITHMS: &'static [Algorithm] = &[Algorithm { id: "saturation (camera)", version: camera::VERSION }];

    fn recognise(context: &Context<'_>) -> Vec<Found<Case>> {
        let folder = context.folder;
        let is_frames = |s: &Sheet| s.first.iter().map(|cell| cell.to_lowercase()).eq(["r", "g", "b"]);
        let is_readings = |s: &Sheet| s.first.iter().any(|cell| cell.to_lowercase().starts_with("spo2 "));
        let found = |(frames, sheet): (usize, &Sheet)| {
            let other = beside(folder, sheet, is_readings)?;
            let readings = folder.tables.iter().position(|s| s.path == other.path)?;
            let files = vec![sheet.path.clone(), other.path.clone()];
            Some(Found { record: sheet.name.clone(), files, case: Case { frames, readings } })
        };
        folder.tables.iter().enumerate().filter(|(_, s)| is_frames(s)).filter_map(found).collect()
    }

    fn run(context: &Context<'_>, case: &Case) -> Result<Outcome, String> {
        let folder = context.folder;
        let sheet = |at: usize| folder.tables.get(at).ok_or("is gone");
        let frames = Columns::read(folder, sheet(case.frames)?)?;
        let shown = shown(&Columns::read(folder, sheet(case.readings)?)?);
        let [red, green, _] = frames.values.as_slice() else { return Err("has not three colours".to_owned()) };
        // A reading a second, and frames without times: what is left is how many frames there are for each reading.
        let rate = (red.len() as f64 / shown.len().max(1) as f64).round() as u32;
        let rate = NonZeroU32::new(rate).ok_or("has fewer frames than readings")?;
        let colours: Vec<[f32; 2]> = red.iter().zip(green).map(|(r, g)| [*r as f32, *g as f32]).collect();
        let (mut oximeter, mut found) =
            (CameraOximeter::new(rate, Calibration::HOFFMAN_2022, USUAL_START_PERCENT), Vec::new());
        oximeter.push(&colours, &mut found);
        let pair = |one: &camera::CameraSaturation| {
            let second = (one.sample / u64::from(rate.get())) as usize;
            let truth: Vec<f64> = shown.get(second.checked_sub(HOP_S)?..second)?.iter().flatten().copied().collect();
            (!truth.is_empty()).then(|| (one.percent, quantile(&truth, 0.5)))
        };
        Ok(Outcome { pairs: found.iter().filter_map(pair).collect(), lost: oximeter.is_lost() })
    }

    fn report(judged: &[Judged<Outcome>]) -> Findings {
        let pairs: Vec<(f64, f64)> = judged.iter().flat_map(|j| j.outcome.pairs.iter().copied()).collect();
        let errors: Vec<f64> = pairs.iter().map(|(found, truth)| found - truth).collect();
        let summary = vec![
            measure("mae", "MAE", "%", 2).of(mean_absolute(&errors)),
            measure("windows", "readings", "", 0).of(errors.len() as f64),
        ];
        let charts = vec![bland_altman("Oxygen saturation from a camera", "saturation", "%", &pairs)];
        Findings { summary, tables: vec![table(judged)], charts, ..Findings::default() }
    }
}

/// The median of the oximeters, second by second.
fn shown(columns: &Columns) -> Vec<Option<f64>> {
    let of_oximeter = |(name, _): &(&String, &Vec<f64>)| name.to_lowercase().starts_with("spo2 ");
    let oximeters: Vec<&Vec<f64>> =
        columns.names.iter().zip(&columns.values).filter(of_oximeter).map(|c| c.1).collect();
    let rows = columns.values.first().map_or(0, Vec::len);
    let at = |row: usize| {
        let values = oximeters.iter().filter_map(|values| values.get(row).copied());
        let values: Vec<f64> = values.filter(|v| SHOWN_PERCENT.contains(v)).collect();
        (values.len() >= LEAST_SHOWN).then(|| quantile(&values, 0.5))
    };
    (0..rows).map(at).collect()
}

fn table(judged: &[Judged<Outcome>]) -> Table {
    let columns = [
        measure("windows", "readings", "", 0),
        BIAS,
        MEAN_ABSOLUTE_ERROR,
        ROOT_MEAN_SQUARE,
        measure("lost", "light lost", "", 0),
    ];
    let mut table = Table::new("saturation", "Readings of ten seconds", &columns);
    let row = |pairs: &[(f64, f64)], lost: &str| -> [Cell; 5] {
        let errors: Vec<f64> = pairs.iter().map(|(found, truth)| found - truth).collect();
        let bias = mean(errors.iter().copied());
        [
            (errors.len() as f64).into(),
            bias.into(),
            mean_absolute(&errors).into(),
            root_mean_square(&errors).into(),
            lost.into(),
        ]
    };
    for Judged { record, outcome } in judged {
        table.push(Kind::Record, record, row(&outcome.pairs, if outcome.lost { "yes" } else { "" }));
    }
    for (name, members) in groups(judged) {
        let pairs: Vec<(f64, f64)> = members.iter().flat_map(|j| j.outcome.pairs.iter().copied()).collect();
        table.push(Kind::Gross, name, row(&pairs, ""));
    }
    table
}
