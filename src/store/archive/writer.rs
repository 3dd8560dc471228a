//! The one process that adds to the archive.
//!
//! A block is announced before it is written ([`ArchiveWriter::announce`]) and given its place in the chain when it is durable
//! ([`ArchiveWriter::chain`]). So after a crash it is known which blocks may be half-written, and nothing has to be searched.
//!
//! On PostgreSQL the right to write is an advisory lock, and what is written goes over the connection that holds it: where
//! that breaks the right is gone and what was to be written with it, whatever the process believes.

use sqlx::{Any, AnyConnection, Connection as _, Transaction};

use super::ArchiveBlock;
use crate::store::{Store, StoreError};

/// The right to add blocks to the archive.
#[derive(Debug)]
pub struct ArchiveWriter {
    store: Store,
    connection: Option<AnyConnection>,
}

impl ArchiveWriter {
    /// For the process that archives, once it has [claimed](Self::claim) that.
    pub fn new(store: Store) -> Self {
        Self { store, connection: None }
    }

    /// Whether this process is the one that writes; it is until its connection breaks.
    ///
    /// # Errors
    /// The database failed.
    pub async fn claim(&mut self) -> Result<bool, StoreError> {
        let Some(lock) = self.store.dialect.archive_lock() else { return Ok(true) };
        if let Some(connection) = &mut self.connection {
            if connection.ping().await.is_ok() {
                return Ok(true);
            }
            self.connection = None;
        }
        let mut connection = self.store.writer.acquire().await?.detach();
        let row = sqlx::query(lock).fetch_one(&mut connection).await?;
        if sqlx::Row::try_get::<bool, _>(&row, 0)? {
            self.connection = Some(connection);
            return Ok(true);
        }
        connection.close().await?;
        Ok(false)
    }

    /// These blocks are about to be written.
    ///
    /// # Errors
    /// The database failed, the right is gone, or a data key was destroyed meanwhile.
    pub async fn announce(&mut self, blocks: &[ArchiveBlock]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for block in blocks {
            let streams = serde_json::to_string(&block.streams).map_err(|_| StoreError::Damaged { what: "block" })?;
            let inserted = sqlx::query(
                "INSERT INTO archive_block (tenant, device, number, name, previous, key, first_position, last_position, \
                 from_us, until_us, streams, packets, bytes) SELECT $1, $2, $3, $4, $5, id, $7, $8, $9, $10, $11, $12, $13 \
                 FROM archive_key WHERE id = $6 AND wrapped IS NOT NULL",
            )
            .bind(block.tenant.as_str())
            .bind(block.device.as_str())
            .bind(block.number.cast_signed())
            .bind(block.name.as_slice())
            .bind(block.previous.as_ref().map(<[u8; 32]>::as_slice))
            .bind(block.key.as_str())
            .bind(block.positions.0)
            .bind(block.positions.1)
            .bind(block.received.0.0)
            .bind(block.received.1.0)
            .bind(streams)
            .bind(block.packets.cast_signed())
            .bind(block.bytes.cast_signed())
            .execute(&mut *tx)
            .await?;
            if inserted.rows_affected() != 1 {
                return Err(StoreError::Damaged { what: "data key of a block to be written" });
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// These blocks are durable, and from now on in their chains.
    ///
    /// # Errors
    /// The database failed or the right is gone.
    pub async fn chain(&mut self, blocks: &[ArchiveBlock]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for block in blocks {
            sqlx::query(
                "INSERT INTO archive_head (tenant, device, number, name, last_position) VALUES ($1, $2, $3, $4, $5) \
                 ON CONFLICT (tenant, device) DO UPDATE SET number = excluded.number, name = excluded.name, \
                 last_position = excluded.last_position",
            )
            .bind(block.tenant.as_str())
            .bind(block.device.as_str())
            .bind(block.number.cast_signed())
            .bind(block.name.as_slice())
            .bind(block.positions.1)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// This block was announced but is not whole.
    ///
    /// # Errors
    /// The database failed or the right is gone.
    pub async fn withdraw(&mut self, block: &ArchiveBlock) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM archive_block WHERE tenant = $1 AND device = $2 AND number = $3")
            .bind(block.tenant.as_str())
            .bind(block.device.as_str())
            .bind(block.number.cast_signed())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Everything in the journal up to here is archived.
    ///
    /// # Errors
    /// The database failed or the right is gone.
    pub async fn reached(&mut self, position: i64) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE archive_progress SET position = $1").bind(position).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn begin(&mut self) -> Result<Transaction<'_, Any>, StoreError> {
        match &mut self.connection {
            Some(connection) => Ok(connection.begin().await?),
            None if self.store.dialect.archive_lock().is_some() => Err(StoreError::NotArchiving),
            None => Ok(self.store.begin().await?),
        }
    }
}
