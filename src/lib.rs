//! Afferent: a FHIR R4 facade server for biosignals, from the sensor's raw stream to the medical record.
//!
//! The modules stand in the order data flows; each may use only what stands above it, and a test sees to that.
//!
//! *Vocabulary*: what the other parts speak in. *Stages*: pure functions from value to value. *Shell*: everything that
//! touches the network, the disk or the clock. *Wiring*: what puts the parts together.

// vocabulary
pub mod id;
pub mod secret;
pub mod time;
pub mod signal;
pub mod packet;
pub use afferent_fhir as fhir;
pub mod registry;
pub mod program;
pub mod resource;
pub mod capability;

// stages
pub mod session;
pub mod device;
pub mod algorithm;
pub mod strip;
pub mod projection;
pub mod conformant;
pub mod synthetic;
pub mod recording;
pub mod evaluation;

// shell
pub mod telemetry;
pub mod problem;
pub mod store;
pub mod archive;
pub mod outward;
pub mod auth;
pub mod oauth;
pub mod alert;
pub mod ingest;
pub mod pipeline;
pub mod episode;
pub mod rest;
pub mod subscription;
pub mod delivery;
pub mod control;
pub mod console;

// wiring
pub mod config;
pub mod app;
pub mod command;
