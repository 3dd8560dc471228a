//! A resource on its way out: without what is this server's alone, with an identifier that tells nothing, and with references
//! that mean something at the receiver.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::connection::PatientBinding;
use crate::id::{CANONICAL_BASE, ResourceId, TenantId, resource_id};
use crate::store::delivery::Key;

/// Types that are sent. References to others become logical ones.
pub const SENT: [&str; 7] =
    ["Organization", "Device", "Patient", "Observation", "DocumentReference", "Flag", "Provenance"];

/// What a receiver finds a resource by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Business {
    /// Whether it is a tag: R4's Provenance has no identifier.
    pub is_tag: bool,
    /// Its system.
    pub system: String,
    /// A UUID or hash that tells nothing.
    pub value: String,
}

impl Business {
    /// That of a resource.
    pub fn of(tenant: &TenantId, (kind, id): &Key) -> Self {
        if kind == "Patient" {
            // The one that Patients of ours have anyway.
            let value = resource_id(tenant, "identifier/Patient", id).to_string();
            return Self { is_tag: false, system: format!("{CANONICAL_BASE}/identifier/patient"), value };
        }
        // Ids of what is derived are UUIDs; one that somebody chose might tell something.
        let is_opaque = uuid::Uuid::parse_str(id).is_ok();
        let value = if is_opaque {
            id.to_lowercase()
        } else {
            resource_id(tenant, &format!("identifier/{kind}"), id).to_string()
        };
        let is_tag = kind == "Provenance";
        let system = if is_tag { "CodeSystem/resource" } else { "identifier/resource" };
        Self { is_tag, system: format!("{CANONICAL_BASE}/{system}"), value }
    }

    /// `identifier=system|value`, as `ifNoneExist` takes it.
    pub fn query(&self) -> String {
        let parameter = if self.is_tag { "_tag" } else { "identifier" };
        format!("{parameter}={}|{}", self.system, self.value)
    }
}

/// A resource on its way out.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Its place in the operation.
    pub ordinal: i64,
    /// Type and id here.
    pub key: Key,
    /// Its version here.
    pub version: i64,
    /// What it is found by.
    pub business: Business,
    /// SHA-256 of its content.
    pub digest: [u8; 32],
    /// What it refers to of what is sent.
    pub refers: Vec<Key>,
    /// Its content, with references as they are here.
    body: Map<String, Value>,
    tenant: TenantId,
}

/// What is known of what it refers to.
#[derive(Debug, Default)]
pub struct Beside {
    /// Binaries that attachments are, by id: the resource.
    pub binaries: BTreeMap<String, Value>,
    /// What others call their Encounters, by id here: an Identifier.
    pub encounters: BTreeMap<String, Value>,
}

impl Outgoing {
    /// Makes it of a stored resource.
    pub fn new(
        tenant: &TenantId,
        (ordinal, key, version): (i64, Key, i64),
        mut body: Map<String, Value>,
        binding: PatientBinding,
        beside: &Beside,
    ) -> Self {
        let business = Business::of(tenant, &key);
        body.remove("id");
        if let Some(Value::Object(meta)) = body.get_mut("meta") {
            meta.retain(|name, _| matches!(name.as_str(), "profile" | "security" | "tag"));
        }
        identify(&mut body, &business);
        if body.get("meta").is_some_and(|meta| meta.as_object().is_some_and(Map::is_empty)) {
            body.remove("meta");
        }
        attach(&mut body, beside);
        let mut refers = Vec::new();
        for value in body.values_mut() {
            refer(value, &mut |reference| localise(tenant, binding, beside, reference, &mut refers));
        }
        let text = serde_json::to_vec(&body).unwrap_or_default();
        let digest = Sha256::digest(&text).into();
        Self { ordinal, key, version, business, digest, refers, body, tenant: tenant.clone() }
    }

    /// Its content, with what it refers to as `place` says; what that does not know is referred to by identifier.
    pub fn rendered(&self, place: impl Fn(&Key) -> Option<String>) -> Map<String, Value> {
        let mut body = self.body.clone();
        for value in body.values_mut() {
            refer(value, &mut |reference| {
                let Some(key) = local(reference) else { return };
                match place(&key) {
                    Some(there) => drop(reference.insert("reference".to_owned(), Value::String(there))),
                    None => logical(reference, &key.0, identifier(&Business::of(&self.tenant, &key))),
                }
            });
        }
        body
    }

    /// Its fullUrl in a Bundle it is made by.
    pub fn urn(&self) -> String {
        urn(&self.tenant, &self.key)
    }
}

/// `urn:uuid:` of a resource that has no id at the receiver yet, in lower case.
pub fn urn(tenant: &TenantId, key: &Key) -> String {
    format!("urn:uuid:{}", Business::of(tenant, key).value)
}

fn identifier(business: &Business) -> Value {
    json!({ "system": business.system, "value": business.value })
}

/// Adds what it is found by, unless it is there.
fn identify(body: &mut Map<String, Value>, business: &Business) {
    let (list, one) = if business.is_tag {
        let meta = body.entry("meta").or_insert_with(|| json!({}));
        let Some(meta) = meta.as_object_mut() else { return };
        (meta.entry("tag"), json!({ "system": business.system, "code": business.value }))
    } else {
        (body.entry("identifier"), identifier(business))
    };
    let list = list.or_insert_with(|| json!([]));
    if let Some(list) = list.as_array_mut()
        && !list.iter().any(|known| {
            known["system"] == one["system"]
                && known.get("value") == one.get("value")
                && known.get("code") == one.get("code")
        })
    {
        list.push(one);
    }
}

/// Puts the content of Binaries into the attachments that refer to them: a Binary has no identifier, so one that is sent twice
/// would be there twice.
fn attach(body: &mut Map<String, Value>, beside: &Beside) {
    let contents = body.get_mut("content").and_then(Value::as_array_mut);
    for content in contents.into_iter().flatten() {
        let Some(attachment) = content.get_mut("attachment").and_then(Value::as_object_mut) else { continue };
        let id = attachment.get("url").and_then(Value::as_str).and_then(|url| url.strip_prefix("Binary/"));
        if let Some(data) = id.and_then(|id| beside.binaries.get(id)).and_then(|binary| binary.get("data")) {
            attachment.insert("data".to_owned(), data.clone());
            attachment.remove("url");
        }
    }
    // A Provenance is about a Binary no more.
    if let Some(targets) = body.get_mut("target").and_then(Value::as_array_mut) {
        targets.retain(|target| !target["reference"].as_str().is_some_and(|to| to.starts_with("Binary/")));
    }
}

/// Makes one reference such as it is kept in [`Outgoing::body`].
fn localise(
    tenant: &TenantId,
    binding: PatientBinding,
    beside: &Beside,
    reference: &mut Map<String, Value>,
    refers: &mut Vec<Key>,
) {
    let text = reference.get("reference").and_then(Value::as_str).unwrap_or_default();
    let Some((kind, id)) = text.split_once('/').map(|(kind, id)| (kind.to_owned(), id.to_owned())) else { return };
    if id.contains(['/', ':', '?']) {
        return;
    }
    let key = (kind, id);
    match key.0.as_str() {
        "Patient" if binding == PatientBinding::Logical => {
            logical(reference, "Patient", identifier(&Business::of(tenant, &key)));
        }
        kind if SENT.contains(&kind) => {
            if !refers.contains(&key) {
                refers.push(key);
            }
        }
        "Encounter" => {
            let known = beside.encounters.get(&key.1).cloned();
            logical(reference, "Encounter", known.unwrap_or_else(|| identifier(&Business::of(tenant, &key))));
        }
        kind => logical(reference, kind, identifier(&Business::of(tenant, &key))),
    }
}

fn logical(reference: &mut Map<String, Value>, kind: &str, identifier: Value) {
    reference.remove("reference");
    reference.insert("type".to_owned(), Value::String(kind.to_owned()));
    reference.insert("identifier".to_owned(), identifier);
}

/// Type and id of a reference to something that is sent.
fn local(reference: &Map<String, Value>) -> Option<Key> {
    let (kind, id) = reference.get("reference")?.as_str()?.split_once('/')?;
    (SENT.contains(&kind) && !id.contains(['/', ':', '?'])).then(|| (kind.to_owned(), id.to_owned()))
}

/// Hands every object with a `reference` to `see`.
fn refer(value: &mut Value, see: &mut impl FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            if object.get("reference").is_some_and(Value::is_string) {
                see(object);
            }
            object.values_mut().for_each(|inner| refer(inner, see));
        }
        Value::Array(items) => items.iter_mut().for_each(|inner| refer(inner, see)),
        _ => {}
    }
}

/// Whether a receiver has what was sent: all of it, whatever it added.
pub fn is_stored(sent: &Value, there: &Value) -> bool {
    match (sent, there) {
        (Value::Object(sent), Value::Object(there)) => sent
            .iter()
            .all(|(name, value)| name == "id" || there.get(name).is_some_and(|found| is_stored(value, found))),
        // Receivers may add tags and the like.
        (Value::Array(sent), Value::Array(there)) => {
            sent.len() <= there.len() && sent.iter().all(|one| there.iter().any(|found| is_stored(one, found)))
        }
        (Value::Number(sent), Value::Number(there)) => {
            sent == there || sent.as_f64().zip(there.as_f64()).is_some_and(|(a, b)| a == b)
        }
        (sent, there) => sent == there,
    }
}

/// The id of a Patient that is sent along, as a resource.
pub fn patient(tenant: &TenantId, id: &ResourceId, synthetic: bool) -> Option<Map<String, Value>> {
    let stub = crate::projection::stub_patient(tenant, id, synthetic);
    serde_json::from_slice(&crate::fhir::json::to_vec(&stub.element).ok()?).ok()
}

#[cfg(test)]
#[path = "outgoing_tests.rs"]
mod tests;
