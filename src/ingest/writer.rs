//! The journal's single writer: gathers what concurrent senders submit and makes it durable in one transaction.
//!
//! While a transaction is being synced the next group gathers in the queue, so a thousand senders share a few syncs a
//! second and one sender waits for none but its own.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::feed::{Feeder, Fresh};
use super::ledger::{Ledger, StreamState};
use crate::id::{DeviceKey, StreamName, TenantId};
use crate::store::{Appended, Entry, NewEntry, Store, StoreError, StreamId, StreamKey};
use crate::time::{DeviceTime, Instant};

/// Submissions waiting for the writer before senders are told to slow down.
const QUEUE: usize = 1024;
/// Packets in one transaction.
const GROUP: usize = 4096;

/// A packet in canonical form, on its way to the journal.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Device.
    pub device: DeviceKey,
    /// Stream.
    pub stream: StreamName,
    /// Number in the stream.
    pub sequence: u64,
    /// Time of its first sample by the device's clock.
    pub device_time: DeviceTime,
    /// SHA-256 of `packet`.
    pub sha256: [u8; 32],
    /// Canonical JSON.
    pub packet: Vec<u8>,
}

/// What a sender is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepted {
    /// State of every stream touched, in the order first touched.
    pub streams: Vec<(DeviceKey, StreamName, StreamState)>,
    /// Packets stored.
    pub stored: usize,
    /// Packets that were there already.
    pub duplicates: usize,
    /// Packets whose number was taken by other content (device, stream, sequence).
    pub conflicts: Vec<(DeviceKey, StreamName, u64)>,
}

/// Why packets were not taken.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// Too much is waiting.
    #[error("the journal is busy")]
    Busy,
    /// The store failed; nothing of the submission is durable.
    #[error("the journal could not be written")]
    Store(#[source] Arc<StoreError>),
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopped,
}

struct Request {
    tenant: TenantId,
    received: Instant,
    packets: Vec<Submission>,
    answer: oneshot::Sender<Result<Accepted, JournalError>>,
}

/// Handle to the writer; cheap to clone.
#[derive(Debug, Clone)]
pub struct Journal {
    requests: mpsc::Sender<Request>,
    backlog: Arc<dyn Backlog>,
}

/// How far behind the pipeline is; the journal takes nothing more when it is too far.
pub trait Backlog: Send + Sync + std::fmt::Debug {
    /// Whether there is room for more.
    fn has_room(&self) -> bool;

    /// So many packets became durable.
    fn grew(&self, count: usize);
}

impl Journal {
    /// Starts the writer. `feeder` is told whatever became durable.
    pub fn start(store: Store, backlog: Arc<dyn Backlog>, feeder: Feeder) -> Self {
        let (requests, queue) = mpsc::channel(QUEUE);
        let writer = Writer { store, feeder, backlog: Arc::clone(&backlog), streams: HashMap::new() };
        tokio::spawn(writer.run(queue));
        Self { requests, backlog }
    }

    /// Makes packets durable; returns when they are.
    ///
    /// # Errors
    /// [`JournalError`]; nothing of the submission was stored.
    pub async fn submit(
        &self,
        tenant: TenantId,
        received: Instant,
        packets: Vec<Submission>,
    ) -> Result<Accepted, JournalError> {
        if !self.backlog.has_room() {
            return Err(JournalError::Busy);
        }
        let (answer, answered) = oneshot::channel();
        let request = Request { tenant, received, packets, answer };
        self.requests.try_send(request).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => JournalError::Busy,
            mpsc::error::TrySendError::Closed(_) => JournalError::Stopped,
        })?;
        answered.await.map_err(|_| JournalError::Stopped)?
    }
}

struct Writer {
    store: Store,
    feeder: Feeder,
    backlog: Arc<dyn Backlog>,
    streams: HashMap<(TenantId, DeviceKey, StreamName), (StreamId, Ledger)>,
}

impl Writer {
    async fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        while let Some(first) = queue.recv().await {
            let mut count = first.packets.len();
            let mut group = vec![first];
            while count < GROUP {
                let Ok(request) = queue.try_recv() else { break };
                count += request.packets.len();
                group.push(request);
            }
            match self.append(&mut group).await {
                Ok(answers) => {
                    for (request, answer) in group.into_iter().zip(answers) {
                        // A sender that hung up does not need its answer.
                        let _ = request.answer.send(Ok(answer));
                    }
                }
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, packets = count, "journal write failed");
                    // What the ledgers know may be ahead of what is durable: read them again.
                    self.streams.clear();
                    let error = Arc::new(error);
                    for request in group {
                        let _ = request.answer.send(Err(JournalError::Store(Arc::clone(&error))));
                    }
                }
            }
        }
    }

    async fn append(&mut self, group: &mut [Request]) -> Result<Vec<Accepted>, StoreError> {
        let mut entries = Vec::new();
        for request in group.iter_mut() {
            for packet in &mut request.packets {
                let stream = self.stream_id(&request.tenant, packet).await?;
                entries.push(NewEntry {
                    stream,
                    sequence: packet.sequence,
                    received: request.received,
                    device: packet.device_time,
                    sha256: packet.sha256,
                    packet: std::mem::take(&mut packet.packet),
                });
            }
        }
        let (first, outcomes) = self.store.append(&entries).await?;
        self.tell(first, entries, &outcomes);
        let mut appended = outcomes.into_iter();
        let mut answers = Vec::with_capacity(group.len());
        for request in group {
            let mut accepted = Accepted::default();
            let mut touched = Vec::new();
            for packet in &request.packets {
                let key = (request.tenant.clone(), packet.device.clone(), packet.stream.clone());
                let outcome = appended.next();
                // A duplicate too: another process on the database may have stored it.
                if let (Some(Appended::Stored | Appended::Duplicate), Some((_, ledger))) =
                    (outcome, self.streams.get_mut(&key))
                {
                    ledger.insert(packet.sequence);
                }
                match outcome {
                    Some(Appended::Stored) => accepted.stored += 1,
                    Some(Appended::Duplicate) => accepted.duplicates += 1,
                    Some(Appended::Conflict) | None => {
                        accepted.conflicts.push((packet.device.clone(), packet.stream.clone(), packet.sequence));
                    }
                }
                if !touched.contains(&key) {
                    touched.push(key);
                }
            }
            for key in touched {
                if let Some(state) = self.state(&key).await {
                    accepted.streams.push((key.1, key.2, state));
                }
            }
            answers.push(accepted);
        }
        Ok(answers)
    }

    /// Tells the pipeline what is new.
    fn tell(&self, first: i64, entries: Vec<NewEntry>, outcomes: &[Appended]) {
        let (after, until) = (first - 1, first - 1 + entries.len().cast_signed() as i64);
        let of = |(position, new): (i64, NewEntry)| {
            let NewEntry { stream, sequence, received, device, sha256, packet } = new;
            Entry { position, stream, sequence, received, device, sha256, packet }
        };
        let stored = (first..).zip(entries).zip(outcomes).filter(|(_, outcome)| **outcome == Appended::Stored);
        let entries: Vec<Entry> = stored.map(|(numbered, _)| of(numbered)).collect();
        if let Some(last) = entries.last() {
            self.backlog.grew(entries.len());
            let until = until.min(last.position);
            self.feeder.tell(Fresh { after, until, entries });
        }
    }

    /// What a sender is told about a stream. What looks like a gap may have come by another process.
    async fn state(&mut self, key: &(TenantId, DeviceKey, StreamName)) -> Option<StreamState> {
        let (id, ledger) = self.streams.get_mut(key)?;
        let state = ledger.state()?;
        if state.gaps.is_empty() || !self.store.is_shared() {
            return Some(state);
        }
        match self.store.sequences_in(*id, &state.gaps).await {
            Ok(found) => found.into_iter().for_each(|number| ledger.insert(number)),
            // The packets are durable all the same; a gap that is none costs a duplicate.
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "gaps cannot be looked up"),
        }
        ledger.state()
    }

    async fn stream_id(&mut self, tenant: &TenantId, packet: &Submission) -> Result<StreamId, StoreError> {
        let key = (tenant.clone(), packet.device.clone(), packet.stream.clone());
        if let Some((id, _)) = self.streams.get(&key) {
            return Ok(*id);
        }
        let name = StreamKey { tenant: key.0.clone(), device: key.1.clone(), name: key.2.clone() };
        let id = self.store.stream_id(&name).await?;
        let ledger = Ledger::from_ranges(self.store.sequences(id).await?);
        self.streams.insert(key, (id, ledger));
        Ok(id)
    }
}
