//! FHIR dates as spans of time, and what it means for a span to match. <https://hl7.org/fhir/R4/search.html#date>

use jiff::civil::Date;

use crate::time::{Instant, MICROS};

/// The span an implicit precision covers: half-open, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// First instant inside.
    pub from: i64,
    /// First instant after.
    pub until: i64,
}

/// Start of the span of a Period without a start: the year 1.
pub const BEGINNING: i64 = -62_135_596_800_000_000;

/// End of the span of a Period without an end: the year 10000.
pub const END: i64 = 253_402_300_800_000_000;

/// Why a text is no date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a FHIR date such as 2026, 2026-01, 2026-01-18 or 2026-01-18T14:32:12.345Z")]
pub struct InvalidDate;

impl Span {
    /// How long it is, in microseconds.
    pub fn length(self) -> i64 {
        self.until.saturating_sub(self.from)
    }

    /// The span of a FHIR `date`, `dateTime` or `instant`; a time without a zone is UTC.
    ///
    /// # Errors
    /// The text is none of them.
    pub fn parse(text: &str) -> Result<Self, InvalidDate> {
        match text.split_once('T') {
            None => Self::of_date(text),
            Some((date, time)) => Self::of_time(date, time),
        }
    }

    fn of_date(text: &str) -> Result<Self, InvalidDate> {
        let mut parts = text.split('-');
        let year = i16::try_from(digits(parts.next(), 4)?).map_err(|_| InvalidDate)?;
        let month = parts.next().map(|m| digits(Some(m), 2)).transpose()?;
        let day = parts.next().map(|d| digits(Some(d), 2)).transpose()?;
        if parts.next().is_some() || year == 0 {
            return Err(InvalidDate);
        }
        let small = |n: Option<i64>| i8::try_from(n.unwrap_or(1)).map_err(|_| InvalidDate);
        let first = Date::new(year, small(month)?, small(day)?).map_err(|_| InvalidDate)?;
        let after = match (month, day) {
            (None, _) | (Some(12), None) => Date::new(year.saturating_add(1), 1, 1),
            (Some(m), None) => Date::new(year, i8::try_from(m + 1).unwrap_or(1), 1),
            (Some(_), Some(_)) => first.tomorrow(),
        };
        Ok(Self { from: midnight(first)?, until: after.map_or(Ok(END), midnight)? })
    }

    fn of_time(date: &str, time: &str) -> Result<Self, InvalidDate> {
        if date.len() != 10 {
            return Err(InvalidDate);
        }
        // A plus sign that was not escaped arrives as a space.
        let time = time.replace(' ', "+");
        let zone_at = time.find(['Z', '+', '-']).unwrap_or(time.len());
        let (clock, zone) = time.split_at(zone_at);
        let (clock, precision) = match clock.len() {
            5 => (format!("{clock}:00"), 60 * MICROS),
            8 => (clock.to_owned(), MICROS),
            n @ 10..=30 if clock.as_bytes().get(8) == Some(&b'.') => {
                let places = u32::try_from(n - 9).unwrap_or(6).min(6);
                (clock.to_owned(), 10_i64.pow(6 - places))
            }
            _ => return Err(InvalidDate),
        };
        let zone = if zone.is_empty() { "Z" } else { zone };
        if !clock.bytes().all(|b| b.is_ascii_digit() || b == b':' || b == b'.') || !(zone == "Z" || zone.len() == 6) {
            return Err(InvalidDate);
        }
        let Instant(from) = Instant::parse(&format!("{date}T{clock}{zone}")).map_err(|_| InvalidDate)?;
        Ok(Self { from, until: from + precision })
    }
}

fn digits(text: Option<&str>, length: usize) -> Result<i64, InvalidDate> {
    let text = text.ok_or(InvalidDate)?;
    if text.len() != length || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(InvalidDate);
    }
    text.parse().map_err(|_| InvalidDate)
}

fn midnight(date: Date) -> Result<i64, InvalidDate> {
    let zoned = date.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| InvalidDate)?;
    Ok(zoned.timestamp().as_microsecond())
}

/// How a resource's span must lie to the searched one. <https://hl7.org/fhir/R4/search.html#prefix>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    /// Inside it.
    Eq,
    /// Not inside it.
    Ne,
    /// Reaches beyond its end.
    Gt,
    /// Reaches before its start.
    Lt,
    /// Inside it or beyond its end.
    Ge,
    /// Inside it or before its start.
    Le,
    /// Starts after its end.
    Sa,
    /// Ends before its start.
    Eb,
    /// Overlaps it, widened by a tenth of its distance from now.
    Ap,
}

impl Prefix {
    /// The prefix of `ge2026` and what follows it; without one it is [`Prefix::Eq`].
    pub fn split(text: &str) -> (Self, &str) {
        match text.split_at_checked(2) {
            Some(("eq", rest)) => (Self::Eq, rest),
            Some(("ne", rest)) => (Self::Ne, rest),
            Some(("gt", rest)) => (Self::Gt, rest),
            Some(("lt", rest)) => (Self::Lt, rest),
            Some(("ge", rest)) => (Self::Ge, rest),
            Some(("le", rest)) => (Self::Le, rest),
            Some(("sa", rest)) => (Self::Sa, rest),
            Some(("eb", rest)) => (Self::Eb, rest),
            Some(("ap", rest)) => (Self::Ap, rest),
            _ => (Self::Eq, text),
        }
    }
}

/// A prefix and a span: one value of a date parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateMatch {
    /// How.
    pub prefix: Prefix,
    /// To what.
    pub span: Span,
}

impl DateMatch {
    /// Reads `ge2026-01-18`.
    ///
    /// # Errors
    /// The prefix is unknown or the rest is no date.
    pub fn parse(text: &str) -> Result<Self, InvalidDate> {
        let (prefix, rest) = Prefix::split(text);
        Ok(Self { prefix, span: Span::parse(rest)? })
    }

    /// The match with `ap` resolved to a span around the searched one.
    #[must_use]
    pub fn at(self, now: Instant) -> Self {
        if self.prefix != Prefix::Ap {
            return self;
        }
        let slack = (now.0 - self.span.from).abs() / 10;
        Self { prefix: Prefix::Ap, span: Span { from: self.span.from - slack, until: self.span.until + slack } }
    }

    /// Whether `span` matches. The SQL of a search says the same; a test holds the two together.
    pub fn matches(self, span: Span) -> bool {
        let Span { from: a, until: b } = self.span;
        let inside = a <= span.from && span.until <= b;
        match self.prefix {
            Prefix::Eq => inside,
            Prefix::Ne => !inside,
            Prefix::Gt => span.until > b,
            Prefix::Lt => span.from < a,
            Prefix::Ge => inside || span.until > b,
            Prefix::Le => inside || span.from < a,
            Prefix::Sa => span.from >= b,
            Prefix::Eb => span.until <= a,
            Prefix::Ap => span.from < b && span.until > a,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, from: &str, until: &str) {
        let expected = Span { from: Instant::parse(from).unwrap().0, until: Instant::parse(until).unwrap().0 };
        assert_eq!(Span::parse(text), Ok(expected), "{text}");
    }

    #[test]
    fn precision_is_a_span() {
        check("2026", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
        check("2026-12", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z");
        check("2026-02", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z");
        check("2026-02-28", "2026-02-28T00:00:00Z", "2026-03-01T00:00:00Z");
        check("2026-01-18T14:32", "2026-01-18T14:32:00Z", "2026-01-18T14:33:00Z");
        check("2026-01-18T14:32:12+01:00", "2026-01-18T13:32:12Z", "2026-01-18T13:32:13Z");
        check("2026-01-18T14:32:12 01:00", "2026-01-18T13:32:12Z", "2026-01-18T13:32:13Z");
        check("2026-01-18T14:32:12.345Z", "2026-01-18T14:32:12.345Z", "2026-01-18T14:32:12.346Z");
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for bad in [
            "",
            "26",
            "2026-13",
            "2026-02-30",
            "2026-1-1",
            "20260101",
            "0000",
            "now",
            "2026-01-18T",
            "2026-01-18T25:00",
            "2026-01-18T14:32:12.Z",
            "2026-01-18T14:32:12+1",
            "2026-01T14:32",
            "ä",
            "2026-01-18T14:32:12é",
            "-2026",
            "2026-01-01-01",
        ] {
            assert_eq!(Span::parse(bad), Err(InvalidDate), "{bad:?}");
        }
        assert!(DateMatch::parse("xx2026").is_err());
        assert!(DateMatch::parse("gé").is_err());
    }
}
