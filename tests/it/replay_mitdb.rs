//! `afferent replay` of half an hour of a real electrocardiogram, against the beats that experts annotated.
//!
//! MIT-BIH Arrhythmia Database 1.0.0, record 101 (ODC-By 1.0; Moody and Mark 2001, Goldberger et al. 2000).

mod annotation;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::support::{Client, Server, census, everything, has_code, quantity, shared};

/// The recording's length: 650,000 samples at 360 Hz.
const SECONDS: f64 = 650_000.0 / 360.0;
/// Where a recording without a date of its own starts: 2026-01-01T00:00:00Z.
const START_S: f64 = 1_767_225_600.0;
/// How far a heart rate may be from that of the annotations.
const TOLERANCE: f64 = 2.0;

#[test]
#[ignore = "needs the recordings in AFFERENT_SHARED"]
fn half_an_hour_of_a_real_heart() {
    let server = Server::start();
    let client = server.client();
    let record = shared().join("signals/dev/mitdb/101");
    replay(&client, &record);
    let observations = client.search("Observation?patient=p101&_count=200");
    assert_eq!(census(&observations), expected_census());
    rates_agree(&client, &annotation::beats(&record.with_extension("atr")));
    let before = everything(&client);
    replay(&client, &record);
    assert!(before == everything(&client), "a second replay changed something");
    let versions = observations.iter().filter(|observation| observation["meta"]["versionId"] != "1").count();
    assert_eq!(versions, 0);
}

/// Replays at full speed and waits until all of it is queryable.
#[track_caller]
fn replay(client: &Client, record: &Path) {
    let begin = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_afferent"))
        .arg("replay")
        .arg(record)
        .args(["--to", &client.url(""), "--key", &client.key, "--speed", "max", "--patient", "p101"])
        .current_dir(std::env::temp_dir())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    client.settle();
    println!("mitdb/101 replayed and queryable in {:.2} s", begin.elapsed().as_secs_f64());
}

/// The statistics of a five-minute window.
const TIME: [&str; 5] = ["sdnn", "rmssd", "pnn50", "sdsd", "autonomic-state"];
const FREQUENCY: [&str; 7] = ["vlf", "lf", "hf", "lf-hf", "lf-nu", "hf-nu", "total-power"];
const SHAPE: [&str; 4] = ["sd1", "sd2", "sample-entropy", "dfa-alpha1"];

/// What the windows say: a waveform and its intervals for every minute that has samples, a rate for every minute that is
/// at least half there, variability for every five minutes that are.
fn expected_census() -> BTreeMap<String, usize> {
    let windows = |length: f64, coverage: f64| (SECONDS / length + 1.0 - coverage).floor() as usize;
    let mut expected: BTreeMap<String, usize> = BTreeMap::new();
    expected.insert("ecg".to_owned(), windows(60.0, 1e-9));
    expected.insert("rr-interval".to_owned(), windows(60.0, 1e-9));
    for minute in ["heart-rate", "rhythm", "af-burden", "rate-state"] {
        expected.insert(minute.to_owned(), windows(60.0, 0.5));
    }
    for statistic in TIME.iter().chain(&FREQUENCY).chain(&SHAPE) {
        expected.insert(format!("hrv-{statistic}"), windows(300.0, 0.5));
    }
    expected.insert("hrv-triangular-index".to_owned(), windows(1200.0, 0.5));
    expected
}

/// Every per-minute heart rate is the one of the annotated beats, give or take [`TOLERANCE`].
#[track_caller]
fn rates_agree(client: &Client, beats: &[f64]) {
    let rates = client.search("Observation?patient=p101&code=http://loinc.org|8867-4&_sort=date");
    let mut worst: f64 = 0.0;
    for observation in &rates {
        assert!(has_code(&observation["code"], "8867-4"));
        let end: jiff::Timestamp = observation["effectiveDateTime"].as_str().unwrap().parse().unwrap();
        let end = end.as_second() as f64 - START_S;
        let reference = rate(beats, end - 60.0, end);
        let (measured, unit) = quantity(observation);
        assert_eq!(unit, "/min");
        assert!((measured - reference).abs() <= TOLERANCE, "minute to {end} s: {measured}, annotated {reference:.1}");
        worst = worst.max((measured - reference).abs());
    }
    assert_eq!(rates.len(), 30);
    println!("heart rate of {} minutes at most {worst:.2} /min from the annotations", rates.len());
}

/// 60 over the mean interval of the beats in a span.
fn rate(beats: &[f64], from: f64, to: f64) -> f64 {
    let intervals = beats.windows(2).filter(|pair| pair[1] >= from && pair[1] < to).map(|pair| pair[1] - pair[0]);
    let (count, sum) = intervals.fold((0.0, 0.0), |(count, sum), interval| (count + 1.0, sum + interval));
    60.0 * count / sum
}
