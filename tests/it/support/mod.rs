//! What the tests stand on: a server process, a client, synthetic signals, and a walk over all a server holds.

mod client;
pub(crate) mod database;
mod ecg;
mod server;
mod walk;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub(crate) use client::{Client, Reply, block_on};
pub(crate) use ecg::{Ecg, Random};
pub(crate) use server::Server;
pub(crate) use walk::{everything, standing, without_versions};

/// The first sample of synthetic recordings, 2026-01-18T14:00:00Z: on a five-minute boundary, so windows are whole.
const START_US: i64 = 1_768_744_800_000_000;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits for something to come true.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The folder of recordings and tools beside the repository.
pub(crate) fn shared() -> PathBuf {
    PathBuf::from(std::env::var_os("AFFERENT_SHARED").expect("AFFERENT_SHARED names the folder of the recordings"))
}

/// A time so many microseconds after the start of synthetic recordings.
pub(crate) fn time(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(START_US + micros).unwrap().to_string()
}

/// A packet with one value.
pub(crate) fn scalar(device: &str, sequence: u64, signal: &str, unit: &str, value: f64) -> Value {
    let at = time(i64::try_from(sequence).unwrap() * 1_000_000);
    json!({"device": device, "stream": signal, "sequence": sequence, "device_time": at,
        "samples": {"signal": signal, "unit": unit, "values": [value]}})
}

/// The ways out of an Observation's value: `(value, code)` of its valueQuantity.
#[track_caller]
pub(crate) fn quantity(observation: &Value) -> (f64, &str) {
    let quantity = &observation["valueQuantity"];
    let value = quantity["value"].as_f64();
    (value.unwrap_or_else(|| panic!("no valueQuantity in {observation:#}")), quantity["code"].as_str().unwrap())
}

/// Whether a CodeableConcept has the code.
pub(crate) fn has_code(concept: &Value, code: &str) -> bool {
    concept["coding"].as_array().is_some_and(|codings| codings.iter().any(|coding| coding["code"] == code))
}

/// How many Observations there are of each of our own signal codes.
pub(crate) fn census(observations: &[Value]) -> BTreeMap<String, usize> {
    let mut census = BTreeMap::new();
    for observation in observations {
        *census.entry(own_code(observation)).or_default() += 1;
    }
    census
}

/// The code of an Observation in our own code system.
#[track_caller]
pub(crate) fn own_code(observation: &Value) -> String {
    let codings = observation["code"]["coding"].as_array().unwrap();
    let own =
        codings.iter().find(|coding| coding["system"].as_str().is_some_and(|s| s.ends_with("/CodeSystem/biosignal")));
    own.unwrap_or_else(|| panic!("no code of our own in {observation:#}"))["code"].as_str().unwrap().to_owned()
}
