//! Taking up again what was held back.

use axum::http::StatusCode;

use crate::control::{ControlState, unavailable};
use crate::fhir::json;
use crate::id::{ResourceId, TenantId};
use crate::problem::Problem;
use crate::resource::Resource;
use crate::store::{Held, HeldKind, HeldState, PacketRange};

/// Takes something up again where it was held back.
pub(super) async fn take_up(state: &ControlState, tenant: &TenantId, held: &Held) -> Result<(), Problem> {
    match (held.kind, held.packets) {
        (HeldKind::Packet, Some(packets)) => packet(state, held, packets).await,
        (HeldKind::Projection, packets) => projection(state, tenant, held, packets).await,
        (HeldKind::Delivery, _) => {
            let redriven = state.store.redrive_held(tenant, &held.id).await.map_err(|e| unavailable(&e))?;
            if redriven { Ok(()) } else { Err(conflict("its operation is on its way, or was discarded")) }
        }
        _ => Err(conflict("nothing takes this up again: who sent it is to send it again")),
    }
}

async fn packet(state: &ControlState, held: &Held, packets: PacketRange) -> Result<(), Problem> {
    if !is_in_journal(state, held, packets).await? {
        return Err(conflict("another packet has its number: it is to be sent again under a free one"));
    }
    let compared = state.rederivation.stream(packets.stream).await.map_err(|e| unavailable(&e))?;
    if compared.unreadable.contains(&packets.first) {
        return Err(conflict("it still cannot be read"));
    }
    Ok(())
}

/// Computes the stream of a resource again. What that does not give, such as what several streams give together, is judged
/// again as it is: nothing newer came since, or its quarantine would be over.
async fn projection(
    state: &ControlState,
    tenant: &TenantId,
    held: &Held,
    packets: Option<PacketRange>,
) -> Result<(), Problem> {
    let wrong = || conflict("it still is not valid");
    if let Some(packets) = packets {
        let compared = state.rederivation.stream(packets.stream).await.map_err(|e| unavailable(&e))?;
        if compared.invalid.contains(&held.about) {
            return Err(wrong());
        }
        let now = state.store.held_back(tenant, &held.id).await.map_err(|e| unavailable(&e))?;
        if now.is_none_or(|now| now.state != HeldState::Held) {
            return Ok(());
        }
    }
    let kept = state.store.kept(tenant, &held.id).await.map_err(|e| unavailable(&e))?;
    let resource = kept.and_then(|kept| resource(&held.about, &kept.content)).ok_or_else(wrong)?;
    let stored = state.store.put(tenant, vec![resource]).await.map_err(|e| unavailable(&e))?;
    if stored.held == 0 { Ok(()) } else { Err(wrong()) }
}

fn resource(reference: &str, content: &[u8]) -> Option<Resource> {
    let (kind, id) = reference.split_once('/')?;
    Some(Resource { kind: kind.to_owned(), id: ResourceId::new(id).ok()?, element: json::parse(content).ok()? })
}

fn conflict(detail: &str) -> Problem {
    Problem::new(StatusCode::CONFLICT, "not-redriven", detail)
}

/// Whether the packet of its number is this one.
async fn is_in_journal(state: &ControlState, held: &Held, packets: PacketRange) -> Result<bool, Problem> {
    let found = async {
        let until = state.store.last_position().await?;
        state.store.read_stream(packets.stream, packets.first, until, 1).await
    };
    let found = found.await.map_err(|e| unavailable(&e))?;
    Ok(found.first().is_some_and(|entry| entry.sequence == packets.first && entry.sha256[..] == held.sha256))
}
