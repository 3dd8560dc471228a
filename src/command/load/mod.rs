//! `afferent load`: simulated devices, and what the server makes of them; with `--fhir` clients of its API.
//!
//! Each device sends a second of ECG every second, all of them spread over the second. Latencies count from the moment a
//! packet was due, so that a server that stalls the sender cannot hide it.
#![expect(clippy::print_stdout, reason = "the report is the command's output")]

mod device;
mod fhir;
mod process;
mod report;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::client::Server;
use super::replay::{Output, positive};
use crate::registry::CANONICAL_BASE;
use crate::time::{self, Clock, MICROS, SystemClock};
use device::{Fleet, Packet, patient};
use fhir::FhirArgs;
use process::Watch;
use report::{Latency, Report};
use transport::{Connection, Sent};

/// Devices whose Observations are looked at.
const LOOKED_AT: usize = 200;
/// Samples after a beat by which the detector has decided on it, in time: the bound on its delay.
const DECISION_US: i64 = 150_000;
/// Devices that are due together when batching is on.
const TICK: Duration = Duration::from_millis(10);

/// Arguments of `afferent load`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Address of the server
    #[arg(long, value_name = "URL")]
    to: String,
    /// Developer key
    #[arg(long, env = "AFFERENT_KEY", hide_env_values = true)]
    key: String,
    /// Simulated devices
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    devices: u32,
    /// Samples a second
    #[arg(long, value_name = "HZ", default_value_t = 250, value_parser = clap::value_parser!(u32).range(50..=2_000))]
    rate: u32,
    /// How long
    #[arg(long, value_name = "S", default_value_t = 130, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// How packets travel
    #[arg(long, value_enum, default_value_t = Transport::Http)]
    transport: Transport,
    /// Connections that are kept open [default: one per device, at most 128]
    #[arg(long, value_name = "C", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: Option<u32>,
    /// Packets as JSON instead of CBOR with 16-bit samples
    #[arg(long)]
    json: bool,
    /// Devices that are due together share a request
    #[arg(long)]
    batch: bool,
    /// Process of the server, to read its CPU time and memory
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// Seconds to wait for the server
    #[arg(long, value_name = "S", default_value = "60", value_parser = positive)]
    timeout: f64,
    /// How the report is written
    #[arg(long, value_enum, default_value_t = Output::Text)]
    format: Output,
    #[command(flatten)]
    fhir: FhirArgs,
}

/// How packets travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Transport {
    /// A POST each.
    Http,
    /// A message each.
    Websocket,
}

/// Runs the command.
///
/// # Errors
/// The server cannot be reached or refuses the devices, or packets were lost.
pub async fn run(args: Args) -> anyhow::Result<()> {
    if args.fhir.fhir {
        let report = fhir::load(&args.to, &args.key, args.pid, &args.fhir).await?;
        match args.format {
            Output::Json => println!("{}", serde_json::to_string(&report)?),
            Output::Text => println!("{report}"),
        }
        return Ok(());
    }
    let report = load(&args).await?;
    match args.format {
        Output::Json => println!("{}", serde_json::to_string(&report)?),
        Output::Text => println!("{report}"),
    }
    anyhow::ensure!(report.packets_lost == 0, "{} packets were lost", report.packets_lost);
    Ok(())
}

async fn load(args: &Args) -> anyhow::Result<Report> {
    let server = Server::new(&args.to, &args.key, Duration::from_secs_f64(args.timeout))?;
    let wall = SystemClock;
    let run = wall.now().0 / MICROS;
    let fleet = Arc::new(Fleet::new(run, args.devices, args.rate, args.seconds, args.json));
    register(&server, &fleet).await.context("the devices could not be registered")?;

    let connections = args.connections.unwrap_or(args.devices.min(128)).min(args.devices);
    let mut workers = Vec::new();
    for _ in 0..connections {
        workers.push(Connection::open(args.transport, &server, args.json).await?);
    }

    // Everything below is relative to one start, a moment from now, in both clocks.
    let began = Instant::now() + Duration::from_millis(100);
    let began_wall = wall.now().plus(100_000);
    let watched = args.pid.map(Watch::start).transpose()?;
    let own = Watch::start(std::process::id()).ok();
    let (results, mut arrived) = mpsc::channel(1024);
    let mut tasks = Vec::new();
    for (index, connection) in workers.into_iter().enumerate() {
        let (fleet, results) = (fleet.clone(), results.clone());
        let batch = args.batch;
        tasks.push(tokio::spawn(async move {
            let mine: Vec<u32> = (index as u32..fleet.devices()).step_by(connections as usize).collect();
            work(connection, &fleet, &mine, began, began_wall, batch, &results).await;
        }));
    }
    drop(results);

    let looked_at = fleet.sample(LOOKED_AT);
    let mut tally = Tally::new(&fleet, &looked_at);
    let bar = bar(args, &fleet)?;
    while let Some(sent) = arrived.recv().await {
        bar.inc(sent.packets.len() as u64);
        tally.add(&sent);
    }
    for task in tasks {
        task.await.context("a sending task ended early")?;
    }
    let sending_s = began.elapsed().as_secs_f64();
    let own = own.and_then(Watch::stop);
    bar.set_message("waiting for the server");
    server.settled().await.context("not everything was processed in time")?;
    let settled_s = began.elapsed().as_secs_f64() - sending_s;
    let used = watched.and_then(Watch::stop);
    bar.set_message("reading Observations");
    let seen = observations(&server, &fleet, &looked_at, &tally, began_wall).await?;
    bar.finish_and_clear();

    let due = u64::from(args.devices) * u64::from(args.seconds);
    Ok(Report {
        devices: args.devices,
        rate_hz: args.rate,
        seconds: args.seconds,
        transport: format!("{:?}", args.transport).to_lowercase(),
        encoding: if args.json { "json" } else { "cbor" },
        connections,
        packets: tally.sent,
        packets_acked: tally.acked,
        packets_lost: due - tally.durable(),
        retries: tally.retries,
        failed_requests: tally.failed,
        last_failure: tally.last_failure.clone(),
        packets_per_second: tally.sent as f64 / sending_s,
        samples_per_second: tally.sent as f64 * f64::from(args.rate) / sending_s,
        bytes_per_packet: tally.bytes.checked_div(tally.sent).unwrap_or_default(),
        ack_ms: Latency::of(tally.ack_ms),
        settled_s,
        devices_looked_at: looked_at.len(),
        observations: seen.count,
        sample_ms: Latency::of(seen.sample_ms),
        fhir_ms: Latency::of(seen.fhir_ms),
        heart_rate_error: seen.worst_error,
        server: used,
        load: own,
    })
}

async fn register(server: &Server, fleet: &Arc<Fleet>) -> anyhow::Result<()> {
    let mut tasks = tokio::task::JoinSet::new();
    for index in 0..fleet.devices() {
        if tasks.len() >= 16
            && let Some(done) = tasks.join_next().await
        {
            done??;
        }
        let (server, fleet) = (server.clone(), fleet.clone());
        tasks.spawn(async move { server.register(fleet.device(index), None, Some(&patient(index))).await });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

fn bar(args: &Args, fleet: &Fleet) -> anyhow::Result<indicatif::ProgressBar> {
    if args.format == Output::Json {
        return Ok(indicatif::ProgressBar::hidden());
    }
    let style = indicatif::ProgressStyle::with_template("{bar:40} {pos}/{len} packets, {per_sec} {msg}")?;
    Ok(indicatif::ProgressBar::new(u64::from(fleet.devices()) * u64::from(fleet.seconds())).with_style(style))
}

/// One connection's share of the fleet: every device's packet when it is due, second by second.
async fn work(
    mut connection: Connection,
    fleet: &Fleet,
    mine: &[u32],
    began: Instant,
    began_wall: time::Instant,
    batch: bool,
    results: &mpsc::Sender<Sent>,
) {
    for second in 0..fleet.seconds() {
        let mut rest = mine;
        while let Some(first) = rest.first() {
            let due = began + fleet.due(*first, second);
            let together =
                if batch { rest.iter().take_while(|d| began + fleet.due(**d, second) < due + TICK).count() } else { 1 };
            let (now, later) = rest.split_at(together.max(1));
            rest = later;
            let packets: Vec<Packet> = now.iter().map(|device| fleet.packet(*device, second, began_wall)).collect();
            tokio::time::sleep_until(due).await;
            let sent = connection.send(packets, due).await;
            if results.send(sent).await.is_err() {
                return;
            }
        }
    }
}

/// What the answers add up to.
struct Tally {
    sent: u64,
    acked: u64,
    retries: u64,
    failed: u64,
    last_failure: Option<String>,
    bytes: u64,
    ack_ms: Vec<f64>,
    /// Per device the highest number up to which the server has everything.
    contiguous: Vec<Option<u64>>,
    /// Per device looked at, when each of its packets was sent.
    sent_at: Vec<Option<Vec<time::Instant>>>,
}

impl Tally {
    fn new(fleet: &Fleet, looked_at: &[u32]) -> Self {
        let times = || vec![time::Instant(0); fleet.seconds() as usize];
        Self {
            sent: 0,
            acked: 0,
            retries: 0,
            failed: 0,
            last_failure: None,
            bytes: 0,
            ack_ms: Vec::new(),
            contiguous: vec![None; fleet.devices() as usize],
            sent_at: (0..fleet.devices()).map(|d| looked_at.contains(&d).then(times)).collect(),
        }
    }

    fn add(&mut self, sent: &Sent) {
        let packets = sent.packets.len() as u64;
        self.sent += packets;
        self.bytes += sent.bytes as u64;
        self.retries += sent.retries;
        match &sent.answer {
            Ok(contiguous) => {
                self.acked += packets;
                self.ack_ms.extend(std::iter::repeat_n(sent.latency_ms, sent.packets.len()));
                for ((device, _), contiguous) in sent.packets.iter().zip(contiguous) {
                    if let Some(highest) = self.contiguous.get_mut(*device as usize) {
                        *highest = (*highest).max(*contiguous);
                    }
                }
            }
            Err(why) => {
                self.failed += 1;
                self.last_failure = Some(why.clone());
            }
        }
        for (device, second) in &sent.packets {
            let times = self.sent_at.get_mut(*device as usize).and_then(Option::as_mut);
            if let Some(time) = times.and_then(|t| t.get_mut(*second as usize)) {
                *time = sent.at;
            }
        }
    }

    /// Packets the server has, by its own word.
    fn durable(&self) -> u64 {
        self.contiguous.iter().flatten().map(|highest| highest + 1).sum()
    }

    /// When the packet was sent that brought the samples up to `micros` after the device's start.
    fn brought_at(&self, device: u32, micros: i64) -> Option<time::Instant> {
        let times = self.sent_at.get(device as usize)?.as_ref()?;
        let packet = usize::try_from((micros - 1).div_euclid(MICROS)).ok()?;
        times.get(packet).or(times.last()).copied()
    }
}

/// What the FHIR side shows.
#[derive(Default)]
struct Seen {
    count: usize,
    sample_ms: Vec<f64>,
    fhir_ms: Vec<f64>,
    worst_error: Option<f64>,
}

/// The heart rates of the devices looked at: how long they took, and how right they are.
async fn observations(
    server: &Server,
    fleet: &Fleet,
    looked_at: &[u32],
    tally: &Tally,
    began_wall: time::Instant,
) -> anyhow::Result<Seen> {
    let mut seen = Seen::default();
    let code = format!("{CANONICAL_BASE}/CodeSystem/biosignal|heart-rate").replace('|', "%7C");
    for device in looked_at {
        let origin = fleet.start(*device, began_wall);
        let since = origin.to_fhir();
        let query = format!("Observation?patient={}&code={code}&date=ge{since}&_count=1000", patient(*device));
        let bundle = server.search(&query).await.context("the Observations could not be read")?;
        for entry in bundle["entry"].as_array().into_iter().flatten() {
            let resource = &entry["resource"];
            let time = |value: &serde_json::Value| value.as_str().and_then(|t| time::Instant::parse(t).ok());
            let (Some(end), Some(updated)) =
                (time(&resource["effectiveDateTime"]), time(&resource["meta"]["lastUpdated"]))
            else {
                continue;
            };
            seen.count += 1;
            let end = end.0 - origin.0;
            let since = |sent: time::Instant| (updated.0 - sent.0) as f64 / 1000.0;
            seen.sample_ms.extend(tally.brought_at(*device, end).map(since));
            seen.fhir_ms.extend(tally.brought_at(*device, end + DECISION_US).map(since));
            // Short windows at either end hold too few beats to judge by.
            let from = end as f64 / MICROS as f64 - 60.0;
            if let Some(value) = resource["valueQuantity"]["value"].as_f64()
                && let Some(truth) =
                    fleet.heart_rate(*device, from).filter(|_| from >= 0.0 && from + 60.0 <= f64::from(fleet.seconds()))
            {
                let error = (value - truth).abs();
                seen.worst_error = Some(seen.worst_error.map_or(error, |worst: f64| worst.max(error)));
            }
        }
    }
    Ok(seen)
}

#[cfg(test)]
mod tests;
