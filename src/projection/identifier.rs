//! Identity of what is projected. <https://hl7.org/fhir/R4/datatypes.html#Identifier>
//!
//! A business identifier is a pure function of (tenant, patient, episode, signal, interval, algorithm id). It leaves the server, in
//! conditional creates and in bundles, so it is a hash that tells nothing: the UUIDv5 of those parts. The logical id is the
//! UUIDv5 of the business identifier. An algorithm's version is no part of it: a better version amends what an older one said.
//!
//! A device that changes patients within a window gives each of them a measurement of their own, so the patient is part
//! of it. Two sensors that record the same signal at once are two sources, so the device and its stream are part of the
//! episode; but for a window of a signal a patient has only one of (`sole`), which is the same whoever measured it.

use super::Origin;
use super::canonical::canonical;
use crate::fhir::Element;
use crate::fhir::datatype;
use crate::id::{DeviceKey, ResourceId, SignalCode, StreamName, TenantId, resource_id};
use crate::signal::AlgorithmRef;
use crate::time::{Instant, Interval};

const SEPARATOR: &str = "\u{1f}";

/// Business identifier and logical id of one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// `Identifier.value`.
    pub(crate) value: String,
    /// Logical id.
    pub(crate) id: ResourceId,
}

impl Identity {
    /// The identity of the resource of `kind` that `parts` name within the tenant.
    fn of(tenant: &TenantId, kind: &str, parts: &[&str]) -> Self {
        let value = resource_id(tenant, &format!("identifier/{kind}"), &parts.join(SEPARATOR)).to_string();
        let id = resource_id(tenant, kind, &value);
        Self { value, id }
    }
}

/// Identity of an Observation.
pub(crate) fn observation(
    origin: &Origin,
    signal: &SignalCode,
    interval: Interval,
    algorithm: Option<&AlgorithmRef>,
) -> Identity {
    of_interval(origin, "Observation", interval, &[signal.as_str(), algorithm.map_or("", |a| &a.id)])
}

/// Identity of the strip document (`DocumentReference`) or its picture (`Binary`) of a waveform chunk.
pub(crate) fn strip(origin: &Origin, kind: &str, signal: &SignalCode, interval: Interval) -> Identity {
    of_interval(origin, kind, interval, &[signal.as_str(), "strip"])
}

/// Identity of the Provenance of what one algorithm (or the device itself) gave for a window.
pub(crate) fn provenance(
    origin: &Origin,
    window: Interval,
    algorithm: Option<&AlgorithmRef>,
    signals: &str,
) -> Identity {
    of_interval(origin, "Provenance", window, &[algorithm.map_or("", |a| &a.id), signals])
}

/// Identity of an alert's Flag, of the strip that shows it, or of its Provenance.
pub(crate) fn alert(origin: &Origin, kind: &str, rule: &str, onset: Instant) -> Identity {
    of_interval(origin, kind, Interval { start: onset, end: onset }, &[rule, "alert"])
}

/// Identity of the coincident timestamp of a clock's segment, which begins with packet `first` of a stream.
pub(crate) fn coincident(tenant: &TenantId, device: &DeviceKey, stream: &StreamName, first: u64) -> Identity {
    let parts = [device.as_str(), stream.as_str(), &first.to_string(), "coincident-timestamp"];
    Identity::of(tenant, "Observation", &parts)
}

fn of_interval(origin: &Origin, kind: &str, interval: Interval, parts: &[&str]) -> Identity {
    let (start, end) = (interval.start.0.to_string(), interval.end.0.to_string());
    let episode = origin.episode.as_ref().map_or("", |e| e.as_str());
    let (patient, device, stream) = (origin.patient.as_str(), origin.device.as_str(), origin.stream.as_str());
    let mut key = vec![patient, episode, device, stream, &start, &end];
    key.extend_from_slice(parts);
    Identity::of(&origin.tenant, kind, &key)
}

/// The system of our identifiers of a kind: `{base}/identifier/observation`.
pub(crate) fn system(kind: &str) -> String {
    canonical("identifier", kind)
}

/// Identifier element.
pub(crate) fn identifier(kind: &str, value: &str) -> Element {
    datatype::identifier(&system(kind), value)
}
