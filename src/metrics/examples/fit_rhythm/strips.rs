//! The verdict on short strips, and the ECG quality index: per strip of the CinC 2017 challenge, ten-fold.

use super::AnyError;
use super::records::{self, Strip};
use super::regression::{Fit, Observation, Ranking, balance, fit};
use afferent_dsp::ecg::{BeatDetector, SignalQuality};
use afferent_metrics::atrial_fibrillation::{atrial_coherence, strip_features};
use afferent_metrics::rr::intervals;
use std::path::Path;

const FOLDS: usize = 10;
/// Shares of the labels the verdict is fitted for: less fibrillation than in the strips at hand, more than in the wild.
const SHARES: [(char, f64); 4] = [('A', 0.20), ('N', 0.467), ('O', 0.267), ('~', 0.067)];
/// Odds the quality index takes where usable and noisy strips are told apart best.
const DIVIDING_INDEX: f64 = 0.7;

struct Judged {
    label: char,
    fibrillation: Vec<f64>,
    quality: SignalQuality,
}

fn judge(strip: &Strip) -> Result<Option<Judged>, AnyError> {
    let (mut detector, mut beats) = (BeatDetector::new(strip.rate_hz)?, Vec::new());
    detector.push(&strip.signal_mv, &mut beats);
    detector.finish(&mut beats);
    let quality = detector.take_signal_quality();
    let coherence = atrial_coherence(&strip.signal_mv, strip.rate_hz, &beats);
    let features = strip_features(&intervals(&beats, strip.rate_hz), &quality, coherence);
    Ok(features.map(|features| Judged { label: strip.label, fibrillation: features.to_vec(), quality }))
}

pub(crate) fn report(folder: &Path) -> Result<(), AnyError> {
    let strips = records::strips(&folder.join("cinc2017"))?;
    let judged = strips.iter().map(judge).collect::<Result<Vec<_>, _>>()?;
    let judged: Vec<Judged> = judged.into_iter().flatten().collect();
    println!("CinC 2017: {} of {} strips have intervals enough", judged.len(), strips.len());
    fibrillation(&judged);
    quality(&judged);
    Ok(())
}

/// Every strip's log odds from a fit to the other folds; labels are spread evenly over the folds.
fn left_out(judged: &[Judged], observations: &[Observation]) -> Vec<f64> {
    let mut seen = [0_usize; 128];
    let fold: Vec<usize> = judged
        .iter()
        .map(|strip| {
            let count = &mut seen[strip.label as usize % 128];
            *count += 1;
            *count % FOLDS
        })
        .collect();
    let fits: Vec<Fit> = (0..FOLDS)
        .map(|without| {
            let kept = observations.iter().zip(&fold).filter(|pair| *pair.1 != without).map(|pair| pair.0);
            fit(&kept.collect::<Vec<_>>())
        })
        .collect();
    observations.iter().zip(&fold).map(|(observation, &fold)| fits[fold].log_odds(&observation.features)).collect()
}

fn fibrillation(judged: &[Judged]) {
    let weight = |label: char| {
        let share = SHARES.iter().find(|share| share.0 == label).map_or(0.0, |share| share.1);
        share / judged.iter().filter(|strip| strip.label == label).count() as f64
    };
    let observation = |strip: &Judged| Observation {
        features: strip.fibrillation.clone(),
        positive: strip.label == 'A',
        weight: weight(strip.label),
    };
    let observations: Vec<Observation> = judged.iter().map(observation).collect();
    let all = fit(&observations.iter().collect::<Vec<_>>());
    println!("strip_probability: {}", all.text());
    let seen: Vec<f64> = observations.iter().map(|observation| all.log_odds(&observation.features)).collect();
    for (name, log_odds) in [("all strips fitted", seen), ("strip left out", left_out(judged, &observations))] {
        let f1 = |weighted: bool| {
            let sum = |positive: bool, called: bool| -> f64 {
                let counted = observations.iter().zip(&log_odds);
                let chosen = counted.filter(|(o, log_odds)| o.positive == positive && (**log_odds > 0.0) == called);
                chosen.map(|(o, _)| if weighted { o.weight } else { 1.0 }).sum()
            };
            2.0 * sum(true, true) / (2.0 * sum(true, true) + sum(false, true) + sum(true, false))
        };
        let pairs = observations.iter().map(|observation| observation.positive);
        let area = Ranking::new(log_odds.iter().copied().zip(pairs).collect()).area();
        println!("  {name:20} F1 {:.3}, at the shares above {:.3}, AUC {area:.4}", f1(false), f1(true));
    }
}

fn quality(judged: &[Judged]) {
    let observation = |strip: &Judged| Observation {
        features: strip.quality.fused().to_vec(),
        positive: strip.label != '~',
        weight: 0.0,
    };
    let mut observations: Vec<Observation> = judged.iter().map(observation).collect();
    balance(&mut observations);
    let mut all = fit(&observations.iter().collect::<Vec<_>>());
    let truth = || observations.iter().map(|observation| observation.positive);
    let unseen = Ranking::new(left_out(judged, &observations).into_iter().zip(truth()).collect());
    all.bias += (DIVIDING_INDEX / (1.0 - DIVIDING_INDEX)).ln() - unseen.even();
    println!("SignalQuality::index: {}", all.text());
    let seen = observations.iter().map(|observation| all.log_odds(&observation.features)).zip(truth());
    let index = Ranking::new(judged.iter().map(|strip| strip.quality.index).zip(truth()).collect());
    println!(
        "  AUC against noisy strips: all fitted {:.4}, left out {:.4}",
        Ranking::new(seen.collect()).area(),
        unseen.area()
    );
    println!(
        "  index as it is: AUC {:.4}; noisy below {DIVIDING_INDEX}: {:.1} %, others above: {:.1} %",
        index.area(),
        index.at(DIVIDING_INDEX).1,
        index.at(DIVIDING_INDEX).0
    );
}
