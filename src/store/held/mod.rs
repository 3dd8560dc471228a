//! Quarantine: what was held back, why, and what became of it. Nothing is dropped silently.
//!
//! Its id is computed from what it is about, so that what is held back once more, by a replay or a repeated request, is the
//! same row. What comes of it again after it was taken up, or with other content, is held anew.

mod list;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sqlx::any::AnyRow;
use sqlx::{Any, Row as _, Transaction};

use super::alert::{NewAlert, raise};
use super::program::{from_word, id, word};
use super::{Store, StoreError, StreamId};
use crate::id::{HeldId, TenantId};
use crate::time::Instant;

/// Where it was held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HeldKind {
    /// A packet whose number is taken by other content, or that no stage can read.
    Packet,
    /// A resource that came of packets and is not valid.
    Projection,
    /// What a client wrote.
    Inbound,
    /// What was to be sent.
    Delivery,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HeldState {
    /// Nothing yet.
    Held,
    /// It was taken up again.
    Redriven,
    /// It was given up.
    Discarded,
}

/// The packets something is, or came of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketRange {
    /// Their stream.
    pub stream: StreamId,
    /// Number of the first one.
    pub first: u64,
    /// Number of the last one.
    pub last: u64,
}

/// Something to hold back.
#[derive(Debug, Clone)]
pub struct NewHeld {
    /// Where.
    pub kind: HeldKind,
    /// What makes it the same thing when it comes again.
    pub name: String,
    /// What it is about, for people: a reference, or a word.
    pub about: String,
    /// Packets.
    pub packets: Option<PacketRange>,
    /// When the packet came; of packets alone, whose retention it falls under.
    pub received: Option<Instant>,
    /// Why, for people.
    pub reason: String,
    /// OperationOutcome, JSON.
    pub outcome: Option<Vec<u8>>,
    /// The thing itself, JSON.
    pub content: Vec<u8>,
}

/// Something that was held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its id.
    pub id: HeldId,
    /// Where.
    pub kind: HeldKind,
    /// What it is about.
    pub about: String,
    /// Packets.
    pub packets: Option<PacketRange>,
    /// Why.
    pub reason: String,
    /// SHA-256 of the content.
    pub sha256: Vec<u8>,
    /// Since when.
    pub held: Instant,
    /// What became of it.
    pub state: HeldState,
    /// By whom, when and why; nothing while it is held.
    pub settled: Option<Settled>,
}

/// The end of a quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// When.
    pub at: Instant,
    /// Public id of the key or client.
    pub by: String,
    /// Why, where it was discarded.
    pub note: Option<String>,
}

/// What is held back itself: it may be about patients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// OperationOutcome, JSON.
    pub outcome: Option<Vec<u8>>,
    /// JSON.
    pub content: Vec<u8>,
}

impl Store {
    /// Holds something back and raises its alert, both or neither.
    ///
    /// # Errors
    /// The database failed.
    pub async fn hold_back(&self, tenant: &TenantId, held: &NewHeld, alert: &NewAlert) -> Result<HeldId, StoreError> {
        let mut tx = self.begin().await?;
        let id = hold(&mut tx, tenant, held, alert, self.clock.now()).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Ends the quarantine of what is held; whether it was.
    ///
    /// # Errors
    /// The database failed.
    pub async fn settle(
        &self,
        tenant: &TenantId,
        held: &HeldId,
        state: HeldState,
        by: &str,
        note: Option<&str>,
    ) -> Result<bool, StoreError> {
        let settled = sqlx::query(
            "UPDATE quarantine SET state = $3, settled_us = $4, settled_by = $5, note = $6 \
             WHERE tenant = $1 AND id = $2 AND state = 'held'",
        )
        .bind(tenant.as_str())
        .bind(held.as_str())
        .bind(word(&state)?)
        .bind(self.clock.now().0)
        .bind(by)
        .bind(note)
        .execute(&self.writer)
        .await?;
        Ok(settled.rows_affected() == 1)
    }
}

/// Holds something back in the transaction of what it was found in. Its alert is raised unless it is held, or was discarded,
/// just so.
pub(in crate::store) async fn hold(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    held: &NewHeld,
    alert: &NewAlert,
    now: Instant,
) -> Result<HeldId, StoreError> {
    let id = HeldId::of(tenant, &held.name);
    let number = |number: fn(&PacketRange) -> i64| held.packets.as_ref().map(number);
    let is_news = sqlx::query(
        "INSERT INTO quarantine (tenant, id, kind, about, stream, first_sequence, last_sequence, received_us, reason, \
         outcome, sha256, content, held_us, state) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 'held') \
         ON CONFLICT (tenant, id) DO UPDATE SET about = excluded.about, stream = excluded.stream, \
         first_sequence = excluded.first_sequence, last_sequence = excluded.last_sequence, \
         received_us = excluded.received_us, reason = excluded.reason, outcome = excluded.outcome, \
         sha256 = excluded.sha256, content = excluded.content, held_us = excluded.held_us, state = 'held', \
         settled_us = NULL, settled_by = NULL, note = NULL \
         WHERE quarantine.state = 'redriven' OR quarantine.sha256 <> excluded.sha256",
    )
    .bind(tenant.as_str())
    .bind(id.as_str())
    .bind(word(&held.kind)?)
    .bind(storable(&held.about))
    .bind(number(|range| range.stream))
    .bind(number(|range| range.first.cast_signed()))
    .bind(number(|range| range.last.cast_signed()))
    .bind(held.received.map(|at| at.0))
    .bind(storable(&held.reason))
    .bind(held.outcome.as_deref())
    .bind(Sha256::digest(&held.content).to_vec())
    .bind(held.content.as_slice())
    .bind(now.0)
    .execute(&mut **tx)
    .await?;
    if is_news.rows_affected() > 0 {
        raise(tx, tenant, alert, now).await?;
    }
    Ok(id)
}

/// A text in PostgreSQL holds everything but this.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn from_row(row: &AnyRow) -> Result<Held, StoreError> {
    let (stream, first, last) = (row.try_get(3)?, row.try_get::<Option<i64>, _>(4)?, row.try_get::<Option<i64>, _>(5)?);
    let range = |((stream, first), last): ((StreamId, i64), i64)| PacketRange {
        stream,
        first: first.cast_unsigned(),
        last: last.cast_unsigned(),
    };
    let (at, by) = (row.try_get::<Option<i64>, _>(10)?, row.try_get::<Option<String>, _>(11)?);
    let note: Option<String> = row.try_get(12)?;
    Ok(Held {
        id: id(row.try_get(0)?, "quarantine id")?,
        kind: from_word(row.try_get(1)?, "kind of quarantine")?,
        about: row.try_get(2)?,
        packets: Option::zip(stream, first).zip(last).map(range),
        reason: row.try_get(6)?,
        sha256: row.try_get(7)?,
        held: Instant(row.try_get(8)?),
        state: from_word(row.try_get(9)?, "state of a quarantine")?,
        settled: at.zip(by).map(|(at, by)| Settled { at: Instant(at), by, note }),
    })
}
