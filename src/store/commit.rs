//! Commits: what streams gave, written in one transaction with the state it left.
//!
//! A statement costs more than a row, so what many commits have to store is stored together as far as none of them depends on
//! another.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{Any, Row as _, Transaction};

use super::checkpoint::{self, Checkpoint};
use super::claim::{self, Claim};
use super::clock::KnownClock;
use super::contribution::{self, Contribution};
use super::draft::Draft;
use super::held::PacketRange;
use super::journal::StreamId;
use super::lease::Lease;
use super::program::fire;
use super::raised::{self, Raised};
use super::resource::{Stored, Upserted, upsert};
use super::sql::{Sql, Value, pieces};
use super::statement::{self, Statement};
use super::{Store, StoreError};
use crate::id::{EpisodeId, ResourceId, TenantId};
use crate::resource::Resource;
use crate::time::Instant;

/// Streams per look-up.
const STREAMS: usize = 64;

/// What one stream gave, with the state it left.
#[derive(Debug, Clone)]
pub struct Commit {
    /// Tenant.
    pub tenant: TenantId,
    /// What was projected.
    pub drafts: Vec<Draft>,
    /// What the stream has to offer to measurements that need several streams.
    pub contributions: Vec<Contribution>,
    /// What other sources may have measured as well.
    pub claims: Vec<Claim>,
    /// Alerts that were raised.
    pub raised: Vec<Raised>,
    /// Alerts that had been raised, and are not now that it went through their packets again.
    pub withdrawn: Vec<Raised>,
    /// The first and the last packet it came of.
    pub packets: Option<(u64, u64)>,
    /// The episodes its measurements are of.
    pub episodes: BTreeSet<EpisodeId>,
    /// What the stream says about its device, if that is new.
    pub statement: Option<Statement>,
    /// Everything before this time has been given out with it.
    pub event: Instant,
    /// Journal rows of the stream up to here led to it.
    pub position: i64,
    /// The revision of the device's associations it was computed by.
    pub revision: i64,
    /// What is known of the stream's clock; kept with the state.
    pub clock: KnownClock,
    /// The state after. Without one the stream computes this again when it is taken up from its last checkpoint.
    pub checkpoint: Option<Checkpoint>,
    /// Under which lease it was computed.
    pub lease: Lease,
}

impl Commit {
    /// This commit's state with nothing else yet; the rest goes without it.
    #[must_use]
    pub fn split_off_state(&mut self) -> Self {
        Self {
            tenant: self.tenant.clone(),
            drafts: Vec::new(),
            contributions: Vec::new(),
            claims: Vec::new(),
            raised: Vec::new(),
            withdrawn: Vec::new(),
            packets: self.packets,
            episodes: self.episodes.clone(),
            statement: None,
            event: self.event,
            position: self.position,
            revision: self.revision,
            clock: self.clock.clone(),
            checkpoint: self.checkpoint.take(),
            lease: self.lease,
        }
    }

    /// Whether it was computed by what is known now of whose the device is and of its clock.
    fn is_current(&self, revisions: &BTreeMap<StreamId, Revisions>) -> bool {
        let Some(known) = revisions.get(&self.lease.stream) else { return false };
        known.associations.is_none_or(|known| known <= self.revision)
            && known.clock.is_none_or(|known| known <= self.clock.revision)
    }

    /// The patients it claims something of.
    fn claimed(&self) -> impl Iterator<Item = &ResourceId> {
        self.claims.iter().map(|claim| &claim.meeting.patient)
    }
}

/// What became of commits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Committed {
    /// What became of their resources.
    pub upserted: Upserted,
    /// Commits that were refused, because another process holds their stream by now and computes the same, or because the
    /// stream has to go back to before them.
    pub refused: usize,
}

/// What becomes of what several streams offer.
pub trait Joint: Sync {
    /// What contributions to one window give together.
    fn together(&self, tenant: &TenantId, contributions: &[Vec<u8>]) -> Vec<Resource>;

    /// The Device, after `statement` came; `all` has what each stream says now.
    fn device(&self, tenant: &TenantId, statement: &Statement, all: &[Vec<u8>]) -> Resource;
}

impl Store {
    /// Stores resources and checkpoints of the streams this process holds, all or none, and with them what `joint` makes of what
    /// several streams offer.
    ///
    /// # Errors
    /// The database failed; nothing was stored.
    pub async fn commit(&self, commits: &[Commit], joint: &dyn Joint) -> Result<Committed, StoreError> {
        let mut tx = self.begin().await?;
        let now = self.clock.now();
        let mut done = Committed::default();
        let held = self.hold(&mut tx, commits.iter().map(|commit| commit.lease)).await?;
        let revisions = revisions(&mut tx, commits).await?;
        let mut together = Together::default();
        for commit in commits {
            if !held.contains(&commit.lease) || !commit.is_current(&revisions) {
                done.refused += 1;
                continue;
            }
            // Which of two claims counts is decided by what is stored of the first.
            if commit.claimed().any(|patient| together.patients.contains(patient)) {
                together.store(&mut tx, self, now, &mut done).await?;
            }
            let drafts = self.all_drafts(&mut tx, commit, joint).await?;
            if !together.takes(&commit.tenant, &drafts) {
                together.store(&mut tx, self, now, &mut done).await?;
            }
            together.add(commit, drafts);
            if let Some(checkpoint) = &commit.checkpoint {
                checkpoint::keep(&mut tx, checkpoint, &commit.clock).await?;
            }
        }
        together.store(&mut tx, self, now, &mut done).await?;
        self.finish(tx).await?;
        Ok(done)
    }

    /// What a commit gives, alone and with what others gave before it.
    async fn all_drafts(
        &self,
        tx: &mut Transaction<'_, Any>,
        commit: &Commit,
        joint: &dyn Joint,
    ) -> Result<Vec<Draft>, StoreError> {
        let tenant = &commit.tenant;
        // Copies: the caller needs the commit again if this fails.
        let (mut drafts, mut made) = (commit.drafts.clone(), Vec::new());
        for meeting in contribution::keep(tx, self.dialect, tenant, commit.contributions.clone()).await? {
            let present = contribution::present(tx, tenant, &meeting).await?;
            made.extend(joint.together(tenant, &present));
        }
        if let Some(statement) = &commit.statement {
            let all = statement::keep(tx, self.dialect, tenant, statement).await?;
            made.push(joint.device(tenant, statement, &all));
        }
        raised::keep(tx, commit.lease.stream, &commit.raised).await?;
        made.extend(raised::withdraw(tx, &self.bodies, tenant, commit.lease.stream, &commit.withdrawn).await?);
        drafts.extend(claim::weighed(tx, self, tenant, commit.claims.clone()).await?);
        drafts.extend(self.drafts(tenant, made)?);
        let packets = commit.packets.map(|(first, last)| PacketRange { stream: commit.lease.stream, first, last });
        drafts.iter_mut().for_each(|draft| draft.packets = packets);
        Ok(drafts)
    }
}

/// What commits have to store of which none depends on another.
#[derive(Default)]
struct Together<'a> {
    drafts: Vec<Draft>,
    references: BTreeSet<String>,
    /// Patients something was claimed of.
    patients: BTreeSet<&'a ResourceId>,
    /// The commits, and what each of them has.
    commits: Vec<(&'a Commit, Vec<String>)>,
}

impl<'a> Together<'a> {
    /// Whether these can be stored together with the others: another version of the same resource cannot.
    fn takes(&self, tenant: &TenantId, drafts: &[Draft]) -> bool {
        self.commits.first().is_none_or(|(commit, _)| commit.tenant == *tenant)
            && drafts.iter().all(|draft| !self.references.contains(&draft.reference()))
    }

    fn add(&mut self, commit: &'a Commit, drafts: Vec<Draft>) {
        let references: Vec<String> = drafts.iter().map(Draft::reference).collect();
        self.references.extend(references.iter().cloned());
        self.patients.extend(commit.claimed());
        self.drafts.extend(drafts);
        self.commits.push((commit, references));
    }

    /// Stores them, and notes the exports that are due for it; none are left.
    async fn store(
        &mut self,
        tx: &mut Transaction<'_, Any>,
        store: &Store,
        now: Instant,
        done: &mut Committed,
    ) -> Result<(), StoreError> {
        let Self { drafts, commits, .. } = std::mem::take(self);
        let Some((Commit { tenant, .. }, _)) = commits.first() else { return Ok(()) };
        let Stored { upserted, written, .. } = upsert(tx, store, tenant, drafts, now).await?;
        done.upserted.created += upserted.created;
        done.upserted.updated += upserted.updated;
        done.upserted.unchanged += upserted.unchanged;
        done.upserted.held += upserted.held;
        for (commit, references) in &commits {
            if references.iter().any(|reference| written.contains(reference)) {
                let place = (commit.lease.stream, commit.event, commit.position);
                fire(tx, &commit.tenant, &commit.episodes, place).await?;
            }
        }
        Ok(())
    }
}

/// What is known now of a stream.
struct Revisions {
    /// Of its device's associations.
    associations: Option<i64>,
    /// Of its clock.
    clock: Option<i64>,
}

/// What is known now of the streams of commits.
async fn revisions(
    tx: &mut Transaction<'_, Any>,
    commits: &[Commit],
) -> Result<BTreeMap<StreamId, Revisions>, StoreError> {
    let streams: BTreeSet<StreamId> = commits.iter().map(|commit| commit.lease.stream).collect();
    let mut known = BTreeMap::new();
    for piece in pieces(&streams.into_iter().collect::<Vec<_>>(), STREAMS) {
        let mut sql = Sql::new(
            "SELECT s.id, (SELECT MAX(a.revision) FROM association_change a WHERE a.tenant = s.tenant \
             AND a.device = s.device), (SELECT c.revision FROM stream_clock c WHERE c.stream = s.id) \
             FROM stream s WHERE s.id",
        );
        sql.bind_in(piece.iter().copied().map(Value::Int).collect());
        for row in sql.query().fetch_all(&mut **tx).await? {
            known.insert(row.try_get(0)?, Revisions { associations: row.try_get(1)?, clock: row.try_get(2)? });
        }
    }
    Ok(known)
}
