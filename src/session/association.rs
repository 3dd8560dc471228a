//! Whose a device's packets are: who wore it from when to when, and which episode it was part of meanwhile.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::id::{EpisodeId, ResourceId};
use crate::time::Instant;

/// Whom measurements are about, and in which episode.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Wearer {
    /// Logical id of the Patient.
    pub patient: ResourceId,
    /// Episode, if the device is part of one.
    pub episode: Option<EpisodeId>,
}

/// A stretch of time a device was with somebody.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// First instant of it; [`Instant::MIN`] for as long as there is anything.
    pub from: Instant,
    /// First instant after it; `None` while it lasts.
    pub until: Option<Instant>,
    /// With whom.
    pub wearer: Wearer,
}

impl Span {
    /// Whether `at` is inside.
    pub fn contains(&self, at: Instant) -> bool {
        self.from <= at && at < self.end()
    }

    /// Whether no instant is in both.
    pub fn is_apart_from(&self, other: &Self) -> bool {
        self.end() <= other.from || other.end() <= self.from
    }

    fn end(&self) -> Instant {
        self.until.unwrap_or(Instant::MAX)
    }
}

/// The span that holds `at`. A packet belongs where its first sample lies.
pub fn span_at(spans: &[Span], at: Instant) -> Option<&Span> {
    spans.iter().find(|span| span.contains(at))
}

/// One account out of who wore the device and which episodes it was part of, in order and without overlap: while it is
/// part of an episode, the episode says whose the packets are. Spans of one kind do not overlap each other.
pub fn account(worn: &[Span], episodes: &[Span]) -> Vec<Span> {
    let edges: BTreeSet<Instant> = worn.iter().chain(episodes).flat_map(|s| [s.from, s.end()]).collect();
    let edges: Vec<Instant> = edges.into_iter().collect();
    let mut spans: Vec<Span> = Vec::new();
    for (from, end) in edges.iter().zip(edges.iter().skip(1)) {
        let Some(found) = span_at(episodes, *from).or_else(|| span_at(worn, *from)) else { continue };
        let until = (*end < Instant::MAX).then_some(*end);
        match spans.last_mut() {
            Some(last) if last.until == Some(*from) && last.wearer == found.wearer => last.until = until,
            _ => spans.push(Span { from: *from, until, wearer: found.wearer.clone() }),
        }
    }
    spans
}

/// The first instant two accounts differ about, if they do.
pub fn first_difference(before: &[Span], after: &[Span]) -> Option<Instant> {
    let edges: BTreeSet<Instant> = before.iter().chain(after).flat_map(|s| [s.from, s.end()]).collect();
    let wearer = |spans: &[Span], at| span_at(spans, at).map(|s| s.wearer.clone());
    edges.into_iter().find(|&at| wearer(before, at) != wearer(after, at))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn span(patient: &str, episode: Option<&str>, from: i64, until: Option<i64>) -> Span {
        let wearer =
            Wearer { patient: ResourceId::new(patient).unwrap(), episode: episode.map(|e| EpisodeId::new(e).unwrap()) };
        Span { from: Instant(from), until: until.map(Instant), wearer }
    }

    #[test]
    fn an_episode_stands_in_front_of_who_wears_the_device() {
        let worn = [span("a", None, 0, Some(100)), span("b", None, 100, None)];
        let episodes = [span("a", Some("e"), 40, Some(60))];
        let expected = [
            span("a", None, 0, Some(40)),
            span("a", Some("e"), 40, Some(60)),
            span("a", None, 60, Some(100)),
            span("b", None, 100, None),
        ];
        assert_eq!(account(&worn, &episodes), expected);
        assert_eq!(account(&[], &episodes), episodes);
    }

    #[test]
    fn what_touches_and_is_the_same_is_one() {
        let worn = [span("a", None, 0, Some(10)), span("a", None, 10, None)];
        assert_eq!(account(&worn, &[]), [span("a", None, 0, None)]);
    }

    #[test]
    fn the_first_difference_is_where_an_end_was_moved() {
        let before = [span("a", None, 0, None)];
        assert_eq!(first_difference(&before, &before), None);
        assert_eq!(first_difference(&before, &[span("a", None, 0, Some(50))]), Some(Instant(50)));
        assert_eq!(first_difference(&[], &before), Some(Instant(0)));
        assert_eq!(first_difference(&before, &[span("b", None, 0, None)]), Some(Instant(0)));
    }

    /// Spans of alternating patients between some of these edges.
    fn spans(episode: Option<&'static str>) -> impl Strategy<Value = Vec<Span>> {
        proptest::collection::btree_set(0_i64..40, 0..8).prop_map(move |edges| {
            let edges: Vec<i64> = edges.into_iter().collect();
            let patient = |n: usize| if n.is_multiple_of(2) { "a" } else { "b" };
            let pairs = edges.chunks(2).enumerate();
            pairs.map(|(n, edge)| span(patient(n), episode, edge[0], edge.get(1).copied())).collect()
        })
    }

    proptest! {
        #[test]
        fn an_account_says_at_every_instant_what_its_parts_say(worn in spans(None), episodes in spans(Some("e"))) {
            let account = account(&worn, &episodes);
            for at in (-1..42).map(Instant) {
                let expected = span_at(&episodes, at).or_else(|| span_at(&worn, at)).map(|s| &s.wearer);
                prop_assert_eq!(span_at(&account, at).map(|s| &s.wearer), expected);
                prop_assert!(account.iter().filter(|s| s.contains(at)).count() <= 1);
            }
        }

        #[test]
        fn before_the_first_difference_there_is_none(before in spans(None), after in spans(None)) {
            let first = first_difference(&before, &after);
            let differs = |at| span_at(&before, at).map(|s| &s.wearer) != span_at(&after, at).map(|s| &s.wearer);
            prop_assert_eq!((-1..42).map(Instant).find(|at| differs(*at)), first);
        }
    }
}
