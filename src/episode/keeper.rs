//! Ends episodes whose end condition has come true, and makes ready what waits for the end of an episode.
//!
//! It remembers nothing: each round starts from what the store says and what time it is. So several of them may run on one
//! database, and one may be killed anywhere; what two do at once is done once.
//!
//! An episode ends at the moment its condition came true, however late that is noticed:
//!
//! | condition | end |
//! |---|---|
//! | `max_duration_s` | so long after its start |
//! | `inactivity_s` | so long after a packet of one of its devices was last received. What the devices buffered in this time and send later still belongs to it |
//! | `sample_count` | the end of the packet with which the number was reached |

use std::sync::Arc;
use std::time::Duration;

use super::clocks::Clocks;
use super::{Episodes, samples};
use crate::packet::RawPacket;
use crate::program::{Ended, EndedBy};
use crate::registry::Registry;
use crate::store::{Count, Due, StoreError, Waiting};
use crate::time::{Clock, Instant, MICROS};

/// Time between two rounds.
const ROUND: Duration = Duration::from_secs(1);

/// How long the pipeline is waited for before it is told again that an episode has ended.
const PATIENCE_US: i64 = 60 * MICROS;

/// Packets in one read.
const PAGE: usize = 512;

/// Looks after the episodes of all tenants.
#[derive(Clone)]
pub struct Keeper {
    episodes: Episodes,
    registry: Arc<Registry>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper").field("episodes", &self.episodes).finish_non_exhaustive()
    }
}

impl Keeper {
    /// A keeper that goes by this clock.
    pub fn new(episodes: Episodes, registry: Arc<Registry>, clock: Arc<dyn Clock>) -> Self {
        Self { episodes, registry, clock }
    }

    /// Looks after them for as long as the server runs.
    pub fn start(self) {
        tokio::spawn(async move {
            loop {
                if let Err(error) = self.round().await {
                    tracing::error!(error = &error as &dyn std::error::Error, "episodes cannot be kept, trying again");
                }
                tokio::time::sleep(ROUND).await;
            }
        });
    }

    /// One round.
    ///
    /// # Errors
    /// The store failed; what is left is the next round's.
    pub async fn round(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut due = self.episodes.store.overlong(now).await?;
        due.extend(self.episodes.store.silent(now).await?);
        for count in self.episodes.store.counts().await? {
            due.extend(self.count(count, now).await?);
        }
        // Of two conditions the one counts that came true first.
        due.sort_by_key(|due| due.end.at);
        for Due { tenant, episode, end } in due {
            match self.episodes.close(&tenant, &episode, end).await {
                Err(StoreError::Refused(refusal)) => {
                    tracing::error!(%episode, %refusal, "an episode that is over stays open");
                }
                closed => drop(closed?),
            }
        }
        for waiting in self.episodes.store.waiting().await? {
            if self.is_settled(&waiting).await? {
                self.episodes.store.release(&waiting.tenant, &waiting.episode).await?;
            } else if self.episodes.store.tell_again(&waiting.tenant, &waiting.episode, now.plus(-PATIENCE_US)).await? {
                // Who ended it may have been killed before the pipeline knew.
                self.episodes.reassociate(&waiting.tenant, &waiting.devices).await;
            }
        }
        Ok(())
    }

    async fn is_settled(&self, waiting: &Waiting) -> Result<bool, StoreError> {
        for device in &waiting.devices {
            if !self.episodes.pipeline.is_settled(&waiting.tenant, device, waiting.end).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Counts on through an episode's samples; the end of the episode, when they are enough.
    async fn count(&self, from: Count, now: Instant) -> Result<Option<Due>, StoreError> {
        let store = &self.episodes.store;
        let Some((_, devices)) = store.episode(&from.tenant, &from.episode).await? else { return Ok(None) };
        let mut before = from;
        loop {
            let mut clocks = Clocks::new(store, &self.registry);
            let page = store.uncounted(&before, PAGE.cast_signed() as i64).await?;
            let mut count = before.clone();
            let mut is_all = page.len() < PAGE;
            for counted in &page {
                // What cannot be read is in quarantine and has no samples.
                let Ok(packet) = RawPacket::from_canonical(&counted.packet) else {
                    count.position = counted.position;
                    continue;
                };
                let Some(start) = clocks.time(&count.tenant, &packet.device, counted).await? else {
                    is_all = true; // for now: it is counted when its time is known
                    break;
                };
                count.position = counted.position;
                let belongs = devices.iter().any(|share| {
                    share.device == packet.device
                        && share.from <= start
                        && share.until.is_none_or(|until| start < until)
                });
                if belongs {
                    count.samples += samples::count(&packet);
                }
                if belongs && count.samples >= count.limit {
                    let end = start.plus(samples::length(&packet));
                    let end = Ended { at: end.min(now).max(count.start.plus(1)), by: EndedBy::SampleCount };
                    return Ok(Some(Due { tenant: count.tenant, episode: count.episode, end }));
                }
            }
            if count != before {
                store.keep_count(&before, &count).await?;
            }
            if is_all {
                return Ok(None);
            }
            before = count;
        }
    }
}
