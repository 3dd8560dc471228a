//! Whether texts in elements that hold dates and times are some. <https://hl7.org/fhir/R4/datatypes.html#dateTime>

/// Elements of the types date, dateTime and instant whose names do not say so.
const NAMES: [&str; 10] = [
    "birthDate",
    "issued",
    "recorded",
    "authoredOn",
    "lastUpdated",
    "date",
    "recordedDate",
    "assertedDate",
    "expirationDate",
    "manufactureDate",
];

/// Whether `text` may stand in an element of this name: always, where its name does not tell a date or time.
pub(super) fn is_date_like(name: &str, text: &str) -> bool {
    let is_date = name.ends_with("DateTime") || name.ends_with("Instant") || NAMES.contains(&name);
    !is_date || is_date_time(text.as_bytes())
}

/// `2026`, `2026-01`, `2026-01-18` or `2026-01-18T14:32:12[.345]Z` or with `+01:00`.
fn is_date_time(text: &[u8]) -> bool {
    let (date, time) = match text.iter().position(|&b| b == b'T') {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..)),
        None => (text, None),
    };
    let parts: Vec<&[u8]> = date.split(|&b| b == b'-').collect();
    let in_range = |part: Option<&&[u8]>, length, range: std::ops::RangeInclusive<u32>| {
        part.is_none_or(|part| number(part, length).is_some_and(|n| range.contains(&n)))
    };
    let is_date = parts.len() <= 3
        && in_range(parts.first(), 4, 1..=9999)
        && in_range(parts.get(1), 2, 1..=12)
        && in_range(parts.get(2), 2, 1..=31);
    is_date && time.is_none_or(|time| parts.len() == 3 && is_time(time))
}

fn is_time(text: &[u8]) -> bool {
    let (clock, zone) = text.split_at(text.len().min(8));
    let at = |from: usize, most| clock.get(from..from + 2).and_then(|p| number(p, 2)).is_some_and(|n| n <= most);
    let is_clock = clock.len() == 8
        && at(0, 23)
        && at(3, 59)
        && at(6, 60)
        && clock.get(2) == Some(&b':')
        && clock.get(5) == Some(&b':');
    let zone = match zone.strip_prefix(b".") {
        Some(fraction) => {
            let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
            if digits == 0 {
                return false;
            }
            fraction.get(digits..).unwrap_or_default()
        }
        None => zone,
    };
    let is_offset = |zone: &[u8]| {
        let (hours, minutes) = (zone.get(1..3), zone.get(4..6));
        zone.len() == 6
            && zone.get(3) == Some(&b':')
            && hours.and_then(|h| number(h, 2)).is_some_and(|h| h <= 14)
            && minutes.and_then(|m| number(m, 2)).is_some_and(|m| m <= 59)
    };
    is_clock && (zone == b"Z" || (zone.starts_with(b"+") || zone.starts_with(b"-")) && is_offset(zone))
}

fn number(digits: &[u8], length: usize) -> Option<u32> {
    let plain = digits.len() == length && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| plain)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_told_from_other_texts() {
        for good in [
            "2026",
            "2026-01",
            "2026-01-18",
            "2026-01-18T14:32:12Z",
            "2026-01-18T14:32:12.345+01:00",
            "2016-12-31T23:59:60Z",
        ] {
            assert!(is_date_like("effectiveDateTime", good), "{good}");
        }
        for bad in [
            "",
            "26",
            "2026-1",
            "2026-13",
            "2026-01-32",
            "2026-01-18T14:32",
            "2026-01T14:32:12Z",
            "2026-01-18T14:32:12",
            "2026-01-18T14:32:12.Z",
            "2026-01-18T24:00:00Z",
            "2026-01-18T14:32:12+1:00",
            "x",
        ] {
            assert!(!is_date_like("issued", bad), "{bad}");
        }
        assert!(is_date_like("text", "yesterday"));
    }
}
