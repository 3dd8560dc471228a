//! Afferent: a FHIR R4 facade server for biosignals, from the sensor's raw stream to the medical record.
//!
//! The modules stand in the order data flows; each may use only what stands above it, and a test sees to that.
//!
//! *Vocabulary*: what the other parts speak in. *Stages*: pure functions from value to value. *Shell*: everything that
//! touches the network, the disk or the clock. *Wiring*: what puts the parts together.

// vocabulary
pub mod id;
pub mod packet;
pub mod signal;
pub mod time;
pub use afferent_fhir as fhir;
pub mod capability;
pub mod registry;
pub mod resource;

// stages
pub mod algorithm;
pub mod device;
pub mod projection;
pub mod recording;
pub mod session;
pub mod strip;
pub mod synthetic;

// shell
pub mod auth;
pub mod console;
pub mod control;
pub mod ingest;
pub mod pipeline;
pub mod problem;
pub mod rest;
pub mod store;
pub mod telemetry;

// wiring
pub mod app;
pub mod command;
pub mod config;
