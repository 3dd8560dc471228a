//! Device rows against the decoders, at start.

use super::gatt::{self, DECODERS};
use crate::registry::{Field, Kind, Registry, RegistryError};

/// The first device row that names a decoder or field which is not there, or a unit its signal does not take.
///
/// # Errors
/// Row, field and reason.
pub fn check(registry: &Registry) -> Result<(), RegistryError> {
    for model in registry.devices.values() {
        let inconsistent =
            |problem: String| RegistryError::Inconsistent { row: format!("device/{}", model.model), problem };
        for service in &model.gatt {
            let Some(decoder) = DECODERS.iter().find(|d| d.name == service.decoder) else {
                let known: Vec<&str> = DECODERS.iter().map(|d| d.name).collect();
                return Err(inconsistent(format!("decoder: no {}; known: {}", service.decoder, known.join(", "))));
            };
            if gatt::canonical_uuid(&service.characteristic).is_none() {
                return Err(inconsistent(format!("characteristic: {} is no UUID", service.characteristic)));
            }
            for field in &service.field {
                if !decoder.fields.contains(&field.name.as_str()) {
                    let known = decoder.fields.join(", ");
                    return Err(inconsistent(format!("field {}: {} gives {known}", field.name, decoder.name)));
                }
            }
        }
        let fields = model.gatt.iter().flat_map(|g| &g.field).chain(model.vendor.iter().flat_map(|v| &v.field));
        for field in fields {
            check_field(registry, field).map_err(|problem| inconsistent(format!("field {}: {problem}", field.name)))?;
        }
        for schema in &model.vendor {
            let names =
                schema.field.iter().map(|f| &f.name).chain(schema.field.iter().filter_map(|f| f.unit_field.as_ref()));
            if let Some(name) = names.chain(&schema.quality).find(|n| !n.is_empty() && !n.starts_with('/')) {
                return Err(inconsistent(format!("field {name}: is no JSON Pointer")));
            }
        }
    }
    Ok(())
}

fn check_field(registry: &Registry, field: &Field) -> Result<(), String> {
    let row = registry.signal(&field.signal).ok_or_else(|| format!("no signal row {}", field.signal))?;
    match row.kind {
        Kind::Classification => return Err(format!("{} is a classification, which no device sends", row.code)),
        Kind::Panel if field.component.is_none() => return Err(format!("component: {} is a panel", row.code)),
        Kind::SampledData if field.rate_hz.is_none() => return Err(format!("rate_hz: {} is a waveform", row.code)),
        _ => {}
    }
    if field.rate_hz.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)) {
        return Err("rate_hz: must be above 0".to_owned());
    }
    let Some(unit) = field.unit.as_deref() else { return Ok(()) };
    let component = field.component.as_deref().and_then(|code| row.component(code));
    let known = component.is_some_and(|c| c.conversion(Some(unit)).is_some()) || row.conversion(Some(unit)).is_some();
    if known { Ok(()) } else { Err(format!("unit: {} does not take {unit}", row.code)) }
}
