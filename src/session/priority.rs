//! Which of several sources of one signal counts.
//!
//! Quality comes first, in steps of a tenth, so that two sensors that are about as good do not take turns; a source with no
//! value comes last. Among equals the profile's order decides: a device or model it names before those it does not. What is
//! still equal goes by device and stream, so that the same sources give the same answer whatever the order they came in.
//!
//! Windows meet when they are the same window. Readings are made at moments of their own: one does not count when a better
//! one of another source lies within [`REACH_US`] of it.

use std::cmp::Ordering;

use crate::id::{DeviceKey, StreamName};
use crate::program::Source;
use crate::signal::Quality;
use crate::time::{Instant, MICROS};

/// How far apart, in microseconds, two readings may be to speak of the same thing.
pub const REACH_US: i64 = 30 * MICROS;

/// A source's claim to be the one that counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// Device.
    pub device: DeviceKey,
    /// Its model, where that is known.
    pub model: Option<String>,
    /// Stream.
    pub stream: StreamName,
    /// Quality of what it measured; none where it has no value.
    pub quality: Option<Quality>,
}

/// What decided between two sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The other one's quality is better.
    Quality,
    /// The episode's profile wants the other one more.
    Profile,
    /// Nothing but their names.
    Name,
}

impl Reason {
    /// Its code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Quality => "quality",
            Self::Profile => "profile",
            Self::Name => "name",
        }
    }
}

impl Claim {
    /// Whether this is a claim of the same source.
    pub fn is_of(&self, other: &Self) -> bool {
        self.device == other.device && self.stream == other.stream
    }

    /// Tenths of quality, from 1 to 10; 0 for no value. By whole thousandths, which is what is kept of it.
    fn step(&self) -> u32 {
        self.quality.map_or(0, |quality| 1 + ((quality.index() * 1000.0).round() as u32 / 100).min(9))
    }

    /// Its place in the profile's order.
    fn place(&self, order: &[Source]) -> usize {
        let is_named = |source: &Source| match source {
            Source::Model(model) => self.model.as_ref() == Some(model),
            Source::Device(device) => self.device == *device,
        };
        order.iter().position(is_named).unwrap_or(order.len())
    }
}

/// How two claims compare: `Less` when `a` is the better one.
pub fn compare(order: &[Source], a: &Claim, b: &Claim) -> Ordering {
    weigh(order, a, b).0
}

/// What decides between two claims.
pub fn reason(order: &[Source], a: &Claim, b: &Claim) -> Reason {
    weigh(order, a, b).1
}

fn weigh(order: &[Source], a: &Claim, b: &Claim) -> (Ordering, Reason) {
    let by_quality = b.step().cmp(&a.step());
    let by_profile = a.place(order).cmp(&b.place(order));
    match (by_quality, by_profile) {
        (Ordering::Equal, Ordering::Equal) => ((&a.device, &a.stream).cmp(&(&b.device, &b.stream)), Reason::Name),
        (Ordering::Equal, by_profile) => (by_profile, Reason::Profile),
        (by_quality, _) => (by_quality, Reason::Quality),
    }
}

/// Whether a reading is passed over for one of `others`.
pub fn is_passed_over(order: &[Source], (at, claim): (Instant, &Claim), others: &[(Instant, &Claim)]) -> bool {
    others.iter().any(|(other_at, other)| {
        (other_at.0 - at.0).abs() <= REACH_US && !other.is_of(claim) && compare(order, other, claim).is_lt()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(device: &str, model: &str, quality: Option<f64>) -> Claim {
        Claim {
            device: DeviceKey::new(device).unwrap(),
            model: Some(model.to_owned()),
            stream: StreamName::new("s").unwrap(),
            quality: quality.map(Quality::new),
        }
    }

    #[test]
    fn quality_then_profile_then_name() {
        let order = [Source::Device(DeviceKey::new("z").unwrap()), Source::Model("patch".to_owned())];
        let better = |a: &Claim, b: &Claim| {
            assert_eq!(compare(&order, a, b), compare(&order, b, a).reverse());
            (compare(&order, a, b).is_lt(), reason(&order, a, b))
        };
        let patch = claim("p", "patch", Some(0.93));
        assert_eq!(better(&patch, &claim("a", "ring", Some(0.5))), (true, Reason::Quality));
        assert_eq!(better(&patch, &claim("a", "ring", None)), (true, Reason::Quality));
        assert_eq!(better(&claim("a", "ring", Some(0.0)), &claim("p", "patch", None)), (true, Reason::Quality));
        // About as good.
        assert_eq!(better(&patch, &claim("a", "ring", Some(1.0))), (true, Reason::Profile));
        assert_eq!(better(&claim("p", "patch", Some(0.8997)), &claim("a", "ring", Some(0.9))), (true, Reason::Profile));
        assert_eq!(better(&patch, &claim("z", "ring", Some(0.9))), (false, Reason::Profile));
        assert_eq!(better(&patch, &claim("q", "patch", Some(0.9))), (true, Reason::Name));
        assert_eq!(better(&claim("a", "x", Some(0.9)), &claim("b", "y", Some(0.9))), (true, Reason::Name));
    }

    #[test]
    fn a_better_reading_counts_for_half_a_minute_around() {
        let (good, poor) = (claim("b", "x", Some(0.9)), claim("a", "x", Some(0.4)));
        let at = Instant(0);
        let passed = |claim: &Claim, other_us: i64, other: &Claim| {
            is_passed_over(&[], (at, claim), &[(Instant(other_us), other)])
        };
        assert!(passed(&poor, REACH_US, &good) && passed(&poor, -REACH_US, &good));
        assert!(!passed(&poor, REACH_US + 1, &good));
        assert!(!passed(&good, 0, &poor) && !passed(&poor, 1, &claim("a", "x", Some(0.9))));
    }
}
