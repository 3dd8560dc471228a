//! Alerts to be sent: an outbox. Whoever sends one has it until it is due again; so it is sent at least once, however many
//! processes do, and wherever one of them is killed.

use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{Any, Row as _, Transaction};

use super::{AlertKind, ChannelKind, Severity};
use crate::id::{AlertId, ChannelId, TenantId};
use crate::store::program::{from_word, id, word};
use crate::store::{Store, StoreError};
use crate::time::Instant;

/// The log, which is no channel of a tenant's.
const LOG: &str = "log";

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DispatchState {
    /// It is to be sent.
    Pending,
    /// It was.
    Sent,
    /// It could not be, and is not tried again.
    Failed,
}

/// What became of an alert on a way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispatch {
    /// The channel, or `log`.
    pub channel: ChannelId,
    /// How far it is.
    pub state: DispatchState,
    /// How often it was tried.
    pub attempts: i64,
    /// What was wrong the last time.
    pub problem: Option<String>,
}

/// An alert to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sending {
    /// Tenant.
    pub tenant: TenantId,
    /// The alert.
    pub alert: AlertId,
    /// How often the alert was opened: with its id, what a receiver knows a repetition by.
    pub raising: i64,
    /// The channel, or `log`.
    pub channel: ChannelId,
    /// Where to, as a channel has it; nothing is the log.
    pub to: Option<(ChannelKind, String)>,
    /// What is sealed of a webhook.
    pub sealed: Option<Vec<u8>>,
    /// How often it was tried before.
    pub attempts: i64,
    /// What happened.
    pub kind: AlertKind,
    /// How bad it is.
    pub severity: Severity,
    /// What to know.
    pub detail: String,
    /// When the alert was opened.
    pub raised: Instant,
    /// How often its cause has come.
    pub occurrences: i64,
    due: i64,
}

impl ChannelId {
    /// Whether it stands for the log, which is always there.
    pub fn is_log(&self) -> bool {
        self.as_str() == LOG
    }
}

impl Store {
    /// What became of the last opening of an alert, by channel.
    ///
    /// # Errors
    /// The database failed.
    pub async fn dispatches(&self, tenant: &TenantId, alert: &AlertId) -> Result<Vec<Dispatch>, StoreError> {
        let rows = sqlx::query(
            "SELECT d.channel, d.state, d.attempts, d.problem FROM alert_dispatch d \
             JOIN alert a ON a.tenant = d.tenant AND a.id = d.alert AND a.raising = d.raising \
             WHERE d.tenant = $1 AND d.alert = $2 ORDER BY d.channel",
        )
        .bind(tenant.as_str())
        .bind(alert.as_str())
        .fetch_all(&self.readers)
        .await?;
        let dispatch = |row: &AnyRow| {
            Ok(Dispatch {
                channel: id(row.try_get(0)?, "alert channel")?,
                state: from_word(row.try_get(1)?, "state of a dispatch")?,
                attempts: row.try_get(2)?,
                problem: row.try_get(3)?,
            })
        };
        rows.iter().map(dispatch).collect()
    }

    /// Takes up to `count` alerts that are due to be sent; until `until` nobody else gets them.
    ///
    /// # Errors
    /// The database failed.
    pub async fn take_alerts(&self, until: Instant, count: i64) -> Result<Vec<Sending>, StoreError> {
        let rows = sqlx::query(
            "SELECT d.tenant, d.alert, d.raising, d.channel, d.attempts, d.due_us, a.kind, a.severity, a.detail, \
             a.raised_us, a.occurrences, c.kind, c.address, c.sealed FROM alert_dispatch d \
             JOIN alert a ON a.tenant = d.tenant AND a.id = d.alert \
             LEFT JOIN alert_channel c ON c.tenant = d.tenant AND c.id = d.channel \
             WHERE d.state = 'pending' AND d.due_us <= $1 ORDER BY d.due_us LIMIT $2 + 0",
        )
        .bind(self.clock.now().0)
        .bind(count)
        .fetch_all(&self.readers)
        .await?;
        let mut taken = Vec::with_capacity(rows.len());
        for sending in rows.iter().map(from_row) {
            let sending = sending?;
            let mine = sqlx::query(
                "UPDATE alert_dispatch SET due_us = $6, attempts = attempts + 1 WHERE tenant = $1 AND alert = $2 \
                 AND raising = $3 AND channel = $4 AND state = 'pending' AND due_us = $5",
            )
            .bind(sending.tenant.as_str())
            .bind(sending.alert.as_str())
            .bind(sending.raising)
            .bind(sending.channel.as_str())
            .bind(sending.due)
            .bind(until.0)
            .execute(&self.writer)
            .await?;
            if mine.rows_affected() == 1 {
                taken.push(sending);
            }
        }
        Ok(taken)
    }

    /// What became of an attempt: sent, given up, or to be tried again at a time.
    ///
    /// # Errors
    /// The database failed.
    pub async fn alert_tried(
        &self,
        sending: &Sending,
        state: DispatchState,
        again: Instant,
        problem: Option<&str>,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE alert_dispatch SET state = $5, due_us = $6, problem = $7 \
             WHERE tenant = $1 AND alert = $2 AND raising = $3 AND channel = $4",
        )
        .bind(sending.tenant.as_str())
        .bind(sending.alert.as_str())
        .bind(sending.raising)
        .bind(sending.channel.as_str())
        .bind(word(&state)?)
        .bind(again.0)
        .bind(problem.map(|problem| problem.replace('\0', "\u{fffd}")))
        .execute(&self.writer)
        .await?;
        Ok(())
    }
}

/// Prepares what is to be sent of an alert that is opened; of one that is open, what is there already stays.
pub(super) async fn prepare(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    alert: &AlertId,
    raising: i64,
    severity: Severity,
    now: Instant,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO alert_dispatch (tenant, alert, raising, channel, state, attempts, due_us) \
         SELECT c.tenant, $2, $3, c.id, 'pending', 0, $4 FROM alert_channel c WHERE c.tenant = $1 AND c.least <= $5 \
         UNION ALL SELECT $1, $2, $3, $6, 'pending', 0, $4 WHERE 1 = 1 \
         ON CONFLICT (tenant, alert, raising, channel) DO NOTHING",
    )
    .bind(tenant.as_str())
    .bind(alert.as_str())
    .bind(raising)
    .bind(now.0)
    .bind(severity as i64)
    .bind(LOG)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn from_row(row: &AnyRow) -> Result<Sending, StoreError> {
    let kind =
        row.try_get::<Option<String>, _>(11)?.map(|word| from_word(word, "kind of alert channel")).transpose()?;
    let address: Option<String> = row.try_get(12)?;
    Ok(Sending {
        tenant: id(row.try_get(0)?, "tenant")?,
        alert: id(row.try_get(1)?, "alert id")?,
        raising: row.try_get(2)?,
        channel: id(row.try_get(3)?, "alert channel")?,
        to: Option::zip(kind, address),
        sealed: row.try_get(13)?,
        attempts: row.try_get(4)?,
        due: row.try_get(5)?,
        kind: from_word(row.try_get(6)?, "kind of alert")?,
        severity: Severity::of(row.try_get(7)?)?,
        detail: row.try_get(8)?,
        raised: Instant(row.try_get(9)?),
        occurrences: row.try_get(10)?,
    })
}
