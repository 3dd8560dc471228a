//! The same lead through Python's R-peak detectors, in a process of its own.

use super::harness::{Lead, report};
use std::io::Write;
use std::process::{Command, Stdio};

pub(crate) fn run(lead: &Lead) {
    let python = std::env::var("AFFERENT_BENCH_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/ecg/peers.py");
    match seconds(&python, script, lead) {
        Ok(text) if text.is_empty() => println!("skipped: {python} has none of sleepecg, neurokit2, wfdb"),
        Ok(text) => text.lines().for_each(|line| {
            if let Some((name, Ok(seconds))) = line.rsplit_once(' ').map(|(name, s)| (name, s.parse())) {
                report(name, lead, seconds);
            } else {
                println!("{line}");
            }
        }),
        Err(error) => println!("skipped: no Python libraries to compare with ({python}: {error})"),
    }
}

/// What the script prints: a line `name seconds` for each library there is.
fn seconds(python: &str, script: &str, lead: &Lead) -> std::io::Result<String> {
    let mut child = Command::new(python)
        .args([script, &lead.rate_hz.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        let bytes: Vec<u8> = lead.samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        input.write_all(&bytes)?;
    }
    Ok(String::from_utf8_lossy(&child.wait_with_output()?.stdout).into_owned())
}
