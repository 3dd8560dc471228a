//! Months: what data keys and retention count in.

use std::fmt;

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;

use crate::time::Instant;

/// A month in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    year: i16,
    month: i8,
}

impl Period {
    /// The month of a time.
    pub fn of(at: Instant) -> Self {
        let day = jiff::Timestamp::from_microsecond(at.0).unwrap_or_default().to_zoned(TimeZone::UTC).date();
        Self { year: day.year(), month: day.month() }
    }

    /// Reads `2026-01`.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-')?;
        let first = Date::new(year.parse().ok()?, month.parse().ok()?, 1).ok()?;
        let period = Self { year: first.year(), month: first.month() };
        (period.to_string() == text).then_some(period)
    }

    /// Its first instant.
    pub fn start(self) -> Instant {
        let first = date(self.year, self.month, 1).at(0, 0, 0, 0);
        Instant(TimeZone::UTC.to_timestamp(first).map_or(i64::MIN, jiff::Timestamp::as_microsecond))
    }

    /// The first instant after it.
    pub fn end(self) -> Instant {
        let (year, month) = if self.month == 12 { (self.year + 1, 1) } else { (self.year, self.month + 1) };
        Self { year, month }.start()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// What a data key seals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyUse {
    /// Packets that came in a month; destroyed with them.
    Month(Period),
    /// Secrets of others and what is exchanged with them; never destroyed by a rule of retention.
    Secrets,
}

impl KeyUse {
    /// Reads `2026-01` or `secrets`.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "secrets" { Some(Self::Secrets) } else { Period::parse(text).map(Self::Month) }
    }
}

impl From<Period> for KeyUse {
    fn from(period: Period) -> Self {
        Self::Month(period)
    }
}

impl fmt::Display for KeyUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Month(period) => period.fmt(f),
            Self::Secrets => f.write_str("secrets"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_follow_each_other() {
        let period = Period::of(Instant::parse("2026-12-31T23:59:59.999999Z").unwrap());
        assert_eq!(period.to_string(), "2026-12");
        assert_eq!(Period::of(period.end()).to_string(), "2027-01");
        assert_eq!(period.end(), Period::parse("2027-01").unwrap().start());
        assert_eq!(Period::parse("2026-12"), Some(period));
        for bad in ["2026-13", "2026-1", "2026", "x-01"] {
            assert_eq!(Period::parse(bad), None, "{bad}");
        }
    }
}
