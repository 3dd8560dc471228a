//! `afferent load --fhir`: what clients of the FHIR API do, and what it costs the server.
//!
//! Bundles of 100 Observations as monitors send them, each created under the condition that there is none with its
//! identifier; then the same Bundles again; then reads and searches. The cost is CPU time of the server and, where it is
//! another process, of the database.

mod bundle;
mod cost;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde::Serialize;

use super::report::Latency;
use bundle::Plan;
use cost::Meter;

/// What is loaded how far.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct FhirArgs {
    /// Load the FHIR API instead: bundles of Observations, reads and searches
    #[arg(long)]
    pub(super) fhir: bool,
    /// Observations to write, with --fhir
    #[arg(long, value_name = "N", default_value_t = 100_000, requires = "fhir", value_parser = clap::value_parser!(u32).range(1_000..=10_000_000))]
    observations: u32,
    /// Requests of each kind of read, with --fhir
    #[arg(long, value_name = "N", default_value_t = 5_000, requires = "fhir", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    requests: u32,
    /// Clients at the same time, with --fhir
    #[arg(long, value_name = "N", default_value_t = 4, requires = "fhir", value_parser = clap::value_parser!(u32).range(1..=256))]
    clients: u32,
    /// Process that started the database's, to add what they use, with --fhir
    #[arg(long, value_name = "PID", requires = "fhir")]
    database_pid: Option<u32>,
    /// File or folder the database is in, to see how it grows, with --fhir
    #[arg(long, value_name = "PATH", requires = "fhir")]
    disk: Option<PathBuf>,
}

/// What one kind of request cost.
#[derive(Debug, Serialize)]
struct Line {
    what: &'static str,
    /// Requests, or Observations where they were written.
    count: usize,
    /// CPU time of server and database each, in ms.
    cpu_ms: Option<f64>,
    per_second: f64,
    /// Of whole requests.
    latency_ms: Latency,
}

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(super) struct FhirReport {
    observations: u32,
    clients: u32,
    lines: Vec<Line>,
    disk_bytes_per_observation: Option<f64>,
}

impl fmt::Display for FhirReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} Observations, {} clients", self.observations, self.clients)?;
        writeln!(f, "{:<34}{:>9}{:>12}{:>11}{:>10}{:>10}", "", "count", "CPU ms each", "per s", "p50 ms", "p99 ms")?;
        for line in &self.lines {
            let cpu = line.cpu_ms.map_or("-".to_owned(), |ms| format!("{ms:.3}"));
            let (p50, p99) = (line.latency_ms.p50, line.latency_ms.p99);
            writeln!(f, "{:<34}{:>9}{cpu:>12}{:>11.0}{p50:>10.2}{p99:>10.2}", line.what, line.count, line.per_second)?;
        }
        match self.disk_bytes_per_observation {
            Some(bytes) => write!(f, "{bytes:.0} bytes on disk per Observation"),
            None => Ok(()),
        }
    }
}

/// The clients and what they measure with.
struct Load {
    http: reqwest::Client,
    base: String,
    key: String,
    clients: u32,
    meter: Option<Meter>,
}

/// Runs it.
pub(super) async fn load(base: &str, key: &str, pid: Option<u32>, args: &FhirArgs) -> anyhow::Result<FhirReport> {
    let http = reqwest::Client::builder().tcp_nodelay(true).timeout(Duration::from_secs(60)).build()?;
    let meter = pid.map(|pid| Meter::new(pid, args.database_pid));
    let base = format!("{}/fhir/R4", base.trim_end_matches('/'));
    let load = Load { http, base, key: key.to_owned(), clients: args.clients, meter };
    let plan = Arc::new(Plan::new(args.observations));
    load.post(&plan.people()).await.context("patients and devices could not be written")?;

    let before = args.disk.as_ref().map(cost::size);
    let mut lines = Vec::new();
    for what in ["write, bundles of 100", "replay of the same bundles"] {
        let bundles = plan.bundles();
        let send = move |load: Arc<Load>, i: usize| {
            let bundle = Plan::bundle(i);
            async move { load.post(&bundle).await.map(|answer| bundle::check(&answer)) }
        };
        lines.push(run(&load.shared(), what, bundles, bundle::SIZE, send).await?);
    }
    let after = args.disk.as_ref().map(cost::size);
    load.post(&plan.provenances()).await.context("Provenances could not be written")?;

    let ids = Arc::new(load.ids(&plan).await?);
    for kind in bundle::READS {
        let (plan, ids) = (Arc::clone(&plan), Arc::clone(&ids));
        let get = move |load: Arc<Load>, i: usize| {
            let path = plan.read(kind, i, &ids);
            async move { load.get(&path).await.map(|_| Ok(())) }
        };
        lines.push(run(&load.shared(), kind, args.requests as usize, 1, get).await?);
    }
    let grown = before.zip(after).map(|(before, after)| after.saturating_sub(before) as f64);
    let disk_bytes_per_observation = grown.map(|bytes| bytes / (plan.bundles() * bundle::SIZE) as f64);
    Ok(FhirReport { observations: args.observations, clients: args.clients, lines, disk_bytes_per_observation })
}

/// Sends `requests` requests, each client one after the other; each counts for `weight`.
async fn run<F, R>(
    load: &Arc<Load>,
    what: &'static str,
    requests: usize,
    weight: usize,
    send: F,
) -> anyhow::Result<Line>
where
    F: Fn(Arc<Load>, usize) -> R + Clone + Send + 'static,
    R: Future<Output = anyhow::Result<anyhow::Result<()>>> + Send,
{
    let next = Arc::new(AtomicUsize::new(0));
    let (began, before) = (Instant::now(), load.meter.as_ref().and_then(Meter::read));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..load.clients {
        let (load, next, send) = (Arc::clone(load), Arc::clone(&next), send.clone());
        clients.spawn(async move {
            let mut latencies = Vec::new();
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                if i >= requests {
                    return anyhow::Ok(latencies);
                }
                let began = Instant::now();
                send(Arc::clone(&load), i).await??;
                latencies.push(began.elapsed().as_secs_f64() * 1000.0);
            }
        });
    }
    let mut latencies = Vec::with_capacity(requests);
    while let Some(client) = clients.join_next().await {
        latencies.extend(client?.with_context(|| what.to_owned())?);
    }
    let used = before.and_then(|before| Some(load.meter.as_ref()?.read()? - before));
    let count = requests * weight;
    let per_second = count as f64 / began.elapsed().as_secs_f64();
    let cpu_ms = used.map(|seconds| seconds * 1000.0 / count as f64);
    Ok(Line { what, count, cpu_ms, per_second, latency_ms: Latency::of(latencies) })
}

impl Load {
    fn shared(&self) -> Arc<Self> {
        let (http, base, key) = (self.http.clone(), self.base.clone(), self.key.clone());
        Arc::new(Self { http, base, key, clients: self.clients, meter: self.meter })
    }

    async fn post(&self, bundle: &str) -> anyhow::Result<serde_json::Value> {
        let request = self.http.post(&self.base).header(CONTENT_TYPE, "application/fhir+json").body(bundle.to_owned());
        Ok(serde_json::from_slice(&self.answer(request).await?)?)
    }

    async fn get(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        self.answer(self.http.get(format!("{}/{path}", self.base))).await
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Vec<u8>> {
        let answer = request.header(AUTHORIZATION, format!("Bearer {}", self.key)).send().await?;
        let status = answer.status();
        let body = answer.bytes().await?.to_vec();
        anyhow::ensure!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
        Ok(body)
    }

    /// Ids of some of what was written.
    async fn ids(&self, plan: &Plan) -> anyhow::Result<Vec<String>> {
        let mut ids = Vec::new();
        for patient in 0..plan.patients().min(50) {
            let page = self.get(&format!("Observation?patient={}&_count=100", bundle::patient(patient))).await?;
            let page: serde_json::Value = serde_json::from_slice(&page)?;
            let entries = page["entry"].as_array().into_iter().flatten();
            ids.extend(entries.filter_map(|entry| entry["resource"]["id"].as_str().map(str::to_owned)));
        }
        anyhow::ensure!(!ids.is_empty(), "nothing that was written is found");
        Ok(ids)
    }
}
