//! Resources of an operation as they are now, on their way out.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::correction::corrected;
use super::outgoing::{self, Beside, Outgoing};
use super::route::Place;
use crate::id::{ResourceId, TenantId};
use crate::store::delivery::{Correction, Key};
use crate::store::{Store, StoreError};

/// Loads resources as they go to a place, in the order asked for. What is not there is left out.
///
/// # Errors
/// The database failed.
pub(super) async fn load(
    store: &Store,
    tenant: &TenantId,
    place: &Place,
    asked: &[(i64, Key)],
) -> Result<Vec<Outgoing>, StoreError> {
    let keys = asked.iter().map(|(_, key)| key);
    let corrections = store.corrections(tenant, &place.destination, keys).await?;
    load_corrected(store, tenant, place, asked, &corrections).await
}

/// Loads resources with these corrections.
///
/// # Errors
/// The database failed.
pub(super) async fn load_corrected(
    store: &Store,
    tenant: &TenantId,
    place: &Place,
    asked: &[(i64, Key)],
    corrections: &BTreeMap<Key, Correction>,
) -> Result<Vec<Outgoing>, StoreError> {
    let mut kinds: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (_, (kind, id)) in asked {
        kinds.entry(kind).or_default().insert(id);
    }
    let mut bodies: BTreeMap<Key, (i64, Map<String, Value>)> = BTreeMap::new();
    for (kind, ids) in kinds {
        if kind == "Patient" {
            let synthetic = store.tenant(tenant).await?.is_some_and(|tenant| tenant.synthetic);
            for id in ids {
                let patient = ResourceId::new(id).ok().and_then(|id| outgoing::patient(tenant, &id, synthetic));
                bodies.extend(patient.map(|body| ((kind.to_owned(), id.to_owned()), (1, body))));
            }
            continue;
        }
        let ids: Vec<&str> = ids.into_iter().collect();
        for stored in store.read_all(tenant, kind, &ids).await? {
            let body = object(&stored.json())?;
            bodies.insert((kind.to_owned(), stored.id.clone()), (stored.version, body));
        }
    }
    for (key, correction) in corrections {
        if let Some((_, body)) = bodies.get_mut(key).filter(|(version, _)| *version == correction.version) {
            *body = corrected(std::mem::take(body), &correction.patch)?;
        }
    }
    let beside = beside(store, tenant, bodies.values().map(|(_, body)| body)).await?;
    let made = asked.iter().filter_map(|(ordinal, key)| {
        let (version, body) = bodies.get(key)?;
        Some(Outgoing::new(tenant, (*ordinal, key.clone(), *version), body.clone(), place.binding, &beside))
    });
    Ok(made.collect())
}

/// What these refer to and what is not sent by itself.
async fn beside(
    store: &Store,
    tenant: &TenantId,
    bodies: impl Iterator<Item = &Map<String, Value>>,
) -> Result<Beside, StoreError> {
    let (mut binaries, mut encounters) = (BTreeSet::new(), BTreeSet::new());
    for body in bodies {
        for content in body.get("content").and_then(Value::as_array).into_iter().flatten() {
            binaries.extend(
                content["attachment"]["url"].as_str().and_then(|url| url.strip_prefix("Binary/")).map(str::to_owned),
            );
        }
        crate::fhir::reference::each(body, "", &mut |_, to| {
            encounters.extend(to.strip_prefix("Encounter/").map(str::to_owned));
        });
    }
    let mut beside = Beside::default();
    let ids: Vec<&str> = binaries.iter().map(String::as_str).collect();
    for stored in store.read_all(tenant, "Binary", &ids).await? {
        beside.binaries.insert(stored.id.clone(), Value::Object(object(&stored.json())?));
    }
    let ids: Vec<&str> = encounters.iter().map(String::as_str).collect();
    for stored in store.read_all(tenant, "Encounter", &ids).await? {
        let body = Value::Object(object(&stored.json())?);
        if let Some(identifier) = body["identifier"].get(0) {
            beside.encounters.insert(stored.id.clone(), identifier.clone());
        }
    }
    Ok(beside)
}

fn object(json: &[u8]) -> Result<Map<String, Value>, StoreError> {
    serde_json::from_slice(json).map_err(|_| StoreError::Damaged { what: "resource" })
}
