//! Conditions of conditional create, update, patch and delete, and of conditional references.
//! <https://hl7.org/fhir/R4/http.html#ccreate>

use std::collections::BTreeMap;

use sqlx::Row as _;

use super::Writing;
use crate::capability::{Capability, Parameter};
use crate::fhir::Element;
use crate::id::{ResourceId, TenantId, resource_id};
use crate::store::StoreError;
use crate::store::fits;
use crate::store::search::{Filter, Search, TermMatch};
use crate::store::sql::{Sql, Value};
use crate::store::table::{Table, system, term};
use crate::time::Instant;

/// Terms in one look-up.
const TERMS: usize = 64;

/// By term, which conditions look for it, each by its place, and in which system.
type Terms<'a> = BTreeMap<i64, Vec<(usize, &'a TermMatch)>>;

/// Search criteria that are to match one resource or none.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// Type and filters.
    pub search: Search,
    /// The criteria as they were given, their order apart.
    pub text: String,
}

/// What a condition matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    None,
    /// One resource.
    One(Known),
    /// More than one.
    Several,
}

/// A resource that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Logical id.
    pub id: String,
    /// `meta.versionId`.
    pub version: i64,
    /// `meta.lastUpdated`.
    pub updated: Instant,
}

impl Found {
    fn add(&mut self, known: Known) {
        *self = match self {
            Self::None => Self::One(known),
            // Two codings of one resource with the same code in different systems.
            Self::One(same) if same.id == known.id => return,
            Self::One(_) | Self::Several => Self::Several,
        };
    }
}

impl Condition {
    /// The id of what is created because nothing matches: the same for all who create it, so that the index of ids lets
    /// one of them through. It goes by the identifier among the criteria, whether they name its system or not and whatever
    /// else they say; where there is none, by the criteria as a whole. `attempt` counts on when the id is taken by a resource
    /// that does not match.
    pub fn id(&self, capability: &Capability, tenant: &TenantId, attempt: usize) -> ResourceId {
        let what = match self.selective(capability) {
            Some((parameter, value)) => format!("{parameter}\u{1f}{}", value.value),
            None => format!("\u{1f}{}", self.text),
        };
        resource_id(tenant, &self.search.kind, &format!("If-None-Exist\u{1f}{attempt}\u{1f}{what}"))
    }

    /// Whether a resource that is not stored yet matches. Only references, tokens and ids are compared so.
    pub fn fits(&self, capability: &Capability, tenant: &TenantId, kind: &str, id: &str, resource: &Element) -> bool {
        kind == self.search.kind && fits::all(capability, tenant, &self.search.filters, (kind, id), resource)
    }

    /// The one value of the parameter that narrows most.
    fn selective(&self, capability: &Capability) -> Option<(&str, &TermMatch)> {
        let row = capability.resource(&self.search.kind)?;
        let rank = |name: &str| row.parameters.iter().position(|p| p.name == name);
        let selective = self.search.filters.iter().filter_map(|filter| match filter {
            Filter::Term { parameter, values } => match values.as_slice() {
                [one] if row.parameter(parameter).is_some_and(Parameter::is_own) => Some((parameter.as_str(), one)),
                _ => None,
            },
            _ => None,
        });
        selective.min_by(|a, b| (rank(a.0), &a.1.value).cmp(&(rank(b.0), &b.1.value)))
    }
}

impl Writing {
    /// What each condition matches.
    ///
    /// # Errors
    /// The database fails.
    pub async fn matches(&mut self, conditions: &[&Condition]) -> Result<Vec<Found>, StoreError> {
        let capability = self.store.capability.clone();
        let mut found = vec![Found::None; conditions.len()];
        let mut by_term: BTreeMap<&str, Terms<'_>> = BTreeMap::new();
        for (place, condition) in conditions.iter().enumerate() {
            let Search { kind, filters, .. } = &condition.search;
            if let Some((parameter, value)) = condition.selective(&capability).filter(|_| filters.len() == 1) {
                let term = term(&self.tenant, kind, parameter, &value.value);
                by_term.entry(kind).or_default().entry(term).or_default().push((place, value));
                continue;
            }
            let search = Search { count: 2, ..condition.search.clone() };
            let now = self.store.clock.now();
            for one in self.store.matching(&mut self.tx, &self.tenant, &search, now).await? {
                let known = Known { id: one.id, version: one.version, updated: one.updated };
                found.get_mut(place).into_iter().for_each(|found| found.add(known.clone()));
            }
        }
        for (kind, terms) in by_term {
            self.match_terms(kind, &terms, &mut found).await?;
        }
        Ok(found)
    }

    async fn match_terms(&mut self, kind: &str, terms: &Terms<'_>, found: &mut [Found]) -> Result<(), StoreError> {
        let table = Table::of(kind);
        let values: Vec<i64> = terms.keys().copied().collect();
        let mut rows: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        for piece in values.chunks(TERMS) {
            let mut sql = Sql::default();
            sql.bind_each(piece.iter().map(|&term| Value::Int(term)).collect(), |sql, term| {
                sql.push("SELECT k.term, k.system, k.row_id FROM ").push(table.name);
                sql.push("_term k WHERE k.term = ").bind(term);
            });
            for row in sql.query().fetch_all(&mut *self.tx).await? {
                let (term, of): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
                let fits = |value: &TermMatch| value.system.as_ref().is_none_or(|s| system(s) == of);
                let places = terms.get(&term).into_iter().flatten().filter(|(_, value)| fits(value));
                rows.entry(row.try_get(2)?).or_default().extend(places.map(|(place, _)| *place));
            }
        }
        let row_ids: Vec<i64> = rows.keys().copied().collect();
        for piece in row_ids.chunks(TERMS) {
            let mut sql = Sql::new("SELECT r.row_id, r.id, r.version, r.updated_us FROM ");
            sql.push(table.name).push(" r WHERE r.row_id").bind_in(piece.iter().map(|&id| Value::Int(id)).collect());
            for row in sql.query().fetch_all(&mut *self.tx).await? {
                let known = Known { id: row.try_get(1)?, version: row.try_get(2)?, updated: Instant(row.try_get(3)?) };
                for place in rows.get(&row.try_get(0)?).into_iter().flatten() {
                    found.get_mut(*place).into_iter().for_each(|found| found.add(known.clone()));
                }
            }
        }
        Ok(())
    }
}
