//! The audit: who did what to keys, rules, holds, data and subscriptions. Rows are added; the database refuses to change one.

use sqlx::any::AnyRow;
use sqlx::{Any, Row as _, Transaction};

use crate::id::{DeviceKey, TenantId};
use crate::store::{Store, StoreError};
use crate::time::Instant;

/// Something somebody does.
#[derive(Debug, Clone, Copy)]
pub struct Act<'a> {
    /// Who.
    pub who: &'a str,
    /// What, one of few words such as `delete`.
    pub action: &'a str,
    /// To whose data.
    pub tenant: Option<&'a TenantId>,
    /// Of which device.
    pub device: Option<&'a DeviceKey>,
    /// Of which month.
    pub period: Option<&'a str>,
    /// Whatever else is to be known.
    pub detail: &'a str,
}

/// A row of the audit.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct AuditRecord {
    /// Its number.
    pub id: i64,
    /// When.
    pub at: String,
    /// Who.
    pub who: String,
    /// What.
    pub action: String,
    /// To whose data.
    pub tenant: Option<String>,
    /// Of which device.
    pub device: Option<String>,
    /// Of which month.
    pub period: Option<String>,
    /// Whatever else is to be known.
    pub detail: String,
    /// Blocks deleted.
    pub blocks: i64,
    /// Packets in them.
    pub packets: i64,
    /// SHA-256 over the names of those blocks, in the order of device and number.
    pub names_sha256: Option<String>,
}

impl Store {
    /// The audit, oldest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn archive_audit(&self) -> Result<Vec<AuditRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, at_us, who, action, tenant, device, period, detail, blocks, packets, names_sha256 \
             FROM archive_audit ORDER BY id",
        )
        .fetch_all(&self.readers)
        .await?;
        let record = |row: &AnyRow| -> Result<AuditRecord, StoreError> {
            Ok(AuditRecord {
                id: row.try_get(0)?,
                at: Instant(row.try_get(1)?).to_string(),
                who: row.try_get(2)?,
                action: row.try_get(3)?,
                tenant: row.try_get(4)?,
                device: row.try_get(5)?,
                period: row.try_get(6)?,
                detail: row.try_get(7)?,
                blocks: row.try_get(8)?,
                packets: row.try_get(9)?,
                names_sha256: row.try_get::<Option<Vec<u8>>, _>(10)?.map(hex::encode),
            })
        };
        rows.iter().map(record).collect()
    }

    /// Puts an act on record that changes nothing else in the database.
    ///
    /// # Errors
    /// The database failed.
    pub async fn record_act(&self, act: Act<'_>) -> Result<(), StoreError> {
        let mut tx = self.begin_numbering().await?;
        self.record(&mut tx, act).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Puts an act on record, in the transaction that does it; gives the record's number.
    pub(in crate::store) async fn record(
        &self,
        tx: &mut Transaction<'_, Any>,
        act: Act<'_>,
    ) -> Result<i64, StoreError> {
        self.record_deletion(tx, act, (0, 0), None).await
    }

    /// Puts the deletion of so many blocks and packets on record.
    pub(super) async fn record_deletion(
        &self,
        tx: &mut Transaction<'_, Any>,
        act: Act<'_>,
        (blocks, packets): (i64, i64),
        names: Option<[u8; 32]>,
    ) -> Result<i64, StoreError> {
        let row = sqlx::query(
            "INSERT INTO archive_audit (id, at_us, who, action, tenant, device, period, detail, blocks, packets, names_sha256) \
             SELECT COALESCE(MAX(id), 0) + 1, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 FROM archive_audit RETURNING id",
        )
        .bind(self.clock.now().0)
        .bind(act.who)
        .bind(act.action)
        .bind(act.tenant.map(TenantId::as_str))
        .bind(act.device.map(DeviceKey::as_str))
        .bind(act.period)
        .bind(act.detail)
        .bind(blocks)
        .bind(packets)
        .bind(names.as_ref().map(<[u8; 32]>::as_slice))
        .fetch_one(&mut **tx)
        .await?;
        Ok(row.try_get(0)?)
    }
}
