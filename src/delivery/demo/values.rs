//! What is sent of the values of a demo.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::DemoError;
use crate::delivery::connection::PatientBinding;
use crate::delivery::outgoing::{self, Beside, Outgoing};
use crate::id::{DeviceKey, ResourceId, SignalCode, StreamName, TenantId};
use crate::projection::{Batch, Organization, Origin, project};
use crate::registry::{Kind, Registry};
use crate::signal::{self, Measured, PacketRange, Quality};
use crate::time::{Instant, Interval};

/// A value.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// Row in `registry/signal`.
    pub signal: SignalCode,
    /// The number.
    #[serde(default)]
    pub value: Option<f64>,
    /// Its unit; the row's own where left out.
    #[serde(default)]
    pub unit: Option<String>,
    /// Numbers of a panel, which are skipped.
    #[serde(default)]
    pub components: Option<BTreeMap<String, f64>>,
    /// When it was measured, RFC 3339.
    pub effective: String,
}

/// What is not sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Skipped {
    /// The signal.
    pub signal: SignalCode,
    /// Why.
    pub reason: &'static str,
}

/// Identities of a demo are nobody's but the client's who asks for it.
pub(super) fn tenant(client: &str) -> TenantId {
    let id = crate::id::resource_id(&nobody(), "demo", client);
    TenantId::new(format!("demo-{id}")).unwrap_or_else(|_| nobody())
}

fn nobody() -> TenantId {
    #[expect(clippy::expect_used, reason = "a constant that is one")]
    TenantId::new("demo").expect("a tenant's name")
}

/// The patient and an Observation for each value that is sent.
pub(super) fn outgoing(
    tenant: &TenantId,
    features: &[Feature],
    registry: &Registry,
) -> Result<(Vec<Outgoing>, Vec<Skipped>), DemoError> {
    let beside = Beside::default();
    let (mut pending, mut skipped) = (Vec::new(), Vec::new());
    let Ok(patient) = ResourceId::new("demo") else { return Ok((pending, skipped)) };
    if let Some(body) = outgoing::patient(tenant, &patient, true) {
        let key = ("Patient".to_owned(), patient.to_string());
        pending.push(Outgoing::new(tenant, (0, key, 1), body, PatientBinding::Included, &beside));
    }
    for (place, feature) in features.iter().enumerate() {
        let at = Instant::parse(&feature.effective).map_err(|_| DemoError::Time(place))?;
        let value = match canonical(feature, registry) {
            Ok(value) => value,
            Err(reason) => {
                skipped.push(Skipped { signal: feature.signal.clone(), reason });
                continue;
            }
        };
        for resource in project(
            &batch(tenant, &patient, feature, at, value),
            registry,
            &Organization::of(tenant, "Demo"),
            &|_, _, _, _| None,
        )? {
            if resource.kind != "Observation" {
                continue;
            }
            let json = crate::fhir::json::to_vec(&resource.element).unwrap_or_default();
            if let Ok(body) = serde_json::from_slice(&json) {
                let key = (resource.kind, resource.id.to_string());
                let ordinal = place.cast_signed() as i64 + 1;
                pending.push(Outgoing::new(tenant, (ordinal, key, 1), body, PatientBinding::Included, &beside));
            }
        }
    }
    Ok((pending, skipped))
}

/// The value in the row's own unit, or why it is skipped.
fn canonical(feature: &Feature, registry: &Registry) -> Result<f64, &'static str> {
    let row = registry.signal(&feature.signal).ok_or("there is no such signal")?;
    match row.kind {
        Kind::Panel => return Err("panels are not part of the demo"),
        Kind::SampledData | Kind::Intervals => return Err("waveforms are not part of the demo"),
        Kind::Classification => return Err("only numbers are part of the demo"),
        Kind::Quantity => {}
    }
    let value = feature.value.filter(|value| value.is_finite()).ok_or("it has no value")?;
    let conversion = row.conversion(feature.unit.as_deref()).ok_or("the signal is not taken in this unit")?;
    Ok(conversion.apply(value))
}

/// A batch of one value. Another value at the same moment is another one, so it counts to what it is identified by.
fn batch(tenant: &TenantId, patient: &ResourceId, feature: &Feature, at: Instant, value: f64) -> Batch {
    let name = format!("demo-{}", value.to_bits());
    let device = DeviceKey::new(name).unwrap_or_else(|_| DeviceKey::together());
    let origin = Origin {
        tenant: tenant.clone(),
        device,
        model: None,
        stream: StreamName::of_patient(patient),
        patient: patient.clone(),
        episode: None,
        encounter: None,
        firmware: None,
        sdk: None,
        lead: None,
        clock: None,
    };
    let interval = Interval { start: at, end: at };
    let measured = Measured {
        signal: feature.signal.clone(),
        interval,
        value: signal::Value::Quantity(value),
        quality: Quality::GOOD,
        algorithm: None,
        derived_from: Vec::new(),
        original: None,
    };
    Batch {
        origin,
        window: interval,
        packets: PacketRange::of(0, &[0; 32]),
        measured: vec![measured],
        alerts: Vec::new(),
        added_us: 0,
        sources: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_sent_and_the_rest_is_told() {
        let registry = Registry::builtin().unwrap();
        let features: Vec<Feature> = serde_json::from_value(serde_json::json!([
            {"signal": "heart-rate", "value": 61, "unit": "/min", "effective": "2026-01-18T14:32:00Z"},
            {"signal": "body-temperature", "value": 98.6, "unit": "[degF]", "effective": "2026-01-18T14:32:00Z"},
            {"signal": "blood-pressure", "components": {"systolic": 120, "diastolic": 80}, "effective": "2026-01-18T14:32:00Z"},
            {"signal": "ecg", "effective": "2026-01-18T14:32:00Z"},
            {"signal": "heart-rate", "value": 61, "unit": "furlong", "effective": "2026-01-18T14:32:00Z"},
        ]))
        .unwrap();
        let tenant = tenant("client-1");
        let (sent, skipped) = outgoing(&tenant, &features, &registry).unwrap();
        assert_eq!((sent.len(), skipped.len()), (3, 3));
        let (again, _) = outgoing(&tenant, &features, &registry).unwrap();
        let names = |all: &[Outgoing]| all.iter().map(|one| one.business.query()).collect::<Vec<_>>();
        assert_eq!(names(&sent), names(&again));
        assert_ne!(names(&sent), names(&outgoing(&super::tenant("client-2"), &features, &registry).unwrap().0));
    }
}
