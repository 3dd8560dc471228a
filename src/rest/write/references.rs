//! References between the resources of a list, and conditional ones. <https://hl7.org/fhir/R4/http.html#trules>

use std::collections::{BTreeMap, BTreeSet};

use super::Context;
use super::condition::parse_condition;
use super::identity::Identity;
use super::task::{Method, Task};
use crate::fhir::content::Content;
use crate::fhir::{is_resource_type, reference};
use crate::id::ResourceId;
use crate::rest::error::Error;
use crate::store::{Condition, Found, Writing};

/// What references in the resources of `tasks` are to be replaced by.
pub(super) async fn targets(
    context: Context<'_>,
    writing: &mut Writing,
    tasks: &[Task<'_>],
    identities: &[Identity],
    contents: &[Option<Content>],
) -> Result<BTreeMap<String, String>, Error> {
    let mut targets = BTreeMap::new();
    for (task, identity) in tasks.iter().zip(identities) {
        let (Some(full_url), Some(id)) = (&task.full_url, id(identity)) else { continue };
        let target = format!("{}/{id}", task.kind);
        let key = if reference::is_urn(full_url) { full_url.to_ascii_lowercase() } else { full_url.clone() };
        // `http://elsewhere/Patient/1` is what `Patient/1` means beside it, when it is here under another id.
        let short = key.rsplit_once('/').and_then(|(rest, old)| Some(format!("{}/{old}", rest.rsplit_once('/')?.1)));
        if let Some(short) = short.filter(|short| matches!(task.method, Method::Create) && *short != target) {
            targets.insert(short, target.clone());
        }
        if targets.insert(key, target).is_some() {
            return Err(task.fault(Error::refused("fullUrl", "is that of another entry")));
        }
    }
    let conditional = conditional(context, tasks, contents)?;
    if !conditional.is_empty() {
        let conditions: Vec<&Condition> = conditional.values().map(|(condition, ..)| condition).collect();
        let found = writing.matches(&conditions).await?;
        for ((text, (condition, task, path)), found) in conditional.iter().zip(found) {
            let here = matching(context, condition, tasks, identities, contents);
            let target = one(condition, here, found, tasks, identities)
                .map_err(|error| task.fault_in_resource(error.named(path, text)))?;
            targets.insert((*text).to_owned(), target);
        }
    }
    Ok(targets)
}

fn id(identity: &Identity) -> Option<&str> {
    match identity {
        Identity::Write { id, .. } => Some(id.as_str()),
        Identity::Existing(known) => Some(&known.id),
        Identity::Absent => None,
    }
}

type Conditional<'a, 'b> = BTreeMap<&'a str, (Condition, &'a Task<'b>, String)>;

/// References such as `Patient?identifier=…`, each with where it first stands.
fn conditional<'a, 'b>(
    context: Context<'_>,
    tasks: &'a [Task<'b>],
    contents: &'a [Option<Content>],
) -> Result<Conditional<'a, 'b>, Error> {
    let mut found: Conditional<'a, 'b> = BTreeMap::new();
    for (task, content) in tasks.iter().zip(contents) {
        let Some(content) = content else { continue };
        let mut texts: Vec<(String, &'a str)> = Vec::new();
        reference::each(content.object(), &task.kind, &mut |path, text| {
            if text.split_once('?').is_some_and(|(kind, _)| is_resource_type(kind)) {
                texts.push((path.to_owned(), text));
            }
        });
        for (path, text) in texts {
            if found.contains_key(text) {
                continue;
            }
            let (kind, query) = text.split_once('?').unwrap_or((text, ""));
            let condition = parse_condition(context.state, kind, context.base, query, &path)
                .and_then(|condition| Ok(context.caller.confined(context.state, &condition)?.into_owned()))
                .map_err(|error| task.fault_in_resource(error))?;
            found.insert(text, (condition, task, path));
        }
    }
    Ok(found)
}

/// Ids of resources about to be written that match.
fn matching(
    context: Context<'_>,
    condition: &Condition,
    tasks: &[Task<'_>],
    identities: &[Identity],
    contents: &[Option<Content>],
) -> BTreeSet<String> {
    let mut matching = BTreeSet::new();
    for ((task, identity), content) in tasks.iter().zip(identities).zip(contents) {
        let (Some(content), Some(id)) = (content, id(identity)) else { continue };
        if task.kind == condition.search.kind
            && condition.fits(&context.state.capability, context.caller.tenant(), &task.kind, id, &content.element())
        {
            matching.insert(id.to_owned());
        }
    }
    matching
}

/// Why a conditional reference leads nowhere.
enum NotOne {
    None,
    Several,
}

impl NotOne {
    fn named(self, path: &str, text: &str) -> Error {
        let kind = text.split('?').next().unwrap_or_default();
        match self {
            Self::None => Error::refused(path, format!("no {kind} matches the conditional reference")),
            Self::Several => Error::Several(format!("the conditional reference {kind}?… at {path}")),
        }
    }
}

fn one(
    condition: &Condition,
    mut here: BTreeSet<String>,
    found: Found,
    tasks: &[Task<'_>],
    identities: &[Identity],
) -> Result<String, NotOne> {
    let kind = &condition.search.kind;
    match found {
        Found::Several => return Err(NotOne::Several),
        Found::One(known) => {
            let gone = tasks.iter().zip(identities).any(|(task, identity)| {
                matches!(task.method, Method::Delete) && task.kind == *kind && id(identity) == Some(known.id.as_str())
            });
            if !gone {
                here.insert(known.id);
            }
        }
        Found::None => {}
    }
    let mut here = here.into_iter();
    match (here.next(), here.next()) {
        (Some(id), None) => Ok(format!("{kind}/{id}")),
        (None, _) => Err(NotOne::None),
        (Some(_), Some(_)) => Err(NotOne::Several),
    }
}

/// Refuses references that lead nowhere by their form alone.
pub(super) fn check(task: &Task<'_>, content: &Content) -> Result<(), Error> {
    let mut fault = None;
    reference::each(content.object(), &task.kind, &mut |path, text| {
        if fault.is_none() {
            fault = problem(content, text, task.place.is_some()).map(|problem| (path.to_owned(), problem));
        }
    });
    match fault {
        Some((path, problem)) => Err(task.fault_in_resource(Error::refused(format!("{path}.reference"), problem))),
        None => Ok(()),
    }
}

/// Refuses references to resources of this server that are neither there nor about to be.
pub(super) async fn check_targets(
    writing: &mut Writing,
    tasks: &[Task<'_>],
    identities: &[Identity],
    contents: &[Option<Content>],
) -> Result<(), Error> {
    let written: BTreeSet<String> = tasks
        .iter()
        .zip(identities)
        .filter(|(task, _)| !matches!(task.method, Method::Delete))
        .filter_map(|(task, identity)| Some(format!("{}/{}", task.kind, id(identity)?)))
        .collect();
    let mut wanted: BTreeMap<&str, BTreeMap<&str, (&Task<'_>, String)>> = BTreeMap::new();
    for (task, content) in tasks.iter().zip(contents) {
        let Some(content) = content else { continue };
        reference::each(content.object(), &task.kind, &mut |path, text| {
            let target = text.split_once("/_history/").map_or(text, |(target, _)| target);
            let local = target.split_once('/').filter(|(kind, _)| is_resource_type(kind) && !written.contains(target));
            if let Some((kind, id)) = local {
                wanted.entry(kind).or_default().entry(id).or_insert_with(|| (task, path.to_owned()));
            }
        });
    }
    for (kind, targets) in wanted {
        let ids: Vec<&str> = targets.keys().copied().collect();
        let heads = writing.heads(kind, &ids).await?;
        for ((_, (task, path)), head) in targets.into_iter().zip(heads) {
            if head.is_none_or(|head| head.is_deletion()) {
                let problem = format!("there is no such {kind}");
                return Err(task.fault_in_resource(Error::refused(format!("{path}.reference"), problem)));
            }
        }
    }
    Ok(())
}

fn problem(content: &Content, text: &str, in_bundle: bool) -> Option<String> {
    if let Some(inner) = text.strip_prefix('#') {
        let contained = content.object().get("contained").and_then(|c| c.as_array()).into_iter().flatten();
        let known = inner.is_empty() || contained.into_iter().any(|c| c.get("id").is_some_and(|id| id == inner));
        return (!known).then(|| "no contained resource has this id".to_owned());
    }
    if reference::is_urn(text) {
        return in_bundle.then(|| "no entry of the Bundle has this fullUrl".to_owned());
    }
    if text.contains(':') {
        return None; // somebody else's
    }
    let mut parts = text.split('/');
    let (kind, id) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if !is_resource_type(kind) {
        return Some("does not start with a resource type".to_owned());
    }
    if let Err(problem) = ResourceId::new(id) {
        return Some(problem.to_string());
    }
    let rest: Vec<&str> = parts.collect();
    let fits = matches!(rest.as_slice(), [] | ["_history", _]);
    (!fits).then(|| "must be Type/id".to_owned())
}
