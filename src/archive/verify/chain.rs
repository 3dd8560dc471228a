//! One device's chain.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{ChainReport, Problem};
use crate::archive::block::{self, BlockError, Hash, Header, Packet};
use crate::archive::home::{block_at, block_path, chain_folder};
use crate::archive::{Archive, ArchiveError, ChainKey};
use crate::id::StreamName;
use crate::store::{ArchiveBlock, ArchiveHead, StreamId};

/// Blocks read from the database in one go.
const PAGE: i64 = 256;

pub(super) struct Walk<'a> {
    archive: &'a Archive,
    chain: &'a ChainKey,
    problems: &'a mut Vec<Problem>,
    streams: HashMap<StreamName, StreamId>,
    /// Packets of blocks that could not be held against the journal.
    unseen: u64,
    report: ChainReport,
}

impl<'a> Walk<'a> {
    /// Walks the chain; gives what it has and the blocks that are marked as deleted.
    pub(super) async fn over(
        archive: &'a Archive,
        chain: &'a ChainKey,
        problems: &'a mut Vec<Problem>,
    ) -> Result<(ChainReport, Vec<ArchiveBlock>), ArchiveError> {
        // The home before the database: what is in the home by now has been announced in the database before.
        let mut files = archive.home.files(&chain_folder(chain)).await?;
        let head = archive.store.archive_head(&chain.tenant, &chain.device).await?;
        let mut streams = HashMap::new();
        for id in archive.store.streams_of(&chain.tenant, &chain.device).await? {
            streams.insert(archive.store.stream_key(id).await?.name, id);
        }
        let report = ChainReport {
            tenant: chain.tenant.clone(),
            device: chain.device.clone(),
            blocks: 0,
            packets: 0,
            bytes: 0,
            deleted: 0,
            left_over: 0,
            head: head.as_ref().map(|head| (head.number, Hash(head.name))),
        };
        let mut walk = Self { archive, chain, problems, streams, unseen: 0, report };
        let (recorded, deleted) = walk.blocks(head.as_ref()).await?;
        files.retain(|file| !recorded.contains(&file.path));
        for file in files {
            walk.extra(&file.path, head.as_ref()).await?;
        }
        if let Some(head) = head {
            walk.count(&head).await?;
        }
        Ok((walk.report, deleted))
    }

    fn problem(&mut self, block: Option<u64>, problem: impl Into<String>) {
        self.problems.push(Problem::at(self.chain, block, problem.into()));
    }

    /// Every block the database has a record of, in order. Gives their paths, and those marked as deleted.
    async fn blocks(
        &mut self,
        head: Option<&ArchiveHead>,
    ) -> Result<(BTreeSet<String>, Vec<ArchiveBlock>), ArchiveError> {
        let last = head.map_or(0, |head| head.number);
        let (mut paths, mut deleted) = (BTreeSet::new(), Vec::new());
        let mut before: (u64, Option<[u8; 32]>, i64) = (0, None, i64::MIN);
        loop {
            let (chain, store) = (self.chain, &self.archive.store);
            let page = store.archive_blocks(&chain.tenant, &chain.device, before.0, PAGE).await?;
            if page.is_empty() {
                break;
            }
            for block in page {
                let path = block_path(chain, block.number, &Hash(block.name));
                if block.number > last {
                    // It is being written.
                    paths.insert(path);
                    before.0 = block.number;
                    continue;
                }
                if block.number != before.0 + 1 {
                    let missing = (before.0 + 1, block.number - 1);
                    self.problem(
                        Some(missing.0),
                        format!("the database has no record of blocks {} to {}", missing.0, missing.1),
                    );
                } else if block.previous != before.1 {
                    self.problem(Some(block.number), "the database names another block as the one before it");
                } else if block.positions.0 <= before.2 {
                    self.problem(Some(block.number), "it overlaps with the block before it");
                }
                self.block(&block, &path).await?;
                before = (block.number, Some(block.name), block.positions.1);
                paths.insert(path);
                if block.audit.is_some() {
                    self.report.deleted += 1;
                    self.unseen += block.packets;
                    deleted.push(block);
                }
            }
        }
        if let Some(head) = head {
            if before.0 < head.number {
                self.problem(Some(head.number), format!("the chain ends with block {} in the database", before.0));
            } else if before.0 == head.number && before.1 != Some(head.name) {
                self.problem(Some(head.number), "it is another than the newest block that was noted");
            }
        }
        Ok((paths, deleted))
    }

    /// A block against its record, its key, the journal.
    async fn block(&mut self, record: &ArchiveBlock, path: &str) -> Result<(), ArchiveError> {
        let number = Some(record.number);
        let is_deleted = record.audit.is_some();
        let Some(bytes) = self.archive.home.get(path).await? else {
            if !is_deleted {
                self.unseen += record.packets;
                self.problem(number, "it is missing");
            }
            return Ok(());
        };
        if Hash::of(&bytes) != Hash(record.name) {
            if !is_deleted {
                self.unseen += record.packets;
            }
            let problem = match (bytes.len() as u64).cmp(&record.bytes) {
                std::cmp::Ordering::Less => {
                    format!("it is cut off: {} of {} bytes", bytes.len(), record.bytes)
                }
                _ => match block::header(&bytes) {
                    Ok(other) if (&other.tenant, &other.device) != (&record.tenant, &record.device) => {
                        format!(
                            "another device's block is in its place: {} {} block {}",
                            other.tenant, other.device, other.number
                        )
                    }
                    Ok(other) if other.number != record.number => format!("block {} is in its place", other.number),
                    _ => "its bytes are not those it is named after: it was changed".to_owned(),
                },
            };
            self.problem(number, problem);
            return Ok(());
        }
        match block::header(&bytes) {
            Ok(header) if matches(&header, record) => {}
            Ok(_) => self.problem(number, "its header is not what the database says of it"),
            Err(error) => self.problem(number, error.to_string()),
        }
        if is_deleted {
            return Ok(());
        }
        let Some(key) = self.archive.keyring.get(&record.key).await? else {
            self.unseen += record.packets;
            self.problem(number, "its data key is destroyed, but no deletion took it");
            return Ok(());
        };
        let opened = tokio::task::spawn_blocking(move || block::open(&bytes, &key)).await;
        match opened.map_err(|error| ArchiveError::System(error.to_string()))? {
            Ok((_, packets)) => {
                self.report.blocks += 1;
                self.report.packets += record.packets;
                self.report.bytes += record.bytes;
                self.journal(record, &packets).await
            }
            Err(error) => {
                self.unseen += record.packets;
                self.problem(number, error.to_string());
                Ok(())
            }
        }
    }

    /// The packets of a block against the journal's.
    async fn journal(&mut self, record: &ArchiveBlock, packets: &[Packet]) -> Result<(), ArchiveError> {
        let mut archived: BTreeMap<(&StreamName, u64), &Packet> =
            packets.iter().map(|packet| ((&packet.stream, packet.sequence), packet)).collect();
        for (name, first, last) in &record.streams {
            let Some(stream) = self.streams.get(name) else { continue };
            let rows = self.archive.store.journal_hashes(*stream, (*first, *last), record.positions).await?;
            for (position, sequence, sha256) in rows {
                match archived.remove(&(name, sequence)) {
                    Some(packet) if packet.position == position && packet.sha256.0 == sha256 => {}
                    Some(_) => {
                        let problem = format!("packet {sequence} of stream {name} is another in the journal");
                        self.problem(Some(record.number), problem);
                    }
                    None => {
                        let problem = format!("packet {sequence} of stream {name} is in the journal, but not in it");
                        self.problem(Some(record.number), problem);
                    }
                }
            }
        }
        if let Some((name, sequence)) = archived.keys().next() {
            let problem = format!(
                "{} packets are not in the journal any more, first {sequence} of stream {name}",
                archived.len()
            );
            self.problem(Some(record.number), problem);
        }
        Ok(())
    }

    /// A file the database has no record of.
    async fn extra(&mut self, path: &str, head: Option<&ArchiveHead>) -> Result<(), ArchiveError> {
        let Some((number, name)) = block_at(path) else {
            self.problem(None, format!("{path} is no block"));
            return Ok(());
        };
        let Some(bytes) = self.archive.home.get(path).await? else { return Ok(()) };
        let opened = match block::header(&bytes) {
            Ok(header) if Hash::of(&bytes) == name => match self.archive.keyring.get(&header.key).await {
                Ok(Some(key)) => block::open(&bytes, &key),
                _ => Err(BlockError::Seal),
            },
            Ok(_) => Err(BlockError::Seal),
            Err(error) => Err(error),
        };
        let is_left_over = opened.is_ok_and(|(header, _)| {
            (&header.tenant, &header.device) == (&self.chain.tenant, &self.chain.device)
                && head.is_some_and(|head| header.positions.1 <= head.last_position)
        });
        if is_left_over {
            self.report.left_over += 1;
        } else {
            self.problem(Some(number), format!("{path} is in no chain: the database has no record of it"));
        }
        Ok(())
    }

    /// Whether the journal has packets that no block has.
    async fn count(&mut self, head: &ArchiveHead) -> Result<(), ArchiveError> {
        let chain = self.chain;
        let journal = self.archive.store.journal_count(&chain.tenant, &chain.device, head.last_position).await?;
        let archived = self.report.packets + self.unseen;
        if journal > archived {
            let problem = format!("{} packets of the journal are in no block", journal - archived);
            self.problem(None, problem);
        }
        Ok(())
    }
}

fn matches(header: &Header, record: &ArchiveBlock) -> bool {
    let streams = header.streams.iter().map(|s| (s.name.clone(), s.first, s.last));
    (&header.tenant, &header.device, header.number) == (&record.tenant, &record.device, record.number)
        && header.previous.map(|name| name.0) == record.previous
        && header.key == record.key
        && (header.positions, header.packets) == (record.positions, record.packets)
        && header.received_us == (record.received.0.0, record.received.1.0)
        && streams.eq(record.streams.iter().cloned())
}
