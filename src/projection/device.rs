//! Device: the sensor, and each algorithm in each version. <https://hl7.org/fhir/R4/device.html>
//!
//! A sensor's Device names no patient: who wears it changes, and every Observation says it. The Device of an algorithm
//! version never changes; a new version is a new Device.

use super::canonical::{SNOMED, code_system};
use super::identifier::identifier;
use super::narrative::narrative;
use super::{Context, Organization, Origin, ProjectionError, start};
use crate::fhir::datatype::{coded, reference};
use crate::fhir::make::{element, list, object, one, text};
use crate::fhir::{Element, Value};
use crate::id::{DeviceKey, ResourceId, TenantId, resource_id};
use crate::registry::DeviceModel;
use crate::resource::Resource;
use crate::signal::AlgorithmRef;

/// What is known about a sensor.
#[derive(Debug, Clone, Copy)]
pub struct Sensor<'a> {
    /// Tenant.
    pub tenant: &'a TenantId,
    /// Device.
    pub device: &'a DeviceKey,
    /// Its model, where it is known.
    pub model: Option<&'a DeviceModel>,
    /// Firmware it has.
    pub firmware: Option<&'a str>,
    /// Software that sends its packets.
    pub sdk: Option<&'a str>,
}

/// Logical id of the sensor's Device.
pub fn sensor_id(origin: &Origin) -> ResourceId {
    device_id(&origin.tenant, &origin.device)
}

fn device_id(tenant: &TenantId, device: &DeviceKey) -> ResourceId {
    resource_id(tenant, "Device", device.as_str())
}

/// Logical id of an algorithm version's Device.
pub fn algorithm_id(tenant: &TenantId, algorithm: &AlgorithmRef) -> ResourceId {
    resource_id(tenant, "Device", &format!("algorithm/{}", method_code(algorithm)))
}

/// The code in `CodeSystem/method`.
pub(crate) fn method_code(algorithm: &AlgorithmRef) -> String {
    format!("{}-v{}", algorithm.id, algorithm.version)
}

/// The Device of a sensor.
pub fn sensor(sensor: &Sensor<'_>, organization: &Organization) -> Resource {
    let Sensor { tenant, device, model, .. } = *sensor;
    let id = device_id(tenant, device);
    let display = model.map_or_else(|| device.to_string(), |m| m.display.clone());
    let mut body = start("Device", &id, None);
    body.extend(element([
        ("text", narrative(&format!("{display} ({device})"))),
        ("identifier", one(identifier("device", device.as_str()))),
        ("status", text("active")),
        ("manufacturer", model.and_then(|m| m.manufacturer.clone()).and_then(text)),
        ("deviceName", one(device_name(&display, if model.is_some() { "model-name" } else { "other" }))),
        ("type", Some(Value::Element(sensor_type(model)))),
        ("version", list(versions(sensor))),
        ("owner", Some(Value::Element(reference(&organization.reference())))),
    ]));
    Resource { kind: "Device".to_owned(), id, element: body }
}

/// The Device of an algorithm version.
pub(crate) fn algorithm(context: &Context<'_>, algorithm: &AlgorithmRef) -> Result<Resource, ProjectionError> {
    let display = context.algorithm_display(algorithm)?;
    let id = algorithm_id(&context.batch.origin.tenant, algorithm);
    let mut body = start("Device", &id, None);
    body.extend(element([
        ("text", narrative(&format!("{display}, version {}", algorithm.version))),
        ("identifier", one(identifier("algorithm", &method_code(algorithm)))),
        ("status", text("active")),
        ("deviceName", one(device_name(&display, "model-name"))),
        ("type", Some(Value::Element(coded(&code_system("device-type"), "software", Some("Software"))))),
        ("version", one(element([("value", text(algorithm.version.as_str()))]))),
        ("owner", Some(Value::Element(reference(&context.organization_reference())))),
    ]));
    Ok(Resource { kind: "Device".to_owned(), id, element: body })
}

fn device_name(name: &str, kind: &str) -> Element {
    element([("name", text(name)), ("type", text(kind))])
}

fn sensor_type(model: Option<&DeviceModel>) -> Element {
    match model.and_then(|m| m.snomed.as_ref()) {
        Some((code, display)) => coded(SNOMED, code, Some(display)),
        None => coded(&code_system("device-type"), "sensor", Some("Sensor")),
    }
}

fn versions(sensor: &Sensor<'_>) -> Vec<Element> {
    let version = |kind: &str, value: &str| element([("type", object([("text", text(kind))])), ("value", text(value))]);
    let firmware = sensor.firmware.iter().map(|v| version("firmware", v));
    firmware.chain(sensor.sdk.iter().map(|v| version("sdk", v))).collect()
}
