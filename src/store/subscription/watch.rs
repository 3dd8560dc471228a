//! Which subscriptions a resource is an event of, without a look at those it is none of.
//!
//! Subscriptions that ask for the same are one condition. A condition stands under the values of its filter that narrows most
//! (its *anchor*): under a patient rather than a code, under a code rather than a category. A resource is held against the
//! conditions that stand under one of its own values; what that costs does not grow with the others. Conditions without
//! such a filter are held against every resource of their type.

use std::collections::{BTreeMap, BTreeSet};

use crate::capability::{Capability, Mark, Parameter, ResourceRow};
use crate::fhir::Element;
use crate::id::{ResourceId, TenantId};
use crate::store::index::{Index, tokens};
use crate::store::read::Stored;
use crate::store::search::Filter;
use crate::store::table::{subject, term};
use crate::store::{Store, StoreError, fits};

type Subscriber = (TenantId, ResourceId);

/// What subscriptions there are, by what they ask for.
#[derive(Debug, Default)]
pub struct Watch {
    conditions: BTreeMap<usize, Condition>,
    /// Number of a condition by what it asks for.
    known: BTreeMap<String, usize>,
    /// The condition of each subscription.
    of: BTreeMap<Subscriber, usize>,
    anchored: BTreeMap<i64, BTreeSet<usize>>,
    loose: BTreeMap<(TenantId, String), BTreeSet<usize>>,
    next: usize,
}

#[derive(Debug)]
struct Condition {
    text: String,
    tenant: TenantId,
    kind: String,
    filters: Vec<Filter>,
    marks: Vec<Mark>,
    anchors: Vec<i64>,
    subscribers: BTreeSet<ResourceId>,
}

/// What was found for a resource.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Matched {
    /// The subscriptions it is an event of.
    pub subscriptions: Vec<ResourceId>,
    /// How many conditions it was held against.
    pub candidates: usize,
}

impl Watch {
    /// Whether there is no subscription.
    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// A subscription asks for resources of a type for which all filters hold and that have all marks.
    pub fn add(
        &mut self,
        capability: &Capability,
        subscriber: Subscriber,
        kind: &str,
        (filters, marks): (Vec<Filter>, Vec<Mark>),
    ) {
        self.remove(&subscriber);
        let Some(row) = capability.resource(kind) else { return };
        let (tenant, id) = subscriber.clone();
        let text = format!("{tenant}\u{1f}{kind}\u{1f}{filters:?}\u{1f}{marks:?}");
        let number = self.known.get(&text).copied().unwrap_or_else(|| {
            let number = self.next;
            self.next += 1;
            let anchors = anchors(&tenant, row, &filters);
            if anchors.is_empty() {
                self.loose.entry((tenant.clone(), kind.to_owned())).or_default().insert(number);
            }
            for anchor in &anchors {
                self.anchored.entry(*anchor).or_default().insert(number);
            }
            self.known.insert(text.clone(), number);
            let subscribers = BTreeSet::new();
            let condition = Condition { text, tenant, kind: kind.to_owned(), filters, marks, anchors, subscribers };
            self.conditions.insert(number, condition);
            number
        });
        if let Some(condition) = self.conditions.get_mut(&number) {
            condition.subscribers.insert(id);
        }
        self.of.insert(subscriber, number);
    }

    /// A subscription asks for nothing any more.
    pub fn remove(&mut self, subscriber: &Subscriber) {
        let Some(number) = self.of.remove(subscriber) else { return };
        let Some(condition) = self.conditions.get_mut(&number) else { return };
        condition.subscribers.remove(&subscriber.1);
        if !condition.subscribers.is_empty() {
            return;
        }
        let Some(condition) = self.conditions.remove(&number) else { return };
        self.known.remove(&condition.text);
        for anchor in &condition.anchors {
            if let Some(standing) = self.anchored.get_mut(anchor) {
                standing.remove(&number);
                if standing.is_empty() {
                    self.anchored.remove(anchor);
                }
            }
        }
        if let Some(standing) = self.loose.get_mut(&(condition.tenant, condition.kind)) {
            standing.remove(&number);
        }
    }

    fn matching(&self, tenant: &TenantId, row: &ResourceRow, id: &str, resource: &Element) -> Matched {
        let index = &Index::of(tenant, Some(row), resource);
        let by_id = std::iter::once(term(tenant, &row.resource, "_id", id));
        let anchored = by_id.chain(index.keys()).filter_map(|key| self.anchored.get(&key)).flatten();
        let loose = self.loose.get(&(tenant.clone(), row.resource.clone())).into_iter().flatten();
        let candidates: BTreeSet<&usize> = anchored.chain(loose).collect();
        let mut matched = Matched { candidates: candidates.len(), ..Matched::default() };
        for condition in candidates.into_iter().filter_map(|number| self.conditions.get(number)) {
            let is_of = condition.tenant == *tenant && condition.kind == row.resource;
            let is_marked = || condition.marks.iter().all(|mark| has_mark(mark, resource));
            if is_of && fits::indexed(tenant, row, &condition.filters, id, index) && is_marked() {
                matched.subscriptions.extend(condition.subscribers.iter().cloned());
            }
        }
        matched.subscriptions.sort_unstable();
        matched
    }
}

impl Store {
    /// The subscriptions a version of a resource is an event of. A deletion is none.
    ///
    /// # Errors
    /// What is stored is damaged.
    pub fn watching(&self, tenant: &TenantId, watch: &Watch, stored: &Stored) -> Result<Matched, StoreError> {
        let row = self.capability.resource(&stored.kind).filter(|_| !stored.is_deletion());
        let Some(row) = row else { return Ok(Matched::default()) };
        Ok(watch.matching(tenant, row, &stored.id, &stored.element()?))
    }

    /// Whether a version of a resource fits all filters and has all marks. A deletion does not.
    ///
    /// # Errors
    /// What is stored is damaged.
    pub fn is_of_topic(
        &self,
        tenant: &TenantId,
        (filters, marks): (&[Filter], &[Mark]),
        stored: &Stored,
    ) -> Result<bool, StoreError> {
        if !self.fits(tenant, filters, stored)? {
            return Ok(false);
        }
        let element = stored.element()?;
        Ok(marks.iter().all(|mark| has_mark(mark, &element)))
    }
}

fn has_mark(mark: &Mark, resource: &Element) -> bool {
    let mut found = false;
    for element in mark.path.elements(resource) {
        tokens(element, &mut |system, code| found |= system == mark.system && code == mark.code);
    }
    found
}

/// The numbers a condition stands under: those of its filter that narrows most; none where there is no such filter.
fn anchors(tenant: &TenantId, row: &ResourceRow, filters: &[Filter]) -> Vec<i64> {
    let ranked = filters.iter().filter_map(|filter| anchor(tenant, row, filter));
    ranked.min_by_key(|(rank, keys)| (*rank, keys.len())).map(|(_, keys)| keys).unwrap_or_default()
}

/// How much a filter narrows, the lower the more, and the numbers a resource has one of if it holds.
fn anchor(tenant: &TenantId, row: &ResourceRow, filter: &Filter) -> Option<(usize, Vec<i64>)> {
    match filter {
        Filter::Id(ids) => Some((0, ids.iter().map(|id| term(tenant, &row.resource, "_id", id)).collect())),
        Filter::Subject(subjects) => Some((2, subjects.iter().map(|about| subject(tenant, about)).collect())),
        Filter::Term { parameter, values } => {
            let place = row.parameters.iter().position(|p| p.name == *parameter);
            let is_own = row.parameter(parameter).is_none_or(Parameter::is_own);
            let rank = if is_own { 1 } else { 3 + place.unwrap_or(row.parameters.len()) };
            let names = fits::names(row, parameter);
            let key = |name: &&str, value: &str| term(tenant, &row.resource, name, value);
            let keys = values.iter().flat_map(|value| names.iter().map(move |name| key(name, &value.value)));
            Some((rank, keys.collect()))
        }
        _ => None,
    }
}
