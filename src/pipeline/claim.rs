//! What a batch has of which a patient has only one.

use crate::projection::{Contested, Origin};
use crate::resource::Resource;
use crate::session::priority;
use crate::store::{Claim, Meeting};

/// The claims of a stream, and what is stored whether they count or not.
pub(super) fn claims(origin: &Origin, contested: Vec<Contested>) -> (Vec<Claim>, Vec<Resource>) {
    let (mut claims, mut others) = (Vec::new(), Vec::new());
    for Contested { signal, interval, quality, resources } in contested {
        let (devices, resources) = resources.into_iter().partition(|resource| resource.kind == "Device");
        others.extend(devices);
        let meeting = Meeting { patient: origin.patient.clone(), episode: origin.episode.clone(), window: interval };
        let (device, stream, model) = (origin.device.clone(), origin.stream.clone(), origin.model.clone());
        claims.push(Claim { meeting, signal, source: priority::Claim { device, model, stream, quality }, resources });
    }
    (claims, others)
}
