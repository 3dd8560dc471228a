//! Device time to server time, from what is known of every packet: the device's time, its place in the sequence, and when
//! it came.
//!
//! A packet cannot come before it was made, so `received - device time` is the clock's offset plus a delay that is never
//! negative. The line under all these points is the clock; what lies above it is delivery. The line is the edge of their
//! lower convex hull over the middle of the time seen, which is the linear program's solution for points spread evenly
//! (Moon, Skelly and Towsley 1999, "Estimation and removal of clock skew from network delay measurements"; Zhang, Liu and
//! Xia 2002, "Clock synchronization algorithms for network measurements", for the hull). Bursts, flushes of a buffer and
//! late packets only add points above it and change nothing.
//!
//! What no algorithm can tell from one direction alone: the least delay itself, which counts as offset. Sensors that send
//! over the same way share it, and with it their time base.

use serde::{Deserialize, Serialize};

use super::hull::Hull;
use crate::time::{DeviceTime, Instant, MICROS};

/// Further off than this from where the clock was is a clock that was set, or a device that started anew.
const JUMP_US: f64 = 1_000_000.0;
/// A packet that came by more than this before the line says it was made tells that the line is wrong.
const TOO_EARLY_US: f64 = 100_000.0;
/// The line is looked at anew after so many packets of a segment, so early that a clock that is years off is never believed,
const LOOKS: [u32; 3] = [1, 8, 64];
/// and after so many microseconds by the device's clock. Each time it gets better, and what was computed by the line before is
/// computed anew: so seldom that this costs little. After the last one the next segment begins: over about an hour a
/// crystal's rate changes by less than 1 ppm.
const SPANS_US: [f64; 9] = [300e6, 425e6, 600e6, 850e6, 1_200e6, 1_700e6, 2_400e6, 3_400e6, 4_096e6];
/// A rate is told from this span on; before, the offset alone.
const RATE_AFTER_US: f64 = SPANS_US[0];
/// A segment that goes on from another is looked at from this span on: before, the line of that one is as good.
const GOES_ON_US: f64 = SPANS_US[2];
/// No crystal is off by more.
const MOST_DRIFT: f64 = 200e-6;
/// A line that differs by less is the same line.
const SAME_US: f64 = 500.0;
/// Packets before a clock that is believed is said to be off.
const EVIDENCE: u32 = 64;

/// How a device's clock is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Discipline {
    /// Somebody keeps it: its times are taken as they are. Off by more than `bound_us` it is said to be so.
    Kept {
        /// Microseconds.
        bound_us: i64,
    },
    /// Nobody keeps it: its times are mapped to the server's.
    Free,
}

/// A stretch of packets over which a clock runs evenly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// Its first packet.
    pub first: u64,
    /// Device time of that packet.
    pub origin: DeviceTime,
    /// Server time minus device time there, in microseconds.
    pub offset_us: f64,
    /// What the server's time gains on the device's, in seconds a second.
    pub drift: f64,
    /// Whether times are corrected by it, or only said to be off by it.
    pub corrects: bool,
}

impl Segment {
    fn line_at(&self, at: DeviceTime) -> f64 {
        self.offset_us + self.drift * (at.0 - self.origin.0) as f64
    }
}

/// What is known of one packet's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Its time on the server's time base.
    pub at: Instant,
    /// What was added to the device's own time, in microseconds.
    pub added_us: i64,
    /// How far the clock was off when nothing was added though it should have been.
    pub skew_us: Option<i64>,
}

/// A stream's clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Clock {
    discipline: Discipline,
    segments: Vec<Segment>,
    /// How often what was said of packets that had been read already has changed.
    revision: i64,
    /// The packet it has to see next; those before it have had their say.
    next: u64,
    survey: Option<Survey>,
}

/// The segment that is being looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Survey {
    first: u64,
    origin: DeviceTime,
    last: DeviceTime,
    last_sequence: u64,
    received_first: Instant,
    received_last: Instant,
    count: u32,
    hull: Hull,
    /// That of the segment before, if this one goes on from it; its line holds meanwhile.
    before: Option<Hull>,
}

impl Clock {
    /// A clock nothing is known of.
    pub fn new(discipline: Discipline) -> Self {
        Self { discipline, segments: Vec::new(), revision: 0, next: 0, survey: None }
    }

    /// How it is taken.
    pub fn discipline(&self) -> Discipline {
        self.discipline
    }

    /// How often what was said of packets that had been read already has changed.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// Its segments so far that say anything, in order.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The segment a packet is of.
    pub fn segment(&self, sequence: u64) -> Option<&Segment> {
        let after = self.segments.partition_point(|segment| segment.first <= sequence);
        self.segments.get(after.checked_sub(1)?)
    }

    /// The time of a packet.
    pub fn read(&self, sequence: u64, device: DeviceTime) -> Reading {
        let as_it_is = Reading { at: Instant(device.0), added_us: 0, skew_us: None };
        let Some(segment) = self.segment(sequence) else { return as_it_is };
        let off_us = segment.line_at(device).round() as i64;
        if segment.corrects {
            Reading { at: Instant(device.0 + off_us), added_us: off_us, skew_us: None }
        } else if off_us == 0 {
            as_it_is
        } else {
            Reading { skew_us: Some(off_us), ..as_it_is }
        }
    }

    /// Takes a packet in, in the order of the sequence. Returns the first packet whose time is another one now: all from
    /// there on have to be read again.
    pub fn observe(&mut self, sequence: u64, device: DeviceTime, received: Instant) -> Option<u64> {
        if sequence < self.next {
            return None;
        }
        self.next = sequence + 1;
        let continues = self.survey.as_ref().is_some_and(|survey| !survey.is_broken_by(sequence, device, received));
        let is_full = self.survey.as_ref().is_some_and(|survey| survey.span_us() >= SPANS_US[SPANS_US.len() - 1]);
        self.survey = match self.survey.take() {
            Some(survey) if continues && !is_full => Some(survey),
            Some(survey) if continues => Some(survey.go_on(sequence, device, received)),
            _ => Some(Survey::new(sequence, device, received)),
        };
        let survey = self.survey.as_mut()?;
        let before_us = survey.span_us();
        survey.add(sequence, device, received);
        let is_due = survey.is_due(before_us);
        let line_at = self.segment(sequence).map_or(f64::INFINITY, |segment| segment.line_at(device));
        let survey = self.survey.as_ref()?;
        let is_wrong = self.discipline == Discipline::Free && ((received.0 - device.0) as f64) < line_at - TOO_EARLY_US;
        if !is_due && !is_wrong {
            return None;
        }
        let line = survey.line(self.discipline);
        let (first, last) = (survey.origin, survey.last);
        self.adopt(line, first, last)
    }

    /// Takes a line for what it is worth: nothing where it says the same as is known already.
    fn adopt(&mut self, line: Segment, first: DeviceTime, last: DeviceTime) -> Option<u64> {
        let known = self.segment(line.first);
        let is_same = |at| {
            let off = known.map_or(0.0, |known| known.line_at(at));
            (line.line_at(at) - off).abs() < SAME_US
        };
        let same_way = known.map_or(!line.corrects, |known| known.corrects == line.corrects);
        if same_way && is_same(first) && is_same(last) {
            return None;
        }
        let sequence = line.first;
        self.revision += 1;
        self.segments.retain(|segment| segment.first < sequence);
        self.segments.push(line);
        Some(sequence)
    }
}

impl Survey {
    fn new(first: u64, origin: DeviceTime, received: Instant) -> Self {
        Self {
            first,
            origin,
            last: origin,
            last_sequence: first,
            received_first: received,
            received_last: received,
            count: 0,
            before: None,
            hull: Hull::default(),
        }
    }

    /// The survey of the next segment of the same even run: it keeps what the last one saw, so that it never knows less.
    fn go_on(mut self, first: u64, origin: DeviceTime, received: Instant) -> Self {
        self.hull.shift((origin.0 - self.origin.0) as f64);
        Self { before: Some(self.hull), ..Self::new(first, origin, received) }
    }

    /// Whether a packet cannot be of the same even run of the clock: the clock went back; or it went ahead of its packets'
    /// usual distance, and by more than any delivery can explain. Before packets have come at the pace they were made at,
    /// delivery explains everything.
    fn is_broken_by(&self, sequence: u64, device: DeviceTime, received: Instant) -> bool {
        let step = (device.0 - self.last.0) as f64;
        if step < -JUMP_US {
            return true;
        }
        let packets = self.last_sequence - self.first;
        let usual = (self.last.0 - self.origin.0) as f64 / packets.max(1) as f64;
        let ahead = step - usual * (sequence - self.last_sequence) as f64 > JUMP_US;
        let delay = (received.0 - device.0) as f64;
        ahead && self.is_paced() && self.hull.least().is_some_and(|least| delay < least - JUMP_US)
    }

    fn add(&mut self, sequence: u64, device: DeviceTime, received: Instant) {
        self.count += 1;
        (self.last, self.last_sequence) = (device, sequence);
        self.received_last = self.received_last.max(received);
        self.hull.add((device.0 - self.origin.0) as f64, (received.0 - device.0) as f64);
    }

    /// From its first packet to its last, by the device's clock.
    fn span_us(&self) -> f64 {
        (self.last.0 - self.origin.0) as f64
    }

    /// Whether the last packet completed a number or a span after which the line is looked at.
    fn is_due(&self, before_us: f64) -> bool {
        let (from, now) = (if self.before.is_some() { GOES_ON_US } else { 0.0 }, self.span_us());
        let by_span = SPANS_US.iter().any(|&span| span >= from && before_us < span && now >= span);
        by_span || (self.before.is_none() && LOOKS.contains(&self.count))
    }

    fn line(&self, discipline: Discipline) -> Segment {
        let hull = self.before.as_ref().map_or_else(|| self.hull.clone(), |before| before.clone().and(&self.hull));
        let (offset_us, drift) =
            if hull.span() < RATE_AFTER_US { (hull.least().unwrap_or(0.0), 0.0) } else { hull.line(MOST_DRIFT) };
        let segment = Segment { first: self.first, origin: self.origin, offset_us, drift, corrects: true };
        match discipline {
            Discipline::Free => segment,
            Discipline::Kept { bound_us } => {
                let off = self.is_evidence(offset_us) && offset_us.abs() > bound_us as f64;
                // Whole seconds: it is a warning, not a correction.
                let said = if off { (offset_us / MICROS as f64).round() * MICROS as f64 } else { 0.0 };
                Segment { offset_us: said, drift: 0.0, corrects: false, ..segment }
            }
        }
    }

    /// Whether the packets tell a clock that is off from packets that came late: ahead of the server it is off; behind, when
    /// they came at the pace they were made at, which the flush of a buffer does not.
    fn is_evidence(&self, offset_us: f64) -> bool {
        self.count >= EVIDENCE && (offset_us < 0.0 || self.is_paced())
    }

    /// Whether packets came at about the pace they were made at.
    fn is_paced(&self) -> bool {
        let made_us = self.span_us();
        let came_us = (self.received_last.0 - self.received_first.0) as f64;
        made_us > 0.0 && came_us > 0.5 * made_us && came_us < 2.0 * made_us
    }
}

#[cfg(test)]
mod tests;
