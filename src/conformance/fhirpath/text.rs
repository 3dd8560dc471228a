//! Dates and texts.

use std::cmp::Ordering;

/// How two dates stand, with or without a time; none if the less precise one holds the other.
pub(super) fn order_dates(left: &str, right: &str) -> Option<Ordering> {
    let (left, right) = (Moment::read(left)?, Moment::read(right)?);
    let zoned = left.offset.is_some() && right.offset.is_some();
    if zoned && left.fields.len() == 6 && right.fields.len() == 6 {
        return left.seconds()?.partial_cmp(&right.seconds()?);
    }
    for (a, b) in left.fields.iter().zip(&right.fields) {
        match a.partial_cmp(b)? {
            Ordering::Equal => {}
            unequal => return Some(unequal),
        }
    }
    (left.fields.len() == right.fields.len()).then_some(Ordering::Equal)
}

struct Moment {
    /// Year, month, day, hour, minute, second, as far as given.
    fields: Vec<f64>,
    /// Minutes east of UTC.
    offset: Option<i32>,
}

impl Moment {
    fn read(text: &str) -> Option<Self> {
        let (date, time) = text.split_once('T').unwrap_or((text, ""));
        let mut fields = date.split('-').map(str::parse).collect::<Result<Vec<f64>, _>>().ok()?;
        if time.is_empty() {
            return Some(Self { fields, offset: None });
        }
        let zone = time.find(['Z', '+', '-']).unwrap_or(time.len());
        let (clock, zone) = time.split_at_checked(zone)?;
        fields.extend(clock.split(':').map(str::parse).collect::<Result<Vec<f64>, _>>().ok()?);
        let offset = match zone {
            "" => None,
            "Z" => Some(0),
            zone => {
                let (hours, minutes) = zone.get(1..)?.split_once(':')?;
                let minutes = hours.parse::<i32>().ok()? * 60 + minutes.parse::<i32>().ok()?;
                Some(if zone.starts_with('-') { -minutes } else { minutes })
            }
        };
        Some(Self { fields, offset })
    }

    /// Seconds since a day long past.
    fn seconds(&self) -> Option<f64> {
        let &[year, month, day, hour, minute, second] = self.fields.as_slice() else { return None };
        // Howard Hinnant's days_from_civil: the year begins in March.
        let (year, month) = if month <= 2.0 { (year - 1.0, month + 9.0) } else { (year, month - 3.0) };
        let days = (year * 365.0) + (year / 4.0).floor() - (year / 100.0).floor() + (year / 400.0).floor();
        let days = days + ((153.0 * month + 2.0) / 5.0).floor() + day;
        let minutes = hour * 60.0 + minute - f64::from(self.offset?);
        Some(days * 86_400.0 + minutes * 60.0 + second)
    }
}

/// The part of a text from a letter on, at most so many letters.
pub(super) fn substring(text: &str, start: i64, length: Option<i64>) -> Option<String> {
    let start = usize::try_from(start).ok()?;
    if start >= text.chars().count() {
        return None;
    }
    let letters = text.chars().skip(start);
    Some(match length {
        Some(length) => letters.take(usize::try_from(length).unwrap_or(0)).collect(),
        None => letters.collect(),
    })
}
