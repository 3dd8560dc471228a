//! `afferent demo`: the server with a sandbox tenant and a live synthetic scenario whose truth is known.
//!
//! Two devices on a synthetic patient send through the same door every device uses: an ECG patch (250 Hz) and a finger
//! clip (PPG 100 Hz, SpO2 every fifteen seconds). The last minutes are sent at once, so that there is something to see, and
//! then the present as it happens.
#![expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};

use super::serve::stopped;
use crate::app::App;
use crate::auth::{Fetcher, NewClient, NewKey, NewPerson, PersonError, SignIn, SignInSettings};
use crate::config::{Config, Given};
use crate::id::{ResourceId, TenantId};
use crate::projection::examples;
use crate::resource::Resource;
use crate::store::{ClientKeys, ClientRecord, Store};
use crate::synthetic::Heart;
use crate::time::{Clock, DeviceTime, Instant, MICROS, SystemClock};

/// Where the demonstration runs.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address to listen at.
    #[arg(long, env = "AFFERENT_LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Directory to keep the demonstration's data in [default: a new temporary one].
    #[arg(long, env = "AFFERENT_DATA")]
    data: Option<PathBuf>,
    /// Database, sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME [default: afferent.db in the directory].
    #[arg(long, env = "AFFERENT_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// Minutes of past to send first.
    #[arg(long, default_value_t = 12)]
    past: u32,
}

const PATIENT: &str = "demo";
const APP: &str = "Demo app";
/// Where an app that somebody writes on this machine is likely to be.
const REDIRECTS: [&str; 2] = ["http://localhost:3000/", "http://127.0.0.1:3000/"];
const ECG_HZ: u32 = 250;
const PPG_HZ: u32 = 100;
const SPO2_EVERY_S: i64 = 15;

/// Truth: a heart rate that swings between 60 and 84 /min over ten minutes.
fn heart_rate(at_s: f64) -> f64 {
    72.0 + 12.0 * (std::f64::consts::TAU * at_s / 600.0).sin()
}

/// Truth: a saturation around 97 %.
fn saturation(at_s: f64) -> f64 {
    (97.0 + 1.5 * (std::f64::consts::TAU * at_s / 420.0).sin()).round()
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let data = args.data.unwrap_or_else(|| std::env::temp_dir().join(format!("afferent-demo-{}", std::process::id())));
    let given =
        Given { listen: Some(args.listen), data: Some(data.clone()), database: args.database, ..Given::default() };
    let clock = Arc::new(SystemClock);
    let config = Config { sign_in: SignInSettings::Demo, ..given.build()? };
    let app = App::build(config, clock).await?;
    let tenant = TenantId::new("sandbox")?;
    // As a client's: whoever tries the demo may change them, and finds them changed the next time.
    for example in examples()? {
        app.store().put_if_absent(&tenant, example).await?;
    }
    let url = format!("http://{}", app.address()?);
    let key = NewKey::for_everything(tenant.clone(), true).create(app.store()).await?.expose().to_owned();
    let client = people(app.store(), &tenant).await?;
    let server = tokio::spawn(app.serve(stopped()));
    let sender = Sender { client: reqwest::Client::new(), url: url.clone(), key: key.clone() };
    announce(&url, &key, &client, &data);
    tokio::select! {
        done = server => done??,
        failed = scenario(sender, args.past) => failed.context("scenario")?,
    }
    Ok(())
}

/// Lets made-up people sign in, to an app that runs on this machine; gives the app's id.
async fn people(store: &Store, tenant: &TenantId) -> anyhow::Result<String> {
    let practitioner =
        json!({"resourceType": "Practitioner", "id": "demo", "name": [{"family": "Example", "given": ["Robin"]}]});
    let element = crate::fhir::json::parse(practitioner.to_string().as_bytes())?;
    let id = ResourceId::new("demo")?;
    store.put_if_absent(tenant, Resource { kind: "Practitioner".to_owned(), id, element }).await?;
    for (subject, resource) in [("Dr. Robin Example", "Practitioner/demo"), ("The patient", "Patient/demo")] {
        let issuer = SignIn::DEMO_ISSUER.to_owned();
        let (subject, resource) = (subject.to_owned(), resource.to_owned());
        match (NewPerson { tenant: tenant.clone(), issuer, subject, resource }).register(store).await {
            Ok(_) | Err(PersonError::Taken) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let is_ours = |client: &ClientRecord| client.name == APP;
    if let Some(client) = store.clients(tenant).await?.into_iter().find(is_ours) {
        return Ok(client.id);
    }
    let new = NewClient {
        tenant: tenant.clone(),
        name: APP.to_owned(),
        scope: "launch launch/patient openid fhirUser offline_access online_access patient/*.rs user/*.rs".to_owned(),
        keys: ClientKeys::Nothing,
        redirects: REDIRECTS.map(str::to_owned).to_vec(),
    };
    Ok(new.register(store, &Fetcher::new(false)?).await?.id)
}

fn announce(url: &str, key: &str, client: &str, data: &std::path::Path) {
    println!(
        "Afferent demo: everything here is synthetic.

  Console   {url}/console/#key={key}
  FHIR      {url}/fhir/R4
  Key       {key}
  Data      {}
  App       client_id {client} at {url}/t/sandbox/fhir/R4, sent back to {}

Try:
  KEY={key}
  curl -s {url}/fhir/R4/metadata
  curl -s -H \"Authorization: Bearer $KEY\" \\
    '{url}/fhir/R4/Observation?patient={PATIENT}&code=http://loinc.org|8867-4&_sort=-date&_count=5'
  curl -s -H \"Authorization: Bearer $KEY\" \\
    '{url}/fhir/R4/Observation?patient=example&component-code-value-quantity=8480-6$ge16|http://unitsofmeasure.org|kPa'
  curl -s -H \"Authorization: Bearer $KEY\" \\
    '{url}/fhir/R4/Observation?patient={PATIENT}&code=http://loinc.org|8867-4&_sort=-date&_count=50&_include=Observation:device&_revinclude=Provenance:target'

Ctrl-C stops it.",
        data.display(),
        REDIRECTS.join(" or "),
    );
}

/// Sends packets as a device would.
#[derive(Debug, Clone)]
struct Sender {
    client: reqwest::Client,
    url: String,
    key: String,
}

impl Sender {
    async fn link(&self, device: &str) -> anyhow::Result<()> {
        let url = format!("{}/api/v1/devices/{device}", self.url);
        let body = json!({"patient": PATIENT});
        self.client.put(url).bearer_auth(&self.key).json(&body).send().await?.error_for_status()?;
        Ok(())
    }

    async fn send(&self, packets: &[Value]) -> anyhow::Result<()> {
        for batch in packets.chunks(500) {
            let url = format!("{}/ingest/raw-packet", self.url);
            loop {
                let answer = self.client.post(&url).bearer_auth(&self.key).json(batch).send().await?;
                if answer.status().as_u16() != 429 {
                    answer.error_for_status()?;
                    break;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        Ok(())
    }
}

/// Sends the past at once and the present for as long as the server runs.
async fn scenario(sender: Sender, past_min: u32) -> anyhow::Result<()> {
    /// A day of beats: longer than anybody watches.
    const LONGEST_S: f64 = 86_400.0;
    let past_s = i64::from(past_min) * 60;
    let now = SystemClock.now();
    let start = Instant((now.0 / MICROS - past_s) / 60 * 60 * MICROS);
    let heart = Heart::new(heart_rate, LONGEST_S);
    for device in ["demo-patch", "demo-clip"] {
        sender.link(device).await?;
    }
    let mut second = 0_i64;
    let due = |now: Instant| (now.0 - start.0) / MICROS;
    loop {
        let until = due(SystemClock.now());
        let packets: Vec<Value> = (second..until).flat_map(|s| packets(&heart, start, s)).collect();
        sender.send(&packets).await?;
        second = second.max(until);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// What both devices send for one second.
fn packets(heart: &Heart, start: Instant, second: i64) -> Vec<Value> {
    let at_s = second as f64;
    let time = DeviceTime(start.0 + second * MICROS).to_rfc3339();
    let wave = |hz: u32, value: &dyn Fn(f64) -> f64| -> Vec<f64> {
        (0..hz).map(|i| (value(at_s + f64::from(i) / f64::from(hz)) * 1000.0).round() / 1000.0).collect()
    };
    let packet = |device: &str, stream: &str, sequence: i64, samples: Value| {
        json!({"device": device, "stream": stream, "sequence": sequence, "device_time": time,
               "firmware": "fw-1.0.0", "sdk": "demo", "samples": samples})
    };
    let ecg = wave(ECG_HZ, &|t| heart.ecg(t) + 0.01 * (t * 7919.0).sin());
    let ppg = wave(PPG_HZ, &|t| heart.ppg(t));
    let mut packets = vec![
        packet(
            "demo-patch",
            "ecg",
            second,
            json!({"signal": "ecg", "rate_hz": ECG_HZ, "unit": "mV", "lead": "II", "values": ecg}),
        ),
        packet("demo-clip", "ppg", second, json!({"signal": "ppg", "rate_hz": PPG_HZ, "unit": "1", "values": ppg})),
    ];
    if second % SPO2_EVERY_S == 0 {
        let samples = json!({"signal": "spo2", "unit": "%", "values": [saturation(at_s)]});
        packets.push(packet("demo-clip", "spo2", second / SPO2_EVERY_S, samples));
    }
    packets
}
