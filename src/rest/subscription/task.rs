//! A Subscription that a client writes: checked, and asked for.

use serde_json::{Value, json};

use super::{KIND, channel, criteria};
use crate::auth::{Access, Standing};
use crate::fhir::content::Content;
use crate::id::ResourceId;
use crate::rest::error::Error;
use crate::rest::write::Context;
use crate::store::{Definition, Head, NewSubscription, SubscriptionStatus, Writing};
use crate::time::Instant;

/// What a Subscription asks for. Its status becomes `requested`, whatever the client says, unless it says `off`.
///
/// # Errors
/// What of it this server does not do, by name.
pub(in crate::rest) fn define(
    context: Context<'_>,
    id: &ResourceId,
    content: &mut Content,
    now: Instant,
) -> Result<NewSubscription, Error> {
    let Context { state, caller, base } = context;
    let asked = criteria::read(state, base, content.object())?;
    for access in [Access::Read, Access::Search] {
        caller.require(&asked.focus, access)?;
    }
    if !caller.reach(state, &asked.focus, Access::Read)?.is_told_of_one() {
        return Err(Error::Forbidden { access: "subscribe", kind: asked.focus });
    }
    let object = content.object_mut();
    let status = match object.get("status").and_then(Value::as_str) {
        Some("off") => SubscriptionStatus::Off,
        _ => SubscriptionStatus::Requested,
    };
    let end = object.get("end").and_then(Value::as_str).map(Instant::parse).transpose();
    let end = end.map_err(|problem| Error::refused("Subscription.end", problem))?;
    if end.is_some_and(|end| end <= now) {
        return Err(Error::refused("Subscription.end", "is over"));
    }
    let mut channel = object.remove("channel").unwrap_or_default();
    let read = channel::read(&state.channels, &mut channel, asked.topic.is_some())?;
    object.insert("channel".to_owned(), channel);
    object.insert("status".to_owned(), json!(status.code()));
    object.remove("error");
    let standing = serde_json::to_string(&Standing::of(caller.grant())).map_err(|_| Error::Damaged)?;
    Ok(NewSubscription {
        id: id.clone(),
        focus: asked.focus,
        status,
        definition: Definition {
            base: base.to_owned(),
            criteria: asked.text,
            topic: asked.topic,
            filters: asked.filters,
            channel: read.channel,
            end,
        },
        standing,
        secret: read.secret,
        keeps_secret: read.keeps_secret,
    })
}

/// Stops what a Subscription that is deleted asked for.
pub(in crate::rest) async fn stop(
    writing: &mut Writing,
    kind: &str,
    id: &ResourceId,
    head: Option<&Head>,
) -> Result<(), Error> {
    if kind == KIND && head.is_some_and(|head| !head.is_deletion()) {
        writing.drop_subscription(id).await?;
    }
    Ok(())
}
