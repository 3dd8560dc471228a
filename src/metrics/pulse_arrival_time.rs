//! Pulse arrival time: from the R peak to the pulse's steepest upstroke (Mukkamala et al. 2015,
//! doi:10.1109/TBME.2015.2441951).
//!
//! It holds the pre-ejection period besides the transit time, and the sensors' relative delay: follow its changes, not
//! its value, unless both streams come from one clock.

/// Changes whenever the same beats and pulses could give other times.
pub const VERSION: &str = "1.0.0";

/// Fewest beats with a pulse for a summary.
pub const MIN_ARRIVALS: usize = 5;
/// Arrival times at finger, ear or wrist, monitor delay included.
const ARRIVAL_S: std::ops::RangeInclusive<f64> = 0.08..=0.7;
/// Distance from the window's median at which a pulse is another beat's or an artefact's.
const SPREAD_S: f64 = 0.1;

/// One beat's pulse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrival {
    /// The R peak, in seconds.
    pub beat_s: f64,
    /// From there to the pulse, in ms.
    pub ms: f64,
}

/// Arrival times over a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Median, in ms.
    pub median_ms: f64,
    /// Median distance from the median, in ms.
    pub spread_ms: f64,
    /// Share of the beats that have a pulse near the median, in [0, 1].
    pub quality: f64,
}

/// The first pulse after each R peak, both in seconds ascending on one axis. A beat whose pulse comes after the next
/// beat, or not within 80 to 700 ms, has none.
pub fn arrivals(beats_s: &[f64], pulses_s: &[f64]) -> Vec<Arrival> {
    let arrival = |(nth, &beat_s): (usize, &f64)| {
        let first = pulses_s.partition_point(|pulse| *pulse < beat_s + ARRIVAL_S.start());
        let delay_s = pulses_s.get(first)? - beat_s;
        let before_next = beats_s.get(nth + 1).is_none_or(|next| beat_s + delay_s < next + ARRIVAL_S.start());
        (before_next && ARRIVAL_S.contains(&delay_s)).then_some(Arrival { beat_s, ms: delay_s * 1000.0 })
    };
    beats_s.iter().enumerate().filter_map(arrival).collect()
}

/// Summary over the arrivals of `beats` beats; `None` when fewer than [`MIN_ARRIVALS`] lie within 100 ms of the median.
pub fn summarize(arrivals: &[Arrival], beats: usize) -> Option<Summary> {
    let middle = median(arrivals.iter().map(|arrival| arrival.ms))?;
    let near: Vec<f64> =
        arrivals.iter().map(|arrival| arrival.ms).filter(|ms| (ms - middle).abs() <= SPREAD_S * 1000.0).collect();
    if near.len() < MIN_ARRIVALS {
        return None;
    }
    let median_ms = median(near.iter().copied())?;
    let spread_ms = median(near.iter().map(|ms| (ms - median_ms).abs()))?;
    Some(Summary { median_ms, spread_ms, quality: (near.len() as f64 / beats.max(1) as f64).min(1.0) })
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_delay_is_found_although_a_pulse_is_missing_and_one_is_extra() {
        let beats: Vec<f64> = (0..20).map(|i| f64::from(i) * 0.8).collect();
        let mut pulses: Vec<f64> = beats.iter().map(|beat| beat + 0.25).collect();
        pulses.remove(7);
        pulses.insert(3, pulses[2] + 0.3);
        let found = arrivals(&beats, &pulses);
        assert_eq!(found.len(), 19);
        let summary = summarize(&found, beats.len()).unwrap();
        assert!((summary.median_ms - 250.0).abs() < 1e-6 && summary.spread_ms < 1e-6 && summary.quality >= 0.9);
    }

    #[test]
    fn too_few_arrivals_have_no_summary() {
        assert_eq!(summarize(&arrivals(&[], &[]), 0), None);
        assert_eq!(summarize(&arrivals(&[0.0, 1.0, 2.0], &[0.3, 1.3, 2.3]), 3), None);
        assert_eq!(arrivals(&[0.0, 1.0], &[5.0]), vec![]);
    }
}
