//! The command line.

use std::process::ExitCode;

use afferent::command::{self, Command};
use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// FHIR R4 facade server for biosignals: from the sensor's raw stream to the medical record.
#[derive(Debug, Parser)]
#[command(name = "afferent", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    command::run(Arguments::parse().command)
}
