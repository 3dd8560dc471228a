//! Operations as they are read.

use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::any::AnyRow;
use utoipa::ToSchema;

use super::{Key, LaneKey};
use crate::id::{ConnectionId, EpisodeId, ExportName, HeldId, ResourceId, TenantId};
use crate::store::program::{from_word, id, word};
use crate::store::sql::Sql;
use crate::store::{Store, StoreError};
use crate::time::Instant;

/// How far an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OperationState {
    /// Nothing of it has been sent.
    Pending,
    /// Some of it has been tried.
    InProgress,
    /// The receiver has all of it.
    Succeeded,
    /// The receiver does not have all of it, and it is not tried again by itself.
    Failed,
}

/// Why an operation is not where it should be. Tells nothing of a patient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// What was done: `POST /`, `token`, `validate` and the like.
    pub operation: String,
    /// The receiver's status, where it gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What is wrong, for people.
    pub message: String,
}

/// An operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Its number.
    pub number: i64,
    /// Where it goes.
    pub export: ConnectionId,
    /// About whom.
    pub patient: ResourceId,
    /// The episode it is of.
    pub episode: EpisodeId,
    /// The export of the episode's profile.
    pub name: ExportName,
    /// Which time.
    pub occurrence: String,
    /// How far it is.
    pub state: OperationState,
    /// Attempts in a row that brought nothing.
    pub attempts: i64,
    /// When it was made.
    pub created: Instant,
    /// When it came to its end.
    pub finished: Option<Instant>,
    /// Resources the receiver has for it.
    pub sent: i64,
    /// Resources that were refused.
    pub refused: i64,
    /// What went wrong last.
    pub failure: Option<Failure>,
    /// Why nobody needs it any more.
    pub discarded: Option<String>,
}

/// A resource an operation has still to send, or that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its place.
    pub ordinal: i64,
    /// Type and id.
    pub key: Key,
    /// 0: to be sent, 1: refused by the receiver, 2: by this server's validator.
    pub refused: i64,
    /// Which entry of what was sent it was.
    pub entry: Option<String>,
    /// Its row in quarantine, where it was refused before.
    pub held: Option<HeldId>,
}

pub(super) const COLUMNS: &str = "SELECT number, export, patient, episode, name, occurrence, state, attempts, created_us, \
    finished_us, sent, refused, error, discarded FROM operation";

impl Store {
    /// Operations by number, after one of them: all, or those in a state, or dead letters: failed ones nobody has discarded.
    ///
    /// # Errors
    /// The database failed.
    pub async fn operations(
        &self,
        tenant: &TenantId,
        (state, dead): (Option<OperationState>, bool),
        after: i64,
        count: i64,
    ) -> Result<Vec<Operation>, StoreError> {
        let mut sql = Sql::new(COLUMNS);
        sql.push(" WHERE tenant = ").bind(tenant.as_str()).push(" AND number > ").bind(after);
        if let Some(state) = state {
            sql.push(" AND state = ").bind(word(&state)?.as_str());
        }
        if dead {
            sql.push(" AND state = 'failed' AND discarded IS NULL");
        }
        sql.push(" ORDER BY number LIMIT ").bind(count);
        sql.query().fetch_all(&self.readers).await?.iter().map(from_row).collect()
    }

    /// An operation.
    ///
    /// # Errors
    /// The database failed.
    pub async fn operation(&self, tenant: &TenantId, number: i64) -> Result<Option<Operation>, StoreError> {
        let mut sql = Sql::new(COLUMNS);
        sql.push(" WHERE tenant = ").bind(tenant.as_str()).push(" AND number = ").bind(number);
        sql.query().fetch_optional(&self.readers).await?.as_ref().map(from_row).transpose()
    }

    /// What an operation has still to send, and what of it was refused, in order, at most so many.
    ///
    /// # Errors
    /// The database failed.
    pub async fn operation_items(&self, number: i64, only_waiting: bool, count: i64) -> Result<Vec<Item>, StoreError> {
        let mut sql = Sql::new("SELECT ordinal, kind, id, refused, entry, held FROM operation_item WHERE operation = ");
        sql.bind(number)
            .push(if only_waiting { " AND refused = 0" } else { "" })
            .push(" ORDER BY ordinal LIMIT ")
            .bind(count);
        let item = |row: &AnyRow| {
            Ok(Item {
                ordinal: row.try_get(0)?,
                key: (row.try_get(1)?, row.try_get(2)?),
                refused: row.try_get(3)?,
                entry: row.try_get(4)?,
                held: row.try_get::<Option<String>, _>(5)?.map(|held| id(held, "quarantine id")).transpose()?,
            })
        };
        sql.query().fetch_all(&self.readers).await?.iter().map(item).collect()
    }

    /// The operation that is next in a lane.
    ///
    /// # Errors
    /// The database failed.
    pub async fn next_operation(&self, lane: &LaneKey) -> Result<Option<Operation>, StoreError> {
        let mut sql = Sql::new(COLUMNS);
        sql.push(" WHERE tenant = ").bind(lane.tenant.as_str()).push(" AND export = ").bind(lane.export.as_str());
        sql.push(" AND patient = ").bind(lane.patient.as_str());
        sql.push(" AND state IN ('pending', 'in_progress') ORDER BY number LIMIT 1");
        sql.query().fetch_optional(&self.readers).await?.as_ref().map(from_row).transpose()
    }

    /// How many operations wait, and since when the first of them does.
    ///
    /// # Errors
    /// The database failed.
    pub async fn operations_waiting(&self) -> Result<(i64, Option<Instant>), StoreError> {
        let row =
            sqlx::query("SELECT COUNT(*), MIN(created_us) FROM operation WHERE state IN ('pending', 'in_progress')")
                .fetch_one(&self.readers)
                .await?;
        Ok((row.try_get(0)?, row.try_get::<Option<i64>, _>(1)?.map(Instant)))
    }
}

fn from_row(row: &AnyRow) -> Result<Operation, StoreError> {
    let failure: Option<String> = row.try_get(12)?;
    let failure = failure.map(|text| serde_json::from_str(&text)).transpose();
    Ok(Operation {
        number: row.try_get(0)?,
        export: id(row.try_get(1)?, "data export")?,
        patient: id(row.try_get(2)?, "patient id")?,
        episode: id(row.try_get(3)?, "episode id")?,
        name: id(row.try_get(4)?, "export name")?,
        occurrence: row.try_get(5)?,
        state: from_word(row.try_get(6)?, "state of an operation")?,
        attempts: row.try_get(7)?,
        created: Instant(row.try_get(8)?),
        finished: row.try_get::<Option<i64>, _>(9)?.map(Instant),
        sent: row.try_get(10)?,
        refused: row.try_get(11)?,
        failure: failure.map_err(|_| StoreError::Damaged { what: "failure of an operation" })?,
        discarded: row.try_get(13)?,
    })
}
