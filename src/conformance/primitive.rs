//! The formats of primitive types.

use crate::json::Json;

/// Whether a value has the format of its type; if not, why.
pub fn check(kind: &str, json: &Json<'_>) -> Result<(), &'static str> {
    match json {
        Json::Boolean(_) => Ok(()),
        Json::Integer(value) => integer(kind, *value),
        Json::Decimal(_) if kind == "decimal" => Ok(()),
        Json::Decimal(_) => Err("a whole number has no point and no exponent"),
        Json::String(text) if text.is_empty() => Err("a text is not empty"),
        Json::String(text) => string(kind, text),
        _ => Err("not the JSON of a primitive"),
    }
}

fn integer(kind: &str, value: i64) -> Result<(), &'static str> {
    match kind {
        "decimal" => Ok(()),
        _ if i32::try_from(value).is_err() => Err("a whole number has at most 32 bits"),
        "unsignedInt" if value < 0 => Err("not negative"),
        "positiveInt" if value < 1 => Err("greater than zero"),
        _ => Ok(()),
    }
}

fn string(kind: &str, text: &str) -> Result<(), &'static str> {
    match kind {
        "date" => must(date(text), "a date is YYYY, YYYY-MM or YYYY-MM-DD"),
        "dateTime" => must(date_time(text), "a dateTime is a date, or one with time and zone"),
        "instant" => must(text.contains('T') && date_time(text), "an instant has date, time and zone"),
        "time" => must(time(text), "a time is hh:mm:ss"),
        "id" => must(id(text), "an id has 1 to 64 letters, digits, - and ."),
        "code" => must(code(text), "a code has no white space but single blanks within"),
        "uri" | "url" | "canonical" | "oid" | "uuid" => uri(kind, text),
        "base64Binary" => must(base64(text), "base 64 has groups of four letters of its alphabet"),
        "string" | "markdown" if text.len() > 1_048_576 => Err("a text has at most 1048576 bytes"),
        _ => Ok(()),
    }
}

fn must(fulfilled: bool, text: &'static str) -> Result<(), &'static str> {
    if fulfilled { Ok(()) } else { Err(text) }
}

/// A number of so many digits, within bounds.
fn digits(text: &str, length: usize, bounds: std::ops::RangeInclusive<u32>) -> bool {
    let number = || text.parse().is_ok_and(|number| bounds.contains(&number));
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit()) && number()
}

fn date(text: &str) -> bool {
    let mut parts = text.split('-');
    let year = parts.next().unwrap_or_default();
    let (month, day, more) = (parts.next(), parts.next(), parts.next());
    let days = || match month.unwrap_or_default() {
        "04" | "06" | "09" | "11" => 30,
        "02" => {
            let year: u32 = year.parse().unwrap_or(0);
            let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
            if leap { 29 } else { 28 }
        }
        _ => 31,
    };
    digits(year, 4, 1..=9999)
        && month.is_none_or(|month| digits(month, 2, 1..=12))
        && day.is_none_or(|day| digits(day, 2, 1..=days()))
        && more.is_none()
}

fn date_time(text: &str) -> bool {
    let Some((day, rest)) = text.split_once('T') else { return date(text) };
    let Some(zone) = rest.find(['Z', '+', '-']) else { return false };
    let Some((clock, zone)) = rest.split_at_checked(zone) else { return false };
    day.len() == 10 && date(day) && time(clock) && (zone == "Z" || offset(zone))
}

fn offset(zone: &str) -> bool {
    let Some((hours, minutes)) = zone.get(1..).and_then(|zone| zone.split_once(':')) else { return false };
    (digits(hours, 2, 0..=13) && digits(minutes, 2, 0..=59)) || (hours == "14" && minutes == "00")
}

fn time(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut parts = whole.split(':');
    let mut part = |bounds| parts.next().is_some_and(|part| digits(part, 2, bounds));
    let clock = part(0..=23) && part(0..=59) && part(0..=60);
    clock
        && parts.next().is_none()
        && fraction.is_none_or(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a text is an id.
pub fn id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

fn code(text: &str) -> bool {
    let mut before = ' ';
    for letter in text.chars() {
        if letter.is_whitespace() && (letter != ' ' || before == ' ') {
            return false;
        }
        before = letter;
    }
    before != ' '
}

fn uri(kind: &str, text: &str) -> Result<(), &'static str> {
    must(!text.contains(char::is_whitespace), "an address has no white space")?;
    must(!text.starts_with("oid:") && !text.starts_with("uuid:"), "it starts with urn:oid: or urn:uuid:")?;
    must(kind != "oid" || text.starts_with("urn:oid:"), "an oid starts with urn:oid:")?;
    must(kind != "uuid" || text.starts_with("urn:uuid:"), "a uuid starts with urn:uuid:")?;
    must(kind != "canonical" || text.starts_with('#') || is_absolute(text), "a canonical is absolute")?;
    if let Some(rest) = text.strip_prefix("urn:uuid:") {
        let uuid = rest.split(['#', '|']).next().unwrap_or_default();
        return must(is_uuid(uuid), "not a UUID in lower case");
    }
    if let Some(rest) = text.strip_prefix("urn:oid:") {
        return must(is_oid(rest.split('|').next().unwrap_or_default()), "not an OID");
    }
    Ok(())
}

/// Whether an address begins with a scheme.
pub fn is_absolute(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
    })
}

/// Whether a text is a UUID.
pub fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths = groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]);
    lengths && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

fn is_oid(text: &str) -> bool {
    let arcs = text.split('.').all(|arc| {
        let plain = arc == "0" || !arc.starts_with('0');
        !arc.is_empty() && plain && arc.bytes().all(|byte| byte.is_ascii_digit())
    });
    let deep = text.rfind('.').is_some_and(|at| at >= 4) || text.starts_with("1.3");
    arcs && deep && text.starts_with(['0', '1', '2']) && text.get(1..2) == Some(".")
}

fn base64(text: &str) -> bool {
    let mut letters = 0_usize;
    let mut padding = 0_usize;
    for byte in text.bytes() {
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => continue,
            b'=' => padding += 1,
            b'+' | b'/' if padding == 0 => {}
            _ if byte.is_ascii_alphanumeric() && padding == 0 => {}
            _ => return false,
        }
        letters += 1;
    }
    padding <= 2 && letters.is_multiple_of(4)
}
