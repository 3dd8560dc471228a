//! The rows of an index, written beside their resource and taken away again.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{Any, Row as _, Transaction};

use super::Index;
use crate::id::TenantId;
use crate::store::StoreError;
use crate::store::series::{self, Series};
use crate::store::sql::{Sql, Value, pieces, rows_at_once};
use crate::store::table::Table;

/// Writes the rows of resources, each given by the number of its row.
pub(in crate::store) async fn insert(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    table: Table<'_>,
    indexed: &[(i64, Index)],
) -> Result<(), StoreError> {
    let mut terms: Vec<[i64; 3]> = Vec::new();
    let (mut strings, mut dates, mut quantities) = (Vec::new(), Vec::new(), Vec::new());
    let mut units: BTreeSet<&[String; 4]> = BTreeSet::new();
    for (row_id, index) in indexed {
        terms.extend(index.terms.iter().map(|&(term, system)| [term, system, *row_id]));
        let row_id = Value::Int(*row_id);
        strings.extend(index.strings.iter().map(|(parameter, value, exact)| {
            vec![row_id.clone(), (*parameter).into(), value.as_str().into(), (*exact).into()]
        }));
        dates.extend(
            index.dates.iter().map(|(parameter, span)| {
                vec![row_id.clone(), (*parameter).into(), span.from.into(), span.until.into()]
            }),
        );
        quantities.extend(
            index
                .quantities
                .iter()
                .map(|q| vec![row_id.clone(), q.part.into(), q.measure.into(), Value::Real(q.value)]),
        );
        units.append(&mut index.units());
    }
    terms.sort_unstable(); // neighbours in the index are written together
    let terms: Vec<Vec<Value>> = terms.iter().map(|row| numbers(row)).collect();
    rows(tx, table, "_term (term, system, row_id)", &terms).await?;
    rows(tx, table, "_string (row_id, parameter, value, exact)", &strings).await?;
    rows(tx, table, "_moment (row_id, parameter, from_us, until_us)", &dates).await?;
    rows(tx, table, "_quantity (row_id, part, measure, value)", &quantities).await?;
    cohorts(tx, table, indexed).await?;
    let series: BTreeSet<(i64, &Series)> =
        indexed.iter().filter_map(|(_, index)| Some((index.subject, index.series.as_ref()?))).collect();
    series::note(tx, tenant, &series.into_iter().collect::<Vec<_>>()).await?;
    let units: Vec<&[String; 4]> = units.into_iter().collect();
    for piece in pieces(&units, rows_at_once(tx)) {
        let mut sql = Sql::new("INSERT INTO quantity_unit (tenant, kind, parameter, system, code, unit) VALUES ");
        let rows = piece.iter().map(|unit| unit.iter().map(|text| text.as_str().into()).collect());
        sql.bind_rows(&[tenant.as_str().into(), table.kind.into()], rows);
        sql.push(" ON CONFLICT DO NOTHING");
        sql.query().execute(&mut **tx).await?;
    }
    Ok(())
}

/// Writes what is common to cohorts that are not known yet. They are never taken away: resources come and go, and most cohorts
/// have more to come.
async fn cohorts(tx: &mut Transaction<'_, Any>, table: Table<'_>, indexed: &[(i64, Index)]) -> Result<(), StoreError> {
    let with_values = indexed.iter().map(|(_, index)| index).filter(|index| !index.common.is_empty());
    let cohorts: BTreeMap<i64, &Index> = with_values.map(|index| (index.cohort, index)).collect();
    let indexes: Vec<&Index> = cohorts.into_values().collect();
    let mut known = BTreeSet::new();
    for piece in pieces(&indexes, rows_at_once(tx)) {
        let mut sql = Sql::default();
        for (i, index) in piece.iter().enumerate() {
            let (term, part) = index.common.first().copied().unwrap_or_default();
            sql.push(if i == 0 { "" } else { " UNION ALL " }).push("SELECT cohort FROM ").push(table.name);
            sql.push("_cohort WHERE term = ").bind(term).push(" AND part = ").bind(part);
            sql.push(" AND subject = ").bind(index.subject).push(" AND cohort = ").bind(index.cohort);
        }
        for row in sql.query().fetch_all(&mut **tx).await? {
            known.insert(row.try_get::<i64, _>(0)?);
        }
    }
    let new = indexes.into_iter().filter(|index| !known.contains(&index.cohort));
    let row = |index: &Index, &(term, part): &(i64, i64)| numbers(&[term, part, index.subject, index.cohort]);
    let new: Vec<Vec<Value>> = new.flat_map(|index| index.common.iter().map(move |value| row(index, value))).collect();
    for piece in pieces(&new, rows_at_once(tx)) {
        let mut sql = Sql::new("INSERT INTO ");
        sql.push(table.name).push("_cohort (term, part, subject, cohort) VALUES ");
        sql.bind_rows(&[], piece.iter().cloned()).push(" ON CONFLICT DO NOTHING");
        sql.query().execute(&mut **tx).await?;
    }
    Ok(())
}

fn numbers(row: &[i64]) -> Vec<Value> {
    row.iter().map(|&number| Value::Int(number)).collect()
}

async fn rows(
    tx: &mut Transaction<'_, Any>,
    table: Table<'_>,
    columns: &str,
    rows: &[Vec<Value>],
) -> Result<(), StoreError> {
    for piece in pieces(rows, rows_at_once(tx)) {
        let mut sql = Sql::new("INSERT INTO ");
        sql.push(table.name).push(columns).push(" VALUES ");
        sql.bind_rows(&[], piece.iter().cloned());
        sql.query().execute(&mut **tx).await?;
    }
    Ok(())
}

/// Takes away the rows `before` had for itself.
pub(in crate::store) async fn forget(
    tx: &mut Transaction<'_, Any>,
    table: Table<'_>,
    row_id: i64,
    before: &Index,
) -> Result<(), StoreError> {
    if !before.terms.is_empty() {
        let mut sql = Sql::new("DELETE FROM ");
        sql.push(table.name).push("_term WHERE row_id = ").bind(row_id);
        sql.push(" AND term").bind_in(before.terms.iter().map(|&(term, _)| Value::Int(term)).collect());
        sql.query().execute(&mut **tx).await?;
    }
    for (values, empty) in [
        ("_string", before.strings.is_empty()),
        ("_moment", before.dates.is_empty()),
        ("_quantity", before.quantities.is_empty()),
    ] {
        if !empty {
            let mut sql = Sql::new("DELETE FROM ");
            sql.push(table.name).push(values).push(" WHERE row_id = ").bind(row_id);
            sql.query().execute(&mut **tx).await?;
        }
    }
    Ok(())
}
