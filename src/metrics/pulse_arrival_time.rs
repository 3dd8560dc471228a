//! Pulse arrival time: from the R peak to the pulse's steepest upstroke (Mukkamala et al. 2015,
//! doi:10.1109/TBME.2015.2441951).
//!
//! It holds the pre-ejection period besides the transit time, and the sensors' relative delay: follow its changes, not
//! its value, unless both streams come from one clock.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::median::median;

/// Changes whenever the same beats and pulses could give other times.
pub const VERSION: &str = "1.0.0";

/// Fewest beats with a pulse for a summary.
pub const MIN_ARRIVALS: usize = 5;
/// Arrival times at finger, ear or wrist, monitor delay included.
const ARRIVAL_S: std::ops::RangeInclusive<f64> = 0.08..=0.7;
/// Distance from the window's median at which a pulse is another beat's or an artefact's.
const SPREAD_S: f64 = 0.1;

/// Beats or pulses kept while the other stream is late: some minutes.
const MOST_WAITING: usize = 512;

/// One beat's pulse.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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

/// Pulse transit time from a near to a far place on one arm or leg, or between ear and finger: the difference of the two
/// places' arrival times of the same beats, in ms. The pre-ejection period drops out.
///
/// `None` when fewer than [`MIN_ARRIVALS`] beats have a pulse at both places within 100 ms of the median.
pub fn transit(near: &[Arrival], far: &[Arrival]) -> Option<Summary> {
    let far_ms = |beat_s: f64| far.iter().find(|arrival| arrival.beat_s == beat_s).map(|arrival| arrival.ms);
    let transit = |near: &Arrival| Some(Arrival { beat_s: near.beat_s, ms: far_ms(near.beat_s)? - near.ms });
    summarize(&near.iter().filter_map(transit).collect::<Vec<_>>(), near.len().max(far.len()))
}

/// Streaming pairing of two streams of events that arrive in any order of each other; the same arrivals, in the same
/// order, as [`arrivals`] over all of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Pairing {
    /// All in seconds.
    beats: VecDeque<f64>,
    pulses: VecDeque<f64>,
    /// Every beat and every pulse before these times has been pushed.
    beats_until: f64,
    pulses_until: f64,
}

impl Pairing {
    /// Takes the R peaks since the last call, in seconds ascending, all of them before `until_s`.
    pub fn push_beats(&mut self, beats_s: &[f64], until_s: f64, found: &mut Vec<Arrival>) {
        self.beats.extend(beats_s.iter().filter(|beat| beat.is_finite()));
        self.beats_until = self.beats_until.max(until_s);
        self.pair(found);
    }

    /// Takes the pulses since the last call, in seconds ascending, all of them before `until_s`.
    pub fn push_pulses(&mut self, pulses_s: &[f64], until_s: f64, found: &mut Vec<Arrival>) {
        self.pulses.extend(pulses_s.iter().filter(|pulse| pulse.is_finite()));
        self.pulses_until = self.pulses_until.max(until_s);
        self.pair(found);
    }

    /// Ends both streams and gives the arrivals still pending.
    pub fn finish(&mut self, found: &mut Vec<Arrival>) {
        self.beats_until = f64::INFINITY;
        self.pulses_until = f64::INFINITY;
        self.pair(found);
    }

    /// Decides every beat whose next beat and whose pulses are known.
    fn pair(&mut self, found: &mut Vec<Arrival>) {
        while let Some(&beat_s) = self.beats.front() {
            let decided_s = beat_s + ARRIVAL_S.end();
            if self.beats_until <= decided_s || self.pulses_until <= decided_s {
                break;
            }
            let near: Vec<f64> = self.beats.iter().take(2).copied().collect();
            found.extend(arrivals(&near, self.pulses.make_contiguous()).into_iter().filter(|one| one.beat_s == beat_s));
            self.beats.pop_front();
        }
        // A beat to come may be as early as the time up to which beats are known.
        let earliest_s = self.beats.front().copied().unwrap_or(self.beats_until);
        while self.pulses.front().is_some_and(|pulse| *pulse < earliest_s) {
            self.pulses.pop_front();
        }
        // One stream without the other is not kept for ever.
        self.beats.drain(..self.beats.len().saturating_sub(MOST_WAITING));
        self.pulses.drain(..self.pulses.len().saturating_sub(MOST_WAITING));
    }
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

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

    #[test]
    fn transit_is_the_difference_of_two_places() {
        let beats: Vec<f64> = (0..20).map(|i| f64::from(i) * 0.8).collect();
        let at = |delay: f64| arrivals(&beats, &beats.iter().map(|beat| beat + delay).collect::<Vec<_>>());
        let mut near = at(0.18);
        near.remove(4);
        let found = transit(&near, &at(0.25)).unwrap();
        assert!((found.median_ms - 70.0).abs() < 1e-6 && (found.quality - 0.95).abs() < 1e-9, "{found:?}");
        assert_eq!(transit(&near, &[]), None);
    }

    #[test]
    fn a_stream_without_its_other_is_bounded() {
        let (mut pairing, mut found) = (Pairing::default(), Vec::new());
        for beat in 0..100_000 {
            pairing.push_beats(&[f64::from(beat) * 0.8], f64::from(beat) * 0.8 + 0.1, &mut found);
        }
        assert!(postcard::to_stdvec(&pairing).unwrap().len() < 5000 && found.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_order_of_arrival_does_not_matter(
            intervals in proptest::collection::vec(0.05_f64..1.5, 0..60),
            delays in proptest::collection::vec(0.0_f64..0.9, 60),
            turns in proptest::collection::vec((any::<bool>(), 0.0_f64..3.0), 0..60),
        ) {
            let beats: Vec<f64> = intervals.iter().scan(0.0, |at, one| { *at += one; Some(*at) }).collect();
            let mut pulses: Vec<f64> = beats.iter().zip(&delays).map(|(beat, delay)| beat + delay).collect();
            pulses.sort_by(f64::total_cmp);
            let (mut pairing, mut found, mut until) = (Pairing::default(), Vec::new(), [0.0, 0.0]);
            let cut = |all: &[f64], from: f64, to: f64| -> Vec<f64> {
                all.iter().copied().filter(|at| (from..to).contains(at)).collect()
            };
            for (of_beats, seconds) in turns.into_iter().chain([(true, 1e3), (false, 1e3)]) {
                let from = until[usize::from(of_beats)];
                until[usize::from(of_beats)] = from + seconds;
                if of_beats {
                    pairing.push_beats(&cut(&beats, from, from + seconds), from + seconds, &mut found);
                } else {
                    pairing.push_pulses(&cut(&pulses, from, from + seconds), from + seconds, &mut found);
                }
                pairing = postcard::from_bytes(&postcard::to_stdvec(&pairing).unwrap()).unwrap();
            }
            pairing.finish(&mut found);
            prop_assert_eq!(found, arrivals(&beats, &pulses));
        }
    }

    /// When this fails the output has changed: raise [`VERSION`] and note the new value beside it.
    #[test]
    fn output_changes_only_with_the_version() {
        let beats: Vec<f64> = (0..40).map(|i| f64::from(i) * 0.8 + 0.03 * (f64::from(i) * 0.7).sin()).collect();
        let pulses: Vec<f64> = beats.iter().enumerate().map(|(i, beat)| beat + 0.25 + 0.01 * (i % 5) as f64).collect();
        let found = summarize(&arrivals(&beats, &pulses), 41).unwrap();
        let rounded = [found.median_ms, found.spread_ms, found.quality].map(|value| (value * 1e3).round());
        assert_eq!((VERSION, rounded), ("1.0.0", [270_000.0, 10_000.0, 976.0]));
    }
}
