//! The streaming detector of fibrillation: per beat, on the fibrillation and arrhythmia databases.

use super::AnyError;
use super::records::{self, Rhythm};
use super::regression::{Fit, Observation, Ranking, balance, fit};
use afferent_dsp::ecg::{BeatDetector, DetectedBeat};
use afferent_dsp::evaluate::MATCH_WINDOW_S;
use afferent_metrics::atrial_fibrillation::{Detector, WINDOW, Weights, features};
use afferent_metrics::rr::{Kind, RrInterval, intervals};
use std::path::Path;

/// Records 201 and 202 are of one patient.
fn patient(name: &str) -> &str {
    if name == "202" { "201" } else { name }
}

struct Source {
    records: Vec<Rhythm>,
    observations: Vec<Observation>,
    /// The record each observation is of.
    of: Vec<usize>,
}

impl Source {
    fn new(records: Vec<Rhythm>) -> Self {
        let (mut observations, mut of) = (Vec::new(), Vec::new());
        for (nth, record) in records.iter().enumerate() {
            for (window, labels) in lengths(record).windows(WINDOW).zip(record.fibrillation[1..].windows(WINDOW)) {
                let Some(features) = features(window) else { continue };
                let positive = labels[WINDOW / 2];
                observations.push(Observation { features: features.to_vec(), positive, weight: 0.0 });
                of.push(nth);
            }
        }
        balance(&mut observations);
        Self { records, observations, of }
    }

    fn without<'a>(&'a self, left_out: &'a str) -> impl Iterator<Item = &'a Observation> {
        let kept = move |pair: &(&Observation, &usize)| patient(&self.records[*pair.1].name) != left_out;
        self.observations.iter().zip(&self.of).filter(kept).map(|pair| pair.0)
    }
}

fn lengths(record: &Rhythm) -> Vec<f64> {
    record.beats_s.windows(2).map(|pair| (pair[1] - pair[0]).clamp(0.2, 3.0)).collect()
}

/// Log odds (before the threshold) of every reference interval, with its truth.
fn judge(record: &Rhythm, weights: Weights) -> Vec<(f64, bool)> {
    let interval = |pair: &[f64]| RrInterval {
        time_s: pair[1],
        ms: (pair[1] - pair[0]) * 1000.0,
        kind: Kind::Normal,
        after_gap: false,
    };
    let series: Vec<RrInterval> = record.beats_s.windows(2).map(interval).collect();
    run(&series, weights).into_iter().map(|scored| scored.1).zip(record.fibrillation[1..].iter().copied()).collect()
}

/// Time and log odds of each judged interval.
fn run(series: &[RrInterval], weights: Weights) -> Vec<(f64, f64)> {
    let (mut detector, mut scores) = (Detector::with_weights(weights), Vec::new());
    series.iter().for_each(|interval| detector.push(interval, &mut scores));
    detector.finish(&mut scores);
    let log_odds = |p: f64| (p / (1.0 - p)).ln() + weights.threshold;
    scores.iter().map(|score| (score.time_s, log_odds(score.probability))).collect()
}

/// As [`judge`], with the beats our detector finds in the signal; a beat takes the truth of the nearest reference beat
/// and does not count if none is near.
fn judge_detected(folder: &Path, record: &Rhythm, weights: Weights) -> Result<Vec<(f64, bool)>, AnyError> {
    let (signal, rate_hz) = records::first_signal(folder, &record.name)?;
    let mut detector = BeatDetector::new(rate_hz)?;
    let mut beats: Vec<DetectedBeat> = Vec::new();
    detector.push(&signal, &mut beats);
    detector.finish(&mut beats);
    let truth = |time_s: f64| {
        let after = record.beats_s.partition_point(|&beat| beat < time_s);
        let near = |&at: &usize| record.beats_s.get(at).is_some_and(|beat| (beat - time_s).abs() <= MATCH_WINDOW_S);
        [after, after.wrapping_sub(1)].into_iter().find(near).map(|at| record.fibrillation[at])
    };
    let judged = run(&intervals(&beats, rate_hz), weights);
    Ok(judged.into_iter().filter_map(|(time_s, log_odds)| Some((log_odds, truth(time_s)?))).collect())
}

fn weights(fit: &Fit, threshold: f64) -> Weights {
    Weights { bias: fit.bias, entropy: fit.coefficients[0], interval: fit.coefficients[1], threshold }
}

pub(crate) fn report(folder: &Path) -> Result<(), AnyError> {
    let arrhythmia_folder = folder.join("mitdb");
    let mut long = records::fibrillation_database(&folder.join("afdb_rr"))?;
    let fibrillating = long.len();
    long.extend(records::annotated(&folder.join("nsr2db"), "ecg", 128.0)?);
    let (long, short) = (Source::new(long), Source::new(records::annotated(&arrhythmia_folder, "atr", 360.0)?));

    let fit_without = |left_out: &str| {
        let observations: Vec<&Observation> = long.without(left_out).chain(short.without(left_out)).collect();
        weights(&fit(&observations), 0.0)
    };
    let all = fit_without("");
    let left_out = |source: &Source| -> Vec<Weights> {
        source.records.iter().map(|record| fit_without(patient(&record.name))).collect()
    };
    let (long_without, short_without) = (left_out(&long), left_out(&short));
    let pool = |records: &[Rhythm], weights: &dyn Fn(usize) -> Weights| {
        Ranking::new(records.iter().enumerate().flat_map(|(i, record)| judge(record, weights(i))).collect())
    };
    let afdb = &long.records[..fibrillating];
    let unseen = pool(afdb, &|i| long_without[i]);
    let threshold = unseen.even();
    println!(
        "Weights {{ bias: {:.3}, entropy: {:.3}, interval: {:.3}, threshold: {threshold:.3} }}",
        all.bias, all.entropy, all.interval
    );
    println!("AFDB per beat, at the threshold and at Se 97.8 %");
    print("all records fitted", &pool(afdb, &|_| all), threshold, 97.8);
    print("record left out", &unseen, threshold, 97.8);
    println!("MIT-BIH per beat (fibrillation and flutter), at the threshold and at Se 98 %");
    print("all records fitted", &pool(&short.records, &|_| all), threshold, 98.0);
    print("patient left out", &pool(&short.records, &|i| short_without[i]), threshold, 98.0);
    let detected = |weights: &dyn Fn(usize) -> Weights| -> Result<Ranking, AnyError> {
        let each =
            short.records.iter().enumerate().map(|(i, record)| judge_detected(&arrhythmia_folder, record, weights(i)));
        Ok(Ranking::new(each.collect::<Result<Vec<_>, _>>()?.concat()))
    };
    print("own beats, all fitted", &detected(&|_| all)?, threshold, 98.0);
    print("own beats, left out", &detected(&|i| short_without[i])?, threshold, 98.0);
    let normal = pool(&long.records[fibrillating..], &|i| long_without[fibrillating + i]);
    println!("Normal sinus rhythm, left out: Sp {:.2}", normal.at(threshold).1);
    for (record, weights) in long.records.iter().zip(&long_without).chain(short.records.iter().zip(&short_without)) {
        let judged = judge(record, *weights);
        let wrong = |class: bool| judged.iter().filter(|j| j.1 == class && (j.0 > threshold) != class).count();
        println!(
            "  {:6} {:6} beats, left out: {:4} missed, {:4} false",
            record.name,
            judged.len(),
            wrong(true),
            wrong(false)
        );
    }
    Ok(())
}

fn print(name: &str, ranking: &Ranking, threshold: f64, sensitivity: f64) {
    let (at, fixed) = (ranking.at(threshold), ranking.at(ranking.threshold_of(sensitivity)));
    println!(
        "  {name:24} Se {:.2} Sp {:.2} | Se {:.2} Sp {:.2} | AUC {:.4}",
        at.0,
        at.1,
        fixed.0,
        fixed.1,
        ranking.area()
    );
}
