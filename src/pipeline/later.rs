//! What a worker puts off until there is nothing more urgent: series, their strips, and the state after them.

use super::committer::Finished;
use crate::projection::Batch;
use crate::registry::{Registry, StripPaper};
use crate::signal::{Packed, Quality, SampleBlock, Value};
use crate::store::Commit;
use crate::strip::{self, Caption, Paper, Strip};

/// Something put off.
#[derive(Debug, Default)]
pub(super) struct Later {
    /// What is true when it is stored.
    pub(super) finished: Finished,
    /// What is to be made before.
    pub(super) series: Option<Series>,
}

/// Series that are not resources yet.
#[derive(Debug)]
pub(super) struct Series {
    /// The series, without the samples of waveforms.
    batches: Vec<Batch>,
    /// Those, in the order they were in: thousands of waveforms wait when windows of thousands of streams close.
    samples: Vec<Packed>,
    /// Everything else that is stored with them.
    pub(super) commit: Box<Commit>,
}

impl Series {
    pub(super) fn new(mut batches: Vec<Batch>, commit: Box<Commit>) -> Self {
        let blocks = batches.iter_mut().flat_map(blocks);
        let samples = blocks.map(|block| Packed::from(std::mem::take(&mut block.values).as_slice())).collect();
        Self { batches, samples, commit }
    }

    /// The series as they were, and what is stored with them.
    pub(super) fn into_parts(self) -> (Vec<Batch>, Box<Commit>) {
        let Self { mut batches, samples, commit } = self;
        for (block, samples) in batches.iter_mut().flat_map(blocks).zip(samples) {
            block.values = samples.to_vec();
        }
        (batches, commit)
    }
}

fn blocks(batch: &mut Batch) -> impl Iterator<Item = &mut SampleBlock> {
    batch.measured.iter_mut().filter_map(|measured| match &mut measured.value {
        Value::Samples(block) => Some(block),
        _ => None,
    })
}

/// A strip as PNG; none when it cannot be drawn, which is logged and costs the record its picture only.
pub(super) fn draw_strip(
    registry: &Registry,
    block: &SampleBlock,
    paper: StripPaper,
    lead: Option<&str>,
    quality: Quality,
) -> Option<Vec<u8>> {
    let row = registry.signal(&block.signal)?;
    // UCUM's "1" says that there is no unit.
    let unit = row.unit.as_ref().filter(|u| u.code != "1").map_or("", |u| u.display.as_str());
    let paper = match paper {
        StripPaper::Ecg => Paper::Ecg,
        StripPaper::Amplitude => Paper::Amplitude { unit },
    };
    let lead = lead.unwrap_or(&row.display);
    let caption = Caption { filter: None, quality: Some(quality) };
    match strip::png(&Strip { block, paper, lead, caption }) {
        Ok(png) => Some(png),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "strip cannot be drawn");
            None
        }
    }
}
