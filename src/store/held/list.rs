//! What is in quarantine, for people.

use sqlx::Row as _;

use super::{Held, HeldKind, HeldState, Kept, from_row};
use crate::id::{HeldId, TenantId};
use crate::store::program::word;
use crate::store::sql::Sql;
use crate::store::{Store, StoreError};
use crate::time::Instant;

const COLUMNS: &str = "SELECT id, kind, about, stream, first_sequence, last_sequence, reason, sha256, held_us, state, \
    settled_us, settled_by, note FROM quarantine WHERE tenant = ";

impl Store {
    /// What was held back, the newest first, after one of them: all, or of a kind and in a state.
    ///
    /// # Errors
    /// The database failed.
    pub async fn held(
        &self,
        tenant: &TenantId,
        kind: Option<HeldKind>,
        state: Option<HeldState>,
        after: Option<&(Instant, HeldId)>,
        count: i64,
    ) -> Result<Vec<Held>, StoreError> {
        let mut sql = Sql::new(COLUMNS);
        sql.bind(tenant.as_str());
        if let Some(kind) = kind {
            sql.push(" AND kind = ").bind(word(&kind)?.as_str());
        }
        if let Some(state) = state {
            sql.push(" AND state = ").bind(word(&state)?.as_str());
        }
        if let Some((at, id)) = after {
            sql.push(" AND (held_us, id) < (").bind(at.0).push(", ").bind(id.as_str()).push(")");
        }
        sql.push(" ORDER BY held_us DESC, id DESC").limit(count);
        sql.query().fetch_all(&self.readers).await?.iter().map(from_row).collect()
    }

    /// One of them.
    ///
    /// # Errors
    /// The database failed.
    pub async fn held_back(&self, tenant: &TenantId, held: &HeldId) -> Result<Option<Held>, StoreError> {
        let mut sql = Sql::new(COLUMNS);
        sql.bind(tenant.as_str()).push(" AND id = ").bind(held.as_str());
        sql.query().fetch_optional(&self.readers).await?.as_ref().map(from_row).transpose()
    }

    /// What is held back itself.
    ///
    /// # Errors
    /// The database failed.
    pub async fn kept(&self, tenant: &TenantId, held: &HeldId) -> Result<Option<Kept>, StoreError> {
        let row = sqlx::query("SELECT outcome, content FROM quarantine WHERE tenant = $1 AND id = $2")
            .bind(tenant.as_str())
            .bind(held.as_str())
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| Ok(Kept { outcome: row.try_get(0)?, content: row.try_get(1)? })).transpose()
    }
}
