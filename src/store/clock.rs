//! What is known of a stream's clock. It is kept apart from checkpoints, because a stream goes back to an earlier one when
//! more is known of its clock.

use sqlx::{Any, Row as _, Transaction};

use super::journal::StreamId;
use super::lease::Lease;
use super::{Store, StoreError};

/// What is known of a stream's clock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownClock {
    /// How often what it says of earlier packets has changed.
    pub revision: i64,
    /// Serialized.
    pub state: Vec<u8>,
}

impl Store {
    /// What is known of a stream's clock, serialized.
    ///
    /// # Errors
    /// The database failed.
    pub async fn clock(&self, stream: StreamId) -> Result<Option<Vec<u8>>, StoreError> {
        let row = sqlx::query("SELECT state FROM stream_clock WHERE stream = $1")
            .bind(stream)
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| Ok(row.try_get(0)?)).transpose()
    }

    /// Stores what is known of a stream's clock now that it says something else about packets from `first` on, if this
    /// process holds the stream: states that hold such a packet are forgotten, and none under an earlier revision is taken.
    ///
    /// # Errors
    /// The database failed.
    pub async fn set_clock(&self, lease: Lease, clock: &KnownClock, first: u64) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        if self.hold(&mut tx, std::iter::once(lease)).await?.contains(&lease) {
            set(&mut tx, lease.stream, clock).await?;
            sqlx::query("DELETE FROM checkpoint WHERE stream = $1 AND sequence > $2")
                .bind(lease.stream)
                .bind(first.cast_signed())
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Stores a clock as part of `tx`.
pub(super) async fn set(tx: &mut Transaction<'_, Any>, stream: StreamId, clock: &KnownClock) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO stream_clock (stream, revision, state) VALUES ($1, $2, $3) \
         ON CONFLICT (stream) DO UPDATE SET revision = excluded.revision, state = excluded.state",
    )
    .bind(stream)
    .bind(clock.revision)
    .bind(clock.state.as_slice())
    .execute(&mut **tx)
    .await?;
    Ok(())
}
