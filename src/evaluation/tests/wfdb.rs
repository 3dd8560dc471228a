//! Small WFDB records.

use std::path::Path;

use crate::synthetic::Heart;

/// Counts a millivolt.
const GAIN: f64 = 1000.0;

pub(super) fn header(path: &Path, text: &str) {
    std::fs::write(path, format!("{text}\n")).unwrap();
}

/// About so many seconds: up to between two beats.
fn end(heart: &Heart, seconds: f64) -> f64 {
    heart.beats().iter().copied().filter(|beat| *beat < seconds - 0.5).fold(0.0, f64::max) + 0.4
}

/// Header and signal (format 16) of a synthetic lead.
pub(super) fn ecg(root: &Path, name: &str, rate_hz: f64, heart: &Heart, seconds: f64) {
    let count = (end(heart, seconds) * rate_hz) as u32;
    let sample = |i: u32| (heart.ecg(f64::from(i) / rate_hz) * GAIN).round() as i16;
    let bytes: Vec<u8> = (0..count).flat_map(|i| sample(i).to_le_bytes()).collect();
    let stem = name.rsplit('/').next().unwrap();
    header(
        &root.join(format!("{name}.hea")),
        &format!("{stem} 1 {rate_hz} {count}\n{stem}.dat 16 {GAIN} 16 0 0 0 0 II"),
    );
    std::fs::write(root.join(format!("{name}.dat")), bytes).unwrap();
}

/// The annotation file of such a lead.
pub(super) fn annotate(path: &Path, rate_hz: f64, heart: &Heart, seconds: f64) {
    const NORMAL: u16 = 1;
    let (mut bytes, mut last) = (Vec::new(), 0);
    for beat in heart.beats().iter().filter(|beat| **beat < end(heart, seconds)) {
        let at = (beat * rate_hz).round() as i64;
        let step = u16::try_from(at - last).unwrap();
        assert!(step < 1024);
        bytes.extend(((NORMAL << 10) | step).to_le_bytes());
        last = at;
    }
    bytes.extend([0, 0]);
    std::fs::write(path, bytes).unwrap();
}
