//! A stream in a worker's memory, and what it raised.

use super::track::Track;
use crate::projection::{self, Batch};
use crate::session::Sequencer;
use crate::session::clock::Clock;
use crate::store::{Entry, Lease, Raised};

/// A stream in memory.
pub(super) struct Live {
    pub(super) lease: Lease,
    pub(super) track: Track,
    pub(super) sequencer: Sequencer<Entry>,
    pub(super) clock: Clock,
    /// Journal rows up to here have been offered.
    pub(super) position: i64,
    /// What it last said about its device: that comes with every window and hardly ever changes.
    pub(super) stated: Vec<u8>,
    /// What it raised when it went through the packets ahead of it before.
    pub(super) doubtful: Vec<Raised>,
    /// Whether it gave series, which are stored later: its states wait their turn behind them.
    pub(super) gave_series: bool,
}

impl Live {
    /// What had been raised before packet `sequence` and is not now; none of it is in doubt any longer.
    pub(super) fn withdrawn(&mut self, raised: &[Raised], sequence: u64) -> Vec<Raised> {
        if self.doubtful.is_empty() {
            return Vec::new();
        }
        self.doubtful.retain(|before| raised.iter().all(|now| now.flag != before.flag));
        // What holds may still be raised, if later than it was.
        let flags = self.track.flags();
        self.doubtful.extract_if(.., |before| before.sequence <= sequence && !flags.contains(&before.flag)).collect()
    }
}

/// What a batch raises, with the stream before packet `sequence`.
pub(super) fn raised(batch: &Batch, sequence: u64) -> impl Iterator<Item = Raised> {
    let begun = batch.alerts.iter().filter(|alert| alert.over.is_none());
    begun.map(move |alert| Raised {
        flag: projection::flag_reference(&batch.origin, &alert.rule.id, alert.onset),
        sequence,
        shown: projection::shown_by(&batch.origin, alert),
    })
}
