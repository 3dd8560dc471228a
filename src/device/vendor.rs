//! `vendor`: a vendor's own JSON, read as its schema row in `registry/device` says (fields by JSON Pointer, RFC 6901).

use serde_json::Value;

use super::Frame;
use super::assemble::{Wire, assemble};
use crate::packet::{PacketError, Vendor};
use crate::registry::{Field, Registry, VendorSchema};
use crate::signal::{AbsentReason, Quality};
use crate::time::Instant;

pub(super) fn decode(
    content: &Vendor,
    registry: &Registry,
    model: Option<&str>,
    start: Instant,
) -> Result<Frame, PacketError> {
    let schema = schema(&content.schema, registry, model)?;
    let element = |field: &Field| format!("vendor.payload{}", field.name);
    let present = |field: &Field| content.payload.pointer(&field.name).is_some();
    if !schema.field.iter().any(present) {
        let known: Vec<&str> = schema.field.iter().map(|f| f.name.as_str()).collect();
        let problem = format!("holds none of the fields of {}: {}", schema.schema, known.join(", "));
        return Err(PacketError::at("vendor.payload", problem));
    }
    let readings = assemble(registry, &schema.field, start, element, |field| {
        let Some(value) = content.payload.pointer(&field.name) else { return Ok(None) };
        let values = numbers(value).map_err(|problem| PacketError::at(element(field), problem))?;
        let unit = field.unit_field.as_deref().map(|pointer| unit(content, pointer)).transpose()?;
        Ok(Some(Wire { values, unit }))
    })?;
    let quality = schema.quality.as_deref().and_then(|pointer| quality(content, pointer).transpose()).transpose()?;
    Ok(Frame { readings, stated_time: None, quality })
}

/// The unit the payload states.
fn unit<'a>(content: &'a Vendor, pointer: &str) -> Result<&'a str, PacketError> {
    let stated = content.payload.pointer(pointer).and_then(Value::as_str);
    stated.ok_or_else(|| PacketError::at(format!("vendor.payload{pointer}"), "needs the unit, a text"))
}

/// The quality index the payload states, if it does.
fn quality(content: &Vendor, pointer: &str) -> Result<Option<Quality>, PacketError> {
    match content.payload.pointer(pointer) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_f64() {
            Some(index) if (0.0..=1.0).contains(&index) => Ok(Some(Quality::new(index))),
            _ => Err(PacketError::at(format!("vendor.payload{pointer}"), "must be a number in [0, 1]")),
        },
    }
}

fn schema<'r>(name: &str, registry: &'r Registry, model: Option<&str>) -> Result<&'r VendorSchema, PacketError> {
    let own = model.and_then(|model| registry.devices.get(model));
    own.into_iter().chain(registry.devices.values()).flat_map(|m| &m.vendor).find(|s| s.schema == name).ok_or_else(
        || {
            let known: Vec<&str> =
                registry.devices.values().flat_map(|m| &m.vendor).map(|s| s.schema.as_str()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            PacketError::at("vendor.schema", format!("no schema {name:?} in the registry; known: {known}"))
        },
    )
}

fn numbers(value: &Value) -> Result<Vec<Result<f64, AbsentReason>>, String> {
    let number = |value: &Value| match value {
        Value::Null => Ok(Err(AbsentReason::NotPerformed)),
        other => other.as_f64().map(Ok).ok_or_else(|| "is not a number".to_owned()),
    };
    match value {
        Value::Array(items) => items.iter().map(number).collect(),
        one => Ok(vec![number(one)?]),
    }
}
