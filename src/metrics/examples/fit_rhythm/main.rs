//! Fits the weights of the fibrillation detectors and of the ECG quality index, and prints what they are worth on
//! recordings left out of the fit.
//!
//! `cargo run --release -p afferent-metrics --example fit_rhythm -- FOLDER`, where `FOLDER` holds `afdb_rr`, `mitdb`,
//! `nsr2db` and `cinc2017`. The weights in the code are what this prints.
#![expect(clippy::print_stdout, reason = "a command-line report")]

mod beats;
mod records;
mod regression;
mod strips;

use std::path::Path;

type AnyError = Box<dyn std::error::Error>;

fn main() -> Result<(), AnyError> {
    let folder = std::env::args().nth(1).ok_or("usage: fit_rhythm FOLDER")?;
    let folder = Path::new(&folder);
    beats::report(folder)?;
    strips::report(folder)
}
