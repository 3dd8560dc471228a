//! Pulses against heart beats: the pulse arrives later than the beat, by a delay that belongs to the person and the site.

use afferent_dsp::evaluate::{Scope, Tally, match_beats};

use super::statistics::median;

/// Longest delay looked for.
const LONGEST_S: f64 = 0.8;
/// Steps of the search.
const STEP_S: f64 = 0.01;
/// The ends of a recording do not count: a beat's pulse may lie outside.
const ENDS_S: f64 = 2.0;

/// Beats and pulses matched at the delay that matches most, within 150 ms; positions in seconds.
#[derive(Debug, Clone)]
pub(super) struct Matched {
    /// Median time from beat to pulse, in seconds.
    pub(super) delay_s: f64,
    /// Counts, and errors in seconds.
    pub(super) tally: Tally,
}

/// Matches `pulses_s` with `beats_s`, both ascending.
pub(super) fn match_delayed(beats_s: &[f64], pulses_s: &[f64]) -> Matched {
    let steps = (0..=(LONGEST_S / STEP_S) as u32).map(|step| f64::from(step) * STEP_S);
    let tries = steps.map(|delay_s| Matched { delay_s, tally: at(beats_s, pulses_s, delay_s) });
    let best = tries.reduce(|best, m| if m.tally.true_positive > best.tally.true_positive { m } else { best });
    let coarse = best.unwrap_or_else(|| Matched { delay_s: 0.0, tally: Tally::default() });
    let off_ms = median(coarse.tally.offsets_ms());
    let delay_s = if off_ms.is_nan() { coarse.delay_s } else { coarse.delay_s + off_ms / 1000.0 };
    Matched { delay_s, tally: at(beats_s, pulses_s, delay_s) }
}

fn at(beats_s: &[f64], pulses_s: &[f64], delay_s: f64) -> Tally {
    let moved: Vec<f64> = pulses_s.iter().map(|p| p - delay_s).collect();
    let end = beats_s.last().copied().unwrap_or(0.0) - ENDS_S;
    let scope = Scope { from: ENDS_S, excluded: vec![(end, f64::INFINITY)] };
    match_beats(beats_s, &moved, 1.0, &scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_is_found_and_the_ends_do_not_count() {
        let beats: Vec<f64> = (0..60).map(|i| f64::from(i) * 0.83).collect();
        let mut pulses: Vec<f64> = beats.iter().map(|b| b + 0.237).collect();
        pulses.remove(30);
        pulses.remove(0);
        let matched = match_delayed(&beats, &pulses);
        assert!((matched.delay_s - 0.237).abs() < 1e-9, "{}", matched.delay_s);
        assert_eq!((matched.tally.false_negative, matched.tally.false_positive), (1, 0));
        assert_eq!(match_delayed(&[], &[]).tally.errors(), 0);
    }
}
