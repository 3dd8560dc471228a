//! Notifications: a Bundle that starts with how the subscription is.
//! <https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/notifications.html>

use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::store::{Content, Stored, SubscriptionEvent, SubscriptionRecord};
use crate::time::Instant;

const STATUS: &str =
    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription-status-r4";
const NOTIFICATION: &str =
    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription-notification-r4";
const ERROR: &str = "http://terminology.hl7.org/CodeSystem/subscription-error";

/// Why something is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotificationType {
    /// To see whether somebody is there.
    Handshake,
    /// To show that the server is.
    Heartbeat,
    /// Something happened.
    Event,
    /// Somebody asked for events.
    QueryEvent,
    /// Somebody asked how it is.
    QueryStatus,
}

impl NotificationType {
    fn code(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Heartbeat => "heartbeat",
            Self::Event => "event-notification",
            Self::QueryEvent => "query-event",
            Self::QueryStatus => "query-status",
        }
    }
}

/// An event with what it is of, where that may be told.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) event: SubscriptionEvent,
    /// Nothing where whoever is told may not see it, or it was erased.
    pub(crate) resource: Option<Stored>,
}

impl Told {
    /// Events, each with the version it is of where that is among those seen.
    pub(crate) fn pair(events: Vec<SubscriptionEvent>, seen: Vec<Stored>) -> Vec<Self> {
        let key = |stored: Stored| ((stored.kind.clone(), stored.id.clone(), stored.version), stored);
        let seen: BTreeMap<(String, String, i64), Stored> = seen.into_iter().map(key).collect();
        let told = events.into_iter().map(|event| {
            let resource = seen.get(&(event.kind.clone(), event.id.clone(), event.version)).cloned();
            Self { event, resource }
        });
        told.collect()
    }
}

/// How a subscription is, as a Parameters resource.
pub(crate) fn status(
    record: &SubscriptionRecord,
    kind: NotificationType,
    told: &[Told],
    content: Content,
) -> (Value, String) {
    let base = &record.definition.base;
    let reference = format!("{base}/Subscription/{}", record.id);
    let mut parameters = vec![json!({"name": "subscription", "valueReference": {"reference": reference}})];
    if record.definition.topic.is_some() {
        parameters.push(json!({"name": "topic", "valueCanonical": record.definition.criteria}));
    }
    parameters.push(json!({"name": "status", "valueCode": record.status.code()}));
    parameters.push(json!({"name": "type", "valueCode": kind.code()}));
    // With an event what was known when it happened: the same each time it is sent.
    let events = match (kind, told.last()) {
        (NotificationType::Event, Some(last)) => last.event.number,
        _ => record.events,
    };
    parameters.push(json!({"name": "events-since-subscription-start", "valueString": events.to_string()}));
    for Told { event, resource } in told {
        let mut parts = vec![
            json!({"name": "event-number", "valueString": event.number.to_string()}),
            json!({"name": "timestamp", "valueInstant": event.at.to_fhir()}),
        ];
        if content != Content::Empty && resource.is_some() {
            let focus = format!("{base}/{}/{}", event.kind, event.id);
            parts.push(json!({"name": "focus", "valueReference": {"reference": focus}}));
        }
        parameters.push(json!({"name": "notification-event", "part": parts}));
    }
    if let Some(problem) = record.problem.as_deref().filter(|problem| !problem.is_empty()) {
        let concept = json!({"coding": [{"system": ERROR, "code": "no-response"}], "text": problem});
        parameters.push(json!({"name": "error", "valueCodeableConcept": concept}));
    }
    let first = told.first().map_or(events, |told| told.event.number);
    let name = format!("{reference}\u{1f}{}\u{1f}{first}\u{1f}{events}\u{1f}{}", kind.code(), record.status.code());
    let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).to_string();
    let resource =
        json!({"resourceType": "Parameters", "id": id, "meta": {"profile": [STATUS]}, "parameter": parameters});
    (resource, id)
}

/// A notification.
pub(crate) fn bundle(
    record: &SubscriptionRecord,
    kind: NotificationType,
    told: &[Told],
    content: Content,
    now: Instant,
) -> Value {
    let (parameters, id) = status(record, kind, told, content);
    let base = &record.definition.base;
    let mut entries = vec![json!({
        "fullUrl": format!("urn:uuid:{id}"),
        "resource": parameters,
        "request": {"method": "GET", "url": format!("{base}/Subscription/{}/$status", record.id)},
        "response": {"status": "200"},
    })];
    let whole = told.iter().filter(|_| content == Content::FullResource);
    entries.extend(whole.filter_map(|told| told.resource.as_ref()).filter_map(|stored| entry(base, stored)));
    json!({
        "resourceType": "Bundle",
        "id": id,
        "meta": {"profile": [NOTIFICATION]},
        "type": "history",
        "timestamp": now.to_fhir(),
        "entry": entries,
    })
}

fn entry(base: &str, stored: &Stored) -> Option<Value> {
    let resource: Value = serde_json::from_slice(&stored.json()).ok()?;
    let (method, url, status) =
        if stored.version == 1 { ("POST", stored.kind.clone(), "201") } else { ("PUT", stored.reference(), "200") };
    Some(json!({
        "fullUrl": format!("{base}/{}", stored.reference()),
        "resource": resource,
        "request": {"method": method, "url": url},
        "response": {"status": status, "lastModified": stored.updated.to_fhir()},
    }))
}

/// The answer to `$status`, which was asked at a URL.
pub(crate) fn statuses(records: &[SubscriptionRecord], url: &str) -> Value {
    let entries: Vec<Value> = records
        .iter()
        .map(|record| {
            let (parameters, id) = status(record, NotificationType::QueryStatus, &[], Content::Empty);
            json!({"fullUrl": format!("urn:uuid:{id}"), "resource": parameters, "search": {"mode": "match"}})
        })
        .collect();
    let mut bundle = json!({"resourceType": "Bundle", "type": "searchset", "total": entries.len(),
        "link": [{"relation": "self", "url": url}]});
    if !entries.is_empty() {
        bundle["entry"] = Value::Array(entries);
    }
    bundle
}
