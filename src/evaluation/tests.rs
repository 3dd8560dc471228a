//! Folders written by the test, evaluated from end to end.

mod wfdb;

use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::registry::Registry;
use crate::synthetic::Heart;
use wfdb::{annotate, ecg, header};

fn report(folder: &Path, options: &Options) -> Report {
    let registry = Registry::builtin().unwrap();
    evaluate("folder", &Folder::open(folder).unwrap(), options, &registry, &|_| {}).unwrap()
}

/// The report as JSON, as readers see it.
fn evaluated(folder: &Path) -> Value {
    json(&report(folder, &Options::default()))
}

fn task<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["tasks"].as_array().unwrap().iter().find(|task| task["name"] == name).unwrap_or(&Value::Null)
}

fn row<'a>(task: &'a Value, table: &str, name: &str) -> &'a Value {
    let table = task["tables"].as_array().unwrap().iter().find(|t| t["name"] == table).unwrap();
    &table["rows"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap()["values"]
}

fn summary(task: &Value, key: &str) -> f64 {
    let figure = task["summary"].as_array().unwrap().iter().find(|figure| figure["key"] == key).unwrap();
    figure["value"].as_f64().unwrap()
}

/// Two records that can be judged, in different folders with different annotators and rates, and what cannot.
fn mixed() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    std::fs::create_dir_all(root.join("deep/er")).unwrap();
    let heart = Heart::new(|_| 75.0, 60.0);
    ecg(root, "deep/er/one", 250.0, &heart, 50.0);
    annotate(&root.join("deep/er/one.atr"), 250.0, &heart, 50.0);
    ecg(root, "two", 128.0, &heart, 50.0);
    annotate(&root.join("two.qrs"), 128.0, &heart, 50.0);
    ecg(root, "cut", 250.0, &heart, 50.0);
    annotate(&root.join("cut.atr"), 250.0, &heart, 50.0);
    let short = std::fs::read(root.join("cut.dat")).unwrap();
    std::fs::write(root.join("cut.dat"), &short[..1000]).unwrap();
    ecg(root, "plain", 250.0, &heart, 10.0);
    header(&root.join("beats.hea"), "beats 0 128 0");
    annotate(&root.join("beats.ecg"), 128.0, &heart, 50.0);
    header(&root.join("broken.hea"), "broken 1 fast");
    ecg(root, "half", 250.0, &heart, 10.0);
    std::fs::write(root.join("half.atr"), [5]).unwrap();
    std::fs::write(root.join("notes.csv"), "who,what\nsomebody,something\n").unwrap();
    folder
}

#[test]
fn records_are_judged_wherever_they_lie_and_what_is_not_is_told() {
    let folder = mixed();
    let report = evaluated(folder.path());
    let peaks = task(&report, "r-peaks");
    assert_eq!(peaks["judged"], 2);
    for (record, annotator) in [("deep/er/one", "atr"), ("two", "qrs")] {
        let values = row(peaks, "whole", record);
        assert_eq!((&values["errors"], &values["annotator"]), (&json!(0.0), &json!(annotator)), "{record}");
    }
    assert_eq!(row(peaks, "whole", "gross")["f1"], 100.0);
    assert!(summary(peaks, "jitter") < 3.0 && (0.0..1500.0).contains(&summary(peaks, "emission_p50")));
    let failed = &peaks["failed"][0];
    assert_eq!(failed["record"], "cut");
    assert!(failed["reason"].as_str().unwrap().starts_with("cut.dat holds 500 of the "), "{failed}");
    let left_out: Vec<String> = report["not_evaluated"].as_array().unwrap().iter().map(Value::to_string).collect();
    for (file, reason) in [
        ("plain.hea", "without reference annotations"),
        ("beats.hea", "beats without a waveform"),
        ("half.hea", "its annotations cannot be used: half.atr, line 1: ends within an annotation"),
        ("broken.hea", "sampling frequency"),
        ("notes.csv", "no reference is known"),
    ] {
        assert!(left_out.iter().any(|one| one.contains(file) && one.contains(reason)), "{file}: {left_out:?}");
    }
}

/// A report by hand: what it looks like has nothing to do with what a detector finds.
fn handmade() -> Report {
    use report::{Algorithm, Chart, Failure, Findings, Kind, LeftOut, Mark, Section, Strip, Table, measure};
    let f1 = measure("f1", "F1", "%", 2);
    let mut table =
        Table::new("whole", "Whole record", &[measure("lead", "lead", "", 0), f1, measure("n", "beats", "", 0)]);
    table.push(Kind::Record, "a/101", ["MLII".into(), 99.876.into(), 1865_u64.into()]);
    table.push(Kind::Record, "a/<b>", ["V".into(), f64::NAN.into(), 7_u64.into()]);
    table.push(Kind::Gross, "gross", ["".into(), 99.5.into(), 1872_u64.into()]);
    let points = vec![(0.0, 1.0), (2.0, f64::NAN), (4.0, 3.0)];
    let chart = Chart::new("Shares", "time [s]", "share [%]").with(Mark::Line { name: "line".into(), points });
    let samples = vec![0.0, 1.0, f32::NAN, 0.5];
    let (reference, detected) = (vec![(10.2, false)], vec![(10.3, true)]);
    let strip =
        Strip { title: "101".into(), unit: "mV".into(), from_s: 10.0, rate_hz: 4.0, samples, reference, detected };
    let findings = Findings {
        summary: vec![f1.of(99.5), measure("speed", "speed", "x real time", 0).of(f64::INFINITY)],
        tables: vec![table],
        charts: vec![chart.with(Mark::Level { at: 2.0, name: "bias".into() })],
        strips: vec![strip],
        notes: vec!["A note.".into()],
    };
    let section = Section {
        name: "task",
        title: "A task",
        about: "Found against annotated.",
        algorithms: vec![Algorithm { id: "finder", version: "1.2.3" }],
        judged: 2,
        findings,
        failed: vec![Failure { record: "c".into(), reason: "is short".into() }],
    };
    let left_out =
        LeftOut { reason: "no reference".into(), files: (0..9).map(|n| format!("{n}.csv").into()).collect() };
    Report { folder: "folder".into(), sections: vec![section], left_out: vec![left_out] }
}

#[test]
fn text_is_aligned_and_json_has_every_figure() {
    insta::assert_snapshot!("text", text(&handmade()));
    insta::assert_snapshot!("json", format!("{:#}", json(&handmade())).replace(env!("CARGO_PKG_VERSION"), "VERSION"));
}

#[test]
fn the_page_stands_alone() {
    let html = html(&handmade());
    assert!(html.starts_with("<!DOCTYPE html>") && html.contains("a/&lt;b&gt;") && !html.contains("a/<b>"));
    assert!(!html.contains("http") && !html.contains("<script") && !html.contains("NaN"), "{html}");
    assert_eq!([html.matches("<table>").count(), html.matches("<figure").count()], [1, 2]);
}

#[test]
fn nothing_to_judge_and_unknown_tasks() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::builtin().unwrap();
    let found = Folder::open(folder.path()).unwrap();
    assert!(evaluate("x", &found, &Options::default(), &registry, &|_| {}).unwrap().sections.is_empty());
    let options = Options { tasks: vec!["p-waves".to_owned()], ..Options::default() };
    let error = evaluate("x", &found, &options, &registry, &|_| {}).unwrap_err().to_string();
    assert!(error.contains("no task \"p-waves\"; there are r-peaks"), "{error}");
    assert!(Folder::open(&folder.path().join("absent")).is_err());
}

#[test]
fn flagged_beats_are_recognised_by_their_columns() {
    let folder = tempfile::tempdir().unwrap();
    // Steady, then intervals that know nothing of each other, then steady again.
    let (mut at, mut state, mut text) = (0.0, 1_u64, "beat_sample_200hz,af\n".to_owned());
    for beat in 0..1500 {
        let fibrillates = (500..1000).contains(&beat);
        let _ = writeln!(text, "{at:.0},{}", u8::from(fibrillates));
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let random = (state >> 40) as f64 / f64::from(1 << 24);
        at += 200.0 * if fibrillates { 0.45 + 0.5 * random } else { 0.8 + 0.02 * random };
    }
    std::fs::write(folder.path().join("series.csv"), text).unwrap();
    let report = evaluated(folder.path());
    let task = task(&report, "atrial-fibrillation");
    let values = row(task, "reference_beats", "series");
    assert_eq!((values["beats"].as_f64(), values["onsets_seen"].as_f64()), (Some(1499.0), Some(1.0)));
    assert!(values["sensitivity"].as_f64().unwrap() > 90.0 && values["auc"].as_f64().unwrap() > 0.98, "{values}");
}

#[cfg(unix)]
#[test]
fn a_folder_that_contains_itself_is_searched_once() {
    let folder = mixed();
    std::os::unix::fs::symlink(".", folder.path().join("loop")).unwrap();
    assert_eq!(task(&evaluated(folder.path()), "r-peaks")["judged"], 2);
}

#[test]
fn strips_are_found_by_their_table_of_labels() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    std::fs::create_dir(root.join("training")).unwrap();
    for name in ["s1", "s2"] {
        ecg(root, &format!("training/{name}"), 300.0, &Heart::new(|_| 70.0, 40.0), 30.0);
    }
    std::fs::write(root.join("REFERENCE-v1.csv"), "s1,A\ns2,A\n").unwrap();
    std::fs::write(root.join("REFERENCE-v2.csv"), "s1,N\ns2,N\nabsent,A\n").unwrap();
    let report = evaluated(root);
    let task = task(&report, "strips");
    assert_eq!((&task["judged"], summary(task, "specificity")), (&json!(2), 100.0));
    assert_eq!(row(task, "strips", "training/s1")["label"], "N");
}

#[test]
fn pulses_are_judged_by_the_ecg_beside_them_and_breaths_by_their_marks() {
    let folder = tempfile::tempdir().unwrap();
    let heart = Heart::new(|_| 75.0, 200.0);
    let mut signals = "Time [s], RESP, PLETH, II\n".to_owned();
    for i in 0..190 * 100 {
        let at = f64::from(i) / 100.0;
        let breath = (std::f64::consts::TAU * 0.25 * at).sin();
        let _ = writeln!(signals, "{at:.2},{breath:.4},{:.4},{:.4}", heart.ppg(at) + 0.1 * breath, heart.ecg(at));
    }
    let mut breaths = "breaths ann1 [no], breaths ann2 [no]\n".to_owned();
    for n in 0..47 {
        let _ = writeln!(breaths, "{},{}", 100 + 400 * n, 102 + 400 * n);
    }
    std::fs::write(folder.path().join("p_Signals.csv"), signals).unwrap();
    std::fs::write(folder.path().join("p_Breaths.csv"), breaths).unwrap();
    std::fs::write(
        folder.path().join("p_Numerics.csv"),
        "Time [s], HR, PULSE, RESP\n0,75,75,15\n1,75,75,15\n2,75,75,15\n",
    )
    .unwrap();
    let report = evaluated(folder.path());
    let pulses = task(&report, "pulses");
    assert_eq!(row(pulses, "pulses", "p")["f1"], 100.0, "{pulses}");
    assert!((row(pulses, "pulses", "p")["delay"].as_f64().unwrap() - 330.0).abs() < 80.0);
    assert!(summary(pulses, "rate_mae") < 0.5);
    let respiration = task(&report, "respiration");
    assert_eq!(respiration["judged"], 1);
    assert!(
        summary(respiration, "impedance_32_mae") < 0.2 && summary(respiration, "ppg_64_mae") < 0.5,
        "{respiration}"
    );
    assert_eq!(report["not_evaluated"], json!([]));
}

#[test]
fn canonical_values_are_compared_measure_by_measure() {
    let folder = tempfile::tempdir().unwrap();
    let nn: Vec<f64> = (0..300).map(|i| 800.0 + f64::from(i % 7)).collect();
    let mean = nn.iter().sum::<f64>() / 300.0;
    let table = json!({ "series": { "a": { "rr_ms": nn, "canonical": { "mean_nn": mean, "sdnn": 4.0 } } } });
    let text = table.to_string().replace("\"sdnn\"", "\"rmssd\":NaN,\"sdnn\"");
    std::fs::write(folder.path().join("golden.json"), text).unwrap();
    let report = evaluated(folder.path());
    let task = task(&report, "hrv");
    assert!(row(task, "measures", "mean NN")["largest_difference"].as_f64().unwrap() < 1e-12);
    assert!(row(task, "measures", "SDNN")["largest_difference"].as_f64().unwrap() > 0.1);
    assert_eq!(row(task, "measures", "RMSSD")["compared"], 0.0);
}

#[test]
fn noise_is_added_to_records_beside_a_noise_recording() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let heart = Heart::new(|_| 75.0, 700.0);
    ecg(root, "clean", 125.0, &heart, 660.0);
    annotate(&root.join("clean.atr"), 125.0, &heart, 660.0);
    // Noise of another rate: steps of a second and a half with a wander on it.
    let noise = |i: i32| f64::from(i * 7919 % 83) / 83.0 + (f64::from(i) / 40.0).sin();
    let lines: Vec<String> = (0..5000).map(|i| format!("{:.4}", noise(i))).collect();
    std::fs::write(root.join("em_noise_250hz.csv"), lines.join("\n")).unwrap();
    let report = evaluated(root);
    let task = task(&report, "noise-stress");
    let (quiet, loud) = (row(task, "ratios", "24 dB"), row(task, "ratios", "0 dB"));
    assert_eq!(quiet["f1"], 100.0);
    assert!(loud["noisy_f1"].as_f64().unwrap() <= loud["f1"].as_f64().unwrap(), "{loud}");
    let beats = heart.beats().iter().filter(|b| (300.0..420.0).contains(*b) || (540.0..659.5).contains(*b)).count();
    assert_eq!(loud["noisy_beats"].as_f64().unwrap(), beats as f64);
}
