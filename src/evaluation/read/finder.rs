//! R peaks of an ECG that nobody annotated, for a reference that does not depend on the detector under test.
//!
//! The slope's energy against the level of the four seconds around it, all of the recording at hand: what a streaming
//! detector cannot do. The beat is the centre of the slope's energy.

use afferent_dsp::evaluate::{Scope, match_beats};

use super::ecg::Lead;

/// Widths of the moving means over the signal and, twice, over its slope's energy.
const SMOOTH_S: f64 = 0.016;
const ENERGY_S: [f64; 2] = [0.1, 0.06];
/// Samples over which the slope is taken.
const SLOPE: usize = 3;
/// Two beats are further apart than this.
const REFRACTORY_S: f64 = 0.28;
/// A beat's energy is above this part of the 95th percentile of what lies within two seconds.
const LEVEL_REACH_S: f64 = 2.0;
const LEVEL: f64 = 0.22;
/// How far around the energy's peak the slope's centre is taken.
const CENTRE_REACH_S: f64 = 0.08;

/// Name and beats in seconds of the lead whose beats agree best with those of the other leads; of equals the first.
///
/// # Errors
/// There is no lead.
pub(in crate::evaluation) fn best_lead(leads: &[Lead]) -> Result<(String, Vec<f64>), String> {
    let all: Vec<(&Lead, Vec<f64>)> = leads.iter().map(|lead| (lead, r_peaks(lead))).collect();
    let agreement = |beats_s: &[f64]| -> f64 {
        all.iter().map(|(_, others)| match_beats(others, beats_s, 1.0, &Scope::default()).f1()).sum()
    };
    let ranked = all.iter().map(|(lead, beats_s)| (agreement(beats_s), lead, beats_s));
    let best = ranked.reduce(|best, one| if one.0 > best.0 { one } else { best });
    best.map(|(_, lead, beats_s)| (lead.name.clone(), beats_s.clone())).ok_or_else(|| "has no ECG".to_owned())
}

/// R peaks of a lead, in seconds.
fn r_peaks(lead: &Lead) -> Vec<f64> {
    let samples = |seconds: f64| (seconds * lead.rate_hz).round().max(1.0) as usize;
    let x: Vec<f64> = lead.samples.iter().map(|v| if v.is_finite() { f64::from(*v) } else { 0.0 }).collect();
    let smooth = moving_mean(&x, samples(SMOOTH_S));
    let mut slope = vec![0.0; SLOPE.min(x.len())];
    slope.extend(smooth.iter().zip(smooth.iter().skip(SLOPE)).map(|(a, b)| (b - a).powi(2)));
    let energy = ENERGY_S.iter().fold(slope.clone(), |energy, width_s| moving_mean(&energy, samples(*width_s)));
    let mut peaks: Vec<(usize, f64)> = Vec::new();
    for (before, window) in energy.windows(3).enumerate() {
        let (&[left, middle, right], at) = (window, before + 1) else { continue };
        if !(middle > left && middle >= right) || middle < LEVEL * level(&energy, at, samples(LEVEL_REACH_S)) {
            continue;
        }
        match peaks.last_mut() {
            Some(last) if at - last.0 < samples(REFRACTORY_S) => {
                if middle > last.1 {
                    *last = (at, middle);
                }
            }
            _ => peaks.push((at, middle)),
        }
    }
    let reach = samples(CENTRE_REACH_S);
    peaks.iter().map(|(at, _)| centre(&slope, at.saturating_sub(reach), at + reach) / lead.rate_hz).collect()
}

fn level(energy: &[f64], at: usize, reach: usize) -> f64 {
    let mut local = energy.get(at.saturating_sub(reach)..(at + reach).min(energy.len())).unwrap_or_default().to_vec();
    local.sort_by(f64::total_cmp);
    local.get(local.len() * 95 / 100).copied().unwrap_or(f64::INFINITY)
}

/// Centre of gravity of the slope's energy.
fn centre(slope: &[f64], from: usize, to: usize) -> f64 {
    let inside = slope.iter().enumerate().skip(from).take(to + 1 - from);
    let (sum, weight) = inside.fold((0.0, 0.0), |(sum, weight), (i, w)| (sum + i as f64 * w, weight + w));
    if weight > 0.0 { sum / weight } else { f64::midpoint(from as f64, to as f64) }
}

fn moving_mean(x: &[f64], width: usize) -> Vec<f64> {
    let mut sums = Vec::with_capacity(x.len() + 1);
    sums.push(0.0);
    let mut sum = 0.0;
    for value in x {
        sum += value;
        sums.push(sum);
    }
    let half = width / 2;
    let mean = |i: usize| {
        let (from, to) = (i.saturating_sub(half), (i + half + 1).min(x.len()));
        let (Some(low), Some(high)) = (sums.get(from), sums.get(to)) else { return 0.0 };
        (high - low) / (to - from) as f64
    };
    (0..x.len()).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::Heart;

    #[test]
    fn every_beat_of_the_better_lead_is_found() {
        let heart = Heart::new(|t| 60.0 + t, 60.0);
        let lead = |name: &str, scale: f64, noise: f64| {
            let value = |i: u32| scale * heart.ecg(f64::from(i) / 125.0) + noise * f64::from(i * 7919 % 101) / 101.0;
            Lead { name: name.into(), rate_hz: 125.0, samples: (0..7500).map(|i| value(i) as f32).collect() }
        };
        let (name, beats) = best_lead(&[lead("noise", 0.0, 1.0), lead("II", 1.0, 0.02), lead("V", -0.5, 0.0)]).unwrap();
        let within: Vec<f64> = heart.beats().iter().copied().filter(|b| *b < 60.0).collect();
        let tally = match_beats(&within, &beats, 1.0, &Scope { from: 1.0, excluded: vec![(59.0, 61.0)] });
        assert_eq!((name.as_str(), tally.errors()), ("II", 0));
        assert!(best_lead(&[]).is_err());
    }
}
