//! From the entry of a transaction to what is to be done.

use super::bundle::{Entry, Request};
use crate::capability::Interaction;
use crate::id::ResourceId;
use crate::rest::create::criteria_of;
use crate::rest::error::Error;
use crate::rest::patch::Patch;
use crate::rest::write::{Context, IfMatch, Method, Target, Task, parse_condition};

/// Reads an entry: what is to be done together with the others, or nothing where it is a read, answered after them.
pub(super) fn work<'a>(context: Context<'_>, entry: &Entry<'a>, place: &str) -> Result<Option<Task<'a>>, Error> {
    let request = entry.request.as_ref().ok_or_else(|| Error::refused("request", "is missing"))?;
    let interaction = match request.method.as_str() {
        "GET" | "HEAD" => return readable(context, request).map(|()| None),
        "POST" => Interaction::Create,
        "PUT" => Interaction::Update,
        "PATCH" => Interaction::Patch,
        "DELETE" => Interaction::Delete,
        _ => return Err(Error::refused("request.method", "must be GET, HEAD, POST, PUT, PATCH or DELETE")),
    };
    let url = local(context.base, &request.url);
    let (path, query) = url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
    let (kind, id) = path.split_once('/').map_or((path, None), |(kind, id)| (kind, Some(id)));
    let row = context.state.capability.resource(kind);
    let Some(row) = row else {
        return Err(Error::refused("request.url", "does not start with a resource type of this server"));
    };
    if !row.supports(interaction) {
        return Err(Error::refused("request.method", format!("{} is not supported on {kind}", interaction.code())));
    }
    let condition = |query: &str, element: &str| parse_condition(context.state, kind, context.base, query, element);
    let target = match (interaction, id, query, request.if_none_exist.as_deref()) {
        (Interaction::Create, None, None, None) => Target::New,
        (Interaction::Create, None, None, Some(criteria)) => {
            Target::Condition(condition(criteria_of(criteria, context.base, kind), "request.ifNoneExist")?)
        }
        (Interaction::Create, ..) => return Err(Error::refused("request.url", "must be a resource type")),
        (_, Some(id), None, _) => {
            Target::Id(ResourceId::new(id).map_err(|problem| Error::refused("request.url", problem))?)
        }
        (_, None, Some(query), _) => Target::Condition(condition(query, "request.url")?),
        _ => return Err(Error::refused("request.url", "must be Type/id or Type?criteria")),
    };
    let body = match (interaction, entry.resource) {
        (Interaction::Delete, _) => &[],
        (_, Some(resource)) => resource.get().as_bytes(),
        (_, None) => return Err(Error::refused("resource", "is missing")),
    };
    let method = match interaction {
        Interaction::Create => Method::Create,
        Interaction::Update => Method::Update,
        Interaction::Patch => Method::Patch(Patch::in_bundle(body).map_err(|error| error.at("resource"))?),
        _ => Method::Delete,
    };
    let none = request.if_none_match.as_deref().filter(|_| interaction == Interaction::Update);
    let if_match = IfMatch::of_update(request.if_match.as_deref(), none).map_err(|error| error.at("request"))?;
    Ok(Some(Task {
        place: Some(place.to_owned()),
        kind: kind.to_owned(),
        method,
        target,
        if_match,
        full_url: entry.full_url.clone(),
        body,
    }))
}

/// A URL of ours without what it starts with.
pub(super) fn local<'a>(base: &str, url: &'a str) -> &'a str {
    url.strip_prefix(base).unwrap_or(url).trim_start_matches('/')
}

/// A read that could not be answered must keep the writes from being done.
fn readable(context: Context<'_>, request: &Request) -> Result<(), Error> {
    let url = local(context.base, &request.url);
    let kind = url.split(['?', '/']).next().unwrap_or_default();
    let known = context.state.capability.resource(kind).is_some() || matches!(kind, "metadata" | "_history");
    if known {
        Ok(())
    } else {
        Err(Error::refused("request.url", "does not start with a resource type of this server"))
    }
}
