//! Charts and columns that several tasks draw.

use super::super::report::{Chart, Mark, Measure, measure};
use super::super::statistics::{Scores, deviation, mean};

/// Points of a curve that are drawn: more cannot be told apart.
const MOST_POINTS: usize = 400;

pub(super) const MEAN_ABSOLUTE_ERROR: Measure = measure("mae", "MAE", "/min", 2);
pub(super) const ROOT_MEAN_SQUARE: Measure = measure("rmse", "RMSE", "/min", 2);
pub(super) const BIAS: Measure = measure("bias", "bias", "/min", 2);

/// A receiver operating characteristic in percent.
pub(super) fn roc(name: &str, scores: &Scores) -> Mark {
    let curve = scores.curve();
    let every = curve.len().div_ceil(MOST_POINTS).max(1);
    let last = curve.len().saturating_sub(1);
    let kept = curve.iter().enumerate().filter(|(index, _)| index % every == 0 || *index == last);
    let points = kept.map(|(_, (alarms, hits))| (100.0 * alarms, 100.0 * hits)).collect();
    Mark::Line { name: format!("{name}, AUC {:.4}", scores.area()), points }
}

/// Differences over means with bias and limits of agreement (Bland and Altman 1986, doi:10.1016/S0140-6736(86)90837-8).
/// `pairs` are (found, reference).
pub(super) fn bland_altman(title: &str, what: &str, unit: &str, pairs: &[(f64, f64)]) -> Chart {
    let points: Vec<(f64, f64)> =
        pairs.iter().map(|(found, truth)| (f64::midpoint(*found, *truth), found - truth)).collect();
    let differences: Vec<f64> = points.iter().map(|p| p.1).collect();
    let bias = mean(differences.iter().copied());
    let reach = 1.96 * deviation(&differences);
    let level = |at: f64, name: &str| Mark::Level { at, name: format!("{name} {at:.2}") };
    Chart::new(title, format!("mean of found and reference {what} [{unit}]"), format!("found - reference [{unit}]"))
        .with(Mark::Dots { name: what.to_owned(), points })
        .with(level(bias, "bias"))
        .with(level(bias + reach, "+1.96 SD"))
        .with(level(bias - reach, "-1.96 SD"))
}
