//! `afferent replay`: recordings to a server, as the devices would have sent them.
#![expect(clippy::print_stdout, reason = "the summary is the command's output")]

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::client::{Ack, Server, ServerError};
use super::encode::{Cbor, cbor_array, json_array};
use crate::id::{DeviceKey, ResourceId};
use crate::packet::RawPacket;
use crate::recording::{self, Cut, PacketFile, Packets, Recording, RecordingError, Selection};
use crate::registry::Registry;
use crate::time::MICROS;

/// Bytes of packets in a request.
const BATCH_BYTES: usize = 1 << 20;
/// How often the state file is written.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// Arguments of `afferent replay`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// WFDB record (`101` or `101.hea`), EDF file, CSV table, or NDJSON file of packets
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Address of the server
    #[arg(long, value_name = "URL")]
    to: String,
    /// Developer key
    #[arg(long, env = "AFFERENT_KEY", hide_env_values = true)]
    key: String,
    /// How fast: `1` is as recorded, `max` as fast as the server takes it
    #[arg(long, default_value = "1", value_parser = speed)]
    speed: Speed,
    /// Patient the device is on [default: the record's name]
    #[arg(long, value_name = "ID")]
    patient: Option<String>,
    /// Name of the device [default: wfdb-RECORD]
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// `all`, or names of channels [default: the first of each signal]
    #[arg(long, value_name = "NAMES")]
    channels: Option<String>,
    /// Time of the first sample [default: the recording's, else 2026-01-01T00:00:00Z]
    #[arg(long, value_name = "TIME", value_parser = crate::time::Instant::parse)]
    start: Option<crate::time::Instant>,
    /// Sampling rate of a table without a time column
    #[arg(long, value_name = "HZ", value_parser = positive)]
    rate: Option<f64>,
    /// Seconds in a packet
    #[arg(long, value_name = "S", default_value = "1", value_parser = positive)]
    packet_seconds: f64,
    /// Packets in a request
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    batch: u16,
    /// Send CBOR instead of JSON
    #[arg(long)]
    cbor: bool,
    /// Wait until everything sent is queryable
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    wait: bool,
    /// Seconds to keep trying when the server does not answer
    #[arg(long, value_name = "S", default_value = "60", value_parser = positive)]
    timeout: f64,
    /// Where to remember how far an interrupted replay came
    #[arg(long, value_name = "FILE", default_value = ".afferent-replay")]
    state: PathBuf,
    /// How the summary is written
    #[arg(long, value_enum, default_value_t = Output::Text)]
    format: Output,
}

/// How a command's result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Times as fast as recorded.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Speed {
    Times(f64),
    Max,
}

fn speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed::Max);
    }
    positive(text).map(Speed::Times).map_err(|_| "must be a positive number or `max`".to_owned())
}

/// A positive, finite number.
pub(super) fn positive(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|n: &f64| n.is_finite() && *n > 0.0).ok_or_else(|| "must be a positive number".to_owned())
}

/// What a replay did.
#[derive(Debug, Default, Serialize)]
struct Summary {
    /// Packets sent.
    packets: u64,
    /// Of these, new to the server.
    accepted: u64,
    /// Of these, known to it.
    duplicates: u64,
    /// Packets of an earlier, interrupted run, not sent again.
    resumed: u64,
    /// Seconds until the last acknowledgement.
    sent_seconds: f64,
    /// Seconds until everything was queryable, where that was waited for.
    seconds: f64,
    /// Whether that was waited for.
    queryable: bool,
}

/// A file, opened.
enum Input {
    Recording { recording: Recording, cut: Cut, patient: String },
    Packets { path: PathBuf },
}

/// A packet ready to send.
struct Outgoing {
    body: Vec<u8>,
    /// Stream, in the state file's terms.
    key: String,
    device: String,
    stream: String,
    sequence: u64,
    /// Microseconds after the start of its file at which its last sample is taken.
    due_us: i64,
}

/// Runs the command.
///
/// # Errors
/// A file cannot be read, or the server refuses packets or stays away for longer than the time limit.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let summary = replay(&args).await?;
    match args.format {
        Output::Json => println!("{}", serde_json::to_string(&summary)?),
        Output::Text => {
            let resumed =
                if summary.resumed == 0 { String::new() } else { format!(", {} sent before", summary.resumed) };
            println!(
                "{} packets ({} new, {} duplicates{resumed}) in {:.2} s{}",
                summary.packets,
                summary.accepted,
                summary.duplicates,
                summary.seconds,
                if summary.queryable { ", all queryable" } else { "" }
            );
        }
    }
    Ok(())
}

async fn replay(args: &Args) -> anyhow::Result<Summary> {
    let began = Instant::now();
    let registry = Registry::builtin()?;
    let inputs = open(args, &registry)?;
    let server = Server::new(&args.to, &args.key, Duration::from_secs_f64(args.timeout))?;
    for input in &inputs {
        register(&server, input, args.patient.as_deref()).await.context("the device could not be registered")?;
    }
    let mut progress = Progress::load(&args.state)?;
    resume(args, &server, &inputs, &mut progress).await?;

    let bar = bar(args, &inputs)?;
    let mut summary = Summary::default();
    let mut sender = Sender { server: &server, cbor: args.cbor, in_flight: None, bar: bar.clone() };
    let sent = send(args, &inputs, &mut sender, &mut progress, &mut summary).await;
    if let Err(error) = sent {
        bar.abandon();
        progress.save(&args.state)?;
        let conflict = error.downcast_ref::<ServerError>().is_some_and(|e| matches!(e, ServerError::Conflict { .. }));
        let advice = if conflict {
            "another recording, or the same one cut otherwise, was sent as this device before; choose another --device"
                .to_owned()
        } else {
            format!("stopped after {} packets; the same command goes on from there", summary.packets + summary.resumed)
        };
        return Err(error.context(advice));
    }
    summary.sent_seconds = began.elapsed().as_secs_f64();
    if args.wait {
        server.settled().await.context("all packets are durable, but were not processed in time")?;
        summary.queryable = true;
    }
    bar.finish_and_clear();
    progress.finish(&args.state)?;
    summary.seconds = began.elapsed().as_secs_f64();
    Ok(summary)
}

fn open(args: &Args, registry: &Registry) -> anyhow::Result<Vec<Input>> {
    if args.device.is_some() && args.files.len() > 1 {
        bail!("--device names one device; several files are of several");
    }
    let selection = match args.channels.as_deref() {
        None => Selection::First,
        Some("all") => Selection::All,
        Some(names) => Selection::Named(names.split(',').map(|n| n.trim().to_owned()).collect()),
    };
    let mut inputs = Vec::new();
    for path in &args.files {
        if recording::is_packet_file(path) {
            if args.cbor {
                bail!("{}: packets are sent as they stand, in JSON", path.display());
            }
            inputs.push(Input::Packets { path: path.clone() });
            continue;
        }
        let recording = Recording::open(path, args.rate, registry)?;
        for notice in &recording.notices {
            tracing::warn!(record = recording.name, "{notice}");
        }
        let device = args.device.clone().unwrap_or_else(|| format!("wfdb-{}", plain(&recording.name, "-._:")));
        let device = DeviceKey::new(device).context("--device")?;
        let patient = args.patient.clone().unwrap_or_else(|| plain(&recording.name, "-."));
        let patient = ResourceId::new(patient).context("--patient")?.to_string();
        let channels = selection.clone();
        let cut = Cut { device, start: args.start, packet_s: args.packet_seconds, channels };
        recording.estimate(&cut).with_context(|| path.display().to_string())?;
        inputs.push(Input::Recording { recording, cut, patient });
    }
    Ok(inputs)
}

/// A record's name in the characters an identifier may have.
fn plain(name: &str, punctuation: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || punctuation.contains(c) { c } else { '-' };
    name.chars().map(allowed).take(64).collect()
}

/// Puts the device on its patient. Devices of packet files are known to the server, unless a patient is named.
async fn register(server: &Server, input: &Input, patient: Option<&str>) -> anyhow::Result<()> {
    match input {
        Input::Recording { recording, cut, patient } => {
            server.register(cut.device.as_str(), Some(recording.model), Some(patient)).await?;
        }
        Input::Packets { path } => {
            let mut devices = std::collections::BTreeSet::new();
            for line in PacketFile::open(path)? {
                devices.insert(line?.packet.device);
            }
            for device in devices.iter().filter(|_| patient.is_some()) {
                server.register(device.as_str(), None, patient).await?;
            }
        }
    }
    Ok(())
}

fn bar(args: &Args, inputs: &[Input]) -> anyhow::Result<ProgressBar> {
    if args.format == Output::Json {
        return Ok(ProgressBar::hidden());
    }
    let mut packets = 0;
    for input in inputs {
        packets += match input {
            Input::Recording { recording, cut, .. } => recording.estimate(cut)?,
            Input::Packets { path } => PacketFile::open(path)?.count() as u64,
        };
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} packets, {per_sec}, {eta} left")?;
    Ok(ProgressBar::new(packets).with_style(style))
}

impl Input {
    fn outgoing<'a>(&'a self, args: &'a Args) -> Result<Feed<'a>, RecordingError> {
        Ok(match self {
            Self::Recording { recording, cut, .. } => {
                let source = format!("{} {} {}", recording.start_or(cut.start).0, cut.packet_s, recording.name);
                let origin_us = recording.start_or(cut.start).0;
                Feed { packets: Source::Recording(recording.packets(cut)?), args, source, origin_us: Some(origin_us) }
            }
            Self::Packets { path } => {
                let packets = Source::File(PacketFile::open(path)?);
                Feed { packets, args, source: path.display().to_string(), origin_us: None }
            }
        })
    }
}

enum Source<'a> {
    Recording(Packets<'a>),
    File(PacketFile),
}

/// One file's packets, ready to send.
struct Feed<'a> {
    packets: Source<'a>,
    args: &'a Args,
    source: String,
    origin_us: Option<i64>,
}

impl Iterator for Feed<'_> {
    type Item = Result<Outgoing, RecordingError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (packet, body) = match &mut self.packets {
            Source::Recording(packets) => {
                let packet = packets.next()?;
                let cbor = if self.args.cbor { Cbor::packet(&packet) } else { None };
                // A packet is plain data: its JSON cannot fail.
                let body = cbor.unwrap_or_else(|| serde_json::to_vec(&packet).unwrap_or_default());
                (packet, body)
            }
            Source::File(file) => match file.next()? {
                Ok(line) => (line.packet, line.text.into_bytes()),
                Err(error) => return Some(Err(error)),
            },
        };
        let origin = *self.origin_us.get_or_insert(packet.device_time.0);
        Some(Ok(Outgoing {
            body,
            key: format!("{} {} {} {}", self.args.to, packet.device, packet.stream, self.source),
            sequence: packet.sequence,
            due_us: packet.device_time.0 - origin + length_us(&packet),
            device: packet.device.into(),
            stream: packet.stream.into(),
        }))
    }
}

fn length_us(packet: &RawPacket) -> i64 {
    packet.samples.as_ref().map_or(0, |samples| {
        samples.rate_hz.map_or(0, |rate| (samples.values.len() as f64 * MICROS as f64 / rate).round() as i64)
    })
}

/// The next packet of all files, in the order they are due.
fn next_due<'f, 'a: 'f>(feeds: &'f mut [Peekable<Feed<'a>>]) -> Option<Result<Outgoing, RecordingError>> {
    let mut first: Option<(usize, i64)> = None;
    for (index, feed) in feeds.iter_mut().enumerate() {
        let due = match feed.peek() {
            None => continue,
            Some(Ok(outgoing)) => outgoing.due_us,
            Some(Err(_)) => i64::MIN,
        };
        if first.is_none_or(|(_, earliest)| due < earliest) {
            first = Some((index, due));
        }
    }
    feeds.get_mut(first?.0)?.next()
}

/// Sends one body while the next is being written.
struct Sender<'a> {
    server: &'a Server,
    cbor: bool,
    in_flight: Option<JoinHandle<Result<Sent, ServerError>>>,
    bar: ProgressBar,
}

/// A body the server has, and the state-file keys of its streams.
struct Sent {
    ack: Ack,
    packets: u64,
    keys: BTreeMap<(String, String), String>,
}

impl Sender<'_> {
    async fn send(&mut self, batch: &mut Vec<Outgoing>) -> anyhow::Result<Option<Sent>> {
        let before = self.wait().await?;
        if batch.is_empty() {
            return Ok(before);
        }
        let packets = batch.len() as u64;
        let mut keys = BTreeMap::new();
        let mut bodies = Vec::with_capacity(batch.len());
        for outgoing in batch.drain(..) {
            keys.entry((outgoing.device, outgoing.stream)).or_insert(outgoing.key);
            bodies.push(outgoing.body);
        }
        let (content_type, body) = if self.cbor {
            ("application/cbor", cbor_array(&bodies))
        } else {
            ("application/json", json_array(&bodies))
        };
        let server = self.server.clone();
        self.in_flight =
            Some(tokio::spawn(
                async move { Ok(Sent { ack: server.ingest(content_type, body).await?, packets, keys }) },
            ));
        Ok(before)
    }

    async fn wait(&mut self) -> anyhow::Result<Option<Sent>> {
        let Some(task) = self.in_flight.take() else { return Ok(None) };
        let sent = task.await.context("the sending task ended")??;
        self.bar.inc(sent.packets);
        Ok(Some(sent))
    }
}

async fn send(
    args: &Args,
    inputs: &[Input],
    sender: &mut Sender<'_>,
    progress: &mut Progress,
    summary: &mut Summary,
) -> anyhow::Result<()> {
    let mut feeds = Vec::new();
    for input in inputs {
        feeds.push(input.outgoing(args)?.peekable());
    }
    let resumed_from = progress.streams.clone();
    let began = Instant::now();
    let mut batch: Vec<Outgoing> = Vec::new();
    let mut bytes = 0;
    while let Some(outgoing) = next_due(&mut feeds) {
        let outgoing = outgoing?;
        if resumed_from.get(&outgoing.key).is_some_and(|last| outgoing.sequence <= *last) {
            summary.resumed += 1;
            sender.bar.inc(1);
            continue;
        }
        if let Speed::Times(times) = args.speed {
            let due = began + Duration::from_secs_f64(outgoing.due_us.max(0) as f64 / MICROS as f64 / times);
            if due > Instant::now() {
                account(sender.send(&mut batch).await?, args, progress, summary)?;
                account(sender.wait().await?, args, progress, summary)?;
                bytes = 0;
                tokio::time::sleep_until(due).await;
            }
        }
        if batch.len() >= usize::from(args.batch) || (bytes > 0 && bytes + outgoing.body.len() > BATCH_BYTES) {
            account(sender.send(&mut batch).await?, args, progress, summary)?;
            bytes = 0;
        }
        bytes += outgoing.body.len();
        batch.push(outgoing);
    }
    account(sender.send(&mut batch).await?, args, progress, summary)?;
    account(sender.wait().await?, args, progress, summary)
}

/// Adds an acknowledgement to what is known.
fn account(sent: Option<Sent>, args: &Args, progress: &mut Progress, summary: &mut Summary) -> anyhow::Result<()> {
    let Some(Sent { ack, packets, mut keys }) = sent else { return Ok(()) };
    summary.packets += packets;
    summary.accepted += ack.accepted;
    summary.duplicates += ack.duplicates;
    for stream in ack.streams {
        if let Some(key) = keys.remove(&(stream.device, stream.stream)) {
            progress.streams.insert(key, stream.contiguous);
        }
        if let Some((first, last)) = stream.gaps.first() {
            tracing::debug!(first, last, "the server reports a gap");
        }
    }
    if progress.saved.elapsed() > SAVE_EVERY {
        progress.save(&args.state)?;
    }
    Ok(())
}

/// How far each stream has come: the highest number up to which the server has everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Progress {
    streams: BTreeMap<String, u64>,
    #[serde(skip, default = "Instant::now")]
    saved: Instant,
    /// Entries of other replays in the same file.
    #[serde(skip)]
    others: BTreeMap<String, u64>,
}

impl Progress {
    fn load(path: &Path) -> anyhow::Result<Self> {
        let streams = match std::fs::read(path) {
            Ok(bytes) => {
                serde_json::from_slice::<Self>(&bytes)
                    .with_context(|| format!("{} is not a replay's state; remove it to start over", path.display()))?
                    .streams
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
        };
        Ok(Self { streams: BTreeMap::new(), saved: Instant::now(), others: streams })
    }

    fn save(&mut self, path: &Path) -> anyhow::Result<()> {
        let mut all = self.clone();
        all.streams.extend(self.others.clone());
        write(path, &all)?;
        self.saved = Instant::now();
        Ok(())
    }

    /// Forgets what is finished; the file goes with its last entry.
    fn finish(self, path: &Path) -> anyhow::Result<()> {
        if !self.others.is_empty() {
            return write(path, &Self { streams: self.others, others: BTreeMap::new(), ..self });
        }
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("{} cannot be removed", path.display()))
            }
            _ => Ok(()),
        }
    }
}

fn write(path: &Path, progress: &Progress) -> anyhow::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    std::fs::write(&beside, serde_json::to_vec_pretty(progress)?)
        .and_then(|()| std::fs::rename(&beside, path))
        .with_context(|| format!("{} cannot be written", path.display()))
}

/// Takes up what an interrupted run left. The server decides how far that was: the first packet of each such stream is
/// sent again, and the acknowledgement names the number up to which it has everything.
async fn resume(args: &Args, server: &Server, inputs: &[Input], progress: &mut Progress) -> anyhow::Result<()> {
    if progress.others.is_empty() {
        return Ok(());
    }
    let mut first: BTreeMap<String, Outgoing> = BTreeMap::new();
    for input in inputs {
        for outgoing in input.outgoing(args)? {
            let outgoing = outgoing?;
            if progress.others.contains_key(&outgoing.key) && !first.contains_key(&outgoing.key) {
                first.insert(outgoing.key.clone(), outgoing);
            }
        }
    }
    progress.others.retain(|key, _| !first.contains_key(key));
    let mut sender = Sender { server, cbor: args.cbor, in_flight: None, bar: ProgressBar::hidden() };
    sender.send(&mut first.into_values().collect()).await?;
    account(sender.wait().await?, args, progress, &mut Summary::default())
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
