//! `_include` and `_revinclude`: what the matches refer to, and what refers to them. <https://hl7.org/fhir/R4/search.html#include>
//!
//! References out of a match are read from its stored bytes, skipping everything else in them; references to it are terms.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Include, Search};
use crate::capability::{Column, Parameter};
use crate::id::TenantId;
use crate::store::index::normalize_reference;
use crate::store::read::Stored;
use crate::store::sql::{Sql, Value};
use crate::store::table::{Table, subject, term};
use crate::store::{Store, StoreError};

/// Ids per statement.
const IDS: usize = 128;

/// Most resources one page brings along.
const MOST: usize = 5000;

/// Rounds of `:iterate`. What leads further than this leads in circles.
const ROUNDS: usize = 8;

impl Store {
    /// What comes along with a page of matches, each resource once.
    pub(super) async fn included(
        &self,
        tenant: &TenantId,
        search: &Search,
        matches: &[Stored],
    ) -> Result<Vec<Stored>, StoreError> {
        let mut included = Included::new(matches);
        let mut from = 0;
        for round in 0..ROUNDS {
            let arrived: Vec<Stored> = match round {
                0 => matches.to_vec(),
                _ => included.resources.get(from..).unwrap_or_default().to_vec(),
            };
            if arrived.is_empty() {
                break;
            }
            from = included.resources.len();
            let now = |include: &&Include| round == 0 || include.iterate;
            let includes: Vec<&Include> = search.includes.iter().filter(now).collect();
            let revincludes: Vec<&Include> = search.revincludes.iter().filter(now).collect();
            self.follow(tenant, &includes, &arrived, &mut included).await?;
            for include in revincludes {
                for piece in arrived.chunks(IDS) {
                    self.by_reference(tenant, include, piece, &mut included).await?;
                }
            }
        }
        Ok(included.resources)
    }

    /// Adds what `from` refer to by `includes`.
    async fn follow(
        &self,
        tenant: &TenantId,
        includes: &[&Include],
        from: &[Stored],
        included: &mut Included,
    ) -> Result<(), StoreError> {
        let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for include in includes {
            let row = self.capability.resource(&include.kind);
            let Some(parameter) = row.and_then(|row| row.parameter(&include.parameter)) else { continue };
            let holders = from.iter().filter(|m| m.kind == include.kind);
            for (kind, id) in holders.flat_map(|m| targets(m, parameter, include.target.as_deref())) {
                if !included.has(&kind, &id) {
                    wanted.entry(kind).or_default().insert(id);
                }
            }
        }
        for (kind, ids) in wanted {
            let ids: Vec<String> = ids.into_iter().collect();
            for piece in ids.chunks(IDS) {
                self.by_ids(tenant, &kind, piece, included).await?;
            }
        }
        Ok(())
    }

    async fn by_ids(
        &self,
        tenant: &TenantId,
        kind: &str,
        ids: &[String],
        included: &mut Included,
    ) -> Result<(), StoreError> {
        let table = Table::of(kind);
        let mut sql = Sql::new("SELECT r.id, r.version, r.updated_us, r.tail FROM ");
        sql.push(table.name).push(" r WHERE ");
        table.scope(&mut sql, "r", tenant);
        sql.push(" AND r.id").bind_in(ids.iter().map(|id| Value::from(id.as_str())).collect());
        self.add(kind, sql, included).await
    }

    async fn by_reference(
        &self,
        tenant: &TenantId,
        include: &Include,
        to: &[Stored],
        included: &mut Included,
    ) -> Result<(), StoreError> {
        let Some(parameter) = self.capability.resource(&include.kind).and_then(|row| row.parameter(&include.parameter))
        else {
            return Ok(());
        };
        let to: Vec<&Stored> = to.iter().filter(|m| include.target.as_ref().is_none_or(|t| *t == m.kind)).collect();
        if to.is_empty() {
            return Ok(());
        }
        let table = Table::of(&include.kind);
        let mut sql = Sql::new("SELECT r.id, r.version, r.updated_us, r.tail FROM ");
        if parameter.column == Some(Column::Subject) {
            sql.push(table.name).push(" r WHERE ");
            table.scope_kind(&mut sql, "r");
            let subjects = to.iter().map(|m| Value::Int(subject(tenant, &m.reference())));
            sql.push("r.subject").bind_in(subjects.collect());
        } else {
            let (values, same) = if parameter.is_own() { ("_term", "row_id") } else { ("_cohort", "cohort") };
            sql.push(table.name).push(values).push(" k CROSS JOIN ").push(table.name);
            sql.push(&format!(" r WHERE r.{same} = k.{same} AND k.term"));
            let terms = to.iter().map(|m| Value::Int(term(tenant, &include.kind, &include.parameter, &m.reference())));
            sql.bind_in(terms.collect()).push(if parameter.is_own() { "" } else { " AND k.part = 0" });
        }
        self.add(&include.kind, sql, included).await
    }

    async fn add(&self, kind: &str, mut sql: Sql, included: &mut Included) -> Result<(), StoreError> {
        let room = MOST.saturating_sub(included.resources.len()).saturating_add(1);
        sql.limit(i64::try_from(room).unwrap_or(i64::MAX));
        self.stored(kind, sql).await?.into_iter().for_each(|stored| included.add(stored));
        if included.resources.len() > MOST { Err(StoreError::TooMany { most: MOST }) } else { Ok(()) }
    }
}

/// Resources that came along, and what is on the page already.
struct Included {
    seen: BTreeSet<(String, String)>,
    resources: Vec<Stored>,
}

impl Included {
    fn new(matches: &[Stored]) -> Self {
        Self { seen: matches.iter().map(|m| (m.kind.clone(), m.id.clone())).collect(), resources: Vec::new() }
    }

    fn has(&self, kind: &str, id: &str) -> bool {
        self.seen.contains(&(kind.to_owned(), id.to_owned()))
    }

    fn add(&mut self, stored: Stored) {
        if self.seen.insert((stored.kind.clone(), stored.id.clone())) {
            self.resources.push(stored);
        }
    }
}

/// (type, id) of what `resource` refers to by `parameter`, where `target` is given of that type alone.
pub(super) fn targets(resource: &Stored, parameter: &Parameter, target: Option<&str>) -> Vec<(String, String)> {
    let json = resource.json();
    let mut found = Vec::new();
    for path in &parameter.path {
        let names: Vec<&str> = parameter.part.as_deref().into_iter().chain(path.names()).chain(["reference"]).collect();
        let walk = Walk { path: &names, found: &mut found };
        // Stored bytes are JSON; were they not, the match would still be served and only miss what it refers to.
        walk.deserialize(&mut serde_json::Deserializer::from_slice(&json)).unwrap_or_default();
    }
    let split = |reference: String| {
        let (kind, id) = reference.split_once('/').map(|(kind, id)| (kind.to_owned(), id.to_owned()))?;
        let wanted = parameter.target.contains(&kind) && target.is_none_or(|t| *t == kind);
        (wanted && !id.contains('/')).then_some((kind, id))
    };
    found.iter().map(|reference| normalize_reference(reference)).filter_map(split).collect()
}

/// Collects the strings at a path of names, every repetition on the way included.
struct Walk<'a> {
    path: &'a [&'a str],
    found: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let next = self.path.split_first();
        while let Some(name) = map.next_key::<std::borrow::Cow<'_, str>>()? {
            match next {
                Some((first, rest)) if *first == name => {
                    map.next_value_seed(Walk { path: rest, found: &mut *self.found })?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Walk { path: self.path, found: &mut *self.found })?.is_some() {}
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        if self.path.is_empty() {
            self.found.push(text.to_owned());
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_followed_through_arrays_and_objects() {
        let json = br#"{"a":[{"b":{"reference":"X/1","n":1.5}},{"b":{"reference":"X/2"}},3],"b":{"reference":"no"},"t":true,"z":null}"#;
        let mut found = Vec::new();
        let walk = Walk { path: &["a", "b", "reference"], found: &mut found };
        walk.deserialize(&mut serde_json::Deserializer::from_slice(json)).unwrap();
        assert_eq!(found, ["X/1", "X/2"]);
    }
}
