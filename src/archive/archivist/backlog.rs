//! What waits to be archived: of each device the places of its packets in the journal, not the packets.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::archive::{ChainKey, Period};

/// A packet that waits.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    position: i64,
    bytes: u32,
    period: Period,
}

/// The packets of a device that wait.
#[derive(Debug)]
struct Queue {
    packets: VecDeque<Waiting>,
    bytes: u64,
    /// When the first was seen.
    since: Instant,
}

/// Packets for one block.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) chain: ChainKey,
    pub(super) period: Period,
    /// Places in the journal, in order.
    pub(super) positions: Vec<i64>,
}

/// What waits, by device.
#[derive(Debug)]
pub(super) struct Backlog {
    queues: BTreeMap<ChainKey, Queue>,
    block_bytes: u64,
    block_age: Duration,
}

impl Backlog {
    pub(super) fn new(block_bytes: u64, block_age: Duration) -> Self {
        Self { queues: BTreeMap::new(), block_bytes, block_age }
    }

    /// Adds a packet; its position is behind all that the device had before.
    pub(super) fn push(&mut self, chain: &ChainKey, position: i64, bytes: u32, period: Period, now: Instant) {
        let waiting = Waiting { position, bytes, period };
        if let Some(queue) = self.queues.get_mut(chain) {
            queue.bytes += u64::from(bytes);
            queue.packets.push_back(waiting);
        } else {
            let queue = Queue { packets: VecDeque::from([waiting]), bytes: bytes.into(), since: now };
            self.queues.insert(chain.clone(), queue);
        }
    }

    /// Takes what is due, one block a device and `most` in all. A block holds packets of one month.
    pub(super) fn due(&mut self, now: Instant, most: usize) -> Vec<Batch> {
        let is_due = |queue: &Queue| queue.bytes >= self.block_bytes || now - queue.since >= self.block_age;
        let due: Vec<ChainKey> =
            self.queues.iter().filter(|(_, queue)| is_due(queue)).map(|(chain, _)| chain.clone()).take(most).collect();
        due.into_iter().filter_map(|chain| self.take(chain)).collect()
    }

    fn take(&mut self, chain: ChainKey) -> Option<Batch> {
        let queue = self.queues.get_mut(&chain)?;
        let period = queue.packets.front()?.period;
        let mut bytes = 0;
        let mut positions = Vec::new();
        while let Some(next) = queue.packets.front()
            && next.period == period
            && bytes < self.block_bytes
        {
            bytes += u64::from(next.bytes);
            positions.push(next.position);
            queue.packets.pop_front();
        }
        queue.bytes -= bytes;
        // What is left has waited as long or less: it is due with the next that is.
        if queue.packets.is_empty() {
            self.queues.remove(&chain);
        }
        Some(Batch { chain, period, positions })
    }

    /// The first packet that waits.
    pub(super) fn first(&self) -> Option<i64> {
        self.queues.values().filter_map(|queue| queue.packets.front()).map(|waiting| waiting.position).min()
    }

    /// Packets that wait.
    pub(super) fn len(&self) -> usize {
        self.queues.values().map(|queue| queue.packets.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{DeviceKey, TenantId};

    fn chain(device: &str) -> ChainKey {
        ChainKey { tenant: TenantId::new("t").unwrap(), device: DeviceKey::new(device).unwrap() }
    }

    #[test]
    fn blocks_are_due_by_size_or_age_and_hold_one_month() {
        let (old, new) = (Period::parse("2026-01").unwrap(), Period::parse("2026-02").unwrap());
        let begin = Instant::now();
        let mut backlog = Backlog::new(100, Duration::from_secs(10));
        backlog.push(&chain("a"), 1, 60, old, begin);
        backlog.push(&chain("b"), 2, 10, old, begin);
        assert_eq!(backlog.due(begin, 9), []);
        backlog.push(&chain("a"), 3, 60, old, begin);
        backlog.push(&chain("a"), 4, 60, old, begin);
        assert_eq!(backlog.first(), Some(1));
        let due = backlog.due(begin, 9);
        assert_eq!(due, [Batch { chain: chain("a"), period: old, positions: vec![1, 3] }]);
        assert_eq!((backlog.first(), backlog.len()), (Some(2), 2));
        backlog.push(&chain("a"), 5, 1, new, begin);
        let later = begin + Duration::from_secs(10);
        let batches = backlog.due(later, 9);
        assert_eq!(batches.iter().map(|b| b.positions.clone()).collect::<Vec<_>>(), [vec![4], vec![2]]);
        assert_eq!(backlog.due(later, 9), [Batch { chain: chain("a"), period: new, positions: vec![5] }]);
        assert_eq!((backlog.first(), backlog.len()), (None, 0));
    }
}
