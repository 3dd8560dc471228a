//! What the authorization server keeps: clients, signing keys, used assertions, tokens that were taken back.

mod assertion;
mod client;
mod signing_key;

pub use assertion::Used;
pub use client::{ClientKeys, ClientRecord};
pub use signing_key::SigningKeyRecord;
