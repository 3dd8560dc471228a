//! The rows of an index, written beside their resource and taken away again.

use std::collections::BTreeSet;

use sqlx::{Any, Transaction};

use super::Index;
use crate::id::TenantId;
use crate::store::StoreError;
use crate::store::series::{self, Series};
use crate::store::sql::{Sql, Value, pieces};
use crate::store::table::Table;

/// Rows per statement. More is slower: SQLite looks up each `$n` among all before it.
const ROWS: usize = 16;

/// Writes the rows of resources, each given by the number of its row.
pub(in crate::store) async fn insert(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    table: Table<'_>,
    indexed: &[(i64, Index)],
) -> Result<(), StoreError> {
    let mut terms: Vec<[i64; 5]> = Vec::new();
    let (mut strings, mut dates, mut quantities) = (Vec::new(), Vec::new(), Vec::new());
    let mut units: BTreeSet<&[String; 4]> = BTreeSet::new();
    for (row_id, index) in indexed {
        terms.extend(index.terms.iter().map(|&(term, place)| [term, index.subject, index.date.from, *row_id, place]));
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
    let shared = [tenant.as_str().into()];
    let terms: Vec<Vec<Value>> = terms.iter().map(|row| row.iter().map(|&n| Value::Int(n)).collect()).collect();
    rows(tx, table, "_term (tenant, term, subject, date_us, row_id, system)", &shared, &terms).await?;
    rows(tx, table, "_string (row_id, parameter, value, exact)", &[], &strings).await?;
    rows(tx, table, "_moment (row_id, parameter, from_us, until_us)", &[], &dates).await?;
    rows(tx, table, "_quantity (row_id, part, measure, value)", &[], &quantities).await?;
    let series: BTreeSet<(i64, &Series)> =
        indexed.iter().filter_map(|(_, index)| Some((index.subject, index.series.as_ref()?))).collect();
    series::note(tx, tenant, &series.into_iter().collect::<Vec<_>>()).await?;
    let units: Vec<&[String; 4]> = units.into_iter().collect();
    for piece in pieces(&units, ROWS) {
        let mut sql = Sql::new("INSERT INTO quantity_unit (tenant, kind, parameter, system, code, unit) VALUES ");
        let rows = piece.iter().map(|unit| unit.iter().map(|text| text.as_str().into()).collect());
        sql.bind_rows(&[tenant.as_str().into(), table.kind.into()], rows);
        sql.push(" ON CONFLICT DO NOTHING");
        sql.query().execute(&mut **tx).await?;
    }
    Ok(())
}

async fn rows(
    tx: &mut Transaction<'_, Any>,
    table: Table<'_>,
    columns: &str,
    shared: &[Value],
    rows: &[Vec<Value>],
) -> Result<(), StoreError> {
    for piece in pieces(rows, ROWS) {
        let mut sql = Sql::new("INSERT INTO ");
        sql.push(table.name).push(columns).push(" VALUES ");
        sql.bind_rows(shared, piece.iter().cloned());
        sql.query().execute(&mut **tx).await?;
    }
    Ok(())
}

/// Takes away the rows `before` had.
pub(in crate::store) async fn forget(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    table: Table<'_>,
    row_id: i64,
    before: &Index,
) -> Result<(), StoreError> {
    if !before.terms.is_empty() {
        let mut sql = Sql::new("DELETE FROM ");
        sql.push(table.name).push("_term WHERE tenant = ").bind(tenant.as_str());
        sql.push(" AND subject = ").bind(before.subject).push(" AND date_us = ").bind(before.date.from);
        sql.push(" AND row_id = ").bind(row_id);
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
