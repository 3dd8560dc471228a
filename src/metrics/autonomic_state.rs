//! Autonomic balance as one of three classes.
//!
//! Each of mean interval, RMSSD and normalised HF power is compared with the resting values of healthy adults
//! (Nunan et al. 2010, doi:10.1111/j.1540-8159.2010.02841.x); all three rise with vagal and fall with sympathetic
//! activity. The mean of the three standard scores beyond one deviation names the dominant side. It is a summary of
//! these numbers at rest, not a diagnosis; LF/HF itself is not used, since LF power is no measure of sympathetic tone
//! (Billman 2013, doi:10.3389/fphys.2013.00026).

use crate::hrv::{FrequencyDomain, TimeDomain};

/// Changes whenever the same measures could give another class.
pub const VERSION: &str = "1.0.0";

/// Mean and standard deviation over healthy adults at rest (Nunan et al. 2010, table 3).
const MEAN_NN_MS: (f64, f64) = (926.0, 90.0);
/// RMSSD's spread is lopsided, so its logarithm is scored: ln 42 and the same relative deviation.
const LN_RMSSD: (f64, f64) = (3.74, 0.36);
const HF_NU: (f64, f64) = (40.0, 10.0);
/// Scores are bounded so that no single one decides.
const BOUND: f64 = 3.0;
/// One standard deviation off the reference makes a side dominant.
const DOMINANT: f64 = 1.0;

/// Which branch of the autonomic nervous system the heart rate variability speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AutonomicState {
    /// Vagal measures at least one deviation below the resting reference.
    SympatheticDominant,
    /// Within one deviation.
    Balanced,
    /// At least one deviation above.
    ParasympatheticDominant,
}

impl AutonomicState {
    /// The state's code in the code system.
    pub fn code(self) -> &'static str {
        match self {
            Self::SympatheticDominant => "sympathetic-dominant",
            Self::Balanced => "balanced",
            Self::ParasympatheticDominant => "parasympathetic-dominant",
        }
    }
}

/// The mean standard score, negative when sympathetic, and its class.
///
/// `None` when a measure is not a positive number.
pub fn classify(time: &TimeDomain, frequency: &FrequencyDomain) -> Option<(f64, AutonomicState)> {
    let score = |value: f64, (mean, deviation): (f64, f64)| ((value - mean) / deviation).clamp(-BOUND, BOUND);
    let sum = score(time.mean_nn, MEAN_NN_MS) + score(time.rmssd.ln(), LN_RMSSD) + score(frequency.hf_nu, HF_NU);
    let index = sum / 3.0;
    let known = time.mean_nn > 0.0 && time.rmssd > 0.0 && index.is_finite();
    let state = match index {
        low if low <= -DOMINANT => AutonomicState::SympatheticDominant,
        high if high >= DOMINANT => AutonomicState::ParasympatheticDominant,
        _ => AutonomicState::Balanced,
    };
    known.then_some((index, state))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hrv::SpectralMethod;

    fn measures(mean_nn: f64, rmssd: f64, hf_nu: f64) -> (TimeDomain, FrequencyDomain) {
        let time = TimeDomain {
            mean_nn,
            sdnn: 50.0,
            rmssd,
            sdsd: rmssd,
            pnn50: 10.0,
            pnn20: 30.0,
            triangular_index: None,
            sd1: 30.0,
            sd2: 60.0,
        };
        let frequency = FrequencyDomain {
            method: SpectralMethod::Welch,
            vlf: None,
            lf: 500.0,
            hf: 500.0,
            total: None,
            lf_hf: 1.0,
            lf_nu: 100.0 - hf_nu,
            hf_nu,
            span_s: 290.0,
        };
        (time, frequency)
    }

    #[track_caller]
    fn check(mean_nn: f64, rmssd: f64, hf_nu: f64, expected: Option<&str>) {
        let (time, frequency) = measures(mean_nn, rmssd, hf_nu);
        assert_eq!(classify(&time, &frequency).map(|(_, state)| state.code()), expected);
    }

    #[test]
    fn the_reference_is_balanced_and_the_extremes_are_not() {
        check(926.0, 42.0, 40.0, Some("balanced"));
        check(600.0, 10.0, 10.0, Some("sympathetic-dominant"));
        check(1150.0, 90.0, 70.0, Some("parasympathetic-dominant"));
    }

    /// When this fails the output has changed: raise [`VERSION`] and note the new value beside it.
    #[test]
    fn output_changes_only_with_the_version() {
        let index = |mean_nn: f64, rmssd: f64, hf_nu: f64| {
            let (time, frequency) = measures(mean_nn, rmssd, hf_nu);
            classify(&time, &frequency).map_or(f64::NAN, |(index, _)| index)
        };
        let sum = index(700.0, 15.0, 20.0) + 10.0 * index(980.0, 55.0, 47.0);
        assert_eq!((VERSION, (sum * 1e6).round()), ("1.0.0", 4_349_428.0));
    }

    #[test]
    fn no_variability_has_no_state() {
        check(800.0, 0.0, 40.0, None);
        check(f64::NAN, 30.0, 40.0, None);
    }
}
