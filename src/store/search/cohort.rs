//! Which cohorts have all common values a search asks for.
//!
//! A cohort are the resources about one subject that share all their common values, so the few of a subject and a code are
//! found by few look-ups, and each is an index range in the order of time, however many resources there are in it.

use sqlx::{Any, Row as _};

use super::condition::{Common, Condition, push_common, push_in};
use crate::store::sql::Sql;
use crate::store::table::Table;
use crate::store::{Store, StoreError};

/// Most cohorts that are read one by one.
const MOST: usize = 64;

/// Not the number of a cohort.
const NOBODY: i64 = i64::MIN;

impl Store {
    /// The cohorts in which just those conditions hold that are about subjects and common values; none where they are too
    /// many to be named, or where other conditions narrow more.
    pub(super) async fn cohorts(
        &self,
        kind: &str,
        conditions: &[Condition],
        database: impl sqlx::Executor<'_, Database = Any>,
    ) -> Result<Option<Vec<i64>>, StoreError> {
        let Some(sql) = statement(Table::of(kind), conditions) else { return Ok(None) };
        let rows = sql.query().fetch_all(database).await?;
        if rows.len() > MOST {
            return Ok(None);
        }
        let mut cohorts = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<i64>, _>>()?;
        // Few texts are prepared, where numbers of cohorts go up in powers of two.
        cohorts.resize(cohorts.len().next_power_of_two(), NOBODY);
        Ok(Some(cohorts))
    }
}

fn statement(table: Table<'_>, conditions: &[Condition]) -> Option<Sql> {
    let narrows = |condition: &Condition| {
        matches!(condition, Condition::Strings { .. } | Condition::Moments { .. } | Condition::Measures(_))
    };
    let mut subjects: Option<&[i64]> = None;
    let mut common: Vec<&Common> = Vec::new();
    for condition in conditions {
        match condition {
            Condition::Common(one) => common.push(one),
            Condition::Subject(some) if subjects.is_none() => subjects = Some(some),
            // Two lists of subjects: those in both.
            Condition::Id(_) | Condition::Terms(_) | Condition::Subject(_) => return None,
            _ => {}
        }
    }
    if subjects.is_none() && conditions.iter().any(narrows) {
        return None;
    }
    common.sort_by_key(|one| one.rank);
    let (first, others) = common.split_first()?;
    let mut sql = Sql::new("SELECT DISTINCT c.cohort FROM ");
    sql.push(table.name).push("_cohort c WHERE ");
    push_common(&mut sql, "c", &first.terms);
    if let Some(subjects) = subjects {
        sql.push(" AND c.subject");
        push_in(&mut sql, subjects);
    }
    for other in others {
        sql.push(" AND EXISTS (SELECT 1 FROM ").push(table.name).push("_cohort x WHERE ");
        push_common(&mut sql, "x", &other.terms);
        sql.push(" AND x.subject = c.subject AND x.cohort = c.cohort)");
    }
    sql.limit(i64::try_from(MOST + 1).unwrap_or(i64::MAX));
    Some(sql)
}
