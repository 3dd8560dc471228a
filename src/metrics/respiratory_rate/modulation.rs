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
    if !(MIN_WINDOW_S..=(BINS as f64 / GRID_HZ)).contains(&window_s) {
        return None;
    }
    let spectra: Vec<Vec<f64>> = modulations.iter().filter_map(|one| spectrum(&one.points, window_s)).collect();
    let first = spectra.first()?;
    let product = |bin: usize| spectra.iter().map(|spectrum| spectrum[bin] + FLOOR).product::<f64>();
    let in_band = |bin: usize| BAND_HZ.contains(&hertz(bin));
    let common: Vec<f64> = (0..first.len()).map(|bin| if in_band(bin) { product(bin) } else { 0.0 }).collect();
    let peak = (0..common.len()).max_by(|&a, &b| common[a].total_cmp(&common[b]))?;
    let near = |bin: usize| (hertz(bin) - hertz(peak)).abs() < PEAK_HZ;
    let share =
        |spectrum: &Vec<f64>| (0..spectrum.len()).filter(|&bin| near(bin)).map(|bin| spectrum[bin]).sum::<f64>();
    let quality = spectra.iter().map(share).sum::<f64>() / spectra.len() as f64;
    Some(RespiratoryRate { per_minute: 60.0 * hertz(peak), quality: quality.clamp(0.0, 1.0) })
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
