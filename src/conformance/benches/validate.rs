//! CPU time of a validation, what tables cost in memory and at the start:
//! `cargo bench -p afferent-conformance [-- FILE…]`, by the tables of `ig/tables` and our own guide; without files a heart rate that claims
//! US Core's profile.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a program for the terminal")]

use std::hint::black_box;
use std::path::Path;

use afferent_conformance::compile::{Package, compile};
use afferent_conformance::table::Tables;
use afferent_conformance::{Severity, Validator};
use rustix::time::{ClockId, clock_gettime};

const GUIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../ig");

const HEART_RATE: &str = include_str!("heart-rate.json");

/// Seconds of CPU that this process has had.
fn cpu() -> f64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

/// Kibibytes resident, from the kernel.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn main() {
    let packed = std::fs::read(Path::new(GUIDE).join("tables/profiles.bin")).expect("tables");
    let (before, begin) = (resident(), cpu());
    let mut tables = Tables::unpack(&packed).expect("tables of this version");
    compile(&mut tables, &[Package::read(Path::new(GUIDE)).expect("our guide")]);
    let validator = Validator::new(tables).expect("expressions that are supported");
    let start = cpu() - begin;
    println!(
        "start {:.1} ms CPU, {} KiB packed, {} KiB more resident",
        start * 1e3,
        packed.len() / 1024,
        resident() - before
    );
    let named: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let mut inputs: Vec<(String, Vec<u8>)> =
        named.into_iter().map(|name| (name.clone(), std::fs::read(name).expect("a file"))).collect();
    if inputs.is_empty() {
        inputs.push(("heart rate".to_owned(), HEART_RATE.as_bytes().to_vec()));
    }
    for (name, text) in inputs {
        let issues = validator.validate(&text, &[]);
        let errors = issues.iter().filter(|issue| issue.severity == Severity::Error).count();
        let runs = 20_000_u32.min(200_000_000 / text.len().max(1) as u32 / 100).max(100);
        (0..runs / 10).for_each(|_| drop(black_box(validator.validate(black_box(&text), &[]))));
        let begin = cpu();
        (0..runs).for_each(|_| drop(black_box(validator.validate(black_box(&text), &[]))));
        let each = (cpu() - begin) / f64::from(runs);
        println!("{name}: {:.1} us CPU, {} bytes, {errors} errors, {} issues", each * 1e6, text.len(), issues.len());
    }
}
