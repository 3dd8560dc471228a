//! Frequency-domain measures: band powers of the interval series (Task Force 1996).
//!
//! Two methods, never mixed: Welch on the series resampled at 4 Hz by a cubic spline, and Lomb-Scargle on the
//! intervals as they are. Published values differ by tens of percent between programs because details are left open;
//! here they are fixed, and every result carries its [`SpectralMethod`].

use afferent_dsp::spectrum::{Spectrum, lomb_scargle, welch};
use serde::{Deserialize, Serialize};

use super::{NnInterval, is_interval, spline::Spline, time_domain::mean};

/// How band powers were computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SpectralMethod {
    Welch,
    LombScargle,
}

impl SpectralMethod {
    /// The method with everything that makes a difference, to be recorded with the values.
    pub fn description(self) -> &'static str {
        match self {
            Self::Welch => {
                "welch; cubic spline (not-a-knot) to 4 Hz; mean removed; Hann 256, 50 % overlap, constant detrend; \
                 trapezoid over VLF [0.0033,0.04) LF [0.04,0.15) HF [0.15,0.4) Hz"
            }
            Self::LombScargle => {
                "lomb-scargle; mean removed; 0.0033 Hz and up in steps of 1/(4T); density 2TP/N; \
                 trapezoid over VLF [0.0033,0.04) LF [0.04,0.15) HF [0.15,0.4) Hz"
            }
        }
    }
}

/// Shortest series for LF and HF power, in seconds: two cycles of the slowest LF oscillation, seven of the slowest HF one.
/// The Task Force advises two minutes for LF and one for HF.
pub const MIN_SPAN_S: f64 = 50.0;
/// Shortest series whose VLF and total power mean anything, in seconds: the five minutes of the Task Force, of which the
/// intervals at either end are cut off.
pub const MIN_VLF_SPAN_S: f64 = 295.0;

const RESAMPLED_HZ: f64 = 4.0;
const SEGMENT: usize = 256;
const VLF_HZ: (f64, f64) = (0.0033, 0.04);
const LF_HZ: (f64, f64) = (0.04, 0.15);
const HF_HZ: (f64, f64) = (0.15, 0.40);
/// Longest time without an interval inside the series: a spline over more would invent low-frequency power.
const MAX_HOLE_S: f64 = 10.0;

/// Less is rounding, not variability.
const LEAST_POWER_MS2: f64 = 1e-9;

/// Band powers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FrequencyDomain {
    pub method: SpectralMethod,
    /// Very low frequency power in ms^2; None when `span_s` is below [`MIN_VLF_SPAN_S`].
    pub vlf: Option<f64>,
    /// Low frequency power in ms^2.
    pub lf: f64,
    /// High frequency power in ms^2.
    pub hf: f64,
    /// Power of the three bands in ms^2; None without VLF.
    pub total: Option<f64>,
    /// LF over HF.
    pub lf_hf: f64,
    /// LF in percent of LF + HF.
    pub lf_nu: f64,
    /// HF in percent of LF + HF.
    pub hf_nu: f64,
    /// Time from the first to the last interval's end in seconds.
    pub span_s: f64,
}

/// Band powers by Welch's method.
///
/// `None` when the series spans less than [`MIN_SPAN_S`], has a hole of more than 10 s, does not ascend in time, holds
/// a value that is no interval ([`super::MAX_INTERVAL_MS`]), or does not vary with breathing.
pub fn frequency_domain(nn: &[NnInterval]) -> Option<FrequencyDomain> {
    let span_s = usable_span(nn)?;
    let at: Vec<f64> = nn.iter().map(|interval| interval.at_s).collect();
    let ms: Vec<f64> = nn.iter().map(|interval| interval.ms).collect();
    let spline = Spline::new(&at, &ms)?;
    let grid = (0..(span_s * RESAMPLED_HZ).ceil() as u64).map(|i| at[0] + i as f64 / RESAMPLED_HZ);
    let mut even = spline.at(grid);
    remove_mean(&mut even);
    bands(&welch(&even, RESAMPLED_HZ, SEGMENT)?, span_s, SpectralMethod::Welch)
}

/// Band powers by the Lomb-Scargle periodogram; `None` as in [`frequency_domain`].
pub fn frequency_domain_lomb(nn: &[NnInterval]) -> Option<FrequencyDomain> {
    let span_s = usable_span(nn)?;
    let at: Vec<f64> = nn.iter().map(|interval| interval.at_s - nn[0].at_s).collect();
    let mut ms: Vec<f64> = nn.iter().map(|interval| interval.ms).collect();
    remove_mean(&mut ms);
    let step = 1.0 / (4.0 * span_s);
    let bins = ((HF_HZ.1 - VLF_HZ.0) / step).ceil() as u64;
    let frequency_hz: Vec<f64> = (0..=bins).map(|k| VLF_HZ.0 + k as f64 * step).collect();
    let to_density = 2.0 * span_s / nn.len() as f64;
    let density = lomb_scargle(&at, &ms, &frequency_hz).iter().map(|power| power * to_density).collect();
    bands(&Spectrum { frequency_hz, density }, span_s, SpectralMethod::LombScargle)
}

fn usable_span(nn: &[NnInterval]) -> Option<f64> {
    let sound = nn.iter().all(|interval| interval.at_s.is_finite() && is_interval(interval.ms));
    let steady = nn.windows(2).all(|pair| {
        let step = pair[1].at_s - pair[0].at_s;
        step > 0.0 && step <= MAX_HOLE_S
    });
    let span_s = nn.last()?.at_s - nn.first()?.at_s;
    (sound && steady && span_s >= MIN_SPAN_S).then_some(span_s)
}

fn remove_mean(values: &mut [f64]) {
    let mean = mean(values);
    for value in values {
        *value -= mean;
    }
}

fn bands(spectrum: &Spectrum, span_s: f64, method: SpectralMethod) -> Option<FrequencyDomain> {
    let power = |band: (f64, f64)| spectrum.power(band.0, band.1);
    let (vlf, lf, hf) = (power(VLF_HZ), power(LF_HZ), power(HF_HZ));
    let both = lf + hf;
    let long = span_s >= MIN_VLF_SPAN_S;
    (hf > LEAST_POWER_MS2 && both.is_finite() && vlf.is_finite()).then(|| FrequencyDomain {
        method,
        vlf: long.then_some(vlf),
        lf,
        hf,
        total: long.then_some(vlf + both),
        lf_hf: lf / hf,
        lf_nu: 100.0 * lf / both,
        hf_nu: 100.0 * hf / both,
        span_s,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::consecutive;
    use super::*;

    /// Intervals around 800 ms, modulated at `hz` with `ms` amplitude.
    fn modulated(hz: f64, ms: f64, count: usize) -> Vec<NnInterval> {
        let mut at_s: f64 = 0.0;
        let mut next = || {
            let length = 800.0 + ms * (std::f64::consts::TAU * hz * at_s).sin();
            at_s += length / 1000.0;
            NnInterval { at_s, ms: length }
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn a_modulation_shows_in_its_band() {
        let slow = frequency_domain(&modulated(0.1, 20.0, 400)).unwrap();
        assert!((slow.lf - 200.0).abs() < 10.0 && slow.hf < 10.0, "{slow:?}");
        let fast = frequency_domain_lomb(&modulated(0.25, 20.0, 400)).unwrap();
        assert!((fast.hf - 200.0).abs() < 20.0 && fast.lf < 10.0, "{fast:?}");
    }

    #[test]
    fn normalised_units_and_total_power_follow_from_the_bands() {
        for powers in
            [frequency_domain, frequency_domain_lomb].map(|method| method(&modulated(0.1, 20.0, 400)).unwrap())
        {
            assert!((powers.lf_nu + powers.hf_nu - 100.0).abs() < 1e-9);
            assert!((powers.lf_nu / powers.hf_nu - powers.lf_hf).abs() < 1e-6 * powers.lf_hf);
            assert_eq!(powers.total, powers.vlf.map(|vlf| vlf + powers.lf + powers.hf));
        }
    }

    #[test]
    fn vlf_needs_five_minutes() {
        let half_amplitude_squared = 0.5 * 30.0 * 30.0;
        let slow: Vec<NnInterval> = modulated(0.02, 30.0, 1500)
            .iter()
            .zip(modulated(0.3, 2.0, 1500))
            .map(|(slow, fast)| NnInterval { at_s: slow.at_s, ms: slow.ms + fast.ms - 800.0 })
            .collect();
        let vlf = frequency_domain_lomb(&slow).unwrap().vlf.unwrap();
        assert!((vlf - half_amplitude_squared).abs() < 0.1 * half_amplitude_squared, "{vlf}");
        let short = frequency_domain_lomb(&slow[..300]).unwrap();
        assert_eq!((short.vlf, short.total), (None, None));
    }

    #[test]
    fn too_little_data_gives_nothing() {
        assert_eq!(frequency_domain(&[]), None);
        assert_eq!(frequency_domain(&modulated(0.1, 20.0, 60)), None);
        assert_eq!(frequency_domain(&consecutive(&[800.0; 200])), None);
        let mut holed = modulated(0.1, 20.0, 400);
        holed[200..].iter_mut().for_each(|interval| interval.at_s += 30.0);
        assert_eq!(frequency_domain(&holed), None);
    }
}
