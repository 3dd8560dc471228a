//! From values to places on a picture, and the values worth a tick.

/// A linear scale.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) from: (f64, f64),
    pub(super) to: (f64, f64),
}

impl Scale {
    pub(super) fn place(&self, value: f64) -> f64 {
        let share = (value - self.from.0) / (self.from.1 - self.from.0);
        self.to.0 + share * (self.to.1 - self.to.0)
    }

    /// About five round values.
    pub(super) fn ticks(&self) -> Vec<f64> {
        let span = (self.from.1 - self.from.0).abs();
        if !(span.is_finite() && span > 0.0) {
            return Vec::new();
        }
        let power = 10_f64.powf((span / 5.0).log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|s| span / s <= 6.0).unwrap_or(power);
        let first = (self.from.0 / step - 1e-9).ceil() as i64;
        let last = (self.from.1 / step + 1e-9).floor() as i64;
        (first..=last).map(|n| n as f64 * step).collect()
    }
}

/// A tick as text, with as many digits as the step needs.
pub(super) fn tick(value: f64, ticks: &[f64]) -> String {
    let step = match ticks {
        [first, second, ..] => second - first,
        _ => 1.0,
    };
    let digits = (-(step + step * 1e-6).log10().floor()).clamp(0.0, 6.0) as usize;
    let text = format!("{value:.digits$}");
    if text.trim_start_matches('-').chars().all(|c| c == '0' || c == '.') { "0".to_owned() } else { text }
}

/// Lowest and highest, with a margin; a span even where all are one.
pub(super) fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let finite = values.filter(|v| v.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    if low > high {
        return (0.0, 1.0);
    }
    let margin = if high > low { 0.05 * (high - low) } else { high.abs().max(1.0) * 0.5 };
    (low - margin, high + margin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        let scale = Scale { from: (-0.12, 0.31), to: (0.0, 100.0) };
        let ticks = scale.ticks();
        assert_eq!(ticks.iter().map(|t| tick(*t, &ticks)).collect::<Vec<_>>(), ["-0.1", "0", "0.1", "0.2", "0.3"]);
        assert!((scale.place(0.31) - 100.0).abs() < 1e-9);
        assert!(Scale { from: (1.0, 1.0), to: (0.0, 1.0) }.ticks().is_empty());
    }

    #[test]
    fn bounds_have_a_span() {
        assert_eq!(bounds([5.0].into_iter()), (2.5, 7.5));
        assert_eq!(bounds([f64::NAN].into_iter()), (0.0, 1.0));
        assert_eq!(bounds([0.0, 10.0].into_iter()), (-0.5, 10.5));
    }
}
