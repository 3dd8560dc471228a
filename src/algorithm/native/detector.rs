//! Streaming detectors: samples in, events out.

use afferent_dsp::ecg::BeatDetector;
use afferent_dsp::eda::SkinResponseDetector;
use afferent_dsp::motion::StepDetector;
use afferent_dsp::ppg::PulseDetector;
use afferent_dsp::respiration::BreathDetector;
use serde::{Deserialize, Serialize};

/// A streaming detector with its state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Detector {
    /// R peaks.
    Ecg(Box<BeatDetector>),
    /// Pulses.
    Ppg(Box<PulseDetector>),
    /// Pulses in the infrared channel of red and infrared light.
    Infrared(Box<PulseDetector>),
    /// Breaths.
    Breath(Box<BreathDetector>),
    /// Skin conductance responses.
    Skin(Box<SkinResponseDetector>),
    /// Steps.
    Step(Box<StepDetector>),
}

/// An event at a sample position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::algorithm) struct Detected {
    pub(in crate::algorithm) sample: f64,
    /// Height in the signal's unit, where the detector tells it.
    pub(in crate::algorithm) amplitude: f64,
    pub(in crate::algorithm) quality: f64,
    pub(in crate::algorithm) after_gap: bool,
}

/// Place of infrared light among the channels of `ppg-red-infrared`.
pub(super) const INFRARED: usize = 1;

impl Detector {
    /// Takes samples, the channels of one moment together.
    pub(in crate::algorithm) fn push(&mut self, samples: &[f32]) -> Vec<Detected> {
        match self {
            Self::Ecg(detector) => collect(|out| detector.push(samples, out), beat),
            Self::Ppg(detector) => collect(|out| detector.push(samples, out), pulse),
            Self::Infrared(detector) => {
                let infrared: Vec<f32> = samples.iter().skip(INFRARED).step_by(2).copied().collect();
                collect(|out| detector.push(&infrared, out), pulse)
            }
            Self::Breath(detector) => collect(|out| detector.push(samples, out), breath),
            Self::Skin(detector) => collect(|out| detector.push(samples, out), response),
            Self::Step(detector) => collect(|out| detector.push(&axes(samples), out), step),
        }
    }

    pub(in crate::algorithm) fn gap(&mut self, missing: u64) -> Vec<Detected> {
        match self {
            Self::Ecg(detector) => collect(|out| detector.gap(missing, out), beat),
            Self::Ppg(detector) | Self::Infrared(detector) => collect(|out| detector.gap(missing, out), pulse),
            Self::Breath(detector) => collect(|out| detector.gap(missing, out), breath),
            Self::Skin(detector) => collect(|out| detector.gap(missing, out), response),
            Self::Step(detector) => collect(|out| detector.gap(missing, out), step),
        }
    }

    pub(in crate::algorithm) fn finish(&mut self) -> Vec<Detected> {
        match self {
            Self::Ecg(detector) => collect(|out| detector.finish(out), beat),
            Self::Ppg(detector) | Self::Infrared(detector) => collect(|out| detector.finish(out), pulse),
            Self::Breath(detector) => collect(|out| detector.finish(out), breath),
            Self::Skin(detector) => collect(|out| detector.finish(out), response),
            Self::Step(detector) => collect(|out| detector.finish(out), step),
        }
    }

    /// Position before which every event has been told.
    pub(in crate::algorithm) fn horizon(&self) -> u64 {
        match self {
            Self::Ecg(detector) => detector.horizon(),
            Self::Ppg(detector) | Self::Infrared(detector) => detector.horizon(),
            Self::Breath(detector) => detector.horizon(),
            Self::Skin(detector) => detector.horizon(),
            Self::Step(detector) => detector.horizon(),
        }
    }

    /// Quality of each ten seconds that are over since it was last asked, with the sample each ends at; none for detectors that
    /// do not tell.
    pub(in crate::algorithm) fn take_spans(&mut self) -> Vec<(u64, f64)> {
        match self {
            Self::Ecg(detector) => detector.take_spans(),
            Self::Ppg(_) | Self::Infrared(_) | Self::Breath(_) | Self::Skin(_) | Self::Step(_) => Vec::new(),
        }
    }

    /// Quality of the samples since it was last asked; none for detectors that do not judge their signal.
    pub(in crate::algorithm) fn take_quality(&mut self) -> Option<f64> {
        match self {
            Self::Ecg(detector) => Some(detector.take_quality()),
            Self::Ppg(detector) | Self::Infrared(detector) => Some(detector.take_quality()),
            Self::Breath(_) | Self::Skin(_) | Self::Step(_) => None,
        }
    }
}

/// The samples of a three-axis accelerometer, axis by axis.
pub(super) fn axes(samples: &[f32]) -> Vec<[f32; 3]> {
    samples.chunks_exact(3).map(|axes| [axes[0], axes[1], axes[2]]).collect()
}

fn collect<T>(run: impl FnOnce(&mut Vec<T>), convert: fn(T) -> Detected) -> Vec<Detected> {
    let mut out = Vec::new();
    run(&mut out);
    out.into_iter().map(convert).collect()
}

fn beat(beat: afferent_dsp::ecg::DetectedBeat) -> Detected {
    Detected { sample: beat.sample, amplitude: 0.0, quality: f64::from(beat.quality), after_gap: beat.after_gap }
}

fn pulse(pulse: afferent_dsp::ppg::DetectedPulse) -> Detected {
    Detected { sample: pulse.sample, amplitude: 0.0, quality: f64::from(pulse.quality), after_gap: pulse.after_gap }
}

fn breath(breath: afferent_dsp::respiration::DetectedBreath) -> Detected {
    Detected { sample: breath.sample, amplitude: breath.amplitude, quality: 1.0, after_gap: breath.after_gap }
}

fn response(response: afferent_dsp::eda::SkinResponse) -> Detected {
    Detected { sample: response.peak, amplitude: response.amplitude, quality: 1.0, after_gap: false }
}

fn step(sample: f64) -> Detected {
    Detected { sample, amplitude: 0.0, quality: 1.0, after_gap: false }
}

pub(super) fn ecg(rate_hz: f64) -> Option<Detector> {
    BeatDetector::new(rate_hz).ok().map(|d| Detector::Ecg(Box::new(d)))
}

pub(super) fn ppg(rate_hz: f64) -> Option<Detector> {
    PulseDetector::new(rate_hz).ok().map(|d| Detector::Ppg(Box::new(d)))
}

pub(super) fn infrared(rate_hz: f64) -> Option<Detector> {
    PulseDetector::new(rate_hz).ok().map(|d| Detector::Infrared(Box::new(d)))
}

pub(super) fn breath_detector(rate_hz: f64) -> Option<Detector> {
    BreathDetector::new(rate_hz).ok().map(|d| Detector::Breath(Box::new(d)))
}

pub(super) fn skin_detector(rate_hz: f64) -> Option<Detector> {
    SkinResponseDetector::new(rate_hz).ok().map(|d| Detector::Skin(Box::new(d)))
}

pub(super) fn step_detector(rate_hz: f64) -> Option<Detector> {
    StepDetector::new(rate_hz).ok().map(|d| Detector::Step(Box::new(d)))
}
