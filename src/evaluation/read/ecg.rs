//! The ECG lead of a record that is judged.

use super::super::folder::Record;
use super::super::task::Context;
use crate::recording::{Channel, Recording};

/// One lead.
#[derive(Debug, Clone)]
pub(in crate::evaluation) struct Lead {
    /// As the file names it: `MLII`.
    pub(in crate::evaluation) name: String,
    /// Samples a second.
    pub(in crate::evaluation) rate_hz: f64,
    /// Samples in mV; NaN where missing. A channel without a unit is taken as it is.
    pub(in crate::evaluation) samples: Vec<f32>,
}

/// Reads the lead the user chose, or the first ECG lead; where no channel is known for one, the first whose unit is a
/// voltage, and at last the first.
///
/// # Errors
/// The record cannot be read, or has no such signal.
pub(in crate::evaluation) fn lead(context: &Context<'_>, record: &Record) -> Result<Lead, String> {
    let recording = context.folder.recording(&record.header, context.registry)?;
    let channel = chosen(&recording, context.options.signal)?;
    Ok(Lead::of(channel))
}

impl Lead {
    /// A channel as a lead.
    pub(in crate::evaluation) fn of(channel: &Channel) -> Self {
        let scale = millivolts(channel.unit.as_deref()).unwrap_or(1.0) as f32;
        let samples = channel.values().into_iter().map(|v| v * scale).collect();
        Self { name: channel.name.clone(), rate_hz: channel.rate_hz, samples }
    }
}

fn chosen(recording: &Recording, signal: Option<usize>) -> Result<&Channel, String> {
    let channels = &recording.channels;
    if let Some(number) = signal {
        return channels.get(number).ok_or_else(|| format!("has {} signals, none is number {number}", channels.len()));
    }
    let known = channels.iter().find(|c| c.likely() == Some("ecg"));
    let other = |c: &&Channel| c.likely().is_none() && millivolts(c.unit.as_deref()).is_some();
    known.or_else(|| channels.iter().find(other)).or(channels.first()).ok_or_else(|| "has no signals".to_owned())
}

/// Millivolts in one of a unit.
fn millivolts(unit: Option<&str>) -> Option<f64> {
    match unit? {
        "mV" | "mv" | "MV" | "millivolt" => Some(1.0),
        "uV" | "µV" | "μV" | "uv" | "microvolt" => Some(0.001),
        "nV" => Some(1e-6),
        "V" | "volt" => Some(1000.0),
        _ => None,
    }
}
