//! The header file: header(5) of the WFDB Applications Guide.

use std::path::Path;

use jiff::civil;

use super::super::RecordingError;
use crate::time::Instant;

/// Counts a millivolt of a signal that does not say.
const DEFAULT_GAIN: f64 = 200.0;
/// Frames a second of a record that does not say.
const DEFAULT_RATE: f64 = 250.0;

/// What a header says.
#[derive(Debug, PartialEq)]
pub(super) struct Header {
    pub(super) name: String,
    pub(super) rate_hz: f64,
    pub(super) frames: Option<u64>,
    pub(super) start: Option<Instant>,
    pub(super) signals: Vec<SignalLine>,
    /// Records it is put together from, each with its frames, where it has no signals of its own.
    pub(super) segments: Vec<(String, u64)>,
}

/// One signal specification line.
#[derive(Debug, PartialEq)]
pub(super) struct SignalLine {
    pub(super) file: String,
    pub(super) format: u32,
    pub(super) per_frame: u64,
    pub(super) offset: u64,
    pub(super) gain: f64,
    pub(super) baseline: f64,
    pub(super) units: String,
    pub(super) initial: Option<i32>,
    pub(super) checksum: Option<i32>,
    pub(super) description: String,
}

pub(super) fn parse(path: &Path, text: &str) -> Result<Header, RecordingError> {
    let malformed = |line: usize, problem: String| RecordingError::Malformed { path: path.to_owned(), line, problem };
    let unsupported = |what: &str| RecordingError::Unsupported { path: path.to_owned(), what: what.to_owned() };
    let mut lines = text
        .lines()
        .enumerate()
        .map(|(i, line)| (i + 1, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let (number, record) = lines.next().ok_or_else(|| malformed(1, "the header is empty".to_owned()))?;
    let mut words = record.split_whitespace();
    let name = words.next().unwrap_or_default();
    let (name, several) = match name.split_once('/') {
        None => (name, None),
        Some((name, number)) => (name, Some(number)),
    };
    let count: usize = words
        .next()
        .and_then(|w| w.parse().ok())
        .ok_or_else(|| malformed(number, "needs the number of signals after the record's name".to_owned()))?;
    // Frequency[/counter frequency[(base counter)]]
    let rate_hz = match words.next().map(|w| w.split('/').next().unwrap_or_default()) {
        None => DEFAULT_RATE,
        Some(word) => word
            .parse::<f64>()
            .ok()
            .filter(|rate| rate.is_finite() && *rate > 0.0)
            .ok_or_else(|| malformed(number, format!("sampling frequency {word:?} is not a positive number")))?,
    };
    let frames = match words.next() {
        None | Some("0") => None,
        Some(word) => {
            Some(word.parse().map_err(|_| malformed(number, format!("number of samples {word:?} is no number")))?)
        }
    };
    let start = start(words.next(), words.next()).map_err(|problem| malformed(number, problem))?;
    if let Some(segments) = several {
        let segments = segments.parse().ok().and_then(|count| segment_lines(lines, count));
        let segments =
            segments.ok_or_else(|| malformed(number, "the segments are not as many as stated".to_owned()))?;
        return Ok(Header { name: name.to_owned(), rate_hz, frames, start, signals: Vec::new(), segments });
    }
    let mut signals = Vec::new();
    for (number, line) in lines.take(count) {
        let signal = signal_line(line, signals.len()).map_err(|problem| malformed(number, problem))?;
        if line.split_whitespace().nth(1).is_some_and(|format| format.contains(':')) {
            return Err(unsupported("a signal with skew"));
        }
        signals.push(signal);
    }
    if signals.len() < count {
        return Err(malformed(number, format!("states {count} signals, {} are described", signals.len())));
    }
    Ok(Header { name: name.to_owned(), rate_hz, frames, start, signals, segments: Vec::new() })
}

/// `name frames`, a line a segment; only records beside the header are read.
fn segment_lines<'a>(lines: impl Iterator<Item = (usize, &'a str)>, count: usize) -> Option<Vec<(String, u64)>> {
    let segment = |(_, line): (usize, &str)| {
        let (name, frames) = line.split_once(char::is_whitespace)?;
        let is_beside = !name.contains(['/', '\\']) && name != "..";
        Some((name.to_owned(), frames.trim().parse().ok()?)).filter(|_| is_beside)
    };
    let segments: Vec<(String, u64)> = lines.take(count).map(segment).collect::<Option<_>>()?;
    (segments.len() == count && count > 0).then_some(segments)
}

/// Base time `HH:MM:SS[.sss]` and base date `DD/MM/YYYY`, taken as UTC; a time without a date is no time.
fn start(time: Option<&str>, date: Option<&str>) -> Result<Option<Instant>, String> {
    let (Some(time), Some(date)) = (time, date) else { return Ok(None) };
    let wrong = || format!("base time {time:?} and date {date:?} are not HH:MM:SS and DD/MM/YYYY");
    let clock = time.trim_matches(['[', ']']);
    let mut parts: Vec<f64> = clock.split(':').map(str::parse).collect::<Result<_, _>>().map_err(|_| wrong())?;
    // SS, MM:SS and HH:MM:SS.
    while parts.len() < 3 {
        parts.insert(0, 0.0);
    }
    let [hours, minutes, seconds] = parts.as_slice() else { return Err(wrong()) };
    let mut numbers = date.split('/').map(|n| n.parse::<i16>().ok());
    let (Some(Some(day)), Some(Some(month)), Some(Some(year)), None) =
        (numbers.next(), numbers.next(), numbers.next(), numbers.next())
    else {
        return Err(wrong());
    };
    let (Ok(day), Ok(month)) = (i8::try_from(day), i8::try_from(month)) else { return Err(wrong()) };
    let midnight = civil::Date::new(year, month, day).map_err(|_| wrong())?.at(0, 0, 0, 0);
    let midnight = jiff::tz::TimeZone::UTC.to_timestamp(midnight).map_err(|_| wrong())?;
    let since = hours * 3600.0 + minutes * 60.0 + seconds;
    if !(0.0..=86_400.0).contains(&since) {
        return Err(wrong());
    }
    Ok(Some(Instant(midnight.as_microsecond()).plus((since * 1e6).round() as i64)))
}

/// `file format[xN][:skew][+offset] [gain[(baseline)][/units]] [resolution] [zero] [initial] [checksum] [block] [description]`
fn signal_line(line: &str, index: usize) -> Result<SignalLine, String> {
    let mut rest = line;
    let mut word = || {
        let trimmed = rest.trim_start();
        let end = trimmed.find(char::is_whitespace).unwrap_or(trimmed.len());
        let (word, left) = trimmed.split_at(end);
        rest = left;
        (!word.is_empty()).then_some(word)
    };
    let file = word().ok_or("needs a file name")?;
    if file == "-" || file.contains(['/', '\\']) || file == ".." {
        return Err(format!("file name {file:?}: only files beside the header are read"));
    }
    let format = word().ok_or("needs a format")?;
    let (format, offset) = format.split_once('+').unwrap_or((format, "0"));
    let (format, _skew) = format.split_once(':').unwrap_or((format, "0"));
    let (format, per_frame) = format.split_once('x').unwrap_or((format, "1"));
    let whole = |text: &str| text.parse::<u64>().map_err(|_| format!("{text:?} in the format is no number"));
    let per_frame = whole(per_frame)?;
    if per_frame == 0 || per_frame > 10_000 {
        return Err(format!("{per_frame} samples in a frame"));
    }
    let (gain, baseline, units) = word().map_or(Ok((DEFAULT_GAIN, None, None)), gain)?;
    let _resolution = word();
    let integer = |text: &str, what: &str| text.parse::<i32>().map_err(|_| format!("{what} {text:?} is no number"));
    let zero = word().map(|w| integer(w, "zero")).transpose()?.unwrap_or(0);
    let initial = word().map(|w| integer(w, "initial value")).transpose()?;
    let checksum = word().map(|w| integer(w, "checksum")).transpose()?;
    let _block = word();
    let description = rest.trim();
    Ok(SignalLine {
        file: file.to_owned(),
        format: u32::try_from(whole(format)?).map_err(|_| format!("format {format}"))?,
        per_frame,
        offset: whole(offset)?,
        gain,
        baseline: baseline.unwrap_or(f64::from(zero)),
        units: units.unwrap_or_else(|| "mV".to_owned()),
        initial,
        checksum,
        description: if description.is_empty() { format!("signal {index}") } else { description.to_owned() },
    })
}

/// `200`, `200/mV`, `200(1024)/mV`; a gain of 0 means that it is not known.
fn gain(word: &str) -> Result<(f64, Option<f64>, Option<String>), String> {
    let (numbers, units) = word.split_once('/').map_or((word, None), |(n, u)| (n, Some(u.to_owned())));
    let (gain, baseline) = match numbers.split_once('(') {
        None => (numbers, None),
        Some((gain, rest)) => {
            let baseline = rest.strip_suffix(')').and_then(|b| b.parse::<i32>().ok());
            (gain, Some(baseline.ok_or_else(|| format!("baseline in {word:?} is no number"))?))
        }
    };
    let gain: f64 =
        gain.parse().ok().filter(|g: &f64| g.is_finite()).ok_or_else(|| format!("gain {word:?} is no number"))?;
    Ok((if gain == 0.0 { DEFAULT_GAIN } else { gain }, baseline.map(f64::from), units))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Header, RecordingError> {
        parse(Path::new("x.hea"), text)
    }

    #[test]
    fn everything_a_line_can_say() {
        let header = read("# note\nr1 2 360/1000(5) 1000 04:11:29.5 1/11/2000\nr1.mat 16x2+24 200.5(1024)/uV 11 100 -3 -7 0 lead II\nr1.mat 16+24\n").unwrap();
        assert_eq!((header.name.as_str(), header.rate_hz, header.frames), ("r1", 360.0, Some(1000)));
        assert_eq!(header.start.unwrap().to_fhir(), "2000-11-01T04:11:29.500Z");
        let [first, second] = header.signals.as_slice() else { panic!() };
        assert_eq!((first.format, first.per_frame, first.offset), (16, 2, 24));
        assert_eq!((first.gain, first.baseline, first.units.as_str()), (200.5, 1024.0, "uV"));
        assert_eq!((first.initial, first.checksum, first.description.as_str()), (Some(-3), Some(-7), "lead II"));
        assert_eq!((second.gain, second.baseline, second.units.as_str()), (200.0, 0.0, "mV"));
        assert_eq!(second.description, "signal 1");
        let by_zero = read("r 1 100 10\nr.dat 212 0 11 1024 5 5 0 MLII").unwrap();
        assert_eq!((by_zero.signals[0].gain, by_zero.signals[0].baseline), (200.0, 1024.0));
        assert_eq!(by_zero.start, None);
    }

    #[test]
    fn what_is_not_read_is_said() {
        for (text, expected) in [
            ("", "the header is empty"),
            ("r/3 2 360 1000\na 500\nb 500\n", "the segments are not as many as stated"),
            ("r/1 2 360 1000\n../a 1000\n", "the segments are not as many as stated"),
            ("r 1 360 1000\nr.dat 212:5 200\n", "a signal with skew is not supported"),
            ("r 2 360 1000\nr.dat 212 200\n", "states 2 signals, 1 are described"),
            ("r 1 fast\n", "x.hea, line 1: sampling frequency"),
            ("r 1 360 10 1:2:3 2026-01-01\nr.dat 16\n", "DD/MM/YYYY"),
            ("r 1 360\n\n/etc/passwd 16\n", "line 3: file name"),
            ("r 1 360\nr.dat 16 many\n", "gain \"many\" is no number"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
