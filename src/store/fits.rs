//! Whether one resource fits filters, without a look into the database. Ids, subjects, terms and quantities are compared so;
//! whatever else is asked for does not fit.

use super::index::Index;
use super::read::Stored;
use super::search::{Filter, QuantityMatch, TermMatch};
use super::table::subject;
use super::{Store, StoreError};
use crate::capability::{Capability, ResourceRow};
use crate::fhir::Element;
use crate::id::TenantId;

impl Filter {
    /// Whether [`Store::fits`] can tell.
    pub fn is_plain(&self) -> bool {
        match self {
            Self::Id(_) | Self::Subject(_) | Self::Term { .. } | Self::Missing { .. } => true,
            Self::Any(alternatives) => alternatives.iter().flatten().all(Self::is_plain),
            _ => false,
        }
    }

    /// Whether it can be told of a single resource: what [`Self::is_plain`] says, and of quantities and what must not hold.
    pub fn is_of_one(&self) -> bool {
        match self {
            Self::Quantity { .. } => true,
            Self::Not(inner) => inner.is_of_one(),
            Self::Together { value, .. } => matches!(**value, Self::Term { .. } | Self::Quantity { .. }),
            Self::Any(alternatives) => alternatives.iter().flatten().all(Self::is_of_one),
            other => other.is_plain(),
        }
    }
}

impl Store {
    /// Whether a version of a resource fits all filters. A deletion fits none.
    ///
    /// # Errors
    /// What is stored is damaged.
    pub fn fits(&self, tenant: &TenantId, filters: &[Filter], stored: &Stored) -> Result<bool, StoreError> {
        if stored.is_deletion() {
            return Ok(false);
        }
        Ok(all(&self.capability, tenant, filters, (&stored.kind, &stored.id), &stored.element()?))
    }

    /// Whether a resource that is not stored yet fits all filters.
    pub fn fits_element(&self, tenant: &TenantId, filters: &[Filter], place: (&str, &str), resource: &Element) -> bool {
        all(&self.capability, tenant, filters, place, resource)
    }
}

/// Whether a resource fits all filters.
pub(in crate::store) fn all(
    capability: &Capability,
    tenant: &TenantId,
    filters: &[Filter],
    (kind, id): (&str, &str),
    resource: &Element,
) -> bool {
    let Some(row) = capability.resource(kind) else { return false };
    let index = Index::of(tenant, Some(row), resource);
    indexed(tenant, row, filters, id, &index)
}

/// The same of a resource whose values are known.
pub(in crate::store) fn indexed(
    tenant: &TenantId,
    row: &ResourceRow,
    filters: &[Filter],
    id: &str,
    index: &Index,
) -> bool {
    filters.iter().all(|filter| fits(tenant, row, filter, id, index))
}

fn fits(tenant: &TenantId, row: &ResourceRow, filter: &Filter, id: &str, index: &Index) -> bool {
    match filter {
        Filter::Id(ids) => ids.iter().any(|one| one == id),
        Filter::Subject(subjects) => subjects.iter().any(|about| subject(tenant, about) == index.subject),
        Filter::Term { parameter, values } => {
            let names = names(row, parameter);
            let has = |value: &TermMatch, name: &&str| {
                index.has(tenant, &row.resource, name, (value.system.as_deref(), &value.value))
            };
            values.iter().any(|value| names.iter().any(|name| has(value, name)))
        }
        Filter::Missing { parameter, missing } => {
            let bit = row.parameters.iter().position(|p| p.name == *parameter);
            bit.is_some_and(|bit| (index.present & (1 << bit) == 0) == *missing)
        }
        Filter::Quantity { parameter, values } => {
            let names = names(row, parameter);
            values.iter().any(|value| names.iter().any(|name| index.has_quantity(name, None, value)))
        }
        Filter::Not(inner) => !fits(tenant, row, inner, id, index),
        Filter::Together { parameter, code, value } => together(tenant, row, (parameter, code), value, index),
        Filter::Any(alternatives) => {
            let holds = |all: &Vec<Filter>| all.iter().all(|filter| fits(tenant, row, filter, id, index));
            alternatives.iter().any(holds)
        }
        _ => false,
    }
}

/// The parameters a parameter stands for.
pub(in crate::store) fn names<'a>(row: &'a ResourceRow, parameter: &'a str) -> Vec<&'a str> {
    let members = row.parameter(parameter).map(|p| row.members(p)).unwrap_or_default();
    let mut names: Vec<&str> = members.iter().map(|p| p.name.as_str()).collect();
    if names.is_empty() {
        names.push(parameter); // such as the identifiers in a reference
    }
    names
}

/// Whether a code and a value are in the same place.
fn together(
    tenant: &TenantId,
    row: &ResourceRow,
    (parameter, code): (&str, &TermMatch),
    value: &Filter,
    index: &Index,
) -> bool {
    let has_part = row.parameter(parameter).is_some_and(|p| p.part.is_some());
    let code = (code.system.as_deref(), code.value.as_str());
    let parts = index.parts_of(tenant, (&row.resource, parameter), code, has_part);
    let in_part = |part: Option<i64>| match value {
        Filter::Quantity { parameter, values } => {
            values.iter().any(|value: &QuantityMatch| index.has_quantity(parameter, part, value))
        }
        Filter::Term { parameter, values } => values.iter().any(|value| {
            let value = (value.system.as_deref(), value.value.as_str());
            match part {
                None => index.has(tenant, &row.resource, parameter, value),
                Some(part) => index.parts_of(tenant, (&row.resource, parameter), value, true).contains(&Some(part)),
            }
        }),
        _ => false,
    };
    parts.into_iter().any(in_part)
}
