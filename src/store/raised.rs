//! Alerts a stream has raised. When it goes back to an earlier packet it computes them again, and raises most of them as before;
//! what it does not raise again was an error, and is taken back.

use sqlx::{Any, Row as _, Transaction};

use super::body::Bodies;
use super::journal::StreamId;
use super::{Store, StoreError, retract};
use crate::id::TenantId;
use crate::resource::Resource;

/// An alert a stream has raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    /// `Flag/{id}`.
    pub flag: String,
    /// The next packet of the stream when it was raised.
    pub sequence: u64,
    /// `DocumentReference/{id}` of the strip that shows it.
    pub shown: Option<String>,
}

/// Notes what a stream has raised.
pub(super) async fn keep(tx: &mut Transaction<'_, Any>, stream: StreamId, raised: &[Raised]) -> Result<(), StoreError> {
    for one in raised {
        sqlx::query(
            "INSERT INTO raised (stream, flag, sequence, shown) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (stream, flag) DO UPDATE SET sequence = excluded.sequence, shown = excluded.shown",
        )
        .bind(stream)
        .bind(one.flag.as_str())
        .bind(one.sequence.cast_signed())
        .bind(one.shown.as_deref())
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

/// Forgets what a stream has not raised after all; gives what is to be stored instead.
pub(super) async fn withdraw(
    tx: &mut Transaction<'_, Any>,
    bodies: &Bodies,
    tenant: &TenantId,
    stream: StreamId,
    withdrawn: &[Raised],
) -> Result<Vec<Resource>, StoreError> {
    let mut references = Vec::new();
    for one in withdrawn {
        sqlx::query("DELETE FROM raised WHERE stream = $1 AND flag = $2")
            .bind(stream)
            .bind(one.flag.as_str())
            .execute(&mut **tx)
            .await?;
        references.push(one.flag.clone());
        references.extend(one.shown.clone());
    }
    retract::retracted(tx, bodies, tenant, references, &std::collections::BTreeSet::new()).await
}

impl Store {
    /// What a stream has raised after it stood before packet `sequence`.
    ///
    /// # Errors
    /// The database failed.
    pub async fn raised_after(&self, stream: StreamId, sequence: u64) -> Result<Vec<Raised>, StoreError> {
        let rows = sqlx::query("SELECT flag, sequence, shown FROM raised WHERE stream = $1 AND sequence > $2")
            .bind(stream)
            .bind(sequence.cast_signed())
            .fetch_all(&self.readers)
            .await?;
        let raised = |row: &sqlx::any::AnyRow| {
            let sequence: i64 = row.try_get(1)?;
            Ok(Raised { flag: row.try_get(0)?, sequence: sequence.cast_unsigned(), shown: row.try_get(2)? })
        };
        rows.iter().map(raised).collect()
    }
}
