//! Which table holds which resource type, and how values become the numbers its columns hold.

use sha2::{Digest, Sha256};

use super::sql::Sql;
use crate::id::TenantId;

/// `date_us` of a resource without a date.
pub(in crate::store) const NO_DATE: i64 = i64::MIN;

/// A resource table and, beside it, the tables of its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Table<'a> {
    pub(in crate::store) kind: &'a str,
    pub(in crate::store) name: &'static str,
    /// Whether it holds several types and so has a column `kind`.
    pub(in crate::store) shared: bool,
}

impl<'a> Table<'a> {
    /// The table of a resource type.
    pub(in crate::store) fn of(kind: &'a str) -> Self {
        let (name, shared) = match kind {
            "Observation" => ("observation", false),
            "Provenance" => ("provenance", false),
            "DocumentReference" => ("document_reference", false),
            "Device" => ("device", false),
            "Patient" => ("patient", false),
            "Organization" => ("organization", false),
            "Binary" => ("binary_resource", false),
            _ => ("other_resource", true),
        };
        Self { kind, name, shared }
    }

    /// Appends what the rows of this type share where something else tells the tenant.
    pub(in crate::store) fn scope_kind(&self, sql: &mut Sql, alias: &str) {
        if self.shared {
            sql.push(alias).push(".kind = ").bind(self.kind).push(" AND ");
        }
    }

    /// Appends `alias.tenant = $n` and what else the rows of this type share.
    pub(in crate::store) fn scope(&self, sql: &mut Sql, alias: &str, tenant: &TenantId) {
        sql.push(alias).push(".tenant = ").bind(tenant.as_str());
        if self.shared {
            sql.push(" AND ").push(alias).push(".kind = ").bind(self.kind);
        }
    }
}

/// The number a value of a search parameter is found under, for a tenant of its own.
pub(in crate::store) fn term(tenant: &TenantId, kind: &str, parameter: &str, value: &str) -> i64 {
    hash(&[tenant.as_str(), kind, parameter, value])
}

/// The same of a code in a system, or in none, which is empty.
pub(in crate::store) fn term_in(tenant: &TenantId, kind: &str, parameter: &str, system: &str, value: &str) -> i64 {
    hash(&[tenant.as_str(), kind, parameter, system, value])
}

/// The number of a cohort: of all resources about a subject that have just these common values, as (term, part).
pub(in crate::store) fn cohort(subject: i64, common: &[(i64, i64)]) -> i64 {
    let mut digest = Sha256::new();
    digest.update(subject.to_be_bytes());
    for (term, part) in common {
        digest.update(term.to_be_bytes());
        digest.update(part.to_be_bytes());
    }
    first(&digest)
}

/// The number rows of a parameter's values stand under, for a tenant of its own.
pub(in crate::store) fn parameter(tenant: &TenantId, kind: &str, parameter: &str) -> i64 {
    hash(&[tenant.as_str(), kind, parameter])
}

/// The number quantities of a parameter and unit stand under, for a tenant of its own.
pub(in crate::store) fn measure(tenant: &TenantId, kind: &str, parameter: &str, unit: [&str; 3]) -> i64 {
    let [system, code, unit] = unit;
    hash(&[tenant.as_str(), kind, parameter, system, code, unit])
}

/// The number of what resources are about, for a tenant of its own; never 0, which is nothing.
pub(in crate::store) fn subject(tenant: &TenantId, reference: &str) -> i64 {
    hash(&[tenant.as_str(), reference])
}

/// The number of a system, four bytes of it: it tells apart only what has the same code. 0 for none.
pub(in crate::store) fn system(uri: &str) -> i64 {
    if uri.is_empty() { 0 } else { hash(&[uri]) >> 32 }
}

/// The number of a text.
pub(in crate::store) fn number(text: &str) -> i64 {
    hash(&[text])
}

/// First 64 bits of SHA-256. Two values that share a number would share results: with a million values, one chance in 37 million.
fn hash(parts: &[&str]) -> i64 {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.as_bytes());
        digest.update([0x1f]);
    }
    first(&digest)
}

fn first(digest: &Sha256) -> i64 {
    let mut first = [0u8; 8];
    first.iter_mut().zip(digest.clone().finalize()).for_each(|(to, from)| *to = from);
    i64::from_be_bytes(first)
}
