//! Beat annotations in the MIT format, read without the code under test.
//! <https://physionet.org/physiotools/wag/annot-5.htm>

use std::path::Path;

const RATE_HZ: f64 = 360.0;
/// Annotation codes that mark a beat.
const BEATS: [u16; 18] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 25, 30, 34, 35, 38];
const SKIP: u16 = 59;
const NUMBER: u16 = 60;
const SUBTYPE: u16 = 61;
const CHANNEL: u16 = 62;
const TEXT: u16 = 63;

/// Times of the annotated beats in seconds.
pub(super) fn beats(file: &Path) -> Vec<f64> {
    let bytes = std::fs::read(file).unwrap();
    let mut words = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    let mut sample: u64 = 0;
    let mut beats = Vec::new();
    while let Some(word) = words.next() {
        let (code, interval) = (word >> 10, word & 0x3ff);
        match code {
            0 if interval == 0 => break,
            SKIP => sample += u64::from(words.next().unwrap()) << 16 | u64::from(words.next().unwrap()),
            NUMBER | SUBTYPE | CHANNEL => {}
            TEXT => words.by_ref().take(usize::from(interval).div_ceil(2)).for_each(drop),
            _ => {
                sample += u64::from(interval);
                if BEATS.contains(&code) {
                    beats.push(sample as f64 / RATE_HZ);
                }
            }
        }
    }
    assert!(beats.len() > 1000, "{} beats in {}", beats.len(), file.display());
    beats
}
