//! The common rhythm of series sampled once per beat.

use rustfft::{FftPlanner, num_complex::Complex};

use super::{MIN_WINDOW_S, RespiratoryRate};

/// Breathing looked for, in Hz: 5 to 45 per minute.
const BAND_HZ: std::ops::RangeInclusive<f64> = 0.08..=0.75;
/// Grid the series are interpolated to: well above twice the band.
const GRID_HZ: f64 = 4.0;
/// Spectrum length: bins of 1/1024 Hz, 0.06 breaths per minute.
const BINS: usize = 4096;
/// Slow wander falls with about this power of frequency; the spectra are weighted against it.
const WANDER_SLOPE: f64 = 1.25;
/// Share of its power each spectrum has spread evenly, so that one without a rhythm does not veto the others.
const FLOOR: f64 = 0.01;
/// Half width of a rhythm's peak: a Hann window of 30 s.
const PEAK_HZ: f64 = 0.03;
/// Fewest points of a series.
const MIN_POINTS: usize = 8;

/// A quantity that breathing modulates, as (time in seconds since the window's start, value), ascending in time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Modulation {
    /// The points.
    pub points: Vec<(f64, f64)>,
}

/// Rate at which the product of the modulations' spectra peaks; the quality is the share of power in that peak.
///
/// `None` when the window is shorter than [`MIN_WINDOW_S`], or no series has eight points and varies.
pub fn from_modulations(modulations: &[Modulation], window_s: f64) -> Option<RespiratoryRate> {
    common_rhythm(modulations, &[], window_s)
}

/// The same, with `advisers` that vote with an exponent of the share of their power in their own highest peak: a series
/// that has no rhythm has no say.
pub(super) fn common_rhythm(
    modulations: &[Modulation],
    advisers: &[Modulation],
    window_s: f64,
) -> Option<RespiratoryRate> {
    if !(MIN_WINDOW_S..=(BINS as f64 / GRID_HZ)).contains(&window_s) {
        return None;
    }
    let in_full = modulations.iter().filter_map(|one| Some((spectrum(&one.points, window_s)?, 1.0)));
    let as_far_as_rhythmic = advisers.iter().filter_map(|one| {
        let spectrum = spectrum(&one.points, window_s)?;
        let vote = share(&spectrum, highest(&spectrum)?);
        Some((spectrum, vote))
    });
    let voters: Vec<(Vec<f64>, f64)> = in_full.chain(as_far_as_rhythmic).collect();
    let bins = voters.first()?.0.len();
    let product =
        |bin: usize| voters.iter().map(|(spectrum, vote)| (spectrum[bin] + FLOOR).powf(*vote)).product::<f64>();
    let common: Vec<f64> =
        (0..bins).map(|bin| if BAND_HZ.contains(&hertz(bin)) { product(bin) } else { 0.0 }).collect();
    let peak = highest(&common)?;
    let votes: f64 = voters.iter().map(|(_, vote)| vote).sum();
    let quality = voters.iter().map(|(spectrum, vote)| vote * share(spectrum, peak)).sum::<f64>() / votes;
    Some(RespiratoryRate { per_minute: 60.0 * hertz(peak), quality: quality.clamp(0.0, 1.0) })
}

fn highest(spectrum: &[f64]) -> Option<usize> {
    (0..spectrum.len()).max_by(|&a, &b| spectrum[a].total_cmp(&spectrum[b]))
}

/// Power in the peak around a bin.
fn share(spectrum: &[f64], peak: usize) -> f64 {
    let near = |bin: &usize| (hertz(*bin) - hertz(peak)).abs() < PEAK_HZ;
    (0..spectrum.len()).filter(near).map(|bin| spectrum[bin]).sum()
}

fn hertz(bin: usize) -> f64 {
    bin as f64 * GRID_HZ / BINS as f64
}

/// Weighted power per bin, zero outside of the band, one in sum.
fn spectrum(points: &[(f64, f64)], window_s: f64) -> Option<Vec<f64>> {
    if points.len() < MIN_POINTS {
        return None;
    }
    let mut even = interpolate(points, (window_s * GRID_HZ) as usize);
    remove_line(&mut even);
    let turn = std::f64::consts::TAU / even.len() as f64;
    let hann = |i: usize| 0.5 - 0.5 * (turn * i as f64).cos();
    let mut bins: Vec<Complex<f64>> =
        even.iter().enumerate().map(|(i, value)| Complex::new(value * hann(i), 0.0)).collect();
    bins.resize(BINS, Complex::default());
    FftPlanner::new().plan_fft_forward(BINS).process(&mut bins);
    let power = |bin: usize| {
        let weight = if BAND_HZ.contains(&hertz(bin)) { hertz(bin).powf(WANDER_SLOPE) } else { 0.0 };
        bins[bin].norm_sqr() * weight
    };
    let powers: Vec<f64> = (0..BINS / 2).map(power).collect();
    let sum: f64 = powers.iter().sum();
    (sum.is_finite() && sum > 0.0).then(|| powers.iter().map(|power| power / sum).collect())
}

/// Straight lines between the points on the grid, level beyond the ends.
fn interpolate(points: &[(f64, f64)], count: usize) -> Vec<f64> {
    let mut next = 0;
    let mut at = |t: f64| {
        while next < points.len() && points[next].0 <= t {
            next += 1;
        }
        match (next.checked_sub(1).map(|i| points[i]), points.get(next)) {
            (Some(before), Some(after)) => before.1 + (after.1 - before.1) * (t - before.0) / (after.0 - before.0),
            (Some(only), None) => only.1,
            (None, after) => after.map_or(0.0, |point| point.1),
        }
    };
    (0..count).map(|i| at(i as f64 / GRID_HZ)).collect()
}

/// Subtracts the least-squares line.
fn remove_line(values: &mut [f64]) {
    let n = values.len() as f64;
    let (mean, middle) = (values.iter().sum::<f64>() / n, (n - 1.0) / 2.0);
    let lean: f64 = values.iter().enumerate().map(|(i, value)| (i as f64 - middle) * (value - mean)).sum();
    let slope = lean / (n * (n * n - 1.0) / 12.0);
    values.iter_mut().enumerate().for_each(|(i, value)| *value -= mean + slope * (i as f64 - middle));
}
