//! From filters to conditions: names become the numbers columns hold, units are looked up, and chains are followed.
//!
//! A chain is followed from its end: first the resources it asks for, then what refers to them. `_has` likewise. Both are
//! bounded: who asks for the Observations of everybody called A is told to ask for less.

use std::collections::BTreeSet;

use sqlx::Row as _;

use super::condition::{Code, Common, Condition, Term, Terms};
use super::filter::{Filter, TermMatch};
use super::include::targets;
use super::plan::Plan;
use crate::capability::{Column, Parameter, ResourceRow};
use crate::id::TenantId;
use crate::store::table::{parameter as number_of, subject, system, term, term_in};
use crate::store::{Store, StoreError};

/// Most resources a chain or `_has` leads over.
const MOST: usize = 1000;

/// Most units times values a quantity is asked for in.
const MOST_MEASURES: usize = 500;

impl Store {
    /// What `filters` mean for resources of `kind`.
    pub(super) async fn resolve(
        &self,
        tenant: &TenantId,
        kind: &str,
        filters: &[Filter],
    ) -> Result<Vec<Condition>, StoreError> {
        let mut conditions = Vec::with_capacity(filters.len());
        for filter in filters {
            conditions.push(Box::pin(self.condition(tenant, kind, filter)).await?);
        }
        Ok(conditions)
    }

    async fn condition(&self, tenant: &TenantId, kind: &str, filter: &Filter) -> Result<Condition, StoreError> {
        let row = self.capability.resource(kind);
        let parameter_of = |name: &str| row.and_then(|row| row.parameter(name));
        Ok(match filter {
            Filter::Id(ids) => Condition::Id(ids.clone()),
            Filter::Updated(dates) => Condition::Updated(dates.clone()),
            Filter::Subject(subjects) => Condition::Subject(subjects.iter().map(|s| subject(tenant, s)).collect()),
            Filter::Date(dates) => Condition::Date(dates.clone()),
            Filter::Term { parameter, values } => terms(tenant, kind, row, parameter, values),
            Filter::String { parameter, values } => {
                Condition::Strings { parameter: number_of(tenant, kind, parameter), values: values.clone() }
            }
            Filter::Moment { parameter, values } => {
                Condition::Moments { parameter: number_of(tenant, kind, parameter), values: values.clone() }
            }
            Filter::Quantity { parameter, values } => {
                let members = row.zip(parameter_of(parameter)).map(|(row, p)| row.members(p)).unwrap_or_default();
                let names: Vec<&str> = members.iter().map(|p| p.name.as_str()).collect();
                let mut measures = Vec::new();
                for value in values {
                    measures.extend(self.measures(tenant, kind, &names, value).await?);
                }
                if measures.len() > MOST_MEASURES {
                    return Err(StoreError::TooBroad { parameter: parameter.clone(), most: MOST_MEASURES });
                }
                Condition::Measures(measures)
            }
            Filter::Together { parameter, code, value } => {
                let value = Box::pin(self.condition(tenant, kind, value)).await?;
                let together = |code| vec![Condition::Together(code, Box::new(value.clone()))];
                Condition::Any(codes(tenant, kind, row, (parameter, code)).into_iter().map(together).collect())
            }
            Filter::Missing { parameter, missing } => {
                Condition::Present { bits: row.map_or(0, |row| bits(row, parameter)), present: !missing }
            }
            Filter::Not(filter) => Condition::Not(Box::new(Box::pin(self.condition(tenant, kind, filter)).await?)),
            Filter::Any(alternatives) => {
                let mut any = Vec::with_capacity(alternatives.len());
                for all in alternatives {
                    any.push(self.resolve(tenant, kind, all).await?);
                }
                Condition::Any(any)
            }
            Filter::Chain { parameter, targets } => {
                let mut references = Vec::new();
                for (target, filters) in targets {
                    let ids = self.ids(tenant, target, filters, parameter).await?;
                    references.extend(ids.into_iter().map(|id| format!("{target}/{id}")));
                }
                refers_to(tenant, kind, row, parameter, references)
            }
            Filter::Has { kind: from, parameter, filters } => {
                Condition::Id(self.referred(tenant, kind, (from, parameter), filters).await?)
            }
        })
        .map(|condition| match condition {
            Condition::Id(ids) if ids.is_empty() => Condition::Any(Vec::new()),
            condition => condition,
        })
    }

    /// The ids of resources for which `filters` hold.
    async fn ids(
        &self,
        tenant: &TenantId,
        kind: &str,
        filters: &[Filter],
        parameter: &str,
    ) -> Result<Vec<String>, StoreError> {
        let conditions = self.resolve(tenant, kind, filters).await?;
        let cohorts = self.cohorts(kind, &conditions, &self.readers).await?;
        let plan = Plan::all(tenant, kind, (&conditions, cohorts.as_deref()), &[], self.clock.now());
        let rows = self.rows(plan.ids(MOST)).await?;
        if rows.len() > MOST {
            return Err(StoreError::TooBroad { parameter: parameter.to_owned(), most: MOST });
        }
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
    }

    /// The ids of resources of `kind` to which those of another type refer for which `filters` hold.
    async fn referred(
        &self,
        tenant: &TenantId,
        kind: &str,
        (from, name): (&str, &str),
        filters: &[Filter],
    ) -> Result<Vec<String>, StoreError> {
        let Some(parameter) = self.capability.resource(from).and_then(|row| row.parameter(name)) else {
            return Ok(Vec::new());
        };
        let conditions = self.resolve(tenant, from, filters).await?;
        let cohorts = self.cohorts(from, &conditions, &self.readers).await?;
        let plan = Plan::all(tenant, from, (&conditions, cohorts.as_deref()), &[], self.clock.now());
        // All that are about the same one lead to the same one.
        let per_subject = parameter.column == Some(Column::Subject);
        let rows = self.rows(plan.whole(per_subject, MOST)).await?;
        let found = self.unpacked(from, &rows).await?;
        if found.len() > MOST {
            return Err(StoreError::TooBroad { parameter: format!("_has:{from}:{name}"), most: MOST });
        }
        let mut ids = BTreeSet::new();
        for referring in found {
            ids.extend(
                targets(&referring, parameter, None).into_iter().filter(|(target, _)| target == kind).map(|(_, id)| id),
            );
        }
        Ok(ids.into_iter().collect())
    }
}

/// The parameters a parameter stands for, each with its place among those of the type.
fn members<'a>(row: Option<&'a ResourceRow>, name: &str) -> Vec<(usize, &'a Parameter)> {
    let Some((row, parameter)) = row.and_then(|row| Some((row, row.parameter(name)?))) else { return Vec::new() };
    let rank = |name: &str| row.parameters.iter().position(|p| p.name == name).unwrap_or(usize::MAX);
    row.members(parameter).into_iter().map(|member| (rank(&member.name), member)).collect()
}

/// The number a common value stands under.
fn common_term(tenant: &TenantId, kind: &str, name: &str, value: &TermMatch) -> i64 {
    match &value.system {
        Some(of) => term_in(tenant, kind, name, of, &value.value),
        None => term(tenant, kind, name, &value.value),
    }
}

/// What the values of a parameter mean: those of every parameter it stands for.
fn terms(tenant: &TenantId, kind: &str, row: Option<&ResourceRow>, name: &str, values: &[TermMatch]) -> Condition {
    let own_term = |name: &str, value: &TermMatch| Term {
        number: term(tenant, kind, name, &value.value),
        system: value.system.as_deref().map(system),
    };
    let members = members(row, name);
    if members.is_empty() {
        // What stands under a name of its own, such as the identifiers in a reference.
        return Condition::Terms(Terms { rank: 0, values: values.iter().map(|value| own_term(name, value)).collect() });
    }
    let mut own = Terms { rank: usize::MAX, values: Vec::new() };
    let mut common = Common { rank: usize::MAX, terms: Vec::new() };
    for (rank, member) in members {
        if member.is_own() {
            own.rank = own.rank.min(rank);
            own.values.extend(values.iter().map(|value| own_term(&member.name, value)));
        } else {
            common.rank = common.rank.min(rank);
            common.terms.extend(values.iter().map(|value| common_term(tenant, kind, &member.name, value)));
        }
    }
    match (own.values.is_empty(), common.terms.is_empty()) {
        (_, true) => Condition::Terms(own),
        (true, false) => Condition::Common(common),
        (false, false) => Condition::Any(vec![vec![Condition::Terms(own)], vec![Condition::Common(common)]]),
    }
}

/// A code another value must be beside, under every parameter that stands for; none of those holds values of single resources.
fn codes(tenant: &TenantId, kind: &str, row: Option<&ResourceRow>, (name, value): (&str, &TermMatch)) -> Vec<Code> {
    let code = |(_, member): (usize, &Parameter)| Code {
        term: common_term(tenant, kind, &member.name, value),
        in_part: member.part.is_some(),
    };
    members(row, name).into_iter().map(code).collect()
}

/// What refers to one of `references`.
fn refers_to(
    tenant: &TenantId,
    kind: &str,
    row: Option<&ResourceRow>,
    name: &str,
    references: Vec<String>,
) -> Condition {
    if references.is_empty() {
        return Condition::Any(Vec::new());
    }
    if row.and_then(|row| row.parameter(name)).is_some_and(|p| p.column == Some(Column::Subject)) {
        return Condition::Subject(references.iter().map(|r| subject(tenant, r)).collect());
    }
    let values: Vec<TermMatch> = references.into_iter().map(TermMatch::of).collect();
    terms(tenant, kind, row, name, &values)
}

/// The bits that say whether a resource has values of a parameter, or of any it stands for.
fn bits(row: &ResourceRow, name: &str) -> i64 {
    let members = row.parameter(name).map(|p| row.members(p)).unwrap_or_default();
    let bit = |member: &&Parameter| row.parameters.iter().position(|p| p.name == member.name);
    members.iter().filter_map(bit).fold(0, |bits, bit| bits | (1 << bit))
}
