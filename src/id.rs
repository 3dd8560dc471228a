//! Typed identifiers, and the one function that computes resource ids.
//!
//! Identity is computed, never looked up: the logical id of a derived resource is the UUIDv5 of its business identifier,
//! which is a pure function of what the resource is about. Replays and late data are upserts.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Base of every canonical URL of ours: code systems, value sets, profiles, extensions, identifier systems.
pub const CANONICAL_BASE: &str = "https://afferent.dev/fhir";

/// Why a text is no identifier of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} must be 1 to {max} characters out of A-Z a-z 0-9 {punctuation}")]
pub struct InvalidId {
    kind: &'static str,
    max: usize,
    punctuation: &'static str,
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $max:literal, $punctuation:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks and takes the text.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text = text.into();
                let allowed = |c: char| c.is_ascii_alphanumeric() || $punctuation.contains(c);
                if text.is_empty() || text.len() > $max || !text.chars().all(allowed) {
                    return Err(InvalidId { kind: $kind, max: $max, punctuation: $punctuation });
                }
                Ok(Self(text))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

id_type!(
    /// A tenant: first in every key, first argument of every store call.
    TenantId, "tenant", 64, "-."
);
id_type!(
    /// A physical device as its maker or gateway names it.
    DeviceKey, "device", 128, "-._:"
);
id_type!(
    /// One numbered sequence of packets of a device, such as `ecg` or `ecg-V1`.
    StreamName, "stream", 64, "-._:"
);
id_type!(
    /// The logical id of a FHIR resource. <https://hl7.org/fhir/R4/datatypes.html#id>
    ResourceId, "id", 64, "-."
);
id_type!(
    /// A recording session a device's packets belong to.
    EpisodeId, "episode", 64, "-._:"
);
id_type!(
    /// The code of a row in `registry/signal`.
    SignalCode, "signal", 64, "-"
);

id_type!(
    /// A program: what is measured on its patients, and what happens with it.
    ProgramId, "program", 64, "-._"
);
id_type!(
    /// A profile of a program.
    ProfileId, "profile", 64, "-._"
);
id_type!(
    /// A patient's taking part in a program. It stands in URLs, so it must not identify a person.
    EnrolmentId, "enrolment", 64, "-._"
);
id_type!(
    /// An export of a profile.
    ExportName, "export", 64, "-._"
);

id_type!(
    /// Something that was held back.
    HeldId, "quarantine id", 64, "-"
);
id_type!(
    /// An alert.
    AlertId, "alert", 64, "-"
);
id_type!(
    /// A way alerts are sent.
    ChannelId, "channel", 64, "-._"
);
id_type!(
    /// An OAuth provider, a FHIR server or an export, as the control plane calls it. It stands in URLs and logs.
    ConnectionId, "id", 64, "-._"
);

impl DeviceKey {
    /// Stands for several devices together; no device can have this name.
    pub fn together() -> Self {
        Self("*".to_owned())
    }
}

impl StreamName {
    /// Stands for all the streams of a patient together.
    pub fn of_patient(patient: &ResourceId) -> Self {
        Self(patient.as_str().to_owned())
    }
}

/// Namespace of every computed id: the UUIDv5 of the canonical base in the URL namespace.
fn namespace() -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, CANONICAL_BASE.as_bytes())
}

fn computed(tenant: &TenantId, kind: &str, name: &str) -> String {
    let name = format!("{tenant}\u{1f}{kind}\u{1f}{name}");
    Uuid::new_v5(&namespace(), name.as_bytes()).to_string()
}

/// The logical id of the resource of `kind` with this business identifier.
pub fn resource_id(tenant: &TenantId, kind: &str, business_identifier: &str) -> ResourceId {
    ResourceId(computed(tenant, kind, business_identifier))
}

impl HeldId {
    /// That of what is held back under this name.
    pub fn of(tenant: &TenantId, name: &str) -> Self {
        Self(computed(tenant, "quarantine", name))
    }
}

impl AlertId {
    /// That of the alert of this cause.
    pub fn of(tenant: &TenantId, cause: &str) -> Self {
        Self(computed(tenant, "alert", cause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_checked() {
        assert!(DeviceKey::new("AA:BB:CC:00_1.x-9").is_ok());
        for bad in ["", "a b", "ä", "a/b", &"x".repeat(129)] {
            assert!(DeviceKey::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_same_identifier_gives_the_same_id_and_tenants_are_apart() {
        let (a, b) = (TenantId::new("a").unwrap(), TenantId::new("b").unwrap());
        assert_eq!(resource_id(&a, "Device", "x"), resource_id(&a, "Device", "x"));
        assert_ne!(resource_id(&a, "Device", "x"), resource_id(&b, "Device", "x"));
        assert_ne!(resource_id(&a, "Device", "x"), resource_id(&a, "Patient", "x"));
    }
}
