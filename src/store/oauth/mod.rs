//! What the authorization server keeps: clients, people, what they granted, signing keys, and what was used up or taken back.

mod assertion;
mod client;
mod person;
mod request;
mod signing_key;
mod ticket;

pub use assertion::Used;
pub use client::{ClientKeys, ClientRecord};
pub use person::PersonRecord;
pub use request::RequestRecord;
pub use signing_key::{SigningAlgorithm, SigningKeyRecord};
pub use ticket::{GrantRecord, Redeemed, Ticket, TicketKind};
