//! Tissue oxygen: partial pressures between units, and smoothing before alerts.
//!
//! An implanted sensor reports the oxygen's partial pressure, as pressure or as percent of an atmosphere. (Saturation of
//! haemoglobin in tissue, StO2, is another quantity with the same percent sign and is not converted to pressure.)

use crate::temperature::Smoother;

/// Changes whenever the same input could give other values.
pub const VERSION: &str = "1.0.0";

/// Standard atmosphere in mmHg.
pub const STANDARD_ATMOSPHERE_MMHG: f64 = 760.0;
const MMHG_PER_KPA: f64 = 7.500_615_758;
/// Partial pressures in living tissue and the air around it, in mmHg.
const PLAUSIBLE_MMHG: std::ops::RangeInclusive<f64> = 0.0..=200.0;
/// Tissue oxygen follows perfusion within a minute or two; alerts are for changes that last.
const CONSTANT_S: f64 = 60.0;
const LEAST_STEP_MMHG: f64 = 0.5;

/// Unit of a partial pressure of oxygen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Percent of the given atmosphere.
    Percent,
    /// Millimetres of mercury, UCUM `mm[Hg]`.
    MillimetreOfMercury,
    /// Kilopascal, UCUM `kPa`.
    Kilopascal,
}

impl Unit {
    /// The unit of a UCUM code.
    pub fn from_ucum(code: &str) -> Option<Self> {
        match code {
            "%" => Some(Self::Percent),
            "mm[Hg]" => Some(Self::MillimetreOfMercury),
            "kPa" => Some(Self::Kilopascal),
            _ => None,
        }
    }

    /// The unit's UCUM code.
    pub fn ucum(self) -> &'static str {
        match self {
            Self::Percent => "%",
            Self::MillimetreOfMercury => "mm[Hg]",
            Self::Kilopascal => "kPa",
        }
    }

    fn mmhg(self, atmosphere_mmhg: f64) -> f64 {
        match self {
            Self::Percent => atmosphere_mmhg / 100.0,
            Self::MillimetreOfMercury => 1.0,
            Self::Kilopascal => MMHG_PER_KPA,
        }
    }
}

/// A converted value with what it was, for the lineage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Converted {
    /// The value in the wanted unit.
    pub value: f64,
    /// The wanted unit.
    pub unit: Unit,
    /// The value as it came.
    pub original: f64,
    /// The unit it came in.
    pub original_unit: Unit,
}

/// Converts a partial pressure; `None` for a negative or infinite value or an atmosphere that is not positive.
pub fn convert(original: f64, original_unit: Unit, unit: Unit, atmosphere_mmhg: f64) -> Option<Converted> {
    let usable = original.is_finite() && original >= 0.0 && atmosphere_mmhg.is_finite() && atmosphere_mmhg > 0.0;
    let factor =
        || if unit == original_unit { 1.0 } else { original_unit.mmhg(atmosphere_mmhg) / unit.mmhg(atmosphere_mmhg) };
    usable.then(|| Converted { value: original * factor(), unit, original, original_unit })
}

/// A smoother for partial pressures in mmHg, see [`Smoother`].
pub fn smoother() -> Smoother {
    Smoother::new(CONSTANT_S, LEAST_STEP_MMHG, PLAUSIBLE_MMHG)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::print_stdout)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: f64, from: Unit, to: Unit, expected: f64) {
        let converted = convert(value, from, to, STANDARD_ATMOSPHERE_MMHG).unwrap();
        assert!((converted.value - expected).abs() < 1e-3, "{converted:?}");
        assert_eq!((converted.original, converted.original_unit), (value, from));
    }

    #[test]
    fn pressures_convert_both_ways() {
        check(5.0, Unit::Percent, Unit::MillimetreOfMercury, 38.0);
        check(38.0, Unit::MillimetreOfMercury, Unit::Percent, 5.0);
        check(5.0, Unit::Kilopascal, Unit::MillimetreOfMercury, 37.503);
        check(40.0, Unit::MillimetreOfMercury, Unit::MillimetreOfMercury, 40.0);
    }

    #[test]
    fn codes_are_ucum() {
        for unit in [Unit::Percent, Unit::MillimetreOfMercury, Unit::Kilopascal] {
            assert_eq!(Unit::from_ucum(unit.ucum()), Some(unit));
        }
        assert_eq!(Unit::from_ucum("mmHg"), None);
    }

    #[test]
    fn what_is_no_pressure_is_not_converted() {
        for value in [f64::NAN, -1.0, f64::INFINITY] {
            assert_eq!(convert(value, Unit::Percent, Unit::Kilopascal, 760.0), None);
        }
        assert_eq!(convert(1.0, Unit::Percent, Unit::Kilopascal, 0.0), None);
    }

    #[test]
    fn a_spike_raises_no_alert() {
        let mut smoother = smoother();
        let value = |i: i32| if i % 40 == 39 { 5.0 } else { 40.0 + 0.4 * f64::from(i % 3) };
        let smooth: Vec<f64> = (0..400).filter_map(|i| smoother.push(f64::from(i) * 5.0, value(i))).collect();
        assert!(smooth.iter().all(|value| *value > 38.0));
    }

    /// A threshold alert that needs nothing but one value below the threshold.
    fn alerts(values: &[f64]) -> usize {
        let below = |value: &f64| *value < 30.0;
        values.windows(2).filter(|pair| below(&pair[1]) && !below(&pair[0])).count()
    }

    /// Two hours at one value every 10 s: 36 mmHg, slow swings of 2 mmHg (vasomotion), sensor noise of 2.5 mmHg standard
    /// deviation, one reading in a hundred some 15 mmHg too low (motion); never truly below 30 mmHg but for the last
    /// third when there is a `fall`, to 24 mmHg within five minutes.
    fn sensor(seed: u64, fall: bool) -> Vec<f64> {
        let mut state = seed;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let value = |i: i32| {
            let t = f64::from(i) * 10.0;
            let normal = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
            let artefact = if uniform() < 0.01 { -15.0 } else { 0.0 };
            let fallen = if fall { -12.0 * ((t - 4800.0) / 300.0).clamp(0.0, 1.0) } else { 0.0 };
            36.0 + 2.0 * (t / 90.0).sin() + 2.5 * normal + artefact + fallen
        };
        (0..720).map(value).collect()
    }

    /// Pressed on for three minutes every half hour, which takes 8 mmHg: what lasts, smoothing cannot tell from a fall.
    fn pressed(values: &[f64]) -> Vec<f64> {
        values.iter().enumerate().map(|(i, value)| if i % 180 < 18 { value - 8.0 } else { *value }).collect()
    }

    fn smoothed(values: &[f64]) -> Vec<f64> {
        let mut smoother = smoother();
        values.iter().enumerate().filter_map(|(i, value)| smoother.push(i as f64 * 10.0, *value)).collect()
    }

    /// The published pilot's smoothing on the server cut false alerts by 28 %.
    #[test]
    fn smoothing_cuts_false_alerts_and_keeps_true_ones() {
        let (mut raw, mut smooth, mut delay_s) = (0, 0, 0.0_f64);
        for seed in 0..50 {
            let (steady, falling) = (pressed(&sensor(seed, false)), sensor(seed, true));
            raw += alerts(&steady);
            smooth += alerts(&smoothed(&steady));
            let mut smoother = smoother();
            let low = |(i, value): (usize, &f64)| {
                let level = smoother.push(i as f64 * 10.0, *value);
                (i >= 480 && level.is_some_and(|level| level < 30.0)).then_some(i)
            };
            let first = falling.iter().enumerate().find_map(low).unwrap();
            // The true value crosses 30 mmHg half way down, 150 s after the fall begins.
            delay_s = delay_s.max(first as f64 * 10.0 - 4950.0);
        }
        let cut = 100.0 * (1.0 - f64::from(smooth as u32) / f64::from(raw as u32));
        println!(
            "false alerts in 100 h: {raw} raw, {smooth} smoothed, {cut:.0} % fewer; true ones at most {delay_s} s late"
        );
        assert!(cut >= 28.0 && delay_s <= 180.0);
    }

    /// When this fails the output has changed: raise [`VERSION`] and note the new value beside it.
    #[test]
    fn output_changes_only_with_the_version() {
        let sum: f64 = smoothed(&sensor(1, true)).iter().sum();
        let converted = convert(4.7, Unit::Percent, Unit::Kilopascal, 750.0).unwrap();
        assert_eq!((VERSION, (sum * 10.0).round(), (converted.value * 1e4).round()), ("1.0.0", 218_606.0, 46_996.0));
    }
}
