//! Annotation files in MIT format: annot(5) and ecgcodes.h of the WFDB library.

use std::path::Path;

use super::super::{RecordingError, read_error};

/// One annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// The sample it is at.
    pub sample: i64,
    /// Its symbol: `N`, `V`, `+`.
    pub symbol: &'static str,
    /// Whether it marks a beat.
    pub beat: bool,
    /// Its subtype.
    pub subtype: i8,
    /// The signal it is about.
    pub channel: u8,
    /// Its text, such as `(AFIB` for a change of rhythm.
    pub text: String,
}

const SKIP: u16 = 59;
const NUMBER: u16 = 60;
const SUBTYPE: u16 = 61;
const CHANNEL: u16 = 62;
const TEXT: u16 = 63;

/// Code, symbol, whether it is a beat.
const CODES: &[(u16, &str, bool)] = &[
    (1, "N", true),
    (2, "L", true),
    (3, "R", true),
    (4, "a", true),
    (5, "V", true),
    (6, "F", true),
    (7, "J", true),
    (8, "A", true),
    (9, "S", true),
    (10, "E", true),
    (11, "j", true),
    (12, "/", true),
    (13, "Q", true),
    (14, "~", false),
    (16, "|", false),
    (18, "s", false),
    (19, "T", false),
    (20, "*", false),
    (21, "D", false),
    (22, "\"", false),
    (23, "=", false),
    (24, "p", false),
    (25, "B", true),
    (26, "^", false),
    (27, "t", false),
    (28, "+", false),
    (29, "u", false),
    (30, "?", true),
    (31, "!", false),
    (32, "[", false),
    (33, "]", false),
    (34, "e", true),
    (35, "n", true),
    (36, "@", false),
    (37, "x", false),
    (38, "f", true),
    (39, "(", false),
    (40, ")", false),
    (41, "r", true),
];

/// Reads an annotation file, such as `101.atr`.
///
/// # Errors
/// It cannot be read, or ends within an annotation.
pub fn annotations(path: &Path) -> Result<Vec<Annotation>, RecordingError> {
    let bytes = std::fs::read(path).map_err(read_error(path))?;
    parse(&bytes).ok_or_else(|| RecordingError::Malformed {
        path: path.to_owned(),
        line: 1,
        problem: "ends within an annotation".to_owned(),
    })
}

fn parse(bytes: &[u8]) -> Option<Vec<Annotation>> {
    let mut found: Vec<Annotation> = Vec::new();
    let mut rest = bytes;
    let mut sample: i64 = 0;
    let mut channel = 0;
    while let Some(head) = word(&mut rest) {
        let (code, low) = (head >> 10, head & 0x3FF);
        match code {
            0 if low == 0 => return Some(found),
            // A long interval: 32 bits, the high word first.
            SKIP => {
                let (high, low) = (word(&mut rest)?, word(&mut rest)?);
                sample += i64::from(i32::from(high.cast_signed()) << 16 | i32::from(low));
            }
            NUMBER => {}
            SUBTYPE => {
                if let Some(last) = found.last_mut() {
                    last.subtype = (low as u8).cast_signed();
                }
            }
            CHANNEL => {
                channel = low as u8;
                if let Some(last) = found.last_mut() {
                    last.channel = channel;
                }
            }
            TEXT => {
                let length = usize::from(low);
                let (text, after) = rest.split_at_checked(length + length % 2)?;
                rest = after;
                if let Some(last) = found.last_mut() {
                    let text = String::from_utf8_lossy(text.get(..length)?);
                    text.trim_end_matches('\0').clone_into(&mut last.text);
                }
            }
            _ => {
                sample += i64::from(low);
                let known = CODES.iter().find(|(known, _, _)| *known == code);
                let (symbol, beat) = known.map_or((" ", false), |(_, symbol, beat)| (*symbol, *beat));
                found.push(Annotation { sample, symbol, beat, subtype: 0, channel, text: String::new() });
            }
        }
    }
    // The closing zero word is missing in files of some writers.
    rest.is_empty().then_some(found)
}

fn word(rest: &mut &[u8]) -> Option<u16> {
    let (head, tail) = rest.split_first_chunk::<2>()?;
    *rest = tail;
    Some(u16::from_le_bytes(*head))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[u16]) -> Vec<u8> {
        words.iter().flat_map(|w| w.to_le_bytes()).collect()
    }

    /// Six bits of code, ten of data.
    fn word(code: u16, data: u16) -> u16 {
        (code << 10) + data
    }

    #[test]
    fn beats_rhythms_and_long_intervals() {
        let mut bytes = words(&[word(28, 18), word(63, 3)]);
        bytes.extend(b"(N\0\0");
        bytes.extend(words(&[word(1, 59), word(5, 300), word(61, 2), word(59, 0), 1, 5, word(1, 1), 0]));
        let found = parse(&bytes).unwrap();
        let short: Vec<_> = found.iter().map(|a| (a.sample, a.symbol, a.beat)).collect();
        assert_eq!(short, [(18, "+", false), (77, "N", true), (377, "V", true), (377 + 65536 + 5 + 1, "N", true)]);
        assert_eq!((found[0].text.as_str(), found[2].subtype), ("(N", 2));
    }

    #[test]
    fn a_cut_file_is_an_error() {
        assert_eq!(parse(&words(&[59 << 10, 1])), None);
        assert_eq!(parse(&[1]), None);
        assert_eq!(parse(&[]), Some(Vec::new()));
    }
}
