//! The detectors, run over what was recorded.

use afferent_dsp::ecg::{BeatDetector, DetectedBeat, SignalQuality};
use afferent_dsp::ppg::{DetectedPulse, PulseDetector};
use afferent_dsp::respiration::{BreathDetector, DetectedBreath};

use super::super::read::ecg::Lead;

/// Beats of a lead and the quality of its signal.
pub(super) fn beats(lead: &Lead) -> Result<(Vec<DetectedBeat>, SignalQuality), String> {
    let (mut detector, mut found) = (BeatDetector::new(lead.rate_hz).map_err(|e| e.to_string())?, Vec::new());
    detector.push(&lead.samples, &mut found);
    detector.finish(&mut found);
    let quality = detector.take_signal_quality();
    Ok((found, quality))
}

/// Pulses of a wave.
pub(super) fn pulses(wave: &Lead) -> Result<Vec<DetectedPulse>, String> {
    let (mut detector, mut found) = (PulseDetector::new(wave.rate_hz).map_err(|e| e.to_string())?, Vec::new());
    detector.push(&wave.samples, &mut found);
    detector.finish(&mut found);
    Ok(found)
}

/// Breaths of an impedance pneumogram or a belt.
pub(super) fn breaths(wave: &Lead) -> Result<Vec<DetectedBreath>, String> {
    let (mut detector, mut found) = (BreathDetector::new(wave.rate_hz).map_err(|e| e.to_string())?, Vec::new());
    detector.push(&wave.samples, &mut found);
    detector.finish(&mut found);
    Ok(found)
}
