//! Which sequence numbers of a stream are durable.

use std::collections::BTreeMap;

/// Inclusive ranges of numbers, none touching another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    ranges: BTreeMap<u64, u64>,
}

/// What a sender is told about a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamState {
    /// Everything from the stream's first number up to here is durable.
    pub contiguous: u64,
    /// Inclusive ranges between the durable ones, to resend.
    pub gaps: Vec<(u64, u64)>,
}

impl Ledger {
    /// From inclusive ranges in order.
    pub fn from_ranges(ranges: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let mut ledger = Self::default();
        for (first, last) in ranges {
            ledger.ranges.insert(first, last);
        }
        ledger
    }

    /// Adds a number.
    pub fn insert(&mut self, number: u64) {
        let before = self.ranges.range(..=number).next_back().map(|(f, l)| (*f, *l));
        if before.is_some_and(|(_, last)| number <= last) {
            return;
        }
        let mut range = (number, number);
        if let Some((first, last)) = before
            && last.checked_add(1) == Some(number)
        {
            range.0 = first;
        }
        if let Some(next) = number.checked_add(1)
            && let Some(last) = self.ranges.remove(&next)
        {
            range.1 = last;
        }
        self.ranges.insert(range.0, range.1);
    }

    /// What a sender is told; `None` before the first packet.
    pub fn state(&self) -> Option<StreamState> {
        let contiguous = *self.ranges.first_key_value()?.1;
        let gaps =
            self.ranges.iter().zip(self.ranges.iter().skip(1)).map(|((_, last), (next, _))| (last + 1, next - 1));
        Some(StreamState { contiguous, gaps: gaps.take(100).collect() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn gaps_are_what_lies_between() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.state(), None);
        [5, 6, 9, 7, 12].into_iter().for_each(|n| ledger.insert(n));
        assert_eq!(ledger.state(), Some(StreamState { contiguous: 7, gaps: vec![(8, 8), (10, 11)] }));
        ledger.insert(8);
        ledger.insert(u64::MAX);
        assert_eq!(ledger.state().unwrap().contiguous, 9);
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_does_not_matter(mut numbers in proptest::collection::vec(0_u64..60, 1..80)) {
            let mut forward = Ledger::default();
            numbers.iter().for_each(|n| forward.insert(*n));
            numbers.sort_unstable();
            let mut sorted = Ledger::default();
            numbers.iter().rev().for_each(|n| sorted.insert(*n));
            prop_assert_eq!(forward, sorted);
        }
    }
}
