//! What the streams of a patient give together, from what each contributed to a window.

use serde::{Deserialize, Serialize};

use super::Parts;
use crate::algorithm::composite::{self, Part};
use crate::id::TenantId;
use crate::projection::{self, Batch, Contributor, Organization, ProjectionError};
use crate::registry::Registry;
use crate::resource::Resource;
use crate::store::{Contribution, Meeting};

/// A part with the stream it is of.
#[derive(Serialize, Deserialize)]
struct Kept {
    contributor: Contributor,
    part: Part,
}

/// What a batch contributes.
pub(super) fn contributions(registry: &Registry, batch: &Batch) -> Vec<Contribution> {
    let origin = &batch.origin;
    let contribution = |part: Part| {
        let meeting = Meeting { patient: origin.patient.clone(), episode: origin.episode.clone(), window: part.window };
        let (signal, device, stream) = (part.signal.clone(), part.device.clone(), part.stream.clone());
        let contributor = Contributor { origin: origin.clone(), packets: batch.packets.clone() };
        // Plain data always serializes.
        let body = postcard::to_stdvec(&Kept { contributor, part }).unwrap_or_default();
        Contribution { meeting, signal, device, stream, body }
    };
    let parts = batch.measured.iter().filter_map(|m| Part::of(registry, &origin.device, &origin.stream, m));
    parts.map(contribution).collect()
}

/// The resources contributions give together.
pub(super) fn resources(parts: &Parts, tenant: &TenantId, bodies: &[Vec<u8>]) -> Vec<Resource> {
    projected(&parts.registry, &parts.organization, tenant, bodies).unwrap_or_else(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "what streams give together cannot be projected");
        Vec::new()
    })
}

fn projected(
    registry: &Registry,
    organization: &str,
    tenant: &TenantId,
    bodies: &[Vec<u8>],
) -> Result<Vec<Resource>, ProjectionError> {
    if bodies.len() < 2 {
        return Ok(Vec::new());
    }
    // What another version of the server kept in another form is of no use to this one; its stream's next run replaces it.
    let kept: Vec<Kept> = bodies.iter().filter_map(|body| postcard::from_bytes(body).ok()).collect();
    let parts: Vec<Part> = kept.iter().map(|k| k.part.clone()).collect();
    let organization = Organization::of(tenant, organization);
    let mut resources = Vec::new();
    for composed in composite::compose(registry, &parts) {
        let sources: Vec<Contributor> =
            composed.parts.iter().filter_map(|&place| Some(kept.get(place)?.contributor.clone())).collect();
        let Some(first) = sources.first() else { continue };
        let batch = Batch {
            origin: first.origin.together(),
            window: composed.measured.interval,
            packets: first.packets.clone(),
            measured: vec![composed.measured],
            alerts: Vec::new(),
            added_us: 0,
            sources,
        };
        resources.extend(projection::project(&batch, registry, &organization, &|_, _, _, _| None)?);
    }
    Ok(resources)
}
