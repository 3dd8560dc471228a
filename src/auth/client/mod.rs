//! Clients, backend services and apps: who they are, and how they prove it.
//! <https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html>

mod assertion;
mod fetch;
#[cfg(test)]
pub(crate) mod fixture;
mod jwks;
mod registration;
mod replay;

pub use assertion::{ALGORITHMS, ClientError};
pub use fetch::{FetchError, Fetcher};
pub use registration::{NewClient, RegistrationError, app_secret};

pub(super) use assertion::Verifier;
