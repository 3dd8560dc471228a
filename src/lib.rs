//! Afferent: a FHIR R4 facade server for biosignals.

pub mod id;
pub mod time;
pub mod signal;
pub mod packet;
pub mod registry;
pub use afferent_fhir as fhir;
pub mod resource;
pub mod device;
pub mod recording;
pub mod projection;
pub mod store;
