//! What several sources say at once of which a patient has only one: one of them counts, see [`priority`].
//!
//! Every source's claim is kept. The resources of the one that counts are in the record, those of the others in their claim,
//! so that they are at hand when the one that counts is taken back or gets worse. What is given depends on the claims there
//! are and not on the order they came in.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{Any, Row as _, Transaction};

use super::dialect::Dialect;
use super::draft::Draft;
use super::held::PacketRange;
use super::program::sources_of;
use super::resource::{derived, upsert, whole};
use super::retract::retracted;
use super::sql::Sql;
use super::{Meeting, Store, StoreError};
use crate::id::{DeviceKey, EpisodeId, ResourceId, SignalCode, StreamName, TenantId, resource_id};
use crate::program::Source;
use crate::projection::{PassedOver, as_first_computed, with_passed_over};
use crate::resource::Resource;
use crate::session::priority::{self, REACH_US};
use crate::signal::Quality;
use crate::time::{Instant, Interval, MICROS};

/// How long a claim is kept, counted back from one that comes: longer than any buffer takes to be flushed.
const KEPT_US: i64 = 14 * 86_400 * MICROS;

/// What a source measured of which a patient has only one.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Of whom, in which episode, and for which window or moment.
    pub meeting: Meeting,
    /// What.
    pub signal: SignalCode,
    /// Who says so, and how well it was measured.
    pub source: priority::Claim,
    /// Its Observation and Provenance.
    pub drafts: Vec<Draft>,
}

/// What is to be stored after claims were weighed.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// Resources of those that count.
    drafts: Vec<Draft>,
    /// References of what counts no longer.
    retracted: Vec<String>,
}

/// What claims are about: they meet when this is the same, and the time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Subject {
    patient: ResourceId,
    episode: Option<EpisodeId>,
    signal: SignalCode,
}

/// A claim as it is kept.
struct Kept {
    interval: Interval,
    source: priority::Claim,
    refs: String,
    /// Whether it is in the record.
    counts: bool,
}

/// The form resources have in a claim.
#[derive(Serialize, Deserialize)]
struct Body(Vec<(String, String, Vec<u8>)>);

/// Keeps claims; gives what follows.
async fn settle(
    tx: &mut Transaction<'_, Any>,
    store: &Store,
    tenant: &TenantId,
    claims: Vec<Claim>,
) -> Result<Settled, StoreError> {
    let mut settled = Settled::default();
    let mut newest: BTreeMap<Subject, Instant> = BTreeMap::new();
    for claim in claims {
        let Meeting { patient, episode, window } = claim.meeting;
        let subject = Subject { patient, episode, signal: claim.signal };
        if !newest.contains_key(&subject) {
            lock(tx, store.dialect, tenant, &subject).await?;
        }
        let at = newest.entry(subject.clone()).or_insert(window.end);
        *at = window.end.max(*at);
        let claims = Claims { store, tenant, subject };
        if claims.is_alone(tx, window, &claim.source).await? {
            claims.keep(tx, window, &claim.source, &claim.drafts, true).await?;
            settled.drafts.extend(claim.drafts);
        } else {
            claims.put(tx, window, claim.source, claim.drafts, &mut settled).await?;
        }
    }
    for (subject, at) in newest {
        let from = Instant::MIN.max(at.plus(-KEPT_US));
        let claims = Claims { store, tenant, subject };
        claims.forget_before(tx, from).await?;
    }
    Ok(settled)
}

impl Store {
    /// What would be stored if claims were weighed against those of other sources.
    ///
    /// # Errors
    /// The database failed.
    pub async fn weigh(&self, tenant: &TenantId, claims: Vec<Claim>) -> Result<Vec<Draft>, StoreError> {
        if claims.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.begin().await?;
        let weighed = weighed(&mut tx, self, tenant, claims).await?;
        tx.rollback().await?;
        Ok(weighed)
    }

    /// Stores resources that came of packets, and claims with what follows from them. Gives the references of those that were
    /// held back, as they are not valid.
    ///
    /// # Errors
    /// The database failed; nothing was stored.
    pub async fn put_claims(
        &self,
        tenant: &TenantId,
        mut drafts: Vec<Draft>,
        claims: Vec<Claim>,
        packets: PacketRange,
    ) -> Result<Vec<String>, StoreError> {
        let mut tx = self.begin().await?;
        drafts.extend(weighed(&mut tx, self, tenant, claims).await?);
        drafts.iter_mut().for_each(|draft| draft.packets = Some(packets));
        let stored = upsert(&mut tx, self, tenant, drafts, self.clock.now()).await?;
        self.finish(tx).await?;
        Ok(stored.invalid.into_iter().map(|invalid| invalid.reference).collect())
    }
}

/// Keeps claims; gives the resources that are to be stored for that.
pub(super) async fn weighed(
    tx: &mut Transaction<'_, Any>,
    store: &Store,
    tenant: &TenantId,
    claims: Vec<Claim>,
) -> Result<Vec<Draft>, StoreError> {
    settle(tx, store, tenant, claims).await?.into_drafts(tx, store, tenant).await
}

impl Settled {
    /// The resources that are to be stored: what does not count any more was an error.
    pub(super) async fn into_drafts(
        self,
        tx: &mut Transaction<'_, Any>,
        store: &Store,
        tenant: &TenantId,
    ) -> Result<Vec<Draft>, StoreError> {
        let retracted = retracted(tx, &store.bodies, tenant, self.retracted, &BTreeSet::new()).await?;
        let mut drafts = store.drafts(tenant, retracted)?;
        drafts.extend(self.drafts);
        Ok(drafts)
    }
}

/// Forgets claims of a source; gives what follows.
pub(super) async fn withdraw(
    tx: &mut Transaction<'_, Any>,
    store: &Store,
    tenant: &TenantId,
    (device, stream): (&DeviceKey, &StreamName),
    from: Instant,
    is_placed: impl Fn(&str, Option<&str>, Interval) -> bool,
) -> Result<Settled, StoreError> {
    let rows = sqlx::query(
        "SELECT patient, episode, signal, start_us, end_us FROM claim \
         WHERE tenant = $1 AND device = $2 AND stream = $3 AND end_us >= $4",
    )
    .bind(tenant.as_str())
    .bind(device.as_str())
    .bind(stream.as_str())
    .bind(from.0)
    .fetch_all(&mut **tx)
    .await?;
    let mut settled = Settled::default();
    for row in rows {
        let (patient, episode, signal): (String, String, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let interval = Interval { start: Instant(row.try_get(3)?), end: Instant(row.try_get(4)?) };
        let named = Some(episode.as_str()).filter(|e| !e.is_empty());
        if is_placed(&patient, named, interval) {
            continue;
        }
        let subject = Subject {
            episode: named.map(EpisodeId::new).transpose().map_err(damaged)?,
            patient: ResourceId::new(patient).map_err(damaged)?,
            signal: SignalCode::new(signal).map_err(damaged)?,
        };
        lock(tx, store.dialect, tenant, &subject).await?;
        let claims = Claims { store, tenant, subject };
        let mut present = claims.present(tx, interval).await?;
        let is_own = |k: &Kept| k.interval == interval && k.source.device == *device && k.source.stream == *stream;
        if let Some(place) = present.iter().position(is_own) {
            let gone = present.remove(place);
            claims.delete(tx, &gone).await?;
        }
        claims.weigh(tx, interval, present, None, &mut settled).await?;
    }
    Ok(settled)
}

async fn lock(
    tx: &mut Transaction<'_, Any>,
    dialect: Dialect,
    tenant: &TenantId,
    subject: &Subject,
) -> Result<(), StoreError> {
    if let Some(lock) = dialect.meeting() {
        sqlx::query(lock).bind(format!("{tenant}/{}", subject.patient)).execute(&mut **tx).await?;
    }
    Ok(())
}

/// The claims of a subject.
struct Claims<'a> {
    store: &'a Store,
    tenant: &'a TenantId,
    subject: Subject,
}

impl Claims<'_> {
    /// The times claims may have that meet one at `interval`: the same window, or the readings around.
    fn reach(interval: Interval, times: i64) -> (i64, i64) {
        if interval.start < interval.end {
            return (interval.end.0, interval.end.0);
        }
        (interval.end.0.saturating_sub(times * REACH_US), interval.end.0.saturating_add(times * REACH_US))
    }

    async fn is_alone(
        &self,
        tx: &mut Transaction<'_, Any>,
        interval: Interval,
        source: &priority::Claim,
    ) -> Result<bool, StoreError> {
        let (from, until) = Self::reach(interval, 1);
        let mut sql = self.about("SELECT COUNT(*) FROM claim");
        sql.push(" AND end_us BETWEEN ").bind(from).push(" AND ").bind(until);
        sql.push(" AND end_us - start_us = ").bind(interval.end.0 - interval.start.0);
        sql.push(" AND NOT (device = ").bind(source.device.as_str());
        sql.push(" AND stream = ").bind(source.stream.as_str()).push(")");
        let row = sql.query().fetch_one(&mut **tx).await?;
        Ok(row.try_get::<i64, _>(0)? == 0)
    }

    /// Puts a claim where there are others.
    async fn put(
        &self,
        tx: &mut Transaction<'_, Any>,
        interval: Interval,
        source: priority::Claim,
        drafts: Vec<Draft>,
        settled: &mut Settled,
    ) -> Result<(), StoreError> {
        let mut present = self.present(tx, interval).await?;
        present.retain(|kept| !(kept.interval == interval && kept.source.is_of(&source)));
        let refs = refs(&drafts);
        // It counted or not: what is in the record by it is the same resource, and is written anew or retracted.
        present.push(Kept { interval, source, refs, counts: true });
        self.weigh(tx, interval, present, Some(drafts), settled).await
    }

    /// Decides anew what counts around `interval`. `fresh` are the drafts of the last of `present`, which is not kept yet.
    async fn weigh(
        &self,
        tx: &mut Transaction<'_, Any>,
        interval: Interval,
        present: Vec<Kept>,
        mut fresh: Option<Vec<Draft>>,
        settled: &mut Settled,
    ) -> Result<(), StoreError> {
        let order = self.order(tx).await?;
        let counting = if interval.start < interval.end {
            vec![best(&order, &present)]
        } else {
            present.iter().enumerate().map(|(place, kept)| counts(&order, kept, &present).then_some(place)).collect()
        };
        let counting: Vec<usize> = counting.into_iter().flatten().collect();
        let last = present.len().wrapping_sub(1);
        let (from, until) = Self::reach(interval, 1);
        for (place, kept) in present.iter().enumerate() {
            let fresh = if place == last { fresh.take() } else { None };
            let does_count = counting.contains(&place);
            let is_window = interval.start < interval.end;
            // Readings further away only bear on those that are near.
            let is_near = (from..=until).contains(&kept.interval.end.0);
            if !is_near || (fresh.is_none() && kept.counts == does_count && !(is_window && does_count)) {
                continue;
            }
            let is_fresh = fresh.is_some();
            let content = match fresh {
                Some(drafts) => drafts,
                None if kept.counts => self.recorded(tx, kept).await?,
                None => self.put_aside(tx, kept).await?,
            };
            if is_fresh || kept.counts != does_count {
                self.keep(tx, kept.interval, &kept.source, &content, does_count).await?;
            }
            if does_count {
                let passed_over = if is_window { self.passed_over(&order, &kept.source, &present) } else { Vec::new() };
                for draft in content {
                    settled.drafts.push(self.noted(draft, &passed_over)?);
                }
            } else if kept.counts && !is_window {
                let observations = kept.refs.split(' ').filter(|r| r.starts_with("Observation/"));
                settled.retracted.extend(observations.map(str::to_owned));
            }
        }
        Ok(())
    }

    /// What says of a claim that it counts names those that do not.
    fn noted(&self, draft: Draft, passed_over: &[PassedOver]) -> Result<Draft, StoreError> {
        if draft.kind != "Provenance" || passed_over.is_empty() {
            return Ok(draft);
        }
        let resource = draft.into_resource()?;
        let element = with_passed_over(&resource.element, passed_over);
        self.store.draft(self.tenant, Resource { element, ..resource })
    }

    fn passed_over(&self, order: &[Source], winner: &priority::Claim, present: &[Kept]) -> Vec<PassedOver> {
        let others = present.iter().map(|kept| &kept.source).filter(|source| !source.is_of(winner));
        let note = |source: &priority::Claim| PassedOver {
            device: resource_id(self.tenant, "Device", source.device.as_str()),
            stream: source.stream.clone(),
            quality: source.quality,
            reason: priority::reason(order, winner, source),
        };
        others.map(note).collect()
    }

    /// Whose claims count most by the episode's profile.
    async fn order(&self, tx: &mut Transaction<'_, Any>) -> Result<Vec<Source>, StoreError> {
        match &self.subject.episode {
            Some(episode) => sources_of(tx, self.tenant, episode, &self.subject.signal).await,
            None => Ok(Vec::new()),
        }
    }

    /// The claims for a window, or those near enough to a reading to bear on what bears on it.
    async fn present(&self, tx: &mut Transaction<'_, Any>, interval: Interval) -> Result<Vec<Kept>, StoreError> {
        let (from, until) = Self::reach(interval, 2);
        let mut sql = self.about(
            "SELECT start_us, end_us, device, stream, model, quality, refs, CASE WHEN body IS NULL THEN 1 ELSE 0 END \
             FROM claim",
        );
        sql.push(" AND end_us BETWEEN ").bind(from).push(" AND ").bind(until);
        sql.push(" AND end_us - start_us = ").bind(interval.end.0 - interval.start.0);
        sql.push(" ORDER BY end_us, device, stream");
        let rows = sql.query().fetch_all(&mut **tx).await?;
        rows.iter().map(Kept::from_row).collect()
    }

    async fn keep(
        &self,
        tx: &mut Transaction<'_, Any>,
        interval: Interval,
        source: &priority::Claim,
        drafts: &[Draft],
        counts: bool,
    ) -> Result<(), StoreError> {
        let body = if counts { None } else { Some(body(drafts)?) };
        sqlx::query(
            "INSERT INTO claim (tenant, patient, episode, signal, end_us, start_us, device, stream, model, quality, refs, body) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
             ON CONFLICT (tenant, patient, episode, signal, end_us, start_us, device, stream) DO UPDATE SET \
             model = excluded.model, quality = excluded.quality, refs = excluded.refs, body = excluded.body",
        )
        .bind(self.tenant.as_str())
        .bind(self.subject.patient.as_str())
        .bind(self.episode())
        .bind(self.subject.signal.as_str())
        .bind(interval.end.0)
        .bind(interval.start.0)
        .bind(source.device.as_str())
        .bind(source.stream.as_str())
        .bind(source.model.as_deref())
        .bind(thousandths(source.quality))
        .bind(refs(drafts))
        .bind(body)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// The resources of a claim that counts, as its source gave them.
    async fn recorded(&self, tx: &mut Transaction<'_, Any>, kept: &Kept) -> Result<Vec<Draft>, StoreError> {
        let mut drafts = Vec::new();
        for reference in kept.refs.split(' ') {
            let (kind, id) = reference.split_once('/').ok_or(StoreError::Damaged { what: "claim" })?;
            let Some(stored) = derived(tx, &self.store.bodies, self.tenant, kind, id).await? else { continue };
            let element = as_first_computed(kind, stored);
            let resource = Resource { kind: kind.to_owned(), id: ResourceId::new(id).map_err(damaged)?, element };
            drafts.push(self.store.draft(self.tenant, resource)?);
        }
        Ok(drafts)
    }

    /// The resources of a claim that does not count.
    async fn put_aside(&self, tx: &mut Transaction<'_, Any>, kept: &Kept) -> Result<Vec<Draft>, StoreError> {
        let row = self.about_one(kept, "SELECT body FROM claim").query().fetch_one(&mut **tx).await?;
        self.store.drafts(self.tenant, resources(&row.try_get::<Vec<u8>, _>(0)?)?)
    }

    async fn delete(&self, tx: &mut Transaction<'_, Any>, kept: &Kept) -> Result<(), StoreError> {
        self.about_one(kept, "DELETE FROM claim").query().execute(&mut **tx).await?;
        Ok(())
    }

    async fn forget_before(&self, tx: &mut Transaction<'_, Any>, at: Instant) -> Result<(), StoreError> {
        let mut sql = self.about("DELETE FROM claim");
        sql.push(" AND end_us < ").bind(at.0);
        sql.query().execute(&mut **tx).await?;
        Ok(())
    }

    /// A statement about the claims of this subject.
    fn about(&self, what: &str) -> Sql {
        let mut sql = Sql::new(what);
        sql.push(" WHERE tenant = ").bind(self.tenant.as_str());
        sql.push(" AND patient = ").bind(self.subject.patient.as_str());
        sql.push(" AND episode = ").bind(self.episode());
        sql.push(" AND signal = ").bind(self.subject.signal.as_str());
        sql
    }

    /// A statement about one of them.
    fn about_one(&self, kept: &Kept, what: &str) -> Sql {
        let mut sql = self.about(what);
        sql.push(" AND end_us = ").bind(kept.interval.end.0);
        sql.push(" AND start_us = ").bind(kept.interval.start.0);
        sql.push(" AND device = ").bind(kept.source.device.as_str());
        sql.push(" AND stream = ").bind(kept.source.stream.as_str());
        sql
    }

    fn episode(&self) -> &str {
        self.subject.episode.as_ref().map_or("", EpisodeId::as_str)
    }
}

/// The place of the best claim for a window.
fn best(order: &[Source], present: &[Kept]) -> Option<usize> {
    let places = present.iter().enumerate();
    places.min_by(|(_, a), (_, b)| priority::compare(order, &a.source, &b.source)).map(|(place, _)| place)
}

/// Whether a reading counts.
fn counts(order: &[Source], kept: &Kept, present: &[Kept]) -> bool {
    let others: Vec<(Instant, &priority::Claim)> = present.iter().map(|k| (k.interval.end, &k.source)).collect();
    !priority::is_passed_over(order, (kept.interval.end, &kept.source), &others)
}

impl Kept {
    fn from_row(row: &AnyRow) -> Result<Self, StoreError> {
        let thousandths: i64 = row.try_get(5)?;
        Ok(Self {
            interval: Interval { start: Instant(row.try_get(0)?), end: Instant(row.try_get(1)?) },
            source: priority::Claim {
                device: DeviceKey::new(row.try_get::<String, _>(2)?).map_err(damaged)?,
                stream: StreamName::new(row.try_get::<String, _>(3)?).map_err(damaged)?,
                model: row.try_get(4)?,
                quality: (thousandths >= 0).then(|| Quality::new(thousandths as f64 / 1000.0)),
            },
            refs: row.try_get(6)?,
            counts: row.try_get::<i32, _>(7)? == 1,
        })
    }
}

fn thousandths(quality: Option<Quality>) -> i64 {
    quality.map_or(-1, |quality| (quality.index() * 1000.0).round() as i64)
}

fn refs(drafts: &[Draft]) -> String {
    drafts.iter().map(Draft::reference).collect::<Vec<_>>().join(" ")
}

fn body(drafts: &[Draft]) -> Result<Vec<u8>, StoreError> {
    let kept = |draft: &Draft| (draft.kind.clone(), draft.prepared.id.clone(), draft.prepared.tail.clone());
    postcard::to_stdvec(&Body(drafts.iter().map(kept).collect())).map_err(damaged)
}

fn resources(body: &[u8]) -> Result<Vec<Resource>, StoreError> {
    let Body(kept) = postcard::from_bytes(body).map_err(damaged)?;
    let resource = |(kind, id, tail): (String, String, Vec<u8>)| {
        let element = whole(&kind, &tail)?;
        Ok(Resource { id: ResourceId::new(id).map_err(damaged)?, kind, element })
    };
    kept.into_iter().map(resource).collect()
}

fn damaged<E>(_: E) -> StoreError {
    StoreError::Damaged { what: "claim" }
}
