//! Archiving from where the database says it has come to, until something fails.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::backlog::{Backlog, Batch};
use crate::archive::block::{self, Draft, Hash, Packet, Sealed};
use crate::archive::home::block_path;
use crate::archive::key::{DataKey, random};
use crate::archive::{Archive, ArchiveError, ChainKey, Period, Settings};
use crate::store::{ArchiveBlock, ArchiveWriter, Entry, StreamId, StreamKey};
use crate::telemetry::Telemetry;
use crate::time::Instant as At;

/// Blocks that are written side by side, and chained in one transaction.
const TOGETHER: usize = 16;
/// Packets looked at in one go.
const STRETCH: i64 = 8192;

/// What a run knows that the database knows too.
pub(super) struct Run<'a> {
    archive: &'a Archive,
    writer: ArchiveWriter,
    backlog: Backlog,
    streams: HashMap<StreamId, Arc<StreamKey>>,
    /// Number and name of each device's newest block, and up to where its packets are archived.
    heads: HashMap<ChainKey, Option<(u64, Hash, i64)>>,
    /// The journal has been looked at up to here.
    seen: i64,
    /// The database has been told that everything up to here is archived.
    told: i64,
}

impl<'a> Run<'a> {
    pub(super) async fn start(
        archive: &'a Archive,
        writer: ArchiveWriter,
        settings: &Settings,
    ) -> Result<Self, ArchiveError> {
        archive.home.tidy().await?;
        archive.keyring.settle().await?;
        let told = archive.store.archive_progress().await?;
        let mut run = Self {
            archive,
            writer,
            backlog: Backlog::new(settings.block_bytes, settings.block_age),
            streams: HashMap::new(),
            heads: HashMap::new(),
            seen: told,
            told,
        };
        run.recover().await?;
        Ok(run)
    }

    /// Whether this process is still the one that archives.
    pub(super) async fn is_alone(&mut self) -> Result<bool, ArchiveError> {
        Ok(self.writer.claim().await?)
    }

    /// Packets that wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.backlog.len()
    }

    /// Finishes or withdraws the blocks that were being written.
    async fn recover(&mut self) -> Result<(), ArchiveError> {
        for block in self.archive.store.archive_pending().await? {
            let chain = ChainKey { tenant: block.tenant.clone(), device: block.device.clone() };
            let path = block_path(&chain, block.number, &Hash(block.name));
            let found = self.archive.home.get(&path).await?;
            if found.as_deref().map(Hash::of) == Some(Hash(block.name)) {
                self.writer.chain(std::slice::from_ref(&block)).await?;
                continue;
            }
            if found.is_some() {
                tracing::warn!(path, "a block was cut off while it was written; its packets are archived again");
                self.archive.home.remove(&path).await?;
            }
            self.writer.withdraw(&block).await?;
        }
        Ok(())
    }

    /// Archives what is due after another stretch of the journal; whether there may be more of it.
    pub(super) async fn step(&mut self, telemetry: &Telemetry) -> Result<bool, ArchiveError> {
        let more = self.look().await?;
        while self.archive_due(telemetry).await? {}
        self.tell().await?;
        telemetry.archive_backlog(self.backlog.len());
        Ok(more)
    }

    /// Looks at a stretch of the journal; whether there may be more.
    async fn look(&mut self) -> Result<bool, ArchiveError> {
        let marks = self.archive.store.archive_marks(self.seen, STRETCH).await?;
        let now = Instant::now();
        for mark in &marks {
            let key = self.stream(mark.stream).await?;
            let chain = ChainKey { tenant: key.tenant.clone(), device: key.device.clone() };
            let head = self.head(&chain).await?;
            if head.is_none_or(|(_, _, last)| last < mark.position) {
                self.backlog.push(&chain, mark.position, mark.bytes, Period::of(mark.received), now);
            }
            self.seen = mark.position;
        }
        Ok(marks.len().cast_signed() as i64 == STRETCH)
    }

    /// Makes blocks of what is due; whether there may be more.
    async fn archive_due(&mut self, telemetry: &Telemetry) -> Result<bool, ArchiveError> {
        let due = self.backlog.due(Instant::now(), TOGETHER);
        if due.is_empty() {
            return Ok(false);
        }
        let mut sealed = Vec::with_capacity(due.len());
        for batch in due {
            sealed.push(self.seal(batch).await?);
        }
        let blocks: Vec<ArchiveBlock> = sealed.iter().map(record).collect();
        self.writer.announce(&blocks).await?;
        let mut writing = JoinSet::new();
        for block in sealed {
            let home = Arc::clone(&self.archive.home);
            let chain = ChainKey { tenant: block.header.tenant, device: block.header.device };
            let path = block_path(&chain, block.header.number, &block.name);
            self.heads.insert(chain, Some((block.header.number, block.name, block.header.positions.1)));
            writing.spawn(async move { home.create(&path, &block.bytes).await });
        }
        while let Some(written) = writing.join_next().await {
            written.map_err(|error| ArchiveError::System(error.to_string()))??;
        }
        self.writer.chain(&blocks).await?;
        for block in &blocks {
            telemetry.archived(block.packets, block.bytes);
        }
        Ok(true)
    }

    async fn seal(&mut self, batch: Batch) -> Result<Sealed, ArchiveError> {
        let head = self.head(&batch.chain).await?;
        let (id, key) = self.archive.keyring.current(&batch.chain.tenant, batch.period).await?;
        let draft = Draft {
            chain: batch.chain,
            previous: head.map(|(_, name, _)| name),
            number: head.map_or(1, |(number, _, _)| number + 1),
            key: id,
            salt: random().map_err(|error| ArchiveError::System(error.to_string()))?,
        };
        let mut packets = Vec::with_capacity(batch.positions.len());
        for entry in self.archive.store.archive_entries(&batch.positions).await? {
            packets.push(packet(&*self.stream(entry.stream).await?, entry));
        }
        seal(draft, packets, key).await
    }

    /// Tells the database up to where everything is archived.
    async fn tell(&mut self) -> Result<(), ArchiveError> {
        let done = self.backlog.first().map_or(self.seen, |first| first - 1);
        if done > self.told {
            self.writer.reached(done).await?;
            self.told = done;
        }
        Ok(())
    }

    async fn stream(&mut self, stream: StreamId) -> Result<Arc<StreamKey>, ArchiveError> {
        if let Some(key) = self.streams.get(&stream) {
            return Ok(Arc::clone(key));
        }
        let key = Arc::new(self.archive.store.stream_key(stream).await?);
        self.streams.insert(stream, Arc::clone(&key));
        Ok(key)
    }

    async fn head(&mut self, chain: &ChainKey) -> Result<Option<(u64, Hash, i64)>, ArchiveError> {
        if let Some(head) = self.heads.get(chain) {
            return Ok(*head);
        }
        let head = self.archive.store.archive_head(&chain.tenant, &chain.device).await?;
        let head = head.map(|head| (head.number, Hash(head.name), head.last_position));
        self.heads.insert(chain.clone(), head);
        Ok(head)
    }
}

/// Compresses and encrypts on a thread where that may take its time.
async fn seal(draft: Draft, packets: Vec<Packet>, key: DataKey) -> Result<Sealed, ArchiveError> {
    let sealed = tokio::task::spawn_blocking(move || block::seal(draft, &packets, &key)).await;
    Ok(sealed.map_err(|error| ArchiveError::System(error.to_string()))??)
}

fn packet(stream: &StreamKey, entry: Entry) -> Packet {
    Packet {
        stream: stream.name.clone(),
        sequence: entry.sequence,
        received: entry.received,
        position: entry.position,
        sha256: Hash(entry.sha256),
        json: entry.packet,
    }
}

/// What the database keeps of a block.
fn record(sealed: &Sealed) -> ArchiveBlock {
    let header = &sealed.header;
    ArchiveBlock {
        tenant: header.tenant.clone(),
        device: header.device.clone(),
        number: header.number,
        name: sealed.name.0,
        previous: header.previous.map(|name| name.0),
        key: header.key.clone(),
        positions: header.positions,
        received: (At(header.received_us.0), At(header.received_us.1)),
        streams: header.streams.iter().map(|s| (s.name.clone(), s.first, s.last)).collect(),
        packets: header.packets,
        bytes: sealed.bytes.len() as u64,
        audit: None,
        removed: false,
    }
}
