//! Which series of Observations there are of whom.

use sqlx::{Any, Row as _, Transaction};

use super::sql::{Sql, Value, pieces};
use super::table::subject as number_of_subject;
use super::{Store, StoreError};
use crate::id::TenantId;

/// Rows per statement.
const ROWS: usize = 16;

/// What tells one series from another: the first coding of its Observations.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Series {
    /// System of the code, empty for none.
    pub system: String,
    /// The code.
    pub code: String,
}

impl Store {
    /// The series there are, or were, of subjects such as `Patient/x`.
    ///
    /// # Errors
    /// The database failed.
    pub async fn series(&self, tenant: &TenantId, subjects: &[String]) -> Result<Vec<Series>, StoreError> {
        if subjects.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = Sql::new("SELECT DISTINCT system, code FROM observation_series WHERE tenant = ");
        sql.bind(tenant.as_str()).push(" AND subject");
        sql.bind_in(subjects.iter().map(|subject| Value::Int(number_of_subject(tenant, subject))).collect());
        sql.push(" ORDER BY system, code");
        let rows = sql.query().fetch_all(&self.readers).await?;
        rows.iter().map(|row| Ok(Series { system: row.try_get(0)?, code: row.try_get(1)? })).collect()
    }
}

/// Notes series of subjects.
pub(in crate::store) async fn note(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    series: &[(i64, &Series)],
) -> Result<(), StoreError> {
    for piece in pieces(series, ROWS) {
        let mut sql = Sql::new("INSERT INTO observation_series (tenant, subject, system, code) VALUES ");
        let row = |(subject, series): &(i64, &Series)| {
            vec![(*subject).into(), series.system.as_str().into(), series.code.as_str().into()]
        };
        sql.bind_rows(&[tenant.as_str().into()], piece.iter().map(row));
        sql.push(" ON CONFLICT DO NOTHING");
        sql.query().execute(&mut **tx).await?;
    }
    Ok(())
}
