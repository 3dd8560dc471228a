//! The commands, one file each.

mod admin;
mod archive;
mod check;
mod client;
mod client_registry;
mod demo;
mod developer_key;
mod encode;
mod evaluate;
mod explain;
#[cfg(test)]
mod fake;
mod keys;
mod ig;
pub mod load;
mod rederive;
pub mod replay;
mod report;
mod serve;
mod storage;
mod tenant;
mod user;
mod validate;

use std::process::ExitCode;

use clap::Subcommand;
use tracing_subscriber::EnvFilter;

/// What the binary can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server.
    Serve(Box<serve::Args>),
    /// Run the server with a sandbox tenant and a live synthetic scenario.
    Demo(demo::Args),
    /// Send recordings to a server: WFDB, CSV, NDJSON packets.
    Replay(replay::Args),
    /// Detector accuracy against reference annotations.
    Evaluate(evaluate::Args),
    /// Judge FHIR resources by R4 and by profiles.
    Validate(validate::Args),
    /// Compile profiles of FHIR packages.
    Ig(ig::Args),
    /// Documents for integrators: what signals become, what conforms to which profile.
    Report(report::Args),
    /// Check that registry, capability and ig are consistent.
    Check(check::Args),
    /// Simulate devices and measure.
    Load(load::Args),
    /// The keys access tokens are signed with.
    Keys(keys::Args),
    /// Work on the database of a running or stopped server.
    Admin(admin::Args),
}

/// Runs a command; exit codes are 0 (done), 1 (not), 2 (wrong usage).
pub fn run(command: Command) -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    // reqwest and rustls leave the choice of cryptography to the binary.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "no runtime");
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(async {
        match command {
            Command::Serve(args) => serve::run(*args).await,
            Command::Demo(args) => demo::run(args).await,
            Command::Replay(args) => replay::run(args).await,
            Command::Keys(args) => keys::run(args).await,
            Command::Validate(args) => validate::run(&args),
            Command::Ig(args) => ig::run(&args),
            Command::Report(args) => report::run(args).await,
            Command::Check(args) => check::run(&args),
            Command::Evaluate(args) => evaluate::run(args),
            Command::Load(args) => load::run(args).await,
            Command::Admin(args) => admin::run(args).await,
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "the one place that tells the user why a command failed")]
fn eprintln(error: &anyhow::Error) {
    eprintln!("afferent: {error:#}");
}
