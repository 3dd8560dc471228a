//! Records of several segments: their signals one after the other, with holes where a segment lacks one.

use std::path::Path;

use super::header::{self, Header};
use super::{Channel, Recording, RecordingError, Source, left_out, text};
use crate::registry::Registry;

/// First sample and signal of each segment, in order; none where a segment lacks the signal.
type Parts = Vec<(u64, Option<Channel>)>;

/// One signal through all segments.
struct Joined {
    parts: Parts,
}

impl Source for Joined {
    fn value(&self, index: u64) -> Option<f64> {
        let next = self.parts.partition_point(|(start, _)| *start <= index);
        let (start, channel) = self.parts.get(next.checked_sub(1)?)?;
        channel.as_ref()?.value(index - start)
    }
}

/// Opens the segments. A first segment of no length is the layout: it tells the signals, and a segment has those it has.
pub(super) fn open(folder: &Path, header: Header, registry: &Registry) -> Result<Recording, RecordingError> {
    let mut joined: Vec<(Channel, Parts)> = Vec::new();
    let mut notices = Vec::new();
    let mut frame = 0;
    for (index, (name, frames)) in header.segments.iter().enumerate() {
        // A hole has no record.
        let segment = if name == "~" { None } else { Some(open_one(folder, name, registry)?) };
        let mut channels = segment.map_or(Vec::new(), |segment| {
            notices.extend(segment.notices);
            segment.channels
        });
        if index == 0 && *frames == 0 {
            joined.extend(channels.into_iter().map(|channel| (channel, Vec::new())));
            continue;
        }
        if joined.is_empty() {
            joined.extend(channels.iter().map(|channel| (channel.described(), Vec::new())));
        }
        for (channel, parts) in &mut joined {
            let per_frame = (channel.rate_hz / header.rate_hz).round().max(1.0) as u64;
            let own = channels.iter().position(|c| c.name == channel.name && c.rate_hz == channel.rate_hz);
            parts.push((frame * per_frame, own.map(|at| channels.swap_remove(at))));
        }
        frame += frames;
    }
    let finish = |(channel, parts): (Channel, Parts)| {
        let per_frame = (channel.rate_hz / header.rate_hz).round().max(1.0) as u64;
        let samples = frame * per_frame;
        Channel { samples, source: Box::new(Joined { parts }), ..channel }
    };
    let channels: Vec<Channel> = joined.into_iter().map(finish).collect();
    notices.dedup();
    notices.extend(left_out(&channels));
    Ok(Recording { name: header.name, model: "wfdb-recording", start: header.start, channels, notices })
}

fn open_one(folder: &Path, name: &str, registry: &Registry) -> Result<Recording, RecordingError> {
    let path = folder.join(format!("{name}.hea"));
    let header = header::parse(&path, &text(&path)?)?;
    if !header.segments.is_empty() {
        return Err(RecordingError::Unsupported { path, what: "a segment of several segments".to_owned() });
    }
    super::plain(folder, header, registry)
}
