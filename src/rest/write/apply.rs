//! One attempt: everything in one transaction.

use super::identity::{self, Identity};
use super::task::{Done, Method, Outcome, Target, Task};
use super::{Context, provenance, references, validity};
use crate::fhir::content::Content;
use crate::fhir::reference;
use crate::rest::error::Error;
use crate::rest::extract::Caller;
use crate::rest::subscription;
use crate::rest::subset::is_element;
use crate::store::{Effect, Found, Put, Writing};
use crate::time::Instant;

/// Does all tasks, or none.
pub(super) async fn once(
    context: Context<'_>,
    tasks: &[Task<'_>],
    provenance: Option<&[u8]>,
) -> Result<Vec<Done>, Error> {
    let sealer = subscription::sealer(context, tasks).await;
    let mut writing = context.state.store.writing(context.caller.tenant()).await?;
    let now = writing.now();
    let found = identity::found(context, &mut writing, tasks).await?;
    let mut contents = Vec::with_capacity(tasks.len());
    for (task, found) in tasks.iter().zip(&found) {
        contents.push(sent(task, found.as_ref())?);
    }
    let identities = identity::identities(context, &mut writing, tasks, &found, &contents, now).await?;
    for ((task, identity), content) in tasks.iter().zip(&identities).zip(&mut contents) {
        if let (Method::Patch(patch), Identity::Write { head: Some(head), .. }) = (&task.method, identity) {
            let before = head.stored(&task.kind).json();
            *content = Some(patch.apply(&task.kind, &before).map_err(|error| task.fault_in_resource(error))?);
        }
    }
    let targets = references::targets(context, &mut writing, tasks, &identities, &contents).await?;
    let source = context.caller.source();
    for (task, content) in tasks.iter().zip(&mut contents) {
        let Some(content) = content else { continue };
        reference::replace(content.object_mut(), &targets, context.base);
        has_mandatory(context, task, content)?;
        references::check(task, content)?;
        content.set_source(&source);
    }
    let mut subscriptions = Vec::new();
    for ((task, identity), content) in tasks.iter().zip(&identities).zip(&mut contents) {
        if let (Identity::Write { id, .. }, Some(content), subscription::KIND) = (identity, content, task.kind.as_str())
        {
            let defined =
                subscription::define(context, (&mut writing, sealer.as_ref()), (id, task.method.access()), content);
            subscriptions.push(defined.await.map_err(|error| task.fault_in_resource(error))?);
        }
    }
    within_scopes(context, tasks, &identities, &contents)?;
    if context.state.check_references {
        references::check_targets(&mut writing, tasks, &identities, &contents).await?;
    }
    for ((task, identity), content) in tasks.iter().zip(&identities).zip(&contents) {
        if let (Identity::Write { id, .. }, Some(content)) = (identity, content) {
            validity::check(context, id.as_str(), content, task.place.as_deref())?;
        }
    }
    let done = write(context.caller, &mut writing, tasks, identities, contents).await?;
    for new in &subscriptions {
        writing.put_subscription(new).await?;
    }
    if let Some(body) = provenance {
        provenance::store(context, &mut writing, body, &done, now).await?;
    }
    if done.iter().any(|(done, _)| done.stored.is_some() || done.outcome == Outcome::Deleted) {
        writing.commit().await?;
    }
    Ok(done.into_iter().map(|(done, _)| done).collect())
}

/// Refuses what is beyond the caller's scopes in what is there, and in what would be.
fn within_scopes(
    context: Context<'_>,
    tasks: &[Task<'_>],
    identities: &[Identity],
    contents: &[Option<Content>],
) -> Result<(), Error> {
    if !context.caller.is_bounded() {
        return Ok(());
    }
    for ((task, identity), content) in tasks.iter().zip(identities).zip(contents) {
        let Identity::Write { id, head } = identity else { continue };
        let before = head.as_ref().filter(|head| !head.is_deletion()).map(|head| head.stored(&task.kind));
        let after = content.as_ref().map(Content::element);
        let place = (task.kind.as_str(), id.as_str());
        let required =
            context.caller.require_written(context.state, place, task.method.access(), before.as_ref(), after.as_ref());
        required.map_err(|error| task.fault(error))?;
    }
    Ok(())
}

/// The resource that was sent. One that a conditional create does not need is not looked at.
fn sent(task: &Task<'_>, found: Option<&Found>) -> Result<Option<Content>, Error> {
    let is_needed = match task.method {
        Method::Create => !matches!(found, Some(Found::One(_) | Found::Several)),
        Method::Update => true,
        Method::Patch(_) | Method::Delete => false,
    };
    if !is_needed {
        return Ok(None);
    }
    let content = Content::parse(task.body).map_err(|invalid| task.fault_in_resource(invalid.into()))?;
    if content.kind() != task.kind {
        let problem = format!("must be {}, as the URL says", task.kind);
        return Err(task.fault_in_resource(Error::refused("resourceType", problem)));
    }
    Ok(Some(content))
}

/// Refuses a resource without an element every resource of its type has.
fn has_mandatory(context: Context<'_>, task: &Task<'_>, content: &Content) -> Result<(), Error> {
    let Some(row) = context.state.capability.resource(&task.kind) else { return Ok(()) };
    let has = |wanted: &String| content.object().keys().any(|name| is_element(wanted, name.trim_start_matches('_')));
    match row.mandatory.iter().find(|wanted| !has(wanted)) {
        None => Ok(()),
        Some(wanted) => {
            Err(task.fault_in_resource(Error::refused(format!("{}.{wanted}", task.kind), "is required and missing")))
        }
    }
}

/// Deletes, then writes; gives what became of each task in their order, with what it did where it wrote.
async fn write(
    caller: &Caller,
    writing: &mut Writing,
    tasks: &[Task<'_>],
    identities: Vec<Identity>,
    contents: Vec<Option<Content>>,
) -> Result<Vec<(Done, Option<Effect>)>, Error> {
    let mut done: Vec<Option<(Done, Option<Effect>)>> = Vec::with_capacity(tasks.len());
    let (mut puts, mut places) = (Vec::new(), Vec::new());
    for (place, ((task, identity), content)) in tasks.iter().zip(identities).zip(contents).enumerate() {
        let kind = task.kind.clone();
        done.push(match (identity, content) {
            (Identity::Write { id, head }, Some(content)) => {
                let (tail, element) = (content.tail(), content.element());
                puts.push(Put { kind, id, tail, element, head });
                places.push(place);
                None
            }
            (Identity::Write { id, head }, None) => {
                let Some(head) = head else { return Err(Error::Damaged) };
                subscription::stop(caller, writing, (&kind, &id), &head).await?;
                let deletion = writing.delete(&kind, &head).await?;
                let version = Some((deletion.version, deletion.updated));
                Some((Done { kind, id: id.into(), outcome: Outcome::Deleted, version, stored: None }, None))
            }
            (Identity::Existing(known), _) => {
                let version = Some((known.version, known.updated));
                Some((Done { kind, id: known.id, outcome: Outcome::Existing, version, stored: None }, None))
            }
            (Identity::Absent, _) => {
                let id = if let Target::Id(id) = &task.target { id.as_str().to_owned() } else { String::new() };
                Some((Done { kind, id, outcome: Outcome::Absent, version: None, stored: None }, None))
            }
        });
    }
    for (place, (effect, stored)) in places.into_iter().zip(writing.put(puts).await?) {
        let outcome = if effect == Effect::Created { Outcome::Created } else { Outcome::Updated };
        let version: Option<(i64, Instant)> = Some((stored.version, stored.updated));
        let (kind, id) = (stored.kind.clone(), stored.id.clone());
        if let Some(slot) = done.get_mut(place) {
            *slot = Some((Done { kind, id, outcome, version, stored: Some(stored) }, Some(effect)));
        }
    }
    Ok(done.into_iter().flatten().collect())
}
