//! What a worker has to tell after a request: what arrived, what was refused, and what is next; in one transaction, while it
//! holds the lane.

use sqlx::{Any, Transaction};

use super::lane::{hold, release};
use super::{Exchange, Failure, Key, Lane, LaneKey};
use crate::store::alert::{AlertKind, NewAlert, Severity, raise};
use crate::store::held::{HeldKind, NewHeld, hold as hold_back};
use crate::store::sql::{Sql, Value};
use crate::store::{Store, StoreError};
use crate::time::Instant;

/// Items per statement.
const ITEMS: usize = 128;

/// A resource the receiver has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// Its place in the operation.
    pub ordinal: i64,
    /// Type and id.
    pub key: Key,
    /// Its version here.
    pub version: i64,
    /// SHA-256 of what was sent.
    pub digest: [u8; 32],
    /// Its id there.
    pub remote: String,
}

/// Who refused a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedBy {
    /// The receiver.
    Receiver,
    /// This server's validator: it was not sent.
    Validator,
}

/// A resource that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its place in the operation.
    pub ordinal: i64,
    /// Type and id.
    pub key: Key,
    /// Who refused it.
    pub by: RefusedBy,
    /// Which entry of what was sent it was.
    pub entry: String,
    /// OperationOutcome, JSON.
    pub outcome: Vec<u8>,
    /// What was to be sent, JSON.
    pub content: Vec<u8>,
}

/// What is next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// The worker goes on with the operation.
    Go,
    /// The operation is done: all of it arrived or was refused.
    Done(Option<Failure>),
    /// The operation is tried again at a time; the lane is given back.
    Later(Instant, Failure),
    /// The target is not there, which is no operation's fault and none of its attempts: as above.
    Wait(Instant, Failure),
    /// The operation is not tried again; the lane goes on to the next one.
    GiveUp(Failure),
}

/// What became of a request.
#[derive(Debug, Clone)]
pub struct Progress<'a> {
    /// Of which operation.
    pub operation: i64,
    /// Base URL or folder of the receiver.
    pub destination: &'a str,
    /// What arrived.
    pub arrived: &'a [Arrived],
    /// Places of what the receiver has already, just so.
    pub unchanged: &'a [i64],
    /// What the receiver has, but not just so: it is sent again, by its id there.
    pub outdated: &'a [Arrived],
    /// What was refused.
    pub refused: &'a [Refused],
    /// The request and its answer, sealed.
    pub exchange: Option<Exchange>,
    /// What is next.
    pub next: Next,
}

impl Store {
    /// Writes what became of a request; whether the lane was still this worker's to do so.
    ///
    /// # Errors
    /// The database failed; nothing was written.
    pub async fn progress(&self, lane: &Lane, progress: &Progress<'_>) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let mut tx = self.begin().await?;
        if !hold(&mut tx, lane, now).await? {
            return Ok(false);
        }
        super::ledger::record(&mut tx, &lane.key, progress.destination, progress.arrived, now).await?;
        super::ledger::record(&mut tx, &lane.key, progress.destination, progress.outdated, now).await?;
        let arrived = progress.arrived.iter().map(|one| one.ordinal);
        let done: Vec<i64> = arrived.chain(progress.unchanged.iter().copied()).collect();
        for piece in done.chunks(ITEMS) {
            settle(&mut tx, &lane.key, progress.operation, piece, now).await?;
            let mut sql = Sql::new("DELETE FROM operation_item WHERE operation = ");
            sql.bind(progress.operation).push(" AND ordinal");
            sql.bind_in(piece.iter().copied().map(Value::Int).collect());
            sql.query().execute(&mut *tx).await?;
        }
        for one in progress.refused {
            refuse(&mut tx, (&lane.key, progress), one, now).await?;
        }
        if let Some(exchange) = &progress.exchange {
            super::exchange::keep(&mut tx, progress.operation, exchange, now).await?;
        }
        advance(&mut tx, progress, now).await?;
        if let Next::GiveUp(_) = &progress.next {
            mourn(&mut tx, &lane.key, now).await?;
        }
        if let Next::Later(due, _) | Next::Wait(due, _) = &progress.next {
            release(&mut tx, lane, *due).await?;
        }
        tx.commit().await?;
        Ok(true)
    }
}

/// Puts what was refused into quarantine, with what was said of it.
async fn refuse(
    tx: &mut Transaction<'_, Any>,
    (lane, progress): (&LaneKey, &Progress<'_>),
    one: &Refused,
    now: Instant,
) -> Result<(), StoreError> {
    let (kind, id) = &one.key;
    let (number, reason) = match one.by {
        RefusedBy::Receiver => (1_i64, "the receiver refused it"),
        RefusedBy::Validator => (2, "it is not valid, and was not sent"),
    };
    let held = NewHeld {
        kind: HeldKind::Delivery,
        name: format!("delivery\u{1f}{}\u{1f}{kind}/{id}", progress.destination),
        about: format!("{kind}/{id}"),
        packets: None,
        received: None,
        reason: format!("{reason}: {}, of operation {}", one.entry, progress.operation),
        outcome: Some(one.outcome.clone()),
        content: one.content.clone(),
    };
    let alert = NewAlert {
        kind: AlertKind::DeliveryRefused,
        severity: Severity::Error,
        cause: lane.export.to_string(),
        about: format!("data-export {}", lane.export),
        detail: "a target of exports refused a resource, or it was not valid: it is in quarantine with what was said of it",
    };
    let held = hold_back(tx, &lane.tenant, &held, &alert, now).await?;
    sqlx::query("UPDATE operation_item SET refused = $3, entry = $4, held = $5 WHERE operation = $1 AND ordinal = $2")
        .bind(progress.operation)
        .bind(one.ordinal)
        .bind(number)
        .bind(one.entry.as_str())
        .bind(held.as_str())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// What was in quarantine and arrived is not held any more.
async fn settle(
    tx: &mut Transaction<'_, Any>,
    lane: &LaneKey,
    operation: i64,
    ordinals: &[i64],
    now: Instant,
) -> Result<(), StoreError> {
    let mut sql = Sql::new("UPDATE quarantine SET state = 'redriven', settled_by = 'delivery', settled_us = ");
    sql.bind(now.0).push(" WHERE tenant = ").bind(lane.tenant.as_str()).push(" AND state = 'held' AND id IN ");
    sql.push("(SELECT held FROM operation_item WHERE held IS NOT NULL AND operation = ").bind(operation);
    sql.push(" AND ordinal").bind_in(ordinals.iter().copied().map(Value::Int).collect()).push(")");
    sql.query().execute(&mut **tx).await?;
    Ok(())
}

/// Says that an operation is a dead letter.
async fn mourn(tx: &mut Transaction<'_, Any>, lane: &LaneKey, now: Instant) -> Result<(), StoreError> {
    let alert = NewAlert {
        kind: AlertKind::DeliveryGivenUp,
        severity: Severity::Critical,
        cause: lane.export.to_string(),
        about: format!("data-export {}", lane.export),
        detail: "an export could not be delivered and is not tried again: see /api/v1/dead-letters",
    };
    raise(tx, &lane.tenant, &alert, now).await?;
    Ok(())
}

/// An attempt that brought something starts the count of those that did not again.
async fn advance(tx: &mut Transaction<'_, Any>, progress: &Progress<'_>, now: Instant) -> Result<(), StoreError> {
    let (state, failure, is_over) = match &progress.next {
        Next::Go => ("in_progress", None, false),
        Next::Done(None) => ("succeeded", None, true),
        Next::Done(Some(failure)) | Next::GiveUp(failure) => ("failed", Some(failure), true),
        Next::Later(_, failure) | Next::Wait(_, failure) => ("in_progress", Some(failure), false),
    };
    let failure = failure.map(serde_json::to_string).transpose();
    let failure = failure.map_err(|_| StoreError::Damaged { what: "failure of an operation" })?;
    let brought = !progress.arrived.is_empty() || !progress.unchanged.is_empty() || !progress.refused.is_empty();
    let failed = matches!(progress.next, Next::Later(..) | Next::GiveUp(_));
    let mut sql = Sql::new("UPDATE operation SET state = ");
    sql.bind(state)
        .push(", sent = sent + ")
        .bind((progress.arrived.len() + progress.unchanged.len()).cast_signed() as i64);
    sql.push(", refused = refused + ").bind(progress.refused.len().cast_signed() as i64);
    sql.push(", attempts = ").push(if brought { "0" } else { "attempts" }).push(" + ").bind(i64::from(failed));
    if is_over {
        sql.push(", finished_us = ").bind(now.0);
    }
    match failure {
        Some(failure) => {
            sql.push(", error = ").bind(failure.as_str());
        }
        None if is_over => {
            sql.push(", error = NULL");
        }
        None => {}
    }
    sql.push(" WHERE number = ").bind(progress.operation);
    sql.query().execute(&mut **tx).await?;
    Ok(())
}
