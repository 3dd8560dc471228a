//! What this server computes is judged before it is stored. What is not valid is held back with what is wrong with it, and all
//! else is stored; once it comes valid its quarantine is over.

use std::sync::Arc;

use sqlx::{Any, Row as _, Transaction};

use super::alert::{AlertKind, NewAlert, Severity};
use super::held::{self, HeldKind, HeldState, NewHeld, PacketRange};
use super::journal::stream_key;
use super::program::id;
use super::sql::{Sql, Value};
use super::{Store, StoreError};
use crate::conformant::{self, Issue, Validator};
use crate::fhir::stored;
use crate::id::{HeldId, TenantId};
use crate::time::Instant;

/// Ids in one statement.
const IDS: usize = 64;
/// Who ends a quarantine when what was held back comes valid.
const SERVER: &str = "server";

/// A resource that is not stored.
#[derive(Debug)]
pub(in crate::store) struct Invalid {
    pub(in crate::store) reference: String,
    pub(in crate::store) content: Vec<u8>,
    pub(in crate::store) issues: Vec<Issue>,
    /// The packets it comes of.
    pub(in crate::store) packets: Option<PacketRange>,
}

impl Store {
    /// With a validator by which everything that is computed is judged before it is stored.
    #[must_use]
    pub fn judged_by(mut self, validator: Arc<Validator>) -> Self {
        self.validator = Some(validator);
        self
    }

    /// What is wrong with a resource, if that keeps it from being stored.
    pub(in crate::store) fn judge(&self, kind: &str, id: &str, tail: &[u8]) -> Option<Vec<Issue>> {
        let issues = self.validator.as_ref()?.validate(&stored::without_version(kind, id, tail), &[]);
        let is_wrong = issues.iter().any(|issue| issue.severity == conformant::Severity::Error);
        // What takes an error back is stored whatever else is wrong with it.
        let retracts = |tail: &[u8]| String::from_utf8_lossy(tail).contains(r#""status":"entered-in-error""#);
        (is_wrong && !retracts(tail)).then_some(issues)
    }
}

/// Whether something that was computed is in quarantine.
pub(in crate::store) async fn holds(tx: &mut Transaction<'_, Any>) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT 1 FROM quarantine WHERE kind = 'projection' AND state = 'held' LIMIT 1");
    Ok(row.fetch_optional(&mut **tx).await?.is_some())
}

/// Holds back what is not valid, and raises an alert.
pub(in crate::store) async fn hold(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    invalid: &[Invalid],
    now: Instant,
) -> Result<(), StoreError> {
    for Invalid { reference, content, issues, packets } in invalid {
        let device = match packets {
            Some(packets) => {
                let row = sqlx::query("SELECT tenant, device, name FROM stream WHERE id = $1").bind(packets.stream);
                Some(stream_key(&row.fetch_one(&mut **tx).await?)?.device)
            }
            None => None,
        };
        let alert = NewAlert {
            kind: AlertKind::ResourceInvalid,
            severity: Severity::Error,
            cause: device.as_ref().map_or_else(String::new, |device| device.as_str().to_owned()),
            about: device.map_or_else(|| "the control plane".to_owned(), |device| format!("device {device}")),
            detail: "A resource that this server made is not valid: it was not stored",
        };
        let reason = issues.first().map(reason).unwrap_or_default();
        tracing::warn!(%tenant, reason, "a resource is not valid and is held back");
        let held = NewHeld {
            kind: HeldKind::Projection,
            name: name(reference),
            about: reference.clone(),
            packets: *packets,
            received: None,
            reason,
            outcome: Some(conformant::outcome(issues).to_string().into_bytes()),
            content: content.clone(),
        };
        held::hold(tx, tenant, &held, &alert, now).await?;
    }
    Ok(())
}

/// Ends the quarantine of what is stored now.
pub(in crate::store) async fn mend(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    references: &[String],
    now: Instant,
) -> Result<(), StoreError> {
    for piece in references.chunks(IDS) {
        let ids: Vec<Value> = piece.iter().map(|one| Value::from(HeldId::of(tenant, &name(one)).as_str())).collect();
        let mut sql = Sql::new("UPDATE quarantine SET state = 'redriven', settled_us = ");
        sql.bind(now.0).push(", settled_by = ").bind(SERVER).push(" WHERE tenant = ").bind(tenant.as_str());
        sql.push(" AND state = 'held' AND id").bind_in(ids);
        sql.query().execute(&mut **tx).await?;
    }
    Ok(())
}

impl Store {
    /// Ends the quarantine of packets of a stream that could be read: all of the stream's in the journal but these.
    ///
    /// # Errors
    /// The database failed.
    pub async fn packets_read(&self, stream: super::StreamId, unreadable: &[u64]) -> Result<(), StoreError> {
        let rows = sqlx::query(
            "SELECT q.id, q.tenant, q.first_sequence FROM quarantine q JOIN journal j ON j.stream = q.stream \
             AND j.sequence = q.first_sequence AND j.sha256 = q.sha256 \
             WHERE q.stream = $1 AND q.kind = 'packet' AND q.state = 'held'",
        )
        .bind(stream)
        .fetch_all(&self.readers)
        .await?;
        for row in rows {
            if unreadable.contains(&row.try_get::<i64, _>(2)?.cast_unsigned()) {
                continue;
            }
            let (held, tenant) = (id(row.try_get(0)?, "quarantine id")?, id(row.try_get(1)?, "tenant")?);
            self.settle(&tenant, &held, HeldState::Redriven, SERVER, None).await?;
        }
        Ok(())
    }
}

fn name(reference: &str) -> String {
    format!("projection\u{1f}{reference}")
}

/// What is wrong, in a line.
fn reason(issue: &Issue) -> String {
    let profile = issue.profile.as_deref().map(|profile| format!(" ({profile})")).unwrap_or_default();
    format!("{}: {}{profile}", issue.expression, issue.text)
}
