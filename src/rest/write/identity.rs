//! Which resource each task is about.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::Context;
use super::task::{IfMatch, Method, Target, Task};
use crate::fhir::content::Content;
use crate::id::ResourceId;
use crate::rest::error::Error;
use crate::store::{Condition, Found, Head, Known, Origin, Writing, new_id};
use crate::time::Instant;

/// The resource of a task.
#[derive(Debug)]
pub(super) enum Identity {
    /// To be written.
    Write { id: ResourceId, head: Option<Head> },
    /// To be left as it is: it is what a conditional create would have created.
    Existing(Known),
    /// There is none, and none is needed.
    Absent,
}

/// Type and id.
type Key = (String, String);

/// What each task's condition matches; nothing for those without.
pub(super) async fn found(
    context: Context<'_>,
    writing: &mut Writing,
    tasks: &[Task<'_>],
) -> Result<Vec<Option<Found>>, Error> {
    let confined = |condition| context.caller.confined(context.state, condition);
    let conditions: Vec<Cow<'_, Condition>> =
        tasks.iter().filter_map(condition).map(confined).collect::<Result<_, _>>()?;
    let conditions: Vec<&Condition> = conditions.iter().map(|condition| &**condition).collect();
    if conditions.is_empty() {
        return Ok(vec![None; tasks.len()]);
    }
    let mut matches = writing.matches(&conditions).await?.into_iter();
    let mut of_tasks: Vec<Option<Found>> =
        tasks.iter().map(|task| condition(task).and_then(|_| matches.next())).collect();
    // Deletions come first: what they delete is not there for the others.
    let gone: BTreeSet<Key> =
        tasks.iter().zip(&of_tasks).filter_map(|(task, found)| deleted(task, found.as_ref())).collect();
    for (task, found) in tasks.iter().zip(&mut of_tasks).filter(|(task, _)| !matches!(task.method, Method::Delete)) {
        if matches!(found, Some(Found::One(known)) if gone.contains(&(task.kind.clone(), known.id.clone()))) {
            *found = Some(Found::None);
        }
    }
    Ok(of_tasks)
}

fn condition<'a>(task: &'a Task<'_>) -> Option<&'a Condition> {
    match &task.target {
        Target::Condition(condition) => Some(condition),
        Target::New | Target::Id(_) => None,
    }
}

fn deleted(task: &Task<'_>, found: Option<&Found>) -> Option<Key> {
    match (&task.method, &task.target, found) {
        (Method::Delete, Target::Id(id), _) => Some((task.kind.clone(), id.as_str().to_owned())),
        (Method::Delete, _, Some(Found::One(known))) => Some((task.kind.clone(), known.id.clone())),
        _ => None,
    }
}

/// How the id of a task is to be found.
enum Wanted<'a> {
    Settled(Identity),
    Id(ResourceId),
    Computed(&'a Condition),
}

/// Which resource each task is about, no two the same, and that it may be written.
pub(super) async fn identities(
    context: Context<'_>,
    writing: &mut Writing,
    tasks: &[Task<'_>],
    found: &[Option<Found>],
    contents: &[Option<Content>],
    now: Instant,
) -> Result<Vec<Identity>, Error> {
    let mut wanted = Vec::with_capacity(tasks.len());
    for ((task, found), content) in tasks.iter().zip(found).zip(contents) {
        wanted.push(want(task, found.as_ref(), content.as_ref(), now).map_err(|error| match error {
            Error::Refused { .. } => task.fault_in_resource(error),
            _ => task.fault(error),
        })?);
    }
    let gone: BTreeSet<Key> =
        tasks.iter().zip(found).filter_map(|(task, found)| deleted(task, found.as_ref())).collect();
    let mut heads = BTreeMap::new();
    let asked = tasks.iter().zip(&wanted).filter_map(|(task, wanted)| match wanted {
        Wanted::Id(id) => Some((task.kind.clone(), id.as_str().to_owned())),
        Wanted::Computed(condition) => Some((task.kind.clone(), computed(context, condition, 0).into())),
        Wanted::Settled(_) => None,
    });
    read(writing, asked, &mut heads).await?;

    let mut written: BTreeSet<Key> = BTreeSet::new();
    let mut identities = Vec::with_capacity(tasks.len());
    for (task, wanted) in tasks.iter().zip(wanted) {
        let identity = match wanted {
            Wanted::Settled(identity) => identity,
            Wanted::Id(id) => {
                let head = heads.get(&(task.kind.clone(), id.as_str().to_owned())).cloned().flatten();
                settle(task, id, head).map_err(|error| task.fault(error))?
            }
            Wanted::Computed(condition) => {
                // An id may be taken by a resource that was created so and no longer matches.
                let mut attempt = 0;
                loop {
                    let id = computed(context, condition, attempt);
                    let key = (task.kind.clone(), id.as_str().to_owned());
                    if !heads.contains_key(&key) {
                        read(writing, std::iter::once(key.clone()), &mut heads).await?;
                    }
                    let head = heads.get(&key).cloned().flatten();
                    if head.as_ref().is_none_or(Head::is_deletion) && !gone.contains(&key) {
                        break Identity::Write { id, head };
                    }
                    attempt += 1;
                }
            }
        };
        if let Identity::Write { id, .. } = &identity
            && !written.insert((task.kind.clone(), id.as_str().to_owned()))
        {
            return Err(task.fault(Error::Twice(format!("{}/{id}", task.kind))));
        }
        identities.push(identity);
    }
    Ok(identities)
}

fn computed(context: Context<'_>, condition: &Condition, attempt: usize) -> ResourceId {
    condition.id(&context.state.capability, context.caller.tenant(), attempt)
}

async fn read(
    writing: &mut Writing,
    keys: impl Iterator<Item = Key>,
    heads: &mut BTreeMap<Key, Option<Head>>,
) -> Result<(), Error> {
    let mut kinds: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (kind, id) in keys {
        kinds.entry(kind).or_default().push(id);
    }
    for (kind, ids) in kinds {
        let asked: Vec<&str> = ids.iter().map(String::as_str).collect();
        let found = writing.heads(&kind, &asked).await?;
        heads.extend(ids.into_iter().zip(found).map(|(id, head)| ((kind.clone(), id), head)));
    }
    Ok(())
}

/// What a task says of the id of its resource.
fn want<'a>(
    task: &'a Task<'_>,
    found: Option<&Found>,
    content: Option<&Content>,
    now: Instant,
) -> Result<Wanted<'a>, Error> {
    let condition = match &task.target {
        Target::New => return Ok(Wanted::Settled(Identity::Write { id: new_id(now)?, head: None })),
        Target::Id(id) => {
            if matches!(task.method, Method::Update) {
                same_id(task, content, id)?;
            }
            return Ok(Wanted::Id(id.clone()));
        }
        Target::Condition(condition) => condition,
    };
    let own = content.and_then(Content::id).filter(|_| matches!(task.method, Method::Update));
    Ok(match (&task.method, found) {
        (_, Some(Found::Several)) => {
            return Err(Error::Several(format!("{}?…", task.kind)));
        }
        (Method::Create, Some(Found::One(known))) => Wanted::Settled(Identity::Existing(known.clone())),
        (_, Some(Found::One(known))) => {
            let id = ResourceId::new(known.id.clone()).map_err(|_| Error::Damaged)?;
            if own.is_some() {
                same_id(task, content, &id)?;
            }
            Wanted::Id(id)
        }
        _ if task.if_match.is_some_and(|wanted| wanted != IfMatch::Nothing) => {
            return Err(Error::Precondition(format!("If-Match: no {} matches", task.kind)));
        }
        (Method::Delete, _) => Wanted::Settled(Identity::Absent),
        (Method::Patch(_), _) => return Err(Error::NotFound(format!("a {} that matches", task.kind))),
        (Method::Update, _) if own.is_some() => {
            let id = own.unwrap_or_default();
            Wanted::Id(ResourceId::new(id).map_err(|problem| Error::refused(format!("{}.id", task.kind), problem))?)
        }
        (Method::Create | Method::Update, _) => Wanted::Computed(condition),
    })
}

/// <https://hl7.org/fhir/R4/http.html#update>
fn same_id(task: &Task<'_>, content: Option<&Content>, id: &ResourceId) -> Result<(), Error> {
    match content.and_then(Content::id) {
        Some(own) if own == id.as_str() => Ok(()),
        Some(_) => Err(Error::refused(format!("{}.id", task.kind), "is not the id of the resource to update")),
        None => Err(Error::refused(format!("{}.id", task.kind), "is missing; an update needs the id it is about")),
    }
}

/// Whether what is stored may be written so.
fn settle(task: &Task<'_>, id: ResourceId, head: Option<Head>) -> Result<Identity, Error> {
    let name = || format!("{}/{id}", task.kind);
    let current = head.as_ref().filter(|head| !head.is_deletion());
    if let Some(wanted) = task.if_match {
        let holds = current.is_some_and(|head| match wanted {
            IfMatch::Any => true,
            IfMatch::Version(version) => version == head.version(),
            IfMatch::Nothing => false,
        });
        let is = current.map_or("there is none".to_owned(), |head| format!("it is version {}", head.version()));
        match (wanted, current) {
            (IfMatch::Nothing, None) => {}
            (IfMatch::Nothing, Some(_)) => {
                return Err(Error::Precondition(format!("{} is there, against If-None-Match: {is}", name())));
            }
            _ if holds => {}
            _ => return Err(Error::Precondition(format!("{} is not the version in If-Match: {is}", name()))),
        }
    }
    if current.is_some_and(|head| head.origin() == Origin::Derived) {
        return Err(Error::Derived(name()));
    }
    match (&task.method, current, &head) {
        (Method::Delete, None, _) => Ok(Identity::Absent),
        (Method::Patch(_), None, Some(_)) => Err(Error::Gone(name())),
        (Method::Patch(_), None, None) => Err(Error::NotFound(name())),
        _ => Ok(Identity::Write { id, head }),
    }
}
