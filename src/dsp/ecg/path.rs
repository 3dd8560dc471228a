//! The most likely sequence of beats among undecided humps (dynamic programming after Viterbi 1967).
//!
//! A path visits humps that can all be beats together. Its score is the sum of their log odds, each given the beat
//! before it on the path, less a penalty for every interval in which beats seem to be missing. One wrong hump
//! makes the times since the last beat wrong for all that follow, so right paths win over several beats where single
//! decisions would drift.

use super::decision::Decision;

/// What an interval costs in which a beat is missing, in log odds. More beats cost no more: either the heart paused, or
/// it stands still, and neither makes beats of noise.
const MISSING_PENALTY: f32 = 3.5;
/// A beat is missing in an interval of more than this many typical ones.
const MISSING_AFTER: f32 = 1.5;

/// Where a path ends.
#[derive(Clone, Copy)]
enum End {
    /// At this hump.
    Hump(usize),
    /// Anywhere, with a certain beat at this tick.
    Beat(u64),
    /// Anywhere, with nothing known after this tick.
    Open(u64),
}

/// Best path over all humps when nothing after `now` is known.
pub(super) fn best(decision: &Decision, now: u64) -> Vec<usize> {
    search(decision, End::Open(now))
}

/// Best path that ends with hump `last`.
pub(super) fn ending_at(decision: &Decision, last: usize) -> Vec<usize> {
    search(decision, End::Hump(last))
}

/// Best path before a certain beat at `tick`.
pub(super) fn before(decision: &Decision, tick: u64) -> Vec<usize> {
    search(decision, End::Beat(tick))
}

#[derive(Clone, Copy)]
struct Node {
    score: f32,
    previous: Option<usize>,
}

fn search(decision: &Decision, end: End) -> Vec<usize> {
    let count = decision.pending_len();
    let mut nodes = Vec::with_capacity(count);
    for i in 0..count {
        let arrival = arrive(decision, &nodes, i);
        nodes.push(arrival);
        if matches!(end, End::Hump(last) if last == i) {
            return trace(&nodes, Some(i));
        }
    }
    let close = |from: Option<usize>| match end {
        End::Beat(tick) => decision.gap_s(from, tick).map_or(f32::NEG_INFINITY, |gap| -missing(decision, gap)),
        End::Open(tick) => -missing(decision, decision.seconds_from(from, tick)),
        End::Hump(_) => f32::NEG_INFINITY,
    };
    let mut best = (close(None), None);
    for (i, node) in nodes.iter().enumerate() {
        let score = node.score + close(Some(i));
        if score > best.0 {
            best = (score, Some(i));
        }
    }
    trace(&nodes, best.1)
}

/// Best way to hump `i`: from the last certain beat or from one of the humps before.
fn arrive(decision: &Decision, nodes: &[Node], i: usize) -> Node {
    let step = |from: Option<usize>| {
        decision.step(from, i).map_or(f32::NEG_INFINITY, |(log_odds, gap)| log_odds - missing(decision, gap))
    };
    let mut best = Node { score: step(None), previous: None };
    for (j, node) in nodes.iter().enumerate() {
        let score = node.score + step(Some(j));
        if score > best.score {
            best = Node { score, previous: Some(j) };
        }
    }
    best
}

fn missing(decision: &Decision, gap_s: f32) -> f32 {
    let intervals = gap_s / decision.typical_interval_s();
    if intervals > MISSING_AFTER { MISSING_PENALTY } else { 0.0 }
}

fn trace(nodes: &[Node], end: Option<usize>) -> Vec<usize> {
    let mut path: Vec<usize> = std::iter::successors(end, |&i| nodes[i].previous).collect();
    path.reverse();
    path
}
