//! `gatt`: notifications and indications of the Bluetooth SIG's health characteristics.
//!
//! Layouts follow the GATT Specification Supplement: little-endian, a flags octet first, optional fields by flag. A device
//! row names the decoder of a characteristic; decoders come from the one table [`DECODERS`]. Octets past the layout are
//! left alone, as the specification asks of readers of a later revision's values.

mod blood_pressure;
mod cursor;
mod glucose;
mod heart_rate;
mod pulse_oximeter;
mod temperature;
mod weight;

use base64::Engine;

pub use cursor::DecodeError;

use super::Frame;
use super::assemble::{Wire, assemble};
use crate::packet::{Gatt, PacketError};
use crate::registry::{GattService, Registry};
use crate::signal::AbsentReason;
use crate::time::Instant;

/// The longest attribute value (Bluetooth Core, Vol 3 Part F, 3.2.9).
const MAX_VALUE: usize = 512;

/// One value of a characteristic.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldValue {
    /// Name as device rows use it.
    pub field: &'static str,
    /// The value, or the special value that stood for it.
    pub value: Result<f64, AbsentReason>,
    /// UCUM unit.
    pub unit: &'static str,
}

/// What a characteristic's value says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decoded {
    /// Its fields; a repeated one is oldest first.
    pub values: Vec<FieldValue>,
    /// The time the device wrote into it.
    pub stated_time: Option<jiff::civil::DateTime>,
}

/// A characteristic's layout.
#[derive(Debug, Clone, Copy)]
pub struct Decoder {
    /// Name as device rows use it.
    pub name: &'static str,
    /// Fields it can give.
    pub fields: &'static [&'static str],
    /// The function.
    pub decode: fn(&[u8]) -> Result<Decoded, DecodeError>,
}

/// Every layout known.
pub const DECODERS: &[Decoder] = &[
    Decoder { name: "heart-rate-measurement", fields: &["heart_rate", "rr_interval"], decode: heart_rate::decode },
    Decoder {
        name: "blood-pressure-measurement",
        fields: &["systolic", "diastolic", "mean_arterial_pressure", "pulse_rate"],
        decode: blood_pressure::decode,
    },
    Decoder { name: "temperature-measurement", fields: &["temperature"], decode: temperature::decode },
    Decoder {
        name: "plx-spot-check",
        fields: &["spo2", "pulse_rate", "perfusion_index"],
        decode: pulse_oximeter::decode_spot_check,
    },
    Decoder {
        name: "plx-continuous",
        fields: &["spo2", "pulse_rate", "perfusion_index"],
        decode: pulse_oximeter::decode_continuous,
    },
    Decoder { name: "weight-measurement", fields: &["weight"], decode: weight::decode },
    Decoder { name: "glucose-measurement", fields: &["glucose"], decode: glucose::decode },
];

/// The readings of a notification.
pub(super) fn decode(
    notification: &Gatt,
    registry: &Registry,
    model: Option<&str>,
    start: Instant,
) -> Result<Frame, PacketError> {
    let service = service(&notification.characteristic, registry, model)?;
    let decoder = DECODERS.iter().find(|d| d.name == service.decoder).ok_or_else(|| {
        PacketError::at("gatt.characteristic", format!("this version has no decoder {}", service.decoder))
    })?;
    let at_value = |problem: String| PacketError::at("gatt.value", problem);
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(&notification.value)
        .map_err(|error| at_value(format!("is not base64: {error}")))?;
    if bytes.len() > MAX_VALUE {
        return Err(at_value(format!("{} bytes, a characteristic has at most {MAX_VALUE}", bytes.len())));
    }
    let decoded = (decoder.decode)(&bytes).map_err(|error| at_value(format!("{}: {error}", decoder.name)))?;
    let readings = assemble(
        registry,
        &service.field,
        start,
        |field| format!("gatt.value: {}", field.name),
        |field| {
            let mut unit = None;
            let mut values = Vec::new();
            for found in decoded.values.iter().filter(|v| v.field == field.name) {
                unit = Some(found.unit);
                values.push(found.value);
            }
            Ok(unit.map(|unit| Wire { values, unit: Some(unit) }))
        },
    )?;
    Ok(Frame { readings, stated_time: decoded.stated_time, quality: None })
}

/// The row's service for a characteristic: the device's own model first, then any.
fn service<'r>(
    characteristic: &str,
    registry: &'r Registry,
    model: Option<&str>,
) -> Result<&'r GattService, PacketError> {
    let unknown = |problem: &str| PacketError::at("gatt.characteristic", format!("{characteristic:?} {problem}"));
    let uuid =
        canonical_uuid(characteristic).ok_or_else(|| unknown("is neither four hexadecimal digits nor a full UUID"))?;
    let own = model.and_then(|model| registry.devices.get(model));
    own.into_iter()
        .chain(registry.devices.values())
        .flat_map(|m| &m.gatt)
        .find(|s| canonical_uuid(&s.characteristic).as_ref() == Some(&uuid))
        .ok_or_else(|| unknown("is in no device row of the registry"))
}

/// A characteristic's UUID in one form: four hexadecimal digits where it is an assigned number, all 32 otherwise.
pub(super) fn canonical_uuid(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let hex: String = text.strip_prefix("0x").unwrap_or(&text).chars().filter(|c| *c != '-').collect();
    if !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    match hex.len() {
        4 => Some(hex),
        32 => {
            let assigned = hex.strip_prefix("0000").and_then(|rest| rest.strip_suffix("00001000800000805f9b34fb"));
            Some(assigned.map_or_else(|| hex.clone(), str::to_owned))
        }
        _ => None,
    }
}
