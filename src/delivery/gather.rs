//! What an export is made of: all that an episode's devices gave of its patient, with what that refers to, each after what it
//! refers to.
//!
//! A Provenance names the devices behind what it is about and the time it is of; so the Provenances of an episode's devices
//! lead to all of it. What was sent before and is no longer named by one was an error: it is sent again, as what it is now.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::connection::PatientBinding;
use super::outgoing::SENT;
use super::route::Place;
use crate::id::{TenantId, resource_id};
use crate::store::date::{DateMatch, Prefix, Span};
use crate::store::delivery::{Key, ReadyExport};
use crate::store::search::{Filter, Search, TermMatch};
use crate::store::{Store, StoreError};
use crate::time::{Instant, MICROS};

/// Resources on a page.
const PAGE: usize = 200;

/// The status of what is taken back.
const ERROR: &str = "entered-in-error";

/// What a Provenance is about that is sent by itself.
const TARGETS: [&str; 3] = ["Observation", "DocumentReference", "Flag"];

/// What is stored may become visible so much later than its time says.
const LATE_US: i64 = 60 * MICROS;

/// A window's results are recorded at its end, which may be after that of the episode; windows are no longer than this.
const WINDOW_US: i64 = 3600 * MICROS;

/// What was found, and what each refers to.
type Found = BTreeMap<Key, Vec<Key>>;

/// What an export that is due is made of.
///
/// # Errors
/// The database failed.
pub async fn contents(store: &Store, due: &ReadyExport, place: &Place, now: Instant) -> Result<Vec<Key>, StoreError> {
    let patient = ("Patient".to_owned(), due.patient.to_string());
    let subject = format!("Patient/{}", due.patient);
    let (mut found, mut provenances) = (Found::new(), Found::new());
    let mut search = provenance_search(due, now);
    loop {
        let page = store.search(&due.tenant, &search).await?;
        let mut named: BTreeSet<Key> = BTreeSet::new();
        let mut of_page = Vec::new();
        for stored in &page.matches {
            let refers = references(&value(&stored.json())?);
            let targets = refers.iter().filter(|(kind, _)| TARGETS.contains(&kind.as_str()));
            named.extend(targets.cloned());
            of_page.push((("Provenance".to_owned(), stored.id.clone()), refers));
        }
        named.retain(|key| !found.contains_key(key));
        load(store, &due.tenant, named, Some(&subject), &mut found).await?;
        // One that is about nothing of this patient is about somebody else who wore the device.
        provenances.extend(of_page.into_iter().filter(|(_, refers)| refers.iter().any(|key| found.contains_key(key))));
        search.after = page.next;
        if search.after.is_none() {
            break;
        }
    }
    retracted(store, due, &subject, &place.destination, &mut found).await?;
    found.extend(provenances);
    // What they refer to, and what that does. What is not there stays a logical reference.
    let mut absent = BTreeSet::new();
    loop {
        let named = found.values().flatten().filter(|key| key.0 != "Patient");
        let missing: BTreeSet<Key> =
            named.filter(|&key| !found.contains_key(key) && !absent.contains(key)).cloned().collect();
        if missing.is_empty() {
            break;
        }
        load(store, &due.tenant, missing.clone(), None, &mut found).await?;
        absent.extend(missing.into_iter().filter(|key| !found.contains_key(key)));
    }
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let mut ordered = match place.binding {
        PatientBinding::Included => vec![patient],
        PatientBinding::Logical => Vec::new(),
    };
    order(&found, &mut ordered);
    Ok(ordered)
}

fn provenance_search(due: &ReadyExport, now: Instant) -> Search {
    let device =
        |device: &crate::id::DeviceKey| format!("Device/{}", resource_id(&due.tenant, "Device", device.as_str()));
    let agents = due.devices.iter().map(|one| TermMatch::of(device(one))).collect();
    let until = due.end.unwrap_or(now).plus(WINDOW_US);
    let mut filters = vec![
        Filter::Term { parameter: "agent".to_owned(), values: agents },
        Filter::Date(vec![at(Prefix::Ge, due.start)]),
        Filter::Date(vec![at(Prefix::Le, until)]),
    ];
    if let Some(gathered) = due.gathered {
        filters.push(Filter::Updated(vec![at(Prefix::Ge, gathered.plus(-LATE_US))]));
    }
    Search { kind: "Provenance".to_owned(), filters, count: PAGE, ..Search::default() }
}

/// Adds what was sent and has been taken back since.
async fn retracted(
    store: &Store,
    due: &ReadyExport,
    subject: &str,
    destination: &str,
    found: &mut Found,
) -> Result<(), StoreError> {
    let Some(gathered) = due.gathered else { return Ok(()) };
    for kind in TARGETS {
        let mut filters = vec![
            Filter::Subject(vec![subject.to_owned()]),
            Filter::Updated(vec![at(Prefix::Ge, gathered.plus(-LATE_US))]),
        ];
        // A Flag cannot be searched by its status; there are few.
        if kind != "Flag" {
            let status = TermMatch { system: None, value: ERROR.to_owned() };
            filters.push(Filter::Term { parameter: "status".to_owned(), values: vec![status] });
        }
        let mut search = Search { kind: kind.to_owned(), filters, count: PAGE, ..Search::default() };
        loop {
            let page = store.search(&due.tenant, &search).await?;
            let key = |id: &str| (kind.to_owned(), id.to_owned());
            let keys: Vec<Key> = page.matches.iter().map(|one| key(&one.id)).collect();
            let sent = store.delivered(&due.tenant, destination, &keys).await?;
            for stored in page.matches.iter().filter(|one| sent.contains_key(&key(&one.id))) {
                let resource = value(&stored.json())?;
                if resource["status"] == ERROR {
                    found.insert(key(&stored.id), references(&resource));
                }
            }
            search.after = page.next;
            if search.after.is_none() {
                break;
            }
        }
    }
    Ok(())
}

/// Loads resources, those about a subject where one is given, and keeps what they refer to.
async fn load(
    store: &Store,
    tenant: &TenantId,
    keys: BTreeSet<Key>,
    subject: Option<&str>,
    found: &mut Found,
) -> Result<(), StoreError> {
    let mut kinds: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (kind, id) in &keys {
        kinds.entry(kind).or_default().push(id);
    }
    for (kind, ids) in kinds {
        for piece in ids.chunks(PAGE) {
            for stored in store.read_all(tenant, kind, piece).await? {
                let resource = value(&stored.json())?;
                if subject.is_none_or(|subject| resource["subject"]["reference"] == subject) {
                    found.insert((kind.to_owned(), stored.id.clone()), references(&resource));
                }
            }
        }
    }
    Ok(())
}

fn at(prefix: Prefix, at: Instant) -> DateMatch {
    DateMatch { prefix, span: Span { from: at.0, until: at.0 + 1 } }
}

fn value(json: &[u8]) -> Result<Value, StoreError> {
    serde_json::from_slice(json).map_err(|_| StoreError::Damaged { what: "resource" })
}

/// What a resource refers to of what is sent.
fn references(resource: &Value) -> Vec<Key> {
    let mut keys = Vec::new();
    if let Some(object) = resource.as_object() {
        crate::fhir::reference::each(object, "", &mut |_, reference| {
            if let Some((kind, id)) = reference.split_once('/')
                && SENT.contains(&kind)
                && !id.contains(['/', ':', '?'])
            {
                keys.push((kind.to_owned(), id.to_owned()));
            }
        });
    }
    keys
}

/// Each after what it refers to, as far as that goes: of two that refer to each other one is first.
fn order(found: &Found, ordered: &mut Vec<Key>) {
    let mut seen: BTreeSet<&Key> = BTreeSet::new();
    // By type first, so that what many refer to comes before all of them.
    for kind in SENT {
        for key in found.keys().filter(|key| key.0 == kind) {
            let mut path = vec![(key, false)];
            while let Some((key, is_left)) = path.pop() {
                if is_left {
                    ordered.push(key.clone());
                    continue;
                }
                if key.0 == "Patient" || !seen.insert(key) {
                    continue;
                }
                path.push((key, true));
                let refers = found.get(key).into_iter().flatten();
                path.extend(refers.filter_map(|next| found.get_key_value(next)).map(|(next, _)| (next, false)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_comes_after_what_it_refers_to() {
        let key = |text: &str| {
            let (kind, id) = text.split_once('/').unwrap();
            (kind.to_owned(), id.to_owned())
        };
        let table: [(&str, &[&str]); 7] = [
            ("Provenance/a", &["Observation/vital", "Device/d", "Organization/o"]),
            ("Observation/vital", &["DocumentReference/strip", "Device/d", "Patient/p"]),
            ("DocumentReference/strip", &["Observation/wave", "Observation/rr", "Device/d"]),
            ("Observation/wave", &["Device/d"]),
            ("Observation/rr", &["Observation/wave"]),
            ("Device/d", &["Organization/o"]),
            ("Organization/o", &[]),
        ];
        let found: Found =
            table.iter().map(|(one, refers)| (key(one), refers.iter().map(|to| key(to)).collect())).collect();
        let mut ordered = Vec::new();
        order(&found, &mut ordered);
        assert_eq!(ordered.len(), table.len());
        for (one, refers) in &table {
            let place = |of: &str| ordered.iter().position(|other| *other == key(of));
            for to in refers.iter().filter(|to| !to.starts_with("Patient")) {
                assert!(place(to) < place(one), "{to} before {one}: {ordered:?}");
            }
        }
    }
}
