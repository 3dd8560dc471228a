//! Measurements to resources: a pure function of what was measured, the registry and the identity of the stream.
//! <https://hl7.org/fhir/R4/observation.html>, <https://hl7.org/fhir/us/core/STU6.1/>

mod alert;
mod canonical;
mod code;
mod coincident;
mod component;
mod device;
mod document_reference;
mod encounter;
mod episode_of_care;
mod example;
mod extension;
#[cfg(test)]
mod fixture;
mod identifier;
pub mod ig;
mod lineage;
mod narrative;
mod observation;
mod organization;
mod patient;
mod provenance;
mod revision;
mod sampled_data;
mod served;
mod sole;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use alert::{flag_reference, shown_by};
pub(crate) use code::profile;
pub use coincident::coincident_timestamp;
pub use device::{Sensor, algorithm_id, sensor, sensor_id};
pub use encounter::{encounter, encounter_id};
pub use episode_of_care::{episode_of_care, episode_of_care_id};
pub use example::examples;
pub use lineage::{PacketSource, packet_sources};
pub use organization::Organization;
pub use patient::stub_patient;
pub use revision::{as_first_computed, revised};
pub use served::{served, tables};
pub use sole::{Contested, PassedOver, observation_id, with_passed_over};

use serde::{Deserialize, Serialize};

use document_reference::Strip;

use crate::fhir::make::{element, object, text, texts};
use crate::fhir::{Element, Primitive, Value};
use crate::id::{DeviceKey, EpisodeId, ResourceId, SignalCode, StreamName, TenantId};
use crate::registry::{Kind, Registry, Signal, StripPaper};
use crate::resource::Resource;
use crate::signal::{self, Alert, AlgorithmRef, Measured, PacketRange, Quality, SampleBlock};
use crate::time::Interval;

/// Where measurements come from: one stream of one device on one patient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Tenant.
    pub tenant: TenantId,
    /// Device.
    pub device: DeviceKey,
    /// Row in `registry/device`, where the device's model is known.
    pub model: Option<String>,
    /// Stream.
    pub stream: StreamName,
    /// Logical id of the Patient.
    pub patient: ResourceId,
    /// Recording session, where packets name one.
    pub episode: Option<EpisodeId>,
    /// Logical id of the Encounter an EHR sees the episode in.
    pub encounter: Option<ResourceId>,
    /// Firmware of the device at the time.
    pub firmware: Option<String>,
    /// Software that sent the packets.
    pub sdk: Option<String>,
    /// Lead or channel, such as `MLII`.
    pub lead: Option<String>,
    /// How far the device's clock was off, where it was.
    pub clock: Option<ClockNote>,
}

/// How far a device's clock was off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockNote {
    /// Server time minus device time, in milliseconds.
    pub off_ms: i64,
    /// Whether times are corrected by that, or only said to be off by it.
    pub is_corrected: bool,
}

impl Origin {
    /// The origin of what several streams of a patient and episode give together. Which of them it is may change when
    /// more of them arrives, so identity must not hang on a device or stream.
    #[must_use]
    pub fn together(&self) -> Self {
        let (tenant, patient, episode) = (self.tenant.clone(), self.patient.clone(), self.episode.clone());
        let (device, stream) = (DeviceKey::together(), StreamName::of_patient(&patient));
        let encounter = self.encounter.clone();
        Self {
            tenant,
            device,
            model: None,
            stream,
            patient,
            episode,
            encounter,
            firmware: None,
            sdk: None,
            lead: None,
            clock: None,
        }
    }
}

/// Everything one stream gave for one window (or one scalar packet): what is stored in one transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Where it comes from.
    pub origin: Origin,
    /// The window.
    pub window: Interval,
    /// The packets behind it.
    pub packets: PacketRange,
    /// What was measured.
    pub measured: Vec<Measured>,
    /// What calls for attention: raised, or over.
    pub alerts: Vec<Alert>,
    /// What was added to the device's own time of a reading, in microseconds. A reading keeps its identity when more is known
    /// of the clock, so that is made from the device's own time; a window's is made from its place on the server's time base.
    pub added_us: i64,
    /// The streams behind it, when several gave it together: `origin` names none of them then, see [`Origin::together`].
    pub sources: Vec<Contributor>,
}

/// A stream's share in what several streams gave together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contributor {
    /// The stream.
    pub origin: Origin,
    /// Its packets.
    pub packets: PacketRange,
}

impl Batch {
    /// An alert on a stream. None where it has no packets, which no alert is without.
    pub fn of_alert(origin: Origin, alert: Alert) -> Option<Self> {
        let (first, last) = alert.packets.first().zip(alert.packets.last())?;
        let packets = PacketRange { last: last.last, ..first.clone() };
        let window = Interval { start: alert.onset, end: alert.over.unwrap_or(alert.raised) };
        let (measured, sources) = (Vec::new(), Vec::new());
        Some(Self { origin, window, packets, measured, alerts: vec![alert], added_us: 0, sources })
    }

    /// The time something of this batch is identified by.
    pub(crate) fn identified(&self, interval: Interval) -> Interval {
        Interval { start: interval.start.plus(-self.added_us), end: interval.end.plus(-self.added_us) }
    }

    /// The streams behind it.
    pub(crate) fn contributors(&self) -> Vec<(&Origin, &PacketRange)> {
        if self.sources.is_empty() {
            return vec![(&self.origin, &self.packets)];
        }
        self.sources.iter().map(|s| (&s.origin, &s.packets)).collect()
    }
}

/// Draws a strip: samples, paper, lead, quality; PNG bytes, or none when there is nothing to draw.
pub type DrawStrip<'a> = &'a dyn Fn(&SampleBlock, StripPaper, Option<&str>, Quality) -> Option<Vec<u8>>;

/// Why a batch has no FHIR form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProjectionError {
    /// The signal has no row.
    #[error("no signal row {0}")]
    UnknownSignal(SignalCode),
    /// The algorithm has no row.
    #[error("no algorithm row {0}")]
    UnknownAlgorithm(String),
    /// The panel has no such component.
    #[error("{signal} has no component {component}")]
    UnknownComponent {
        /// The panel.
        signal: SignalCode,
        /// The code it was given.
        component: String,
    },
    /// The classification has no such code.
    #[error("{signal} has no value {code}")]
    UnknownCode {
        /// The classification.
        signal: SignalCode,
        /// The code it was given.
        code: String,
    },
    /// The row holds another kind of value.
    #[error("{signal} is a {kind:?} row and was given another kind of value")]
    WrongKind {
        /// The signal.
        signal: SignalCode,
        /// What its row holds.
        kind: Kind,
    },
}

/// What every resource of a batch needs.
pub(crate) struct Context<'a> {
    batch: &'a Batch,
    registry: &'a Registry,
    organization: &'a Organization,
    draw: DrawStrip<'a>,
}

impl<'a> Context<'a> {
    fn row(&self, signal: &SignalCode) -> Result<&'a Signal, ProjectionError> {
        self.registry.signal(signal).ok_or_else(|| ProjectionError::UnknownSignal(signal.clone()))
    }

    fn algorithm_display(&self, algorithm: &AlgorithmRef) -> Result<String, ProjectionError> {
        let Registry { algorithms, alerts, .. } = self.registry;
        let display = algorithms.get(&algorithm.id).map(|row| &row.display);
        let display = display.or_else(|| alerts.get(&algorithm.id).map(|rule| &rule.display));
        display.cloned().ok_or_else(|| ProjectionError::UnknownAlgorithm(algorithm.id.clone()))
    }

    /// The Encounter measurements belong to.
    fn encounter_reference(&self) -> Option<Element> {
        let encounter = self.batch.origin.encounter.as_ref()?;
        Some(crate::fhir::datatype::reference(&format!("Encounter/{encounter}")))
    }

    fn organization_reference(&self) -> String {
        self.organization.reference()
    }

    /// The algorithm's Device, or the sensor's.
    fn device_reference(&self, algorithm: Option<&AlgorithmRef>) -> String {
        let origin = &self.batch.origin;
        let id = algorithm.map_or_else(|| sensor_id(origin), |a| algorithm_id(&origin.tenant, a));
        format!("Device/{id}")
    }
}

/// The resources of a batch: the algorithms' Devices, strips, Observations, Flags, Provenance, each after what it refers to.
///
/// Pure and deterministic: the same batch gives the same bytes, whenever and wherever it runs. The sensor's Device,
/// Organization and Patient are referred to only: a [`sensor`] is made of what all its streams say; whoever sets up a tenant
/// or enrols a patient stores [`Organization::resource`] and [`stub_patient`].
///
/// # Errors
/// A measurement names no row, or a value its row cannot hold.
pub fn project(
    batch: &Batch,
    registry: &Registry,
    organization: &Organization,
    draw: DrawStrip<'_>,
) -> Result<Vec<Resource>, ProjectionError> {
    let context = Context { batch, registry, organization, draw };
    let (groups, strips) = groups(&context)?;
    let mut resources = resources(&context, groups, &strips)?;
    resources.extend(alert::resources(&context)?);
    Ok(resources)
}

/// What of a batch is stored at once: single values and alerts, few bytes and soon made, which somebody may be waiting for.
/// Together with [`series`] it is what [`project`] gives.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Prompt {
    /// Resources that count whatever else was measured.
    pub values: Vec<Resource>,
    /// Those that depend on whether other sources measured the same.
    pub contested: Vec<Contested>,
}

/// The [`Prompt`] part of a batch's resources.
///
/// # Errors
/// As for [`project`].
pub fn prompt(
    batch: &Batch,
    registry: &Registry,
    organization: &Organization,
    draw: DrawStrip<'_>,
) -> Result<Prompt, ProjectionError> {
    let context = Context { batch, registry, organization, draw };
    let (groups, strips) = groups(&context)?;
    let (mut values, mut contested) = (Groups::new(), Vec::new());
    for (group, measured) in groups {
        if group.sole.is_some() {
            for one in measured {
                contested.push(sole::contested(&context, group, one, &strips)?);
            }
        } else if !is_series(&measured) {
            values.insert(group, measured);
        }
    }
    let mut values = resources(&context, values, &strips)?;
    values.extend(alert::resources(&context)?);
    Ok(Prompt { values, contested })
}

/// Of the resources of a batch those of waveforms and intervals, with their strips.
///
/// # Errors
/// As for [`project`].
pub fn series(
    batch: &Batch,
    registry: &Registry,
    organization: &Organization,
    draw: DrawStrip<'_>,
) -> Result<Vec<Resource>, ProjectionError> {
    let context = Context { batch, registry, organization, draw };
    let (mut groups, strips) = groups(&context)?;
    groups.retain(|_, measured| is_series(measured));
    resources(&context, groups, &strips)
}

/// Whether a batch has anything for [`series`].
pub fn has_series(batch: &Batch) -> bool {
    is_series(&batch.measured.iter().collect::<Vec<_>>())
}

fn is_series(measured: &[&Measured]) -> bool {
    measured.iter().any(|one| matches!(one.value, signal::Value::Samples(_) | signal::Value::Beats(_)))
}

/// What one Provenance speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Group<'a> {
    /// Whose work it is; none for the device itself.
    algorithm: Option<&'a AlgorithmRef>,
    /// The one measurement in it, where other sources may measure the same.
    sole: Option<(&'a SignalCode, Interval)>,
}

impl<'a> Group<'a> {
    fn of(registry: &Registry, measured: &'a Measured) -> Self {
        let sole = sole::is_sole(registry, &measured.signal).then_some((&measured.signal, measured.interval));
        Self { algorithm: measured.algorithm.as_ref(), sole }
    }
}

/// What each Provenance of a batch speaks of.
type Groups<'a> = BTreeMap<Group<'a>, Vec<&'a Measured>>;

/// The groups of a batch, and the strips it draws.
fn groups<'a>(context: &Context<'a>) -> Result<(Groups<'a>, Vec<Strip<'a>>), ProjectionError> {
    let (mut groups, mut strips) = (Groups::new(), Vec::new());
    for measured in &context.batch.measured {
        groups.entry(Group::of(context.registry, measured)).or_default().push(measured);
        strips.extend(document_reference::strip(context, measured)?);
    }
    Ok((groups, strips))
}

/// The resources of groups.
fn resources(
    context: &Context<'_>,
    groups: Groups<'_>,
    strips: &[Strip<'_>],
) -> Result<Vec<Resource>, ProjectionError> {
    let mut resources = Vec::new();
    let algorithms: BTreeSet<&AlgorithmRef> = groups.keys().filter_map(|group| group.algorithm).collect();
    for algorithm in algorithms {
        resources.push(device::algorithm(context, algorithm)?);
    }
    let mut provenances = Vec::new();
    let mut observations = Vec::new();
    for (group, measured) in groups {
        let mut targets = Vec::new();
        for one in &measured {
            let observation = observation::observation(context, one, strips)?;
            targets.push(observation.reference());
            observations.push(observation);
        }
        let shown = strips.iter().filter(|s| group.sole.is_none() && s.algorithm() == group.algorithm);
        for [binary, document] in shown.filter_map(|s| s.draw(context)) {
            targets.extend([document.reference(), binary.reference()]);
            resources.extend([binary, document]);
        }
        provenances.push(provenance::provenance(context, &group, &measured, &targets));
    }
    resources.extend(observations);
    resources.extend(provenances);
    Ok(resources)
}

/// The head of a resource: type, id, and the profile it claims.
fn start(kind: &str, id: &ResourceId, profile: Option<String>) -> Element {
    let meta = profile.and_then(|p| object([("profile", texts([p]))]));
    element([
        ("resourceType", Some(Value::Primitive(Primitive::String(kind.to_owned())))),
        ("id", text(id.as_str())),
        ("meta", meta),
    ])
}
