use clap::Parser;
use serde_json::json;

use super::*;
use crate::command::fake::{Fake, Fault, server, stored};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

/// A record of 10 s in a folder of its own, and the arguments to replay it.
fn record(to: &str, more: &[&str]) -> (tempfile::TempDir, Args) {
    let folder = tempfile::tempdir().unwrap();
    let dat: Vec<u8> = (0..1000_i16).flat_map(i16::to_le_bytes).collect();
    std::fs::write(folder.path().join("r1.hea"), "r1 1 100 1000\nr1.dat 16 200/mV 16 0 0 0 0 ECG\n").unwrap();
    std::fs::write(folder.path().join("r1.dat"), dat).unwrap();
    let path = folder.path().join("r1").display().to_string();
    let state = folder.path().join("state").display().to_string();
    let fixed = ["replay", &path, "--to", to, "--key", "sk_sandbox_x", "--state", &state, "--speed", "max"];
    let args = Line::try_parse_from(fixed.iter().copied().chain(more.iter().copied())).unwrap().args;
    (folder, args)
}

#[tokio::test]
async fn every_packet_arrives_once_whatever_the_server_does() {
    let (fake, to) = server(&[(1, Fault::Busy), (3, Fault::LostAnswer), (4, Fault::Busy)]).await;
    let (_folder, args) = record(&to, &["--batch", "3"]);
    let summary = replay(&args).await.unwrap();
    assert_eq!((summary.packets, summary.accepted, summary.duplicates), (10, 7, 3), "one answer was lost");
    assert!(summary.queryable && stored(&fake) == 10 && fake.lock().unwrap().lag == 0);
    assert_eq!(fake.lock().unwrap().devices["wfdb-r1"], json!({"model": "wfdb-recording", "patient": "r1"}));
    assert!(!args.state.exists());

    let again = replay(&args).await.unwrap();
    assert_eq!((again.packets, again.accepted, again.duplicates), (10, 0, 10));
}

#[tokio::test]
async fn an_interrupted_replay_goes_on_where_it_stopped() {
    let (fake, to) = server(&[(2, Fault::Down)]).await;
    let (_folder, args) = record(&to, &["--batch", "3", "--timeout", "0.1"]);
    let error = format!("{:#}", replay(&args).await.unwrap_err());
    assert!(error.contains("stopped after 6 packets; the same command goes on from there"), "{error}");
    assert!(error.contains("503"), "{error}");
    assert!(args.state.exists());

    fake.lock().unwrap().faults.clear();
    let summary = replay(&args).await.unwrap();
    assert_eq!((summary.resumed, summary.packets, summary.duplicates), (6, 4, 0));
    assert_eq!(stored(&fake), 10);
    assert!(!args.state.exists());
}

#[tokio::test]
async fn a_server_that_forgot_everything_gets_everything() {
    let (fake, to) = server(&[(2, Fault::Down)]).await;
    let (_folder, args) = record(&to, &["--batch", "3", "--timeout", "0.1"]);
    replay(&args).await.unwrap_err();
    *fake.lock().unwrap() = Fake::default();
    let summary = replay(&args).await.unwrap();
    assert_eq!((summary.resumed, summary.packets), (1, 9), "the first packet was the question how far it is");
    assert_eq!(stored(&fake), 10);
}

#[tokio::test]
async fn nobody_there_is_an_error_with_the_reason() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (_folder, args) = record("http://127.0.0.1:1", &["--timeout", "0.2"]);
    let error = format!("{:#}", replay(&args).await.unwrap_err());
    assert!(error.contains("the device could not be registered: no answer for 0 s"), "{error}");
}

#[tokio::test]
async fn another_recording_under_the_same_numbers_is_a_conflict() {
    let (fake, to) = server(&[]).await;
    let (_folder, args) = record(&to, &[]);
    replay(&args).await.unwrap();
    let (_folder, args) = record(&to, &["--start", "2026-02-01T00:00:00Z"]);
    let error = format!("{:#}", replay(&args).await.unwrap_err());
    assert!(error.contains("choose another --device"), "{error}");
    assert!(error.contains("wfdb-r1 ecg 0, wfdb-r1 ecg 1, wfdb-r1 ecg 2 and 7 more"), "{error}");
    assert_eq!(stored(&fake), 10);
}

#[tokio::test]
async fn cbor_and_json_give_the_same_packets() {
    let (fake, to) = server(&[]).await;
    let (_folder, args) = record(&to, &["--cbor", "--device", "d", "--patient", "p", "--wait", "false"]);
    let summary = replay(&args).await.unwrap();
    assert!(!summary.queryable);
    let (_folder, args) = record(&to, &["--device", "d", "--patient", "p"]);
    assert_eq!(replay(&args).await.unwrap().duplicates, 10);
    assert_eq!(fake.lock().unwrap().devices["d"]["patient"], "p");
}

#[tokio::test]
async fn packet_files_are_paced_by_their_own_times() {
    let (fake, to) = server(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.ndjson");
    let line = |n: i32| {
        format!(
            r#"{{"device":"d","stream":"hr","sequence":{n},"device_time":"2026-01-18T14:32:1{n}Z","samples":{{"signal":"heart-rate","unit":"/min","values":[60]}}}}"#
        )
    };
    std::fs::write(&path, (0..3).map(line).collect::<Vec<_>>().join("\n")).unwrap();
    let state = folder.path().join("state");
    let words = ["replay", path.to_str().unwrap(), "--to", &to, "--key", "sk_sandbox_x", "--speed", "20"];
    let mut args = Line::try_parse_from(words).unwrap().args;
    args.state = state;
    let began = Instant::now();
    let summary = replay(&args).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(100), "2 s at twenty times the speed");
    assert_eq!((summary.accepted, fake.lock().unwrap().requests), (3, 3));
    assert!(fake.lock().unwrap().devices.is_empty(), "its devices are the server's to know");
}

#[test]
fn arguments_are_checked() {
    for (more, expected) in [
        (&["--speed", "0"][..], "must be a positive number or `max`"),
        (&["--batch", "0"], "0 is not in 1..=10000"),
        (&["--start", "today"], "RFC 3339"),
    ] {
        let words = ["replay", "x", "--to", "http://x", "--key", "k"];
        let error = Line::try_parse_from(words.iter().chain(more)).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
