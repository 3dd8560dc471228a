//! What was computed for somebody a device's packets turned out not to be of is taken back.
//!
//! A correction of who wore a device, or of which episode it was part of, changes the identity of what its packets give. What
//! they give now is computed anew; what they gave under the old identity stays with the status that says it was an error.

use std::collections::BTreeSet;

use sqlx::{Any, Row as _, Transaction};

use super::claim;
use super::contribution::{self, Meeting};
use super::date::{DateMatch, Prefix, Span as DateSpan};
use super::journal::{StreamId, StreamKey};
use super::lease::Lease;
use super::resource::{Origin, upsert_as_they_are};
use super::search::{Filter, Search, TermMatch};
use super::{Joint, Store, StoreError, retract};
use crate::fhir::{Element, json, read};
use crate::id::{EpisodeId, ResourceId, resource_id};
use crate::projection::packet_sources;
use crate::session::association::Span;
use crate::time::{Instant, Interval};

/// Resources in one look-up.
const PAGE: usize = 500;

impl Store {
    /// Takes back what a stream gave from `from` on for whom `spans` do not name, and forgets its checkpoints since. Returns
    /// whether it did: not where another process holds the stream by now.
    ///
    /// # Errors
    /// The database failed; nothing has changed.
    pub async fn take_back(
        &self,
        key: &StreamKey,
        lease: Lease,
        from: Instant,
        spans: &[Span],
        joint: &dyn Joint,
    ) -> Result<bool, StoreError> {
        let targets = self.misplaced(key, from, spans).await?;
        let mut tx = self.begin().await?;
        if !self.hold(&mut tx, std::iter::once(lease)).await?.contains(&lease) {
            return Ok(false);
        }
        let retracted = retract::retracted(&mut tx, &self.bodies, &key.tenant, targets, &BTreeSet::new()).await?;
        let place = |patient: &str, episode: Option<&str>, at| is_placed(spans, patient, episode, at);
        let of = (&key.device, &key.name);
        let settled = claim::withdraw(&mut tx, self, &key.tenant, of, from, place).await?;
        let mut together = Vec::new();
        for meeting in forget_contributions(&mut tx, key, from, spans).await? {
            let present = contribution::present(&mut tx, &key.tenant, &meeting).await?;
            together.extend(joint.together(&key.tenant, &present));
        }
        let mut drafts = settled.into_drafts(&mut tx, self, &key.tenant).await?;
        drafts.splice(..0, self.drafts(&key.tenant, retracted)?);
        drafts.extend(self.drafts(&key.tenant, together)?);
        upsert_as_they_are(&mut tx, self, &key.tenant, drafts, self.clock.now()).await?;
        forget_checkpoints(&mut tx, lease.stream, from).await?;
        self.finish(tx).await?;
        Ok(true)
    }

    /// The references of what is misplaced.
    async fn misplaced(&self, key: &StreamKey, from: Instant, spans: &[Span]) -> Result<Vec<String>, StoreError> {
        let device = resource_id(&key.tenant, "Device", key.device.as_str());
        let mut search = Search {
            kind: "Provenance".to_owned(),
            filters: vec![Filter::Term {
                parameter: "agent".to_owned(),
                values: vec![TermMatch::of(format!("Device/{device}"))],
            }],
            count: PAGE,
            ..Search::default()
        };
        if from > Instant::MIN {
            // What is stored has milliseconds.
            let span = DateSpan { from: from.0.saturating_sub(1000), until: from.0 };
            search.filters.push(Filter::Date(vec![DateMatch { prefix: Prefix::Ge, span }]));
        }
        let mut found = Vec::new();
        loop {
            let page = self.search(&key.tenant, &search).await?;
            for stored in &page.matches {
                if self.origin(&key.tenant, "Provenance", &stored.id).await? != Some(Origin::Derived) {
                    continue; // whatever a client says of our packets
                }
                let provenance = json::parse(&stored.json()).map_err(|_| StoreError::Damaged { what: "Provenance" })?;
                if self.is_misplaced(key, &provenance, spans).await? {
                    found.extend(read::strings(&provenance, "target.reference").into_iter().map(str::to_owned));
                }
            }
            search.after = page.next;
            if search.after.is_none() {
                return Ok(found);
            }
        }
    }

    async fn is_misplaced(&self, key: &StreamKey, provenance: &Element, spans: &[Span]) -> Result<bool, StoreError> {
        let sources = packet_sources(provenance);
        let own =
            |s: &&crate::projection::PacketSource<'_>| s.device == key.device.as_str() && s.stream == key.name.as_str();
        let Some(source) = sources.iter().find(own) else { return Ok(false) };
        let time = |path| read::string(provenance, path).and_then(|text| Instant::parse(text).ok());
        let (Some(start), Some(end)) = (time("occurredPeriod.start"), time("occurredPeriod.end")) else {
            return Ok(false);
        };
        let Some((kind, id)) = read::string(provenance, "target.reference").and_then(|r| r.split_once('/')) else {
            return Ok(false);
        };
        let id = ResourceId::new(id).map_err(|_| StoreError::Damaged { what: "reference" })?;
        let Some(target) = self.read(&key.tenant, kind, &id).await? else { return Ok(false) };
        let target = json::parse(&target.json()).map_err(|_| StoreError::Damaged { what: "resource" })?;
        let patient = read::string(&target, "subject.reference").and_then(|r| r.strip_prefix("Patient/"));
        let Some(patient) = patient else { return Ok(false) };
        Ok(!is_placed(spans, patient, source.episode, Interval { start, end }))
    }
}

/// Whether `spans` say that the whole interval is this patient's in this episode.
fn is_placed(spans: &[Span], patient: &str, episode: Option<&str>, interval: Interval) -> bool {
    spans.iter().any(|span| {
        span.wearer.patient.as_str() == patient
            && span.wearer.episode.as_ref().map(EpisodeId::as_str) == episode
            && span.contains(interval.start)
            && span.until.is_none_or(|until| interval.end <= until)
    })
}

/// Deletes what a stream has contributed for whom `spans` do not name; gives the meetings it was part of.
async fn forget_contributions(
    tx: &mut Transaction<'_, Any>,
    key: &StreamKey,
    from: Instant,
    spans: &[Span],
) -> Result<BTreeSet<Meeting>, StoreError> {
    let rows = sqlx::query(
        "SELECT DISTINCT patient, episode, start_us, end_us FROM contribution \
         WHERE tenant = $1 AND device = $2 AND stream = $3 AND end_us >= $4",
    )
    .bind(key.tenant.as_str())
    .bind(key.device.as_str())
    .bind(key.name.as_str())
    .bind(from.0)
    .fetch_all(&mut **tx)
    .await?;
    let mut meetings = BTreeSet::new();
    for row in rows {
        let (patient, episode): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let window = Interval { start: Instant(row.try_get(2)?), end: Instant(row.try_get(3)?) };
        let named = Some(episode.as_str()).filter(|e| !e.is_empty());
        if is_placed(spans, &patient, named, window) {
            continue;
        }
        sqlx::query(
            "DELETE FROM contribution WHERE tenant = $1 AND patient = $2 AND episode = $3 AND end_us = $4 \
             AND start_us = $5 AND device = $6 AND stream = $7",
        )
        .bind(key.tenant.as_str())
        .bind(&patient)
        .bind(&episode)
        .bind(window.end.0)
        .bind(window.start.0)
        .bind(key.device.as_str())
        .bind(key.name.as_str())
        .execute(&mut **tx)
        .await?;
        let damaged = |_| StoreError::Damaged { what: "contribution" };
        meetings.insert(Meeting {
            patient: ResourceId::new(patient).map_err(damaged)?,
            episode: named.map(EpisodeId::new).transpose().map_err(damaged)?,
            window,
        });
    }
    Ok(meetings)
}

/// Deletes states that hold a packet from `from` on.
async fn forget_checkpoints(tx: &mut Transaction<'_, Any>, stream: StreamId, from: Instant) -> Result<(), StoreError> {
    // The newest of what is left tells that the change has been taken in only when something is stored after it; until
    // then a restart comes here again and finds nothing more to do.
    sqlx::query("DELETE FROM checkpoint WHERE stream = $1 AND newest_us >= $2")
        .bind(stream)
        .bind(from.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
