//! `afferent evaluate`: what comes out of the binary, and its exit codes.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::shared;

fn evaluate(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_afferent")).arg("evaluate").arg(folder).args(arguments).output().unwrap()
}

#[test]
fn exit_codes_tell_nothing_found_from_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let nothing = evaluate(folder.path(), &[]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("nothing could be evaluated"));
    assert_eq!(evaluate(&folder.path().join("absent"), &[]).status.code(), Some(1));
    assert_eq!(evaluate(folder.path(), &["--task", "p-waves"]).status.code(), Some(2));
    assert_eq!(evaluate(folder.path(), &["--format", "pdf"]).status.code(), Some(2));
}

#[test]
#[ignore = "needs the recordings in AFFERENT_SHARED"]
fn the_recordings_are_recognised_and_every_record_is_judged() {
    let folder = shared().join("signals/dev");
    let output = evaluate(&folder, &["--format", "json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let tasks = report["tasks"].as_array().unwrap();
    let judged: Vec<(&str, u64)> =
        tasks.iter().map(|t| (t["name"].as_str().unwrap(), t["judged"].as_u64().unwrap())).collect();
    let expected = [
        ("r-peaks", 24),
        ("noise-stress", 24),
        ("noisy-excerpts", 2),
        ("atrial-fibrillation", 28),
        ("alerts", 24),
        ("strips", 300),
        ("pulses", 7),
        ("camera", 11),
        ("respiration", 7),
        ("hrv", 26),
    ];
    for expected in expected {
        assert!(judged.contains(&expected), "{expected:?} in {judged:?}");
    }
    assert!(tasks.iter().all(|t| t["failed"].as_array().unwrap().is_empty()));
    for task in tasks {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let figure = |f: &Value| format!("{} {} {}", text(&f["title"]), f["value"], text(&f["unit"]));
        let figures: Vec<String> = task["summary"].as_array().unwrap().iter().map(figure).collect();
        println!("{}: {}", text(&task["title"]), figures.join(", "));
    }
    let page = evaluate(&folder.join("mitdb"), &["--format", "html", "--record", "101"]);
    let page = String::from_utf8(page.stdout).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>") && page.contains("R peaks"));
}
