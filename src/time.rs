//! Points and spans of time, in microseconds since 1970-01-01T00:00:00Z.
//!
//! What a device's clock says ([`DeviceTime`]) and the time base measurements are reported in ([`Instant`]) are different
//! types, so that one cannot pass for the other. Only [`Clock`] reads the wall clock, and only the shell holds one: nothing
//! after the journal may ask what time it is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Microseconds in a second.
pub const MICROS: i64 = 1_000_000;

/// The wait after something failed once more: `first_us`, doubled so many `times`, and no more than `longest_us`.
pub fn doubled(first_us: i64, times: i64, longest_us: i64) -> i64 {
    let factor = u32::try_from(times).ok().and_then(|times| 2_i64.checked_pow(times));
    factor.map_or(longest_us, |factor| first_us.saturating_mul(factor).min(longest_us))
}

/// A point in server time: corrected event time, receive time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Instant(pub i64);

/// A point in a device's own time, as the device stated it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DeviceTime(pub i64);

/// Half-open span of time, `start` included, `end` not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Interval {
    /// First instant inside.
    pub start: Instant,
    /// First instant after.
    pub end: Instant,
}

/// Why a text is no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time with a zone, such as 2026-01-18T14:32:12.345Z")]
pub struct InvalidTime;

impl Instant {
    /// Before everything.
    pub const MIN: Self = Self(i64::MIN);
    /// After everything.
    pub const MAX: Self = Self(i64::MAX);

    /// Reads an RFC 3339 time.
    pub fn parse(text: &str) -> Result<Self, InvalidTime> {
        let timestamp: jiff::Timestamp = text.parse().map_err(|_| InvalidTime)?;
        Ok(Self(timestamp.as_microsecond()))
    }

    /// This time `micros` microseconds later.
    #[must_use]
    pub fn plus(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// Seconds from `earlier` to this.
    pub fn seconds_since(self, earlier: Self) -> f64 {
        (self.0 - earlier.0) as f64 / MICROS as f64
    }

    /// RFC 3339 with microseconds, in UTC.
    pub fn to_rfc3339(self) -> String {
        jiff::Timestamp::from_microsecond(self.0).map_or_else(|_| self.0.to_string(), |t| format!("{t:.6}"))
    }

    /// FHIR `instant` or `dateTime` with milliseconds, in UTC.
    pub fn to_fhir(self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0.div_euclid(1000) * 1000) {
            Ok(timestamp) => write!(f, "{timestamp:.3}"),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl DeviceTime {
    /// Reads an RFC 3339 time.
    pub fn parse(text: &str) -> Result<Self, InvalidTime> {
        Instant::parse(text).map(|t| Self(t.0))
    }

    /// RFC 3339 with microseconds, in UTC.
    pub fn to_rfc3339(self) -> String {
        Instant(self.0).to_rfc3339()
    }
}

impl Interval {
    /// The window of `length` microseconds that holds `at`, windows counted from 1970.
    pub fn aligned(at: Instant, length: i64) -> Self {
        let start = at.0.div_euclid(length) * length;
        Self { start: Instant(start), end: Instant(start + length) }
    }

    /// The window right after.
    #[must_use]
    pub fn next(self) -> Self {
        Self { start: self.end, end: self.end.plus(self.micros()) }
    }

    /// Length in microseconds.
    pub fn micros(self) -> i64 {
        self.end.0 - self.start.0
    }

    /// Length in seconds.
    pub fn seconds(self) -> f64 {
        self.micros() as f64 / MICROS as f64
    }

    /// Whether `at` is inside.
    pub fn contains(self, at: Instant) -> bool {
        self.start <= at && at < self.end
    }
}

/// What time it is. The shell passes one down; tests pass a fixed one.
pub trait Clock: Send + Sync + 'static {
    /// Now, in server time.
    fn now(&self) -> Instant;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // the one place that reads the wall clock
    fn now(&self) -> Instant {
        Instant(jiff::Timestamp::now().as_microsecond())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fhir_times_have_milliseconds_and_a_zone() {
        let t = Instant::parse("2026-01-18T15:32:12.345678+01:00").unwrap();
        assert_eq!(t.to_fhir(), "2026-01-18T14:32:12.345Z");
        assert_eq!(Instant::parse(&t.to_fhir()).unwrap().0 / 1000, t.0 / 1000);
        assert_eq!(Instant::parse("2026-01-18T14:32:12"), Err(InvalidTime));
    }

    #[test]
    fn windows_are_counted_from_the_epoch() {
        let window = Interval::aligned(Instant::parse("2026-01-18T14:32:12Z").unwrap(), 60 * MICROS);
        assert_eq!(window.start.to_fhir(), "2026-01-18T14:32:00.000Z");
        assert_eq!(window.next().start, window.end);
        assert!(window.contains(window.start) && !window.contains(window.end));
    }
}
