//! `samples`: values that already name their signal and unit.

use super::Reading;
use super::assemble::{beats_from, component_conversion, in_range};
use crate::id::SignalCode;
use crate::packet::{PacketError, Samples};
use crate::registry::{Component, Conversion, Kind, Registry, Signal};
use crate::signal::SampleBlock;
use crate::time::{Instant, MICROS};

/// Rows named when a signal is unknown.
const CLOSE_ROWS: usize = 3;

/// Samples that passed every check, with what is needed to read them.
pub(super) enum Checked<'a> {
    Waveform { row: &'a Signal, conversion: Conversion, rate_hz: f64 },
    Scalars { row: &'a Signal, conversion: Conversion },
    Panel { row: &'a Signal, components: Vec<(&'a Component, Conversion, f64)> },
    Intervals { row: &'a Signal, conversion: Conversion },
}

/// Checks against the row, allocating nothing per sample.
pub(super) fn check<'a>(samples: &Samples, registry: &'a Registry) -> Result<Checked<'a>, PacketError> {
    let row = registry.signal(&samples.signal).ok_or_else(|| unknown_signal(&samples.signal, registry))?;
    match row.kind {
        Kind::Classification => {
            let problem = format!("{} is a classification, which is derived and not sent as numbers", row.code);
            Err(PacketError::at("samples.signal", problem))
        }
        Kind::Panel => check_panel(samples, row),
        _ if !samples.components.is_empty() => {
            Err(PacketError::at("samples.components", format!("{} is not a panel; send values", row.code)))
        }
        Kind::SampledData => {
            let conversion = conversion(samples, row)?;
            let rate_hz = samples
                .rate_hz
                .ok_or_else(|| PacketError::at("samples.rate_hz", format!("is missing; {} is a waveform", row.code)))?;
            let too_large = |v: &Option<f64>| v.is_some_and(|v| !(conversion.apply(v) as f32).is_finite());
            if let Some(index) = samples.values.iter().position(too_large) {
                return Err(PacketError::at(format!("samples.values[{index}]"), "is too large for a sample"));
            }
            let dimensions = dimensions(row);
            if !samples.values.len().is_multiple_of(dimensions) {
                let problem = format!("{} has {dimensions} values at each moment; these are no multiple", row.code);
                return Err(PacketError::at("samples.values", problem));
            }
            Ok(Checked::Waveform { row, conversion, rate_hz })
        }
        Kind::Quantity => {
            let conversion = conversion(samples, row)?;
            if samples.values.len() > 1 && samples.rate_hz.is_none() {
                return Err(PacketError::at(
                    "samples.rate_hz",
                    "is missing; several values need it to have a time each",
                ));
            }
            check_values(samples, row, conversion)?;
            Ok(Checked::Scalars { row, conversion })
        }
        Kind::Intervals => {
            let conversion = conversion(samples, row)?;
            if samples.rate_hz.is_some() {
                let problem = format!("{} is a series of intervals, which has no sampling rate", row.code);
                return Err(PacketError::at("samples.rate_hz", problem));
            }
            check_values(samples, row, conversion)?;
            Ok(Checked::Intervals { row, conversion })
        }
    }
}

pub(super) fn decode(samples: &Samples, registry: &Registry, start: Instant) -> Result<Vec<Reading>, PacketError> {
    let unit = samples.unit.as_deref().unwrap_or_default();
    let original = |value: f64, conversion: Conversion| (!conversion.is_identity()).then(|| (value, unit.to_owned()));
    let values = samples.values.iter().flatten().copied();
    Ok(match check(samples, registry)? {
        Checked::Waveform { row, conversion, rate_hz } => {
            let sample = |value: &Option<f64>| value.map_or(f32::NAN, |v| conversion.apply(v) as f32);
            let values = samples.values.iter().map(sample).collect();
            let dimensions = dimensions(row);
            vec![Reading::Samples(SampleBlock { signal: row.code.clone(), start, rate_hz, dimensions, values })]
        }
        Checked::Scalars { row, conversion } => {
            let step = MICROS as f64 / samples.rate_hz.unwrap_or(1.0);
            let scalar = |(index, value): (usize, f64)| Reading::Scalar {
                signal: row.code.clone(),
                at: start.plus((index as f64 * step).round() as i64),
                value: Ok(conversion.apply(value)),
                original: original(value, conversion),
            };
            values.enumerate().map(scalar).collect()
        }
        Checked::Panel { row, components } => {
            let as_sent = |(component, conversion, value): &(&Component, Conversion, f64)| {
                original(*value, *conversion).map(|(value, unit)| (component.code.clone(), value, unit))
            };
            let originals = components.iter().filter_map(as_sent).collect();
            let converted = components.iter().map(|(c, conversion, v)| (c.code.clone(), Ok(conversion.apply(*v))));
            vec![Reading::Panel { signal: row.code.clone(), at: start, components: converted.collect(), originals }]
        }
        Checked::Intervals { row, conversion } => {
            let beats = beats_from(start, values.map(|v| conversion.apply(v)));
            vec![Reading::Intervals { signal: row.code.clone(), at: start, beats }]
        }
    })
}

/// Values of a waveform at each moment.
pub(super) fn dimensions(row: &Signal) -> usize {
    row.sampled_data.as_ref().map_or(1, |form| usize::from(form.dimensions))
}

fn conversion(samples: &Samples, row: &Signal) -> Result<Conversion, PacketError> {
    row.conversion(samples.unit.as_deref()).ok_or_else(|| unknown_unit(samples.unit.as_deref(), &row.accepted_units()))
}

fn unknown_unit(unit: Option<&str>, accepted: &[&str]) -> PacketError {
    let accepted = if accepted.is_empty() { "none".to_owned() } else { accepted.join(", ") };
    let problem = match unit {
        Some(unit) => format!("{unit:?} is not accepted for this signal; accepted: {accepted}"),
        None => format!("is missing; accepted: {accepted}"),
    };
    PacketError::at("samples.unit", problem)
}

fn check_values(samples: &Samples, row: &Signal, conversion: Conversion) -> Result<(), PacketError> {
    for (index, value) in samples.values.iter().enumerate() {
        let element = || format!("samples.values[{index}]");
        let Some(value) = value else {
            return Err(PacketError::at(
                element(),
                format!("is null; only waveforms may miss samples, {} is none", row.code),
            ));
        };
        in_range(row.plausible, conversion.apply(*value), row.unit.as_ref())
            .map_err(|p| PacketError::at(element(), p))?;
    }
    Ok(())
}

fn check_panel<'a>(samples: &Samples, row: &'a Signal) -> Result<Checked<'a>, PacketError> {
    if samples.components.is_empty() {
        return Err(PacketError::at("samples.values", format!("{} is a panel; send components", row.code)));
    }
    let mut components = Vec::with_capacity(samples.components.len());
    for (code, value) in &samples.components {
        let component = row.component(code).ok_or_else(|| {
            let known: Vec<&str> = row.component.iter().map(|c| c.code.as_str()).collect();
            let problem = format!("{} has no such component; it has: {}", row.code, known.join(", "));
            PacketError::at(format!("samples.components.{code}"), problem)
        })?;
        components.push((component, *value));
    }
    // Without a unit each component counts in its own, which is only clear where they differ.
    let one_unit = components.iter().all(|(c, _)| components.first().is_some_and(|(first, _)| first.unit == c.unit));
    let mut checked = Vec::with_capacity(components.len());
    for (component, value) in components {
        let unit = samples.unit.as_deref();
        let conversion = if unit.is_none() && one_unit { None } else { component_conversion(row, component, unit) };
        let conversion = conversion.ok_or_else(|| {
            let units =
                std::iter::once(component.unit.code.as_str()).chain(row.input_unit.iter().map(|u| u.code.as_str()));
            unknown_unit(unit, &units.collect::<Vec<_>>())
        })?;
        in_range(Some(component.plausible), conversion.apply(value), Some(&component.unit))
            .map_err(|problem| PacketError::at(format!("samples.components.{}", component.code), problem))?;
        checked.push((component, conversion, value));
    }
    Ok(Checked::Panel { row, components: checked })
}

fn unknown_signal(code: &SignalCode, registry: &Registry) -> PacketError {
    let mut rows: Vec<(usize, &str)> = registry
        .signals
        .values()
        .filter(|row| row.kind != Kind::Classification)
        .map(|row| (distance(code.as_str(), row.code.as_str()), row.code.as_str()))
        .collect();
    rows.sort_unstable();
    let close: Vec<&str> = rows.into_iter().take(CLOSE_ROWS).map(|(_, code)| code).collect();
    let hint =
        if close.is_empty() { "the registry is empty".to_owned() } else { format!("close ones: {}", close.join(", ")) };
    PacketError::at("samples.signal", format!("no signal {:?} in the registry; {hint}", code.as_str()))
}

/// How far apart two codes are: 0 when one holds the other, else the Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    if a.contains(b) || b.contains(a) {
        return 0;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut left = i + 1;
        let mut diagonal = i;
        let mut next = vec![left];
        for (y, above) in b.bytes().zip(row.iter().skip(1)) {
            left = (diagonal + usize::from(x != y)).min(above + 1).min(left + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
