//! Channels cut into packets.

use std::iter::Peekable;

use super::{Channel, Recording, RecordingError, Target};
use crate::id::{DeviceKey, StreamName};
use crate::packet::{RawPacket, Samples};
use crate::time::{DeviceTime, Instant, MICROS};

/// The start of a recording that does not say when it was: 2026-01-01T00:00:00Z.
const DEFAULT_START: Instant = Instant(1_767_225_600 * MICROS);

/// Which channels are sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Selection {
    /// The first channel of each signal.
    #[default]
    First,
    /// Every channel that has a signal.
    All,
    /// These, by name.
    Named(Vec<String>),
}

/// How a recording becomes packets.
#[derive(Debug, Clone)]
pub struct Cut {
    /// The device they come from.
    pub device: DeviceKey,
    /// The time of the first sample; the recording's own where left out.
    pub start: Option<Instant>,
    /// Seconds in a packet.
    pub packet_s: f64,
    /// The channels.
    pub channels: Selection,
}

/// The packets of a recording, all streams together in the order of time.
pub struct Packets<'a> {
    streams: Vec<Peekable<Stream<'a>>>,
}

/// A chosen channel and the stream it goes out on.
#[derive(Clone)]
struct Stream<'a> {
    channel: &'a Channel,
    target: &'a Target,
    name: StreamName,
    device: DeviceKey,
    start: Instant,
    packet_s: f64,
    /// The next sample to read, and the next number to give.
    next: u64,
    sequence: u64,
}

impl Recording {
    /// The time of the first sample: `start`, the recording's own, or the default.
    pub fn start_or(&self, start: Option<Instant>) -> Instant {
        start.or(self.start).unwrap_or(DEFAULT_START)
    }

    /// Cuts the recording. Numbers in each stream start at 0.
    ///
    /// # Errors
    /// A channel asked for is not there or has no signal, or none can be sent.
    pub fn packets(&self, cut: &Cut) -> Result<Packets<'_>, RecordingError> {
        let mut streams: Vec<Peekable<Stream<'_>>> = Vec::new();
        for (channel, target, name) in self.streams(&cut.channels)? {
            let stream = Stream {
                channel,
                target,
                name,
                device: cut.device.clone(),
                start: self.start_or(cut.start),
                packet_s: cut.packet_s,
                next: 0,
                sequence: 0,
            };
            streams.push(stream.peekable());
        }
        Ok(Packets { streams })
    }

    /// The channels chosen, their signals, and the streams they go out on: `ecg`, then `ecg-V1`.
    fn streams(&self, selection: &Selection) -> Result<Vec<(&Channel, &Target, StreamName)>, RecordingError> {
        let mut chosen: Vec<(&Channel, &Target, StreamName)> = Vec::new();
        for channel in self.chosen(selection)? {
            let target = match &channel.target {
                Ok(target) => target,
                Err(problem) if matches!(selection, Selection::Named(_)) => {
                    return Err(channel_error(&channel.name, problem.clone()));
                }
                Err(_) => continue,
            };
            let again = chosen.iter().any(|(_, t, _)| t.signal == target.signal);
            if again && *selection == Selection::First {
                continue;
            }
            let plain = target.signal.as_str().to_owned();
            let name = if again { format!("{plain}-{}", in_stream_name(&channel.name)) } else { plain };
            if chosen.iter().any(|(_, _, n)| n.as_str() == name) {
                return Err(channel_error(&channel.name, "a channel before it has the same name".to_owned()));
            }
            let name = StreamName::new(name).map_err(|e| channel_error(&channel.name, e.to_string()))?;
            chosen.push((channel, target, name));
        }
        if chosen.is_empty() {
            let why = |c: &Channel| c.target.as_ref().err().map(|problem| format!("{}: {problem}", c.name));
            let why: Vec<String> = self.channels.iter().filter_map(why).collect();
            return Err(RecordingError::Nothing(why.join("; ")));
        }
        Ok(chosen)
    }

    fn chosen(&self, selection: &Selection) -> Result<Vec<&Channel>, RecordingError> {
        let Selection::Named(names) = selection else { return Ok(self.channels.iter().collect()) };
        let find = |name: &String| {
            self.channels.iter().find(|c| c.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
                let known: Vec<&str> = self.channels.iter().map(|c| c.name.as_str()).collect();
                channel_error(name, format!("is not in the recording; it has {}", known.join(", ")))
            })
        };
        names.iter().map(find).collect()
    }
}

fn channel_error(name: &str, problem: String) -> RecordingError {
    RecordingError::Channel { name: name.to_owned(), problem }
}

fn in_stream_name(channel: &str) -> String {
    channel.chars().map(|c| if c.is_ascii_alphanumeric() || "-._:".contains(c) { c } else { '-' }).collect()
}

impl Recording {
    /// About how many packets [`Recording::packets`] will give, for a progress bar.
    ///
    /// # Errors
    /// As [`Recording::packets`].
    pub fn estimate(&self, cut: &Cut) -> Result<u64, RecordingError> {
        let packets = |channel: &Channel| (channel.samples as f64 / (cut.packet_s * channel.rate_hz)).ceil() as u64;
        Ok(self.streams(&cut.channels)?.into_iter().map(|(channel, _, _)| packets(channel)).sum())
    }
}

impl Iterator for Packets<'_> {
    type Item = RawPacket;

    fn next(&mut self) -> Option<RawPacket> {
        let mut first: Option<(usize, DeviceTime)> = None;
        for (index, stream) in self.streams.iter_mut().enumerate() {
            if let Some(packet) = stream.peek()
                && first.is_none_or(|(_, time)| packet.device_time < time)
            {
                first = Some((index, packet.device_time));
            }
        }
        let stream = self.streams.get_mut(first?.0)?;
        let mut packet = stream.next()?;
        packet.end_of_stream = stream.peek().is_none();
        Some(packet)
    }
}

impl Stream<'_> {
    /// The first sample of the packet after the one that holds `index`.
    fn boundary_after(&self, index: u64) -> u64 {
        let per_packet = self.packet_s * self.channel.rate_hz;
        let mut packet = (index as f64 / per_packet).floor();
        let mut boundary = index;
        while boundary <= index {
            packet += 1.0;
            boundary = (packet * per_packet).round() as u64;
        }
        boundary.min(self.channel.samples)
    }

    fn time_of(&self, index: u64) -> DeviceTime {
        DeviceTime(self.start.plus((index as f64 * MICROS as f64 / self.channel.rate_hz).round() as i64).0)
    }
}

impl Iterator for Stream<'_> {
    type Item = RawPacket;

    fn next(&mut self) -> Option<RawPacket> {
        // Waveforms carry missing samples as such; a scalar that is missing is not sent.
        if !self.target.waveform {
            while self.next < self.channel.samples && self.channel.value(self.next).is_none() {
                self.next += 1;
            }
        }
        if self.next >= self.channel.samples {
            return None;
        }
        let first = self.next;
        let end = self.boundary_after(first);
        let values = (first..end).map(|index| self.channel.value(index));
        let values: Vec<Option<f64>> =
            if self.target.waveform { values.collect() } else { values.take_while(Option::is_some).collect() };
        self.next = first + values.len() as u64;
        let sequence = self.sequence;
        self.sequence += 1;
        Some(RawPacket {
            device: self.device.clone(),
            stream: self.name.clone(),
            sequence,
            device_time: self.time_of(first),
            episode: None,
            firmware: None,
            sdk: Some(concat!("afferent-", env!("CARGO_PKG_VERSION")).to_owned()),
            samples: Some(Samples {
                signal: self.target.signal.clone(),
                rate_hz: Some(self.channel.rate_hz),
                unit: Some(self.target.unit.clone()),
                values,
                components: std::collections::BTreeMap::new(),
                scale: None,
                lead: self.target.lead.clone(),
            }),
            gatt: None,
            vendor: None,
            end_of_stream: false,
            signature: None,
        })
    }
}
