//! Packets that wait for somebody to wear their device.

use sqlx::Row as _;

use super::journal::StreamId;
use super::{Store, StoreError};
use crate::id::TenantId;
use crate::time::Instant;

/// Streams whose device is with nobody now, and since when it is: the end of its last association or episode.
const WITH_NOBODY: &str = "SELECT s.id, s.device, s.name, (SELECT MAX(u) FROM (\
    SELECT w.until_us AS u FROM wear w WHERE w.tenant = s.tenant AND w.device = s.device UNION ALL \
    SELECT e.until_us FROM episode_device e WHERE e.tenant = s.tenant AND e.device = s.device) AS ends) FROM stream s \
    WHERE s.tenant = $1 \
    AND NOT EXISTS (SELECT 1 FROM wear w WHERE w.tenant = s.tenant AND w.device = s.device AND w.until_us IS NULL) \
    AND NOT EXISTS (SELECT 1 FROM episode_device e WHERE e.tenant = s.tenant AND e.device = s.device \
    AND e.until_us IS NULL) ORDER BY s.device, s.name";

/// A stream's packets that wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphans {
    /// Device.
    pub device: String,
    /// Stream.
    pub stream: String,
    /// How many wait.
    pub packets: i64,
    /// When the first of them came.
    pub oldest: Instant,
    /// When the last of them came.
    pub newest: Instant,
}

impl Store {
    /// Packets of a tenant that wait because their device is with nobody, by stream. Reads every packet that waits, and
    /// those before it of a device that was with somebody once: for people, not for every few seconds.
    ///
    /// # Errors
    /// The database failed.
    pub async fn orphans(&self, tenant: &TenantId) -> Result<Vec<Orphans>, StoreError> {
        let mut found = Vec::new();
        for row in sqlx::query(WITH_NOBODY).bind(tenant.as_str()).fetch_all(&self.readers).await? {
            let (stream, since): (StreamId, Option<i64>) = (row.try_get(0)?, row.try_get(3)?);
            let waiting = sqlx::query(
                "SELECT COUNT(*), MIN(received_us), MAX(received_us) FROM journal \
                 WHERE stream = $1 AND COALESCE(device_us, received_us) >= $2",
            )
            .bind(stream)
            .bind(since.unwrap_or(i64::MIN))
            .fetch_one(&self.readers)
            .await?;
            let (oldest, newest): (Option<i64>, Option<i64>) = (waiting.try_get(1)?, waiting.try_get(2)?);
            let Some((oldest, newest)) = oldest.zip(newest) else { continue };
            found.push(Orphans {
                device: row.try_get(1)?,
                stream: row.try_get(2)?,
                packets: waiting.try_get(0)?,
                oldest: Instant(oldest),
                newest: Instant(newest),
            });
        }
        Ok(found)
    }

    /// How long the oldest packet of a device that was never with anybody has waited, over all tenants: none waits, none is
    /// told. A look-up a stream.
    ///
    /// # Errors
    /// The database failed.
    pub async fn oldest_orphan(&self) -> Result<Option<Instant>, StoreError> {
        let row = sqlx::query(
            "SELECT MIN((SELECT j.received_us FROM journal j WHERE j.stream = s.id ORDER BY j.sequence LIMIT 1)) \
             FROM stream s WHERE NOT EXISTS \
             (SELECT 1 FROM association_change a WHERE a.tenant = s.tenant AND a.device = s.device)",
        )
        .fetch_one(&self.readers)
        .await?;
        Ok(row.try_get::<Option<i64>, _>(0)?.map(Instant))
    }
}
