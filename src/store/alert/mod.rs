//! Alerts: what somebody should look at. Each is written in the transaction of what raised it, with the dispatches by which it
//! is sent; so none is lost and none tells of what did not happen.
//!
//! Its id is computed from its cause. While it is open, the cause only counts up, and nothing is sent again; when it comes
//! after the alert was acknowledged, the alert is opened anew and sent.

mod channel;
mod dispatch;

use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{Any, Row as _, Transaction};

pub use channel::{Channel, ChannelKind, Unsealed};
pub use dispatch::{Dispatch, DispatchState, Sending};

use super::program::{from_word, id, word};
use super::sql::Sql;
use super::{Store, StoreError};
use crate::id::{AlertId, TenantId};
use crate::time::Instant;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AlertKind {
    /// A packet's number is taken by other content.
    PacketConflict,
    /// No stage can read a packet.
    PacketUnreadable,
    /// A resource that was computed is not valid.
    ResourceInvalid,
    /// A receiver refused what was to be delivered, or it was not valid.
    DeliveryRefused,
    /// What could not be delivered is not tried again.
    DeliveryGivenUp,
    /// A target does not answer.
    TargetDown,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is lost or late.
    Warning = 1,
    /// Something is missing where it should be.
    Error = 2,
    /// Much is, or will be soon.
    Critical = 3,
}

impl Severity {
    fn of(number: i64) -> Result<Self, StoreError> {
        let known = [Self::Warning, Self::Error, Self::Critical].into_iter().find(|known| *known as i64 == number);
        known.ok_or(StoreError::Damaged { what: "severity" })
    }
}

/// Whether somebody has seen it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// Nobody.
    Open,
    /// Somebody.
    Acknowledged,
}

/// An alert to raise.
#[derive(Debug, Clone)]
pub struct NewAlert {
    /// What happened.
    pub kind: AlertKind,
    /// How bad it is.
    pub severity: Severity,
    /// What makes it the same cause when it comes again.
    pub cause: String,
    /// What it is about, within the tenant.
    pub about: String,
    /// What to know, for people. It is sent out of the tenant, so it names no person and no device.
    pub detail: &'static str,
}

/// An alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Its id.
    pub id: AlertId,
    /// What happened.
    pub kind: AlertKind,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about, within the tenant.
    pub about: String,
    /// What to know.
    pub detail: String,
    /// When it was last opened.
    pub raised: Instant,
    /// When its cause last came.
    pub last: Instant,
    /// How often its cause came.
    pub occurrences: i64,
    /// Whether somebody has seen it.
    pub state: AlertState,
    /// When, and the public id of whose key.
    pub acknowledged: Option<(Instant, String)>,
}

const COLUMNS: &str = "SELECT id, kind, severity, about, detail, raised_us, last_us, occurrences, state, acknowledged_us, \
    acknowledged_by FROM alert WHERE tenant = ";

impl Store {
    /// Alerts, the last opened first, after one of them: all, or those in a state.
    ///
    /// # Errors
    /// The database failed.
    pub async fn alerts(
        &self,
        tenant: &TenantId,
        state: Option<AlertState>,
        after: Option<&(Instant, AlertId)>,
        count: i64,
    ) -> Result<Vec<Alert>, StoreError> {
        let mut sql = Sql::new(COLUMNS);
        sql.bind(tenant.as_str());
        if let Some(state) = state {
            sql.push(" AND state = ").bind(word(&state)?.as_str());
        }
        if let Some((at, id)) = after {
            sql.push(" AND (raised_us, id) < (").bind(at.0).push(", ").bind(id.as_str()).push(")");
        }
        sql.push(" ORDER BY raised_us DESC, id DESC").limit(count);
        sql.query().fetch_all(&self.readers).await?.iter().map(from_row).collect()
    }

    /// An alert.
    ///
    /// # Errors
    /// The database failed.
    pub async fn alert(&self, tenant: &TenantId, alert: &AlertId) -> Result<Option<Alert>, StoreError> {
        let mut sql = Sql::new(COLUMNS);
        sql.bind(tenant.as_str()).push(" AND id = ").bind(alert.as_str());
        sql.query().fetch_optional(&self.readers).await?.as_ref().map(from_row).transpose()
    }

    /// Somebody has seen an alert. Of one that is acknowledged the first time counts.
    ///
    /// # Errors
    /// The database failed.
    pub async fn acknowledge(&self, tenant: &TenantId, alert: &AlertId, by: &str) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE alert SET state = 'acknowledged', acknowledged_us = $3, acknowledged_by = $4 \
             WHERE tenant = $1 AND id = $2 AND state = 'open'",
        )
        .bind(tenant.as_str())
        .bind(alert.as_str())
        .bind(self.clock.now().0)
        .bind(by)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// How much is in quarantine, and how many alerts are open: warnings, errors, critical ones.
    ///
    /// # Errors
    /// The database failed.
    pub async fn open_counts(&self) -> Result<(i64, [i64; 3]), StoreError> {
        let row = sqlx::query(
            "SELECT (SELECT COUNT(*) FROM quarantine WHERE state = 'held'), \
             (SELECT COUNT(*) FROM alert WHERE state = 'open' AND severity = 1), \
             (SELECT COUNT(*) FROM alert WHERE state = 'open' AND severity = 2), \
             (SELECT COUNT(*) FROM alert WHERE state = 'open' AND severity = 3)",
        )
        .fetch_one(&self.readers)
        .await?;
        Ok((row.try_get(0)?, [row.try_get(1)?, row.try_get(2)?, row.try_get(3)?]))
    }

    /// Raises an alert of its own, of what is in no other transaction.
    ///
    /// # Errors
    /// The database failed.
    pub async fn raise(&self, tenant: &TenantId, alert: &NewAlert) -> Result<AlertId, StoreError> {
        let mut tx = self.begin().await?;
        let id = raise(&mut tx, tenant, alert, self.clock.now()).await?;
        tx.commit().await?;
        Ok(id)
    }
}

/// Raises an alert in the transaction of what it is about.
pub(in crate::store) async fn raise(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    alert: &NewAlert,
    now: Instant,
) -> Result<AlertId, StoreError> {
    let kind = word(&alert.kind)?;
    let id = AlertId::of(tenant, &format!("{kind}\u{1f}{}", alert.cause));
    let row = sqlx::query(
        "INSERT INTO alert (tenant, id, kind, severity, about, detail, raised_us, last_us, occurrences, raising, state) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7, 1, 1, 'open') \
         ON CONFLICT (tenant, id) DO UPDATE SET severity = excluded.severity, about = excluded.about, \
         detail = excluded.detail, last_us = excluded.last_us, occurrences = alert.occurrences + 1, \
         raised_us = CASE alert.state WHEN 'open' THEN alert.raised_us ELSE excluded.raised_us END, \
         raising = CASE alert.state WHEN 'open' THEN alert.raising ELSE alert.raising + 1 END, \
         state = 'open', acknowledged_us = NULL, acknowledged_by = NULL RETURNING raising",
    )
    .bind(tenant.as_str())
    .bind(id.as_str())
    .bind(kind)
    .bind(alert.severity as i64)
    .bind(alert.about.replace('\0', "\u{fffd}"))
    .bind(alert.detail)
    .bind(now.0)
    .fetch_one(&mut **tx)
    .await?;
    dispatch::prepare(tx, tenant, &id, row.try_get(0)?, alert.severity, now).await?;
    Ok(id)
}

fn from_row(row: &AnyRow) -> Result<Alert, StoreError> {
    let acknowledged = Option::zip(row.try_get::<Option<i64>, _>(9)?, row.try_get::<Option<String>, _>(10)?);
    Ok(Alert {
        id: id(row.try_get(0)?, "alert id")?,
        kind: from_word(row.try_get(1)?, "kind of alert")?,
        severity: Severity::of(row.try_get(2)?)?,
        about: row.try_get(3)?,
        detail: row.try_get(4)?,
        raised: Instant(row.try_get(5)?),
        last: Instant(row.try_get(6)?),
        occurrences: row.try_get(7)?,
        state: from_word(row.try_get(8)?, "state of an alert")?,
        acknowledged: acknowledged.map(|(at, by)| (Instant(at), by)),
    })
}
