//! A stream's resources computed again from its first packet, to be compared with what is stored.

use std::sync::Arc;

use super::Track;
use super::claim::{claims, drafts};
use super::later::draw_strip;
use super::worker::clock_of;
use crate::algorithm::PacketSeen;
use crate::id::EpisodeId;
use crate::packet::RawPacket;
use crate::projection::{self, Batch, Organization, Prompt};
use crate::registry::Registry;
use crate::store::{Change, Claim, Draft, PacketRange, Store, StoreError, StreamId};

/// Packets in one read.
const PAGE: i64 = 512;

/// What to compute with.
#[derive(Debug, Clone)]
pub struct Rederivation {
    /// Store.
    pub store: Store,
    /// Rows.
    pub registry: Arc<Registry>,
    /// Name of the organization that answers for the data.
    pub organization: String,
    /// How far a clock that is believed may be off before that is said, in microseconds.
    pub clock_bound_us: i64,
    /// Only what is of this episode.
    pub episode: Option<EpisodeId>,
    /// Only what this algorithm gave.
    pub algorithm: Option<String>,
    /// Whether what differs is stored.
    pub write: bool,
}

/// How what was computed compares with what was stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Resources that were stored just so.
    pub same: usize,
    /// References of those that were stored otherwise.
    pub changed: Vec<String>,
    /// References of those that were not stored.
    pub new: Vec<String>,
    /// References of those that are not valid: they were held back.
    pub invalid: Vec<String>,
    /// Numbers of packets that cannot be read.
    pub unreadable: Vec<u64>,
}

impl Rederivation {
    /// Computes a stream again. What it gives together with others is left to the pipeline, and so is what is still open.
    ///
    /// # Errors
    /// The store failed; what was written before that stays.
    pub async fn stream(&self, stream: StreamId) -> Result<Comparison, StoreError> {
        let key = self.store.stream_key(stream).await?;
        let associations = self.store.associations(&key.tenant, &key.device).await?;
        let known = self.store.clock(stream).await?;
        let clock = clock_of(&self.registry, self.clock_bound_us, associations.model.as_deref(), known);
        let mut track = Track::resume(&self.registry, &key, associations, None);
        let until = self.store.last_position().await?;
        let (mut comparison, mut from) = (Comparison::default(), 0);
        loop {
            let page = self.store.read_stream(stream, from, until, PAGE).await?;
            let Some(last) = page.last() else { break };
            from = last.sequence + 1;
            let mut batches = Vec::new();
            for entry in &page {
                let seen = PacketSeen { sequence: entry.sequence, sha256: entry.sha256 };
                let time = clock.read(entry.sequence, entry.device);
                let read = RawPacket::from_canonical(&entry.packet);
                match read.and_then(|packet| track.push(&self.registry, &packet, &seen, &time)) {
                    Ok(more) => batches.extend(more),
                    // It was put into quarantine when it was first tried.
                    Err(_) => comparison.unreadable.push(entry.sequence),
                }
            }
            self.compare(stream, batches, &mut comparison).await?;
        }
        if track.is_over() {
            self.compare(stream, track.open(&self.registry), &mut comparison).await?;
        }
        if self.write && self.episode.is_none() && self.algorithm.is_none() {
            self.store.packets_read(stream, &comparison.unreadable).await?;
        }
        Ok(comparison)
    }

    async fn compare(
        &self,
        stream: StreamId,
        batches: Vec<Batch>,
        comparison: &mut Comparison,
    ) -> Result<(), StoreError> {
        for mut batch in batches {
            if let Some(algorithm) = &self.algorithm {
                batch.measured.retain(|m| m.algorithm.as_ref().is_some_and(|a| a.id == *algorithm));
            }
            let is_meant = self.episode.is_none() || batch.origin.episode == self.episode;
            if !is_meant || batch.measured.is_empty() {
                continue;
            }
            let tenant = &batch.origin.tenant;
            let (drafts, claims) = self.drafts(&batch);
            let all = [drafts.clone(), self.store.weigh(tenant, claims.clone()).await?].concat();
            for (draft, change) in all.iter().zip(self.store.compare(tenant, &all).await?) {
                match change {
                    Change::None => comparison.same += 1,
                    Change::Update => comparison.changed.push(draft.reference()),
                    Change::Create => comparison.new.push(draft.reference()),
                }
            }
            // Also what is the same: of that nothing is in quarantine any more.
            if self.write {
                let packets = PacketRange { stream, first: batch.packets.first, last: batch.packets.last };
                comparison.invalid.extend(self.store.put_claims(tenant, drafts, claims, packets).await?);
            }
        }
        Ok(())
    }

    /// What a batch gives, and what it gives if other sources do not measure it better.
    fn drafts(&self, batch: &Batch) -> (Vec<Draft>, Vec<Claim>) {
        let organization = Organization::of(&batch.origin.tenant, &self.organization);
        let draw =
            |block: &_, paper, lead: Option<&str>, quality| draw_strip(&self.registry, block, paper, lead, quality);
        // The rows were checked when they were read.
        let Prompt { values: mut resources, contested } =
            projection::prompt(batch, &self.registry, &organization, &draw).unwrap_or_default();
        let (claims, others) = claims(&self.store, &batch.origin, contested);
        resources.extend(others);
        resources.extend(projection::series(batch, &self.registry, &organization, &draw).unwrap_or_default());
        (drafts(&self.store, &batch.origin.tenant, resources), claims)
    }
}
