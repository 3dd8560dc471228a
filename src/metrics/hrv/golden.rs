//! Agreement with a table of canonical values over recorded series, when that table is there.
//!
//! The table is `signals/dev/hrv_golden.json` (and whatever else matches) under `AFFERENT_SHARED`, or under `shared`
//! beside the workspace. Its `meta` states the formulas.

use std::path::PathBuf;

use serde_json::Value;

use super::{consecutive, frequency_domain, frequency_domain_lomb, sample_entropy, time_domain};

#[expect(clippy::disallowed_methods, reason = "tests find the recordings through the environment")]
fn table() -> Option<Value> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let shared = std::env::var_os("AFFERENT_SHARED").map_or_else(beside, PathBuf::from);
    let text = std::fs::read_to_string(shared.join("signals/dev/hrv_golden.json")).ok()?;
    // Python writes NaN and Infinity, which JSON does not know.
    Some(
        serde_json::from_str(&text.replace("-Infinity", "null").replace("Infinity", "null").replace("NaN", "null"))
            .unwrap(),
    )
}

fn number(value: &Value, path: &str) -> Option<f64> {
    value.pointer(path).and_then(Value::as_f64)
}

#[track_caller]
fn check(name: &str, path: &str, canonical: &Value, computed: f64, relative: f64) {
    let Some(expected) = number(canonical, path) else { return };
    let allowed = relative * expected.abs().max(1e-3);
    assert!((computed - expected).abs() <= allowed, "{name}{path}: {computed} instead of {expected}");
}

fn check_series(name: &str, nn_ms: &[f64], canonical: &Value) {
    let time = time_domain(nn_ms).unwrap();
    let exact = [
        ("/mean_nn", time.mean_nn),
        ("/sdnn", time.sdnn),
        ("/rmssd", time.rmssd),
        ("/sdsd", time.sdsd),
        ("/pnn50", time.pnn50),
        ("/pnn20", time.pnn20),
        ("/sd1", time.sd1),
        ("/sd2", time.sd2),
        ("/sampen", sample_entropy(nn_ms).unwrap()),
    ];
    for (path, value) in exact {
        check(name, path, canonical, value, 1e-6);
    }
    let nn = consecutive(nn_ms);
    for (method, powers) in [("welch", frequency_domain(&nn)), ("lomb", frequency_domain_lomb(&nn))] {
        let powers = powers.unwrap();
        let parts =
            [("vlf", powers.vlf), ("lf", Some(powers.lf)), ("hf", Some(powers.hf)), ("lf_hf", Some(powers.lf_hf))];
        for (part, value) in parts.into_iter().filter_map(|(part, value)| Some((part, value?))) {
            check(name, &format!("/{method}/{part}"), canonical, value, 1e-3);
        }
    }
}

#[test]
fn recorded_series_have_their_canonical_values() {
    let Some(table) = table() else {
        return eprintln!("skipped: no signals/dev/hrv_golden.json under AFFERENT_SHARED or ../shared");
    };
    for (name, series) in table["series"].as_object().unwrap() {
        let nn_ms: Vec<f64> = series["rr_ms"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
        check_series(name, &nn_ms, &series["canonical"]);
    }
}
