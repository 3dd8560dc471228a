//! What a batch has of which a patient has only one.

use crate::id::TenantId;
use crate::projection::{Contested, Origin};
use crate::resource::Resource;
use crate::session::priority;
use crate::store::{Claim, Draft, Meeting, Store};

/// The claims of a stream, and what is stored whether they count or not.
pub(super) fn claims(store: &Store, origin: &Origin, contested: Vec<Contested>) -> (Vec<Claim>, Vec<Resource>) {
    let (mut claims, mut others) = (Vec::new(), Vec::new());
    for Contested { signal, interval, quality, resources } in contested {
        let (devices, resources) = resources.into_iter().partition(|resource| resource.kind == "Device");
        others.extend(devices);
        let meeting = Meeting { patient: origin.patient.clone(), episode: origin.episode.clone(), window: interval };
        let (device, stream, model) = (origin.device.clone(), origin.stream.clone(), origin.model.clone());
        let drafts = drafts(store, &origin.tenant, resources);
        claims.push(Claim { meeting, signal, source: priority::Claim { device, model, stream, quality }, drafts });
    }
    (claims, others)
}

/// What was projected, ready to be stored; without what has no FHIR form, which a check of the rows at the start excludes.
pub(super) fn drafts(store: &Store, tenant: &TenantId, resources: Vec<Resource>) -> Vec<Draft> {
    let draft = |resource| {
        let drafted = store.draft(tenant, resource);
        drafted.inspect_err(|error| tracing::error!(error = error as &dyn std::error::Error, "has no FHIR form")).ok()
    };
    resources.into_iter().filter_map(draft).collect()
}
