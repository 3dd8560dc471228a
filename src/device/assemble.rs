//! Wire fields to readings, as a device row maps them; shared by GATT and vendor content.

use super::Reading;
use super::samples::dimensions;
use crate::packet::PacketError;
use crate::registry::{Component, Conversion, Field, Kind, Plausible, Registry, Signal, Unit};
use crate::signal::{AbsentReason, Beat, Quality, SampleBlock};
use crate::time::{Instant, MICROS};

/// What a wire field held.
pub(super) struct Wire<'a> {
    /// Its values, oldest first.
    pub(super) values: Vec<Result<f64, AbsentReason>>,
    /// Their unit where the row does not say; none is the canonical one.
    pub(super) unit: Option<&'a str>,
}

/// The readings of `fields`, in their order; the components of a panel come together at the first of them.
pub(super) fn assemble<'a>(
    registry: &Registry,
    fields: &'a [Field],
    start: Instant,
    element: impl Fn(&Field) -> String,
    wire: impl Fn(&'a Field) -> Result<Option<Wire<'a>>, PacketError>,
) -> Result<Vec<Reading>, PacketError> {
    let mut readings = Vec::new();
    for field in fields {
        let Some(found) = wire(field)? else { continue };
        let at_field = |problem: String| PacketError::at(element(field), problem);
        let row = registry
            .signal(&field.signal)
            .ok_or_else(|| at_field(format!("no signal {} in the registry", field.signal)))?;
        let unit = field.unit.as_deref().or(found.unit);
        if row.kind == Kind::Panel {
            panel(&mut readings, row, field, unit, found.values, start).map_err(at_field)?;
        } else {
            signal(&mut readings, row, field, unit, found.values, start).map_err(at_field)?;
        }
    }
    Ok(readings)
}

fn signal(
    readings: &mut Vec<Reading>,
    row: &Signal,
    field: &Field,
    unit: Option<&str>,
    values: Vec<Result<f64, AbsentReason>>,
    start: Instant,
) -> Result<(), String> {
    let canonical = row.unit.as_ref().map(|u| u.code.as_str());
    let conversion = row.conversion(unit.or(canonical)).ok_or_else(|| {
        format!(
            "unit {:?} is not accepted for {}; accepted: {}",
            unit.unwrap_or_default(),
            row.code,
            row.accepted_units().join(", ")
        )
    })?;
    let several_without_rate = values.len() > 1 && field.rate_hz.is_none();
    match row.kind {
        Kind::Classification => {
            Err(format!("{} is a classification, which is derived and not sent as numbers", row.code))
        }
        Kind::Panel => Err(format!("{} is a panel", row.code)),
        Kind::SampledData => {
            let rate_hz = field
                .rate_hz
                .ok_or_else(|| format!("{} is a waveform; the device's row gives no rate_hz", row.code))?;
            let values: Vec<f32> =
                values.into_iter().map(|v| v.map_or(f32::NAN, |v| conversion.apply(v) as f32)).collect();
            let dimensions = dimensions(row);
            if !values.len().is_multiple_of(dimensions) {
                return Err(format!("{} has {dimensions} values at each moment; these are no multiple", row.code));
            }
            readings.push(Reading::Samples(SampleBlock {
                signal: row.code.clone(),
                start,
                rate_hz,
                dimensions,
                values,
            }));
            Ok(())
        }
        Kind::Intervals => {
            let beats = beats_until(
                start,
                row.plausible,
                values.into_iter().filter_map(Result::ok).map(|v| conversion.apply(v)).collect(),
            );
            if !beats.is_empty() {
                readings.push(Reading::Intervals { signal: row.code.clone(), at: start, beats });
            }
            Ok(())
        }
        Kind::Quantity if several_without_rate => {
            Err(format!("several values of {}; the device's row gives no rate_hz to have a time each", row.code))
        }
        Kind::Quantity => {
            let step = MICROS as f64 / field.rate_hz.unwrap_or(1.0);
            for (index, sent) in values.into_iter().enumerate() {
                let value = sent.map(|v| conversion.apply(v));
                if let Ok(value) = value {
                    in_range(row.plausible, value, row.unit.as_ref())?;
                }
                let at = start.plus((index as f64 * step).round() as i64);
                readings.push(Reading::Scalar {
                    signal: row.code.clone(),
                    at,
                    value,
                    original: original(sent, unit, conversion),
                });
            }
            Ok(())
        }
    }
}

fn panel(
    readings: &mut Vec<Reading>,
    row: &Signal,
    field: &Field,
    unit: Option<&str>,
    values: Vec<Result<f64, AbsentReason>>,
    start: Instant,
) -> Result<(), String> {
    let component = field
        .component
        .as_deref()
        .and_then(|code| row.component(code))
        .ok_or_else(|| format!("{} is a panel; the device's row names no component of it", row.code))?;
    let conversion = component_conversion(row, component, unit)
        .ok_or_else(|| format!("unit {:?} is not accepted for {}", unit.unwrap_or_default(), component.code))?;
    let mut values = values.into_iter();
    let (Some(sent), None) = (values.next(), values.next()) else {
        return Err(format!("a component of {} has one value", row.code));
    };
    let value = sent.map(|v| conversion.apply(v));
    if let Ok(value) = value {
        in_range(Some(component.plausible), value, Some(&component.unit))?;
    }
    let sent = original(sent, unit, conversion).map(|(value, unit)| (component.code.clone(), value, unit));
    for reading in readings.iter_mut() {
        if let Reading::Panel { signal, components, originals, .. } = reading
            && *signal == row.code
        {
            components.push((component.code.clone(), value));
            originals.extend(sent);
            return Ok(());
        }
    }
    readings.push(Reading::Panel {
        signal: row.code.clone(),
        at: start,
        components: vec![(component.code.clone(), value)],
        originals: sent.into_iter().collect(),
    });
    Ok(())
}

fn original(sent: Result<f64, AbsentReason>, unit: Option<&str>, conversion: Conversion) -> Option<(f64, String)> {
    match sent {
        Ok(value) if !conversion.is_identity() => Some((value, unit.unwrap_or_default().to_owned())),
        _ => None,
    }
}

/// How a component's value becomes canonical; no unit means the component's own, and units of the whole row hold too.
pub(super) fn component_conversion(row: &Signal, component: &Component, unit: Option<&str>) -> Option<Conversion> {
    match unit {
        None => Some(Conversion::IDENTITY),
        unit => component.conversion(unit).or_else(|| row.conversion(unit)),
    }
}

/// What is wrong with a value that cannot be.
pub(super) fn in_range(plausible: Option<Plausible>, value: f64, unit: Option<&Unit>) -> Result<(), String> {
    if !value.is_finite() {
        return Err("is not a finite number".to_owned());
    }
    match plausible {
        Some(range) if value < range.min || value > range.max => {
            let unit = unit.map_or("", |u| u.code.as_str());
            Err(format!("{value} {unit} is outside the plausible range {} to {} {unit}", range.min, range.max))
        }
        _ => Ok(()),
    }
}

/// Beats whose first ends the first interval at `start`.
pub(super) fn beats_from(start: Instant, intervals_ms: impl Iterator<Item = f64>) -> Vec<Beat> {
    let mut since_first_ms = 0.0;
    let beat = |(index, interval): (usize, f64)| {
        since_first_ms += if index == 0 { 0.0 } else { interval };
        let at = start.plus((since_first_ms * 1000.0).round() as i64);
        Beat { at, interval_ms: Some(interval), amplitude: 0.0, quality: Quality::GOOD }
    };
    intervals_ms.enumerate().map(beat).collect()
}

/// Beats whose last was at `end`, as a notification tells them; an interval that cannot be keeps its time and loses its value.
fn beats_until(end: Instant, plausible: Option<Plausible>, intervals_ms: Vec<f64>) -> Vec<Beat> {
    let mut until_end_ms = 0.0;
    let mut beats: Vec<Beat> = intervals_ms
        .into_iter()
        .rev()
        .map(|interval| {
            let at = end.plus(-(until_end_ms * 1000.0_f64).round() as i64);
            until_end_ms += interval;
            let interval_ms = in_range(plausible, interval, None).is_ok().then_some(interval);
            Beat { at, interval_ms, amplitude: 0.0, quality: Quality::GOOD }
        })
        .collect();
    beats.reverse();
    beats
}
