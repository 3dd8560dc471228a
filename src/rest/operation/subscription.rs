//! `$status`, `$events` and `$get-ws-binding-token` of Subscriptions.
//! <https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/components.html#subscription-operations>

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::Call;
use super::parameters::{answer, parameter};
use crate::auth::{Access, Auth};
use crate::id::ResourceId;
use crate::rest::error::Error;
use crate::rest::parameters;
use crate::rest::respond;
use crate::rest::state::TypeState;
use crate::rest::subscription::notification::{self, NotificationType, Told};
use crate::store::search::Search;
use crate::store::{Binding, ChannelType, Content, SubscriptionRecord, SubscriptionStatus};
use crate::time::MICROS;

/// Subscriptions in one answer.
const MOST: i64 = 1000;
/// The same for a caller who may see some of them.
const MOST_SEEN: usize = 1000;
/// Events in one answer.
const MOST_EVENTS: i64 = 1000;
/// How long a token binds, in seconds.
const BINDS_S: i64 = 600;
/// Where websockets are, from the server's root.
const WEBSOCKET: &str = "/subscription/websocket";

/// `[base]/Subscription/$status` and `[base]/Subscription/[id]/$status`
pub(super) async fn status(State(state): State<TypeState>, call: Call) -> Result<Response, Error> {
    call.caller.require(state.kind(), Access::Read)?;
    let wanted: Vec<&str> = call.all("status").flat_map(|all| all.split(',')).collect();
    if let Some(unknown) = wanted.iter().find(|code| SubscriptionStatus::of(code).is_none()) {
        return Err(Error::invalid("status", format!("{unknown} is no status of a Subscription")));
    }
    let mut records = records(&state, &call).await?;
    if call.id.is_none() && !wanted.is_empty() {
        records.retain(|record| wanted.contains(&record.status.code()));
    }
    let place = call.id.as_ref().map(|id| format!("/{id}")).unwrap_or_default();
    let url = parameters::link(&format!("{}/{}{place}/$status", call.base, state.kind()), &call.pairs, None);
    Ok(respond::json(StatusCode::OK, notification::statuses(&records, &url).to_string().into_bytes()))
}

/// `[base]/Subscription/[id]/$events`
pub(super) async fn events(State(state): State<TypeState>, call: Call) -> Result<Response, Error> {
    let record = records(&state, &call).await?.pop().ok_or(Error::Damaged)?;
    let number = |name: &str| {
        let text = call.one(name)?;
        let parsed = text.map(str::parse::<i64>).transpose().ok().filter(|n| n.is_none_or(|n| n >= 0));
        parsed.ok_or_else(|| Error::invalid(name, "must be the number of an event"))
    };
    let (from, to) = (number("eventsSinceNumber")?.unwrap_or(1), number("eventsUntilNumber")?.unwrap_or(i64::MAX));
    let content = match call.one("content")? {
        None => record.definition.channel.content,
        Some(code) => {
            Content::of(code).ok_or_else(|| Error::invalid("content", "must be empty, id-only or full-resource"))?
        }
    };
    let store = &state.rest.store;
    let events = store.subscription_events(&record.tenant, &record.id, (from, to), MOST_EVENTS).await?;
    let wanted: Vec<(&str, i64)> = events.iter().map(|event| (event.id.as_str(), event.version)).collect();
    // One kind: what it is about.
    let seen = call.caller.versions(&state.rest, &record.focus, &wanted).await?;
    let told = Told::pair(events, seen);
    let bundle = notification::bundle(&record, NotificationType::QueryEvent, &told, content, state.rest.auth.now());
    Ok(respond::json(StatusCode::OK, bundle.to_string().into_bytes()))
}

/// `[base]/Subscription/$get-ws-binding-token` and `[base]/Subscription/[id]/$get-ws-binding-token`
pub(super) async fn binding_token(State(state): State<TypeState>, call: Call) -> Result<Response, Error> {
    let mut records = records(&state, &call).await?;
    let is_socket = |record: &SubscriptionRecord| record.definition.channel.kind == ChannelType::Websocket;
    let named = call.id.is_some() || call.all("id").next().is_some();
    if named && !records.iter().all(is_socket) {
        return Err(Error::invalid("id", "is of a Subscription whose channel is no websocket"));
    }
    records.retain(|record| is_socket(record) && record.status != SubscriptionStatus::Off);
    let mut bound = Vec::with_capacity(records.len());
    for record in records {
        // Whoever is bound is told what the subscriber may read.
        let standing = serde_json::from_str(&record.standing).map_err(|_| Error::Damaged)?;
        if call.caller.may_have(&state.rest, &record.focus, &standing)? {
            bound.push(record.id);
        } else if named {
            return Err(Error::Forbidden { access: "read", kind: record.focus });
        }
    }
    let (token, sha256) = Auth::one_time_token("ws").map_err(|_| Error::Damaged)?;
    let expires = state.rest.auth.now().plus(BINDS_S * MICROS);
    let binding = Binding { tenant: call.caller.tenant().clone(), subscriptions: bound };
    state.rest.store.insert_binding(&sha256, &binding, expires).await?;
    let root = call.base.split("/fhir/R4").next().unwrap_or_default();
    // Where a tenant is part of the base URL, its websockets are where everybody's are.
    let root = root.split("/t/").next().unwrap_or_default();
    let url = format!("{}{WEBSOCKET}", root.replacen("http", "ws", 1));
    let mut parameters = vec![
        parameter("token", ("valueString", json!(token.expose()))),
        parameter("expiration", ("valueDateTime", json!(expires.to_fhir()))),
    ];
    let ids = binding.subscriptions.iter();
    parameters.extend(ids.map(|id| parameter("subscription", ("valueString", json!(id.as_str())))));
    parameters.push(parameter("websocket-url", ("valueUrl", Value::String(url))));
    Ok(answer(parameters))
}

/// The subscriptions an operation is about, all of which the caller may read.
async fn records(state: &TypeState, call: &Call) -> Result<Vec<SubscriptionRecord>, Error> {
    let (store, tenant) = (&state.rest.store, call.caller.tenant());
    let ids: Vec<&str> = match &call.id {
        Some(id) => vec![id.as_str()],
        None => call.all("id").flat_map(|ids| ids.split(',')).collect(),
    };
    if ids.is_empty() {
        call.caller.require(state.kind(), Access::Search)?;
        if call.caller.is_bounded() && !call.caller.may_search_all(&state.rest, state.kind()) {
            return Err(Error::Forbidden { access: "search", kind: state.kind().to_owned() });
        }
        if !call.caller.is_bounded() {
            return Ok(store.subscriptions(tenant, "", MOST).await?);
        }
        let search = Search { kind: state.kind().to_owned(), count: MOST_SEEN, ..Search::default() };
        let mut records = Vec::new();
        for found in call.caller.search(&state.rest, &search).await?.matches {
            let id = ResourceId::new(found.id).map_err(|_| Error::Damaged)?;
            records.extend(store.subscription(tenant, &id).await?);
        }
        return Ok(records);
    }
    let mut records = Vec::with_capacity(ids.len());
    for id in ids {
        let id = ResourceId::new(id).map_err(|problem| Error::invalid("id", problem))?;
        let missing = || Error::NotFound(format!("{}/{id}", state.kind()));
        call.caller.read(&state.rest, state.kind(), &id).await?.ok_or_else(missing)?;
        records.push(store.subscription(tenant, &id).await?.ok_or_else(missing)?);
    }
    Ok(records)
}
