//! Integration tests: one binary, a module a subject.
//!
//! Most of them are black-box: [`support`] starts the built `afferent` on a free port with a directory of its own and
//! talks to it over HTTP, the way a device and a clinician's app do. Tests that need the recordings beside the repository
//! are `#[ignore]`d; `tests/run` runs them when `AFFERENT_SHARED` says where those are.
#![allow(clippy::print_stdout, reason = "figures are told with the result")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]
#![allow(clippy::disallowed_methods, reason = "tests find the recordings through the environment")]

mod support;

mod admin;
mod alerts;
mod alignment;
mod archive;
mod associations;
mod auth;
mod clock;
mod delivery;
mod episodes;
mod evaluate;
mod faults;
mod fhir;
mod ingest;
mod ingest_stream;
mod kill;
mod late;
mod layers;
mod licences;
mod orphans;
mod postgres;
mod quarantine;
mod rederive;
mod registry_row;
mod replay_mitdb;
mod sources;
mod subscriptions;
mod together;
