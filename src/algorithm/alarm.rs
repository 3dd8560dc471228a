//! Whether what a rule of `registry/alert` looks for has held for long enough, and whether it is over: the state of one rule on
//! one stream. Time is that of the data, never that of a wall clock.
//!
//! The words are those of alarm systems (IEC 60601-1-8). Three things keep it from crying wolf: values of poor quality say
//! nothing, the condition has to hold without a break, and it ends at another limit, or after another time, than it began.

use serde::{Deserialize, Serialize};

use crate::registry::{Alert as Rule, Condition, Limit};
use crate::signal::{PacketRange, Quality};
use crate::time::{Instant, Interval, MICROS};

/// A value a rule may read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Heard<'a> {
    /// A number in the unit of the signal's row.
    Number(f64),
    /// A code of the signal's value list.
    Code(&'a str),
}

/// A value with the time it speaks about.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// The time; `start == end` for a moment.
    pub interval: Interval,
    /// The value.
    pub heard: Heard<'a>,
    /// How far it can be trusted.
    pub quality: Quality,
    /// The packets behind it.
    pub packets: &'a PacketRange,
}

/// What became of an alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Since when the condition has held.
    pub onset: Instant,
    /// When it had held for long enough.
    pub raised: Instant,
    /// Since when it holds no longer; none while it does.
    pub over: Option<Instant>,
    /// Mean quality of the values that raised it.
    pub quality: Quality,
    /// The packets of the windows from its onset on.
    pub packets: Vec<PacketRange>,
}

/// A rule on a stream.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// The time the condition holds, with the packets behind it; none while all is well.
    held: Option<Held>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Held {
    since: Instant,
    /// End of the newest value that counted.
    until: Instant,
    /// When it had held for long enough.
    raised: Option<Instant>,
    /// Since when it has not held, where that is not long enough yet.
    released: Option<Instant>,
    quality_sum: f64,
    values: u32,
    packets: Vec<PacketRange>,
}

/// Windows of which the packets are named: an alert may last for days.
const MOST_WINDOWS: usize = 16;

impl Alarm {
    /// Takes the next value; values come in the order of their time.
    pub fn push(&mut self, rule: &Rule, reading: &Reading<'_>) -> Option<Change> {
        if reading.quality.index() < rule.min_quality {
            return None;
        }
        let mut held = self.held.take();
        let Interval { start, end } = reading.interval;
        let is_apart = |held: &Held| start.0 - held.until.0 > i64::from(rule.gap_s) * MICROS;
        // Across a gap nobody knows: what was raised stays so, what was not begins anew.
        held = held.filter(|held| held.raised.is_some() || !is_apart(held));
        let holds = holds(&rule.condition, reading.heard, held.is_some());
        let Some(mut held) = held else {
            if holds {
                return self.go_on(rule, Held::since(start), reading);
            }
            return None;
        };
        if is_apart(&held) {
            held.released = None;
        }
        if holds {
            held.released = None;
            return self.go_on(rule, held, reading);
        }
        // A break in what was not raised yet is the end of it.
        held.raised?;
        let released = *held.released.get_or_insert(start);
        held.until = end;
        if end.0 - released.0 >= i64::from(rule.clear_s) * MICROS {
            held.name(reading.packets);
            return held.change(Some(released));
        }
        self.held = Some(held);
        None
    }

    /// The stream has ended: what was raised is over, as far as anybody knows.
    pub fn finish(&mut self) -> Option<Change> {
        let held = self.held.take()?;
        let over = held.released.unwrap_or(held.until);
        held.change(Some(over))
    }

    /// Since when an alert has held that is raised, or may be; none while all is well.
    pub fn onset(&self) -> Option<Instant> {
        self.held.as_ref().map(|held| held.since)
    }

    fn go_on(&mut self, rule: &Rule, mut held: Held, reading: &Reading<'_>) -> Option<Change> {
        held.until = reading.interval.end;
        let is_long_enough = held.until.0 - held.since.0 >= i64::from(rule.hold_s) * MICROS;
        let mut change = None;
        if held.raised.is_none() {
            held.quality_sum += reading.quality.index();
            held.values += 1;
            held.name(reading.packets);
            if is_long_enough {
                held.raised = Some(held.until);
                change = held.change(None);
            }
        }
        self.held = Some(held);
        change
    }
}

impl Held {
    fn since(since: Instant) -> Self {
        let (raised, released, packets) = (None, None, Vec::new());
        Self { since, until: since, raised, released, quality_sum: 0.0, values: 0, packets }
    }

    /// Names the packets of a window; those of the same window again are more of the same.
    fn name(&mut self, packets: &PacketRange) {
        if let Some(last) = self.packets.last_mut().filter(|last| last.first == packets.first) {
            last.clone_from(packets);
        } else if self.packets.len() < MOST_WINDOWS {
            self.packets.push(packets.clone());
        }
    }

    /// What to tell; nothing of what was never raised.
    fn change(&self, over: Option<Instant>) -> Option<Change> {
        let quality = Quality::new(self.quality_sum / f64::from(self.values.max(1)));
        Some(Change { onset: self.since, raised: self.raised?, over, quality, packets: self.packets.clone() })
    }
}

/// Whether a condition holds, given whether it did before.
fn holds(condition: &Condition, heard: Heard<'_>, held: bool) -> bool {
    let bound = |at: &Limit| if held { at.release } else { at.limit };
    match (condition, heard) {
        (Condition::Code(code), Heard::Code(said)) => code == said,
        (Condition::Below(at), Heard::Number(value)) => value < bound(at),
        (Condition::Above(at), Heard::Number(value)) => value > bound(at),
        // A check of the rows keeps this from being.
        (Condition::Code(_), Heard::Number(_)) | (Condition::Below(_) | Condition::Above(_), Heard::Code(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;

    const POOR: f64 = 0.2;

    fn rule(id: &str) -> Rule {
        Registry::builtin().unwrap().alerts[id].clone()
    }

    /// What a rule says about values of a minute each: value and quality.
    fn run(rule: &Rule, values: &[(f64, f64)]) -> Vec<(i64, Option<i64>)> {
        let mut alarm = Alarm::default();
        let mut changes = Vec::new();
        for (minute, (value, quality)) in (0_i64..).zip(values) {
            let (start, packets) = (Instant(minute * 60 * MICROS), PacketRange::of(minute.cast_unsigned(), &[0; 32]));
            let interval = Interval { start, end: start.plus(60 * MICROS) };
            let (heard, quality) = (Heard::Number(*value), Quality::new(*quality));
            changes.extend(alarm.push(rule, &Reading { interval, heard, quality, packets: &packets }));
        }
        changes.extend(alarm.finish());
        let minute = |at: Instant| at.0 / 60 / MICROS;
        changes.iter().map(|change| (minute(change.raised), change.over.map(minute))).collect()
    }

    fn good(values: &[f64]) -> Vec<(f64, f64)> {
        values.iter().map(|value| (*value, 1.0)).collect()
    }

    #[test]
    fn it_has_to_hold_and_ends_at_another_limit_than_it_began() {
        let rule = rule("alert-tachycardia");
        // One minute alone is nothing; in between the limits what was not high stays so, and what was stays so.
        assert_eq!(run(&rule, &good(&[140.0, 90.0, 125.0, 125.0, 140.0, 119.0])), []);
        let values = good(&[140.0, 140.0, 125.0, 119.0, 125.0, 100.0, 100.0, 140.0]);
        assert_eq!(run(&rule, &values), [(2, None), (2, Some(5))]);
        // Still high when the stream ends.
        assert_eq!(run(&rule, &good(&[140.0, 140.0, 140.0])), [(2, None), (2, Some(3))]);
    }

    #[test]
    fn poor_values_say_nothing_and_gaps_break_what_was_not_raised() {
        let rule = rule("alert-tachycardia");
        assert_eq!(run(&rule, &[(140.0, POOR), (140.0, POOR), (140.0, POOR)]), []);
        // One poor minute is bridged; two are a gap.
        assert_eq!(run(&rule, &[(140.0, 1.0), (60.0, POOR), (140.0, 1.0)])[0], (3, None));
        assert_eq!(run(&rule, &[(140.0, 1.0), (60.0, POOR), (60.0, POOR), (140.0, 1.0)]), []);
        // What was raised outlasts one.
        let values = [(140.0, 1.0), (140.0, 1.0), (60.0, POOR), (60.0, POOR), (60.0, POOR), (140.0, 1.0)];
        assert_eq!(run(&rule, &values), [(2, None), (2, Some(6))]);
    }

    #[test]
    fn a_condition_below_is_one_above_upside_down() {
        let rule = rule("alert-low-oxygen-saturation");
        assert_eq!(run(&rule, &good(&[87.0, 89.0, 89.5, 91.0, 90.0])), [(2, None), (2, Some(3))]);
    }

    #[test]
    fn packets_are_named_by_window() {
        let rule = rule("alert-atrial-fibrillation");
        let (mut alarm, mut range) = (Alarm::default(), PacketRange::of(7, &[1; 32]));
        let mut change = None;
        for second in 0..=30 {
            let at = Instant(second * MICROS);
            if second > 0 {
                range.extend(7 + second.cast_unsigned(), &[1; 32]);
            }
            if second == 20 {
                range = PacketRange::of(27, &[1; 32]);
            }
            let (interval, heard) = (Interval { start: at, end: at }, Heard::Code("atrial-fibrillation"));
            let reading = Reading { interval, heard, quality: Quality::GOOD, packets: &range };
            change = change.or(alarm.push(&rule, &reading));
        }
        let change = change.unwrap();
        let runs: Vec<(u64, u64, u64)> = change.packets.iter().map(|p| (p.first, p.last, p.count)).collect();
        assert_eq!((change.raised, runs), (Instant(30 * MICROS), vec![(7, 26, 20), (27, 37, 11)]));
    }
}
