//! Numbers as they are written in a search: how exact one is meant shows in its digits. <https://hl7.org/fhir/R4/search.html#number>

/// A number and half of its last digit: `5.40` is 5.4, give or take 0.005. None where the text is no number.
pub(super) fn number(text: &str) -> Option<(f64, f64)> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok().filter(|e| e.abs() <= 300)?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let plain = |digits: &str| !digits.is_empty() && digits.len() <= 40 && digits.bytes().all(|b| b.is_ascii_digit());
    if !plain(whole) || !plain(fraction) {
        return None;
    }
    let places = if mantissa.contains('.') { i32::try_from(fraction.len()).ok()? } else { 0 };
    let value: f64 = text.parse().ok().filter(|v: &f64| v.is_finite())?;
    Some((value, 0.5 * 10_f64.powi(exponent - places)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_say_how_exact_a_number_is() {
        for (text, value, half) in
            [("5", 5.0, 0.5), ("5.40", 5.4, 0.005), ("-0.1", -0.1, 0.05), ("1e3", 1000.0, 500.0), ("+1.5e1", 15.0, 0.5)]
        {
            let (is, give_or_take) = number(text).unwrap();
            assert!((is - value).abs() < 1e-12 && (give_or_take - half).abs() < 1e-12, "{text}");
        }
        for bad in ["", "-", ".5", "5.", "1e", "1e999", "0x1", "NaN", "inf", "1 2", "--1", "1e3.5"] {
            assert_eq!(number(bad), None, "{bad:?}");
        }
    }
}
