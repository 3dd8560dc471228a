//! A Subscription that a client writes: checked, and asked for.

use serde_json::{Value, json};

use super::{KIND, channel, criteria, extension};
use crate::alert::origin;
use crate::archive::Sealer;
use crate::auth::{Access, Grant, GrantKind, Standing};
use crate::fhir::content::Content;
use crate::id::ResourceId;
use crate::rest::error::Error;
use crate::rest::extract::Caller;
use crate::rest::write::{Context, Method, Task};
use crate::store::{ChannelType, Definition, Head, NewSubscription, SubscriptionStatus, Writing};
use crate::time::Instant;

/// What seals the secrets of Subscriptions that are written, if there are any. To be had before the transaction begins: a
/// tenant's first secrets need a key, which is made by one of its own.
pub(in crate::rest) async fn sealer(context: Context<'_>, tasks: &[Task<'_>]) -> Option<Sealer> {
    let (_, vault) = context.state.channels.as_ref()?;
    if !tasks.iter().any(|task| task.kind == KIND && !matches!(task.method, Method::Delete)) {
        return None;
    }
    let sealer = vault.sealer(context.caller.tenant()).await;
    sealer
        .inspect_err(|error| tracing::error!(error = error as &dyn std::error::Error, "secrets cannot be sealed"))
        .ok()
}

/// What a Subscription asks for. Its status becomes `requested`, whatever the client says, unless it says `off`.
///
/// # Errors
/// What of it this server does not do, by name.
pub(in crate::rest) async fn define(
    context: Context<'_>,
    (writing, sealer): (&mut Writing, Option<&Sealer>),
    (id, access): (&ResourceId, Access),
    content: &mut Content,
) -> Result<NewSubscription, Error> {
    let Context { state, caller, base } = context;
    let asked = criteria::read(state, base, content.object())?;
    for access in [Access::Read, Access::Search] {
        caller.require(&asked.focus, access)?;
    }
    if !caller.reach(state, &asked.focus, Access::Read)?.is_told_of_one() {
        return Err(Error::Forbidden { access: "subscribe", kind: asked.focus });
    }
    let patient = caller.patient_alone(KIND, access);
    if let Some(patient) = patient {
        criteria::require_patient(state, base, &asked, patient)?;
    }
    let object = content.object_mut();
    extension::set_patient(object, patient);
    let status = match object.get("status").and_then(Value::as_str) {
        Some("off") => SubscriptionStatus::Off,
        _ => SubscriptionStatus::Requested,
    };
    let end = object.get("end").and_then(Value::as_str).map(Instant::parse).transpose();
    let end = end.map_err(|problem| Error::refused("Subscription.end", problem))?;
    if end.is_some_and(|end| end <= writing.now()) {
        return Err(Error::refused("Subscription.end", "is over"));
    }
    let mut channel = object.remove("channel").unwrap_or_default();
    let (read, secrets) = channel::read(&state.channels, &mut channel, asked.topic.is_some())?;
    object.insert("channel".to_owned(), channel);
    let kept = if secrets.is_masked() { writing.kept_subscription(id).await? } else { None };
    let sealed = secrets.seal(id, &read.endpoint, kept, sealer)?;
    object.insert("status".to_owned(), json!(status.code()));
    object.remove("error");
    let standing = serde_json::to_string(&Standing::of(caller.grant())).map_err(|_| Error::Damaged)?;
    let what = asked.topic.as_deref().unwrap_or(&asked.focus);
    // A mail's address may be a person's.
    let origin = if read.kind == ChannelType::RestHook { origin(&read.endpoint) } else { String::new() };
    let summary = format!("{what} by {} {origin}", read.kind.code());
    Ok(NewSubscription {
        id: id.clone(),
        focus: asked.focus,
        status,
        definition: Definition {
            base: base.to_owned(),
            criteria: asked.text,
            topic: asked.topic,
            filters: asked.filters,
            channel: read,
            end,
        },
        standing,
        sealed,
        by: author(caller.grant()),
        summary,
    })
}

/// Stops what a Subscription that is deleted asked for.
pub(in crate::rest) async fn stop(
    caller: &Caller,
    writing: &mut Writing,
    (kind, id): (&str, &ResourceId),
    head: &Head,
) -> Result<(), Error> {
    if kind == KIND && !head.is_deletion() {
        writing.drop_subscription(id, &author(caller.grant())).await?;
    }
    Ok(())
}

/// Who writes, as the audit names them: by ids that say nothing about a person.
fn author(grant: &Grant) -> String {
    let kind = if grant.kind == GrantKind::Key { "key" } else { "client" };
    let user = grant.user.as_ref().map(|user| format!(" user/{}", user.id)).unwrap_or_default();
    format!("{kind}/{}{user}", grant.key_id)
}
