//! Largest relative differences to a table of canonical HRV values.
//!
//! `cargo run --release -p afferent-metrics --example hrv_golden -- FILE`, by default the table of the dev recordings.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a command line report")]

use afferent_metrics::hrv::{consecutive, frequency_domain, frequency_domain_lomb, sample_entropy, time_domain};
use serde_json::Value;

/// What is computed for one series, by its path in the table.
fn measures(nn_ms: &[f64]) -> Vec<(&'static str, Option<f64>)> {
    let time = time_domain(nn_ms);
    let nn = consecutive(nn_ms);
    let (welch, lomb) = (frequency_domain(&nn), frequency_domain_lomb(&nn));
    vec![
        ("/mean_nn", time.map(|time| time.mean_nn)),
        ("/sdnn", time.map(|time| time.sdnn)),
        ("/rmssd", time.map(|time| time.rmssd)),
        ("/sdsd", time.map(|time| time.sdsd)),
        ("/pnn50", time.map(|time| time.pnn50)),
        ("/pnn20", time.map(|time| time.pnn20)),
        ("/sd1", time.map(|time| time.sd1)),
        ("/sd2", time.map(|time| time.sd2)),
        ("/sampen", sample_entropy(nn_ms)),
        ("/welch/vlf", welch.and_then(|powers| powers.vlf)),
        ("/welch/lf", welch.map(|powers| powers.lf)),
        ("/welch/hf", welch.map(|powers| powers.hf)),
        ("/welch/lf_hf", welch.map(|powers| powers.lf_hf)),
        ("/lomb/lf", lomb.map(|powers| powers.lf)),
        ("/lomb/hf", lomb.map(|powers| powers.hf)),
        ("/lomb/lf_hf", lomb.map(|powers| powers.lf_hf)),
    ]
}

fn main() {
    let file = std::env::args().nth(1).unwrap_or_else(|| "../shared/signals/dev/hrv_golden.json".into());
    let text = std::fs::read_to_string(&file).unwrap();
    // Python writes NaN and Infinity, which JSON does not know.
    let table: Value = serde_json::from_str(&text.replace("NaN", "null").replace("Infinity", "0")).unwrap();
    let series = table["series"].as_object().unwrap();
    let mut worst: Vec<(&str, f64, String, usize)> = Vec::new();
    for (name, one) in series {
        let nn_ms: Vec<f64> = one["rr_ms"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
        for (nth, (path, found)) in measures(&nn_ms).into_iter().enumerate() {
            if worst.len() <= nth {
                worst.push((path, 0.0, String::new(), 0));
            }
            let Some(expected) = one["canonical"].pointer(path).and_then(Value::as_f64) else { continue };
            match found {
                None => worst[nth].3 += 1,
                Some(found) => {
                    let difference = (found - expected).abs() / expected.abs().max(1e-9);
                    if difference > worst[nth].1 {
                        (worst[nth].1, worst[nth].2) = (difference, name.clone());
                    }
                }
            }
        }
    }
    println!("{} series; largest relative difference per measure", series.len());
    for (path, difference, name, silent) in worst {
        println!("{path:14} {difference:9.1e}  {name}  ({silent} withheld)");
    }
}
