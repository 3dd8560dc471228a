//! Fits the camera's calibration and scores it, each subject by what was fitted on the others.
//!
//! `cargo run --release -p afferent-metrics --example spo2_score -- FOLDER` with `phonecam_spo2/` inside. Reference is
//! the median of the pulse oximeters over the last 10 s. Beside it stand the errors of always saying the others' mean,
//! and of a straight line over time from the same start: the recordings all go down slowly and up at the end.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a command line report")]

#[path = "support/mod.rs"]
mod support;

use std::num::NonZeroU32;

use afferent_metrics::spo2::camera::{Calibration, CameraOximeter, CameraSaturation, USUAL_START_PERCENT};
use support::{Phonecam, mean_abs};

const RATE: NonZeroU32 = NonZeroU32::new(30).unwrap();

/// One saturation's inputs: changes of the log light, time in minutes, and the truth.
struct Point {
    changes: [f64; 2],
    minutes: f64,
    quality: f64,
    truth: f64,
}

fn saturations(record: &Phonecam, calibration: Calibration, start: f64) -> Vec<CameraSaturation> {
    let frames: Vec<[f32; 2]> = record.channels[0].iter().zip(&record.channels[1]).map(|(r, g)| [*r, *g]).collect();
    let (mut oximeter, mut found) = (CameraOximeter::new(RATE, calibration, start), Vec::new());
    oximeter.push(&frames, &mut found);
    if oximeter.is_lost() {
        println!("{}: light lost", record.name);
    }
    found
}

/// A calibration of one unit per colour shows the change of that colour.
fn points(record: &Phonecam) -> Vec<Point> {
    let change = |red, green| saturations(record, Calibration { red, green }, 80.0);
    let (red, green) = (change(1.0, 0.0), change(0.0, 1.0));
    let point = |(red, green): (&CameraSaturation, &CameraSaturation)| {
        let second = (red.sample / 30) as usize;
        let mut shown: Vec<f64> = record.saturation.get(second - 10..second)?.iter().flatten().copied().collect();
        shown.sort_by(f64::total_cmp);
        let truth = *shown.get(shown.len() / 2)?;
        Some(Point {
            changes: [red.percent - 80.0, green.percent - 80.0],
            minutes: second as f64 / 60.0,
            quality: red.quality,
            truth,
        })
    };
    red.iter().zip(&green).filter_map(point).collect()
}

/// Least squares through the start.
fn fit<'a>(points: impl Iterator<Item = &'a Point>) -> Calibration {
    let (mut rr, mut gg, mut rg, mut ry, mut gy) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for Point { changes: [red, green], truth, .. } in points {
        let fall = truth - USUAL_START_PERCENT;
        rr += red * red;
        gg += green * green;
        rg += red * green;
        ry += red * fall;
        gy += green * fall;
    }
    let determinant = rr * gg - rg * rg;
    Calibration { red: (ry * gg - gy * rg) / determinant, green: (gy * rr - ry * rg) / determinant }
}

fn main() {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "../shared/signals/dev".into());
    let records = support::phonecam(&folder);
    let all: Vec<Vec<Point>> = records.iter().map(points).collect();
    let subject = |nth: usize| &records[nth].name[..6];
    let (mut errors, mut fixed, mut means, mut lines) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    println!("recording        red  green    MAE   bias  quality");
    for (nth, own) in all.iter().enumerate() {
        let others = || (0..all.len()).filter(|&other| subject(other) != subject(nth)).flat_map(|other| &all[other]);
        let calibration = fit(others());
        let error = |calibration: Calibration| {
            own.iter().map(move |point| {
                let change = calibration.red * point.changes[0] + calibration.green * point.changes[1];
                (USUAL_START_PERCENT + change).min(100.0) - point.truth
            })
        };
        let left_out: Vec<f64> = error(calibration).collect();
        let count = others().count() as f64;
        let mean = others().map(|point| point.truth).sum::<f64>() / count;
        let slope = others().map(|point| (point.truth - USUAL_START_PERCENT) * point.minutes).sum::<f64>()
            / others().map(|point| point.minutes * point.minutes).sum::<f64>();
        println!(
            "{:>12} {:7.1} {:6.1} {:6.2} {:6.2} {:6.2}",
            records[nth].name,
            calibration.red,
            calibration.green,
            mean_abs(&left_out),
            left_out.iter().sum::<f64>() / left_out.len() as f64,
            own.iter().map(|point| point.quality).sum::<f64>() / own.len() as f64
        );
        errors.extend(left_out);
        fixed.extend(error(Calibration::HOFFMAN_2022));
        means.extend(own.iter().map(|point| mean - point.truth));
        lines.extend(own.iter().map(|point| USUAL_START_PERCENT + slope * point.minutes - point.truth));
    }
    let fitted = fit(all.iter().flatten());
    println!("fitted on all: red {:.1}, green {:.1}", fitted.red, fitted.green);
    println!("leave one subject out: MAE {:.2} of {}", mean_abs(&errors), errors.len());
    println!("stored calibration:    MAE {:.2}", mean_abs(&fixed));
    println!("the others' mean:      MAE {:.2}", mean_abs(&means));
    println!("a line over time:      MAE {:.2}", mean_abs(&lines));
}
