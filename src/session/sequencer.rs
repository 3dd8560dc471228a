//! Packets in any order to packets in sequence order, with a bound on what is held back.

use std::collections::BTreeMap;

/// Packets held back for a missing one before it is given up for now.
///
/// Giving up loses nothing: when the missing packet comes after all, the stream is taken back to a checkpoint before it
/// and read again, so the bound only decides how long a live value waits for a packet that may never come.
const MAX_HELD: usize = 32;

/// What became of an offered packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It can be taken with [`Sequencer::next`] now, or waits for one before it.
    Kept,
    /// Its place has been passed: the stream has to go back to it.
    Late,
    /// It is held back already.
    Repeated,
}

/// Orders one stream's packets.
#[derive(Debug, Clone)]
pub struct Sequencer<T> {
    next: Option<u64>,
    held: BTreeMap<u64, T>,
}

impl<T> Sequencer<T> {
    /// Starts at `next`, or at whatever comes first.
    pub fn new(next: Option<u64>) -> Self {
        Self { next, held: BTreeMap::new() }
    }

    /// The sequence number the stream waits for.
    pub fn expected(&self) -> Option<u64> {
        self.next
    }

    /// Packets held back.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Takes a packet in.
    pub fn offer(&mut self, sequence: u64, packet: T) -> Arrival {
        if self.next.is_some_and(|next| sequence < next) {
            return Arrival::Late;
        }
        if self.held.insert(sequence, packet).is_some() {
            return Arrival::Repeated;
        }
        Arrival::Kept
    }

    /// The next packet in order, if it is there or too many wait behind the missing one.
    #[allow(clippy::should_implement_trait)] // not an iterator: more may come
    pub fn next(&mut self) -> Option<(u64, T)> {
        let first = *self.held.first_key_value()?.0;
        if self.next.is_some_and(|next| first > next) && self.held.len() <= MAX_HELD {
            return None;
        }
        self.next = Some(first + 1);
        self.held.pop_first()
    }

    /// The next packet in order, gaps or not: for the end of what there is.
    pub fn drain(&mut self) -> Option<(u64, T)> {
        let (sequence, packet) = self.held.pop_first()?;
        self.next = Some(sequence + 1);
        Some((sequence, packet))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_missing_packet_is_waited_for_and_then_given_up() {
        let mut sequencer = Sequencer::new(Some(0));
        sequencer.offer(1, ());
        assert_eq!(sequencer.next(), None);
        sequencer.offer(0, ());
        assert_eq!(sequencer.next().map(|p| p.0), Some(0));
        assert_eq!(sequencer.next().map(|p| p.0), Some(1));
        for sequence in 3..3 + MAX_HELD as u64 {
            sequencer.offer(sequence, ());
            assert_eq!(sequencer.next(), None);
        }
        sequencer.offer(100, ());
        assert_eq!(sequencer.next().map(|p| p.0), Some(3));
        assert_eq!(sequencer.offer(2, ()), Arrival::Late);
    }

    proptest! {
        #[test]
        fn any_order_within_the_bound_comes_out_sorted(order in Just((0..30_u64).collect::<Vec<_>>()).prop_shuffle()) {
            let mut sequencer = Sequencer::new(Some(0));
            let mut out = Vec::new();
            for sequence in order {
                prop_assert_eq!(sequencer.offer(sequence, ()), Arrival::Kept);
                while let Some((sequence, ())) = sequencer.next() {
                    out.push(sequence);
                }
            }
            prop_assert_eq!(out, (0..30).collect::<Vec<_>>());
        }
    }
}
