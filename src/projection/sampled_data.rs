//! SampledData: a waveform as integers. <https://hl7.org/fhir/R4/datatypes.html#SampledData>
//!
//! Written as the Personal Health Device guide writes its RTSA observations: origin with value, system and code, the period
//! in milliseconds, the factor of one count.

use crate::fhir::Value;
use crate::fhir::datatype::quantity;
use crate::fhir::make::{decimal, integer, object, text};
use crate::registry::{SampledData, Unit};
use crate::signal::SampleBlock;

/// `valueSampledData`; none when there is no sample or no rate.
pub(crate) fn sampled_data(block: &SampleBlock, unit: &Unit, form: &SampledData) -> Option<Value> {
    if block.values.is_empty() || !(block.rate_hz.is_finite() && block.rate_hz > 0.0) {
        return None;
    }
    object([
        ("origin", quantity("0", &unit.display, &unit.code)),
        ("period", decimal(period_ms(block.rate_hz))),
        ("factor", decimal(form.factor.to_string())),
        ("dimensions", integer(i32::from(form.dimensions))),
        ("data", text(data(&block.values, form.factor))),
    ])
}

/// Milliseconds between samples, to a picosecond, without trailing zeros.
fn period_ms(rate_hz: f64) -> String {
    let digits = format!("{:.9}", 1000.0 / rate_hz);
    digits.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Counts joined by blanks: `E` for no sample, `L` and `U` for what does not fit a 32-bit count.
fn data(values: &[f32], factor: f64) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(values.len() * 5);
    for value in values {
        if !out.is_empty() {
            out.push(' ');
        }
        let count = (f64::from(*value) / factor).round();
        if count.is_nan() {
            out.push('E');
        } else if count < f64::from(i32::MIN) {
            out.push('L');
        } else if count > f64::from(i32::MAX) {
            out.push('U');
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "{}", count as i32);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_gaps_and_limits() {
        let values = [0.0, -0.0004, 0.0016, -1.25, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3.0e9];
        assert_eq!(data(&values, 0.001), "0 0 2 -1250 E U L U");
    }

    #[test]
    fn periods_are_exact_where_they_can_be() {
        assert_eq!(period_ms(250.0), "4");
        assert_eq!(period_ms(360.0), "2.777777778");
        assert_eq!(period_ms(1.0), "1000");
        assert_eq!(period_ms(128.0), "7.8125");
    }
}
