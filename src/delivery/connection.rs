//! What the control plane knows of where things go. Secrets are no part of it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::id::ConnectionId;
use crate::store::ConnectionKind;
use crate::time::Instant;

/// Gives tokens for a client of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OauthProvider {
    /// What people read.
    pub name: String,
    /// Its token endpoint.
    pub token_url: String,
    /// What it calls this server.
    pub client_id: String,
    /// Scope to ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// How this server proves who it is.
    pub authentication: Authentication,
    /// Public keys of assertions, the first to sign first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<PublicKey>,
}

/// How this server proves to a token endpoint who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Authentication {
    /// By a secret, sent as HTTP Basic. <https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1>
    ClientSecret,
    /// By an assertion signed with ES384. <https://www.rfc-editor.org/rfc/rfc7523>
    PrivateKeyJwt,
}

/// A key assertions are signed with, as others see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicKey {
    /// `kid`.
    pub id: String,
    /// As a JWK.
    pub jwk: Value,
    /// From when on it signs, until another one does.
    pub signs: Instant,
    /// Until when it is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Instant>,
}

/// A Medplum project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MedplumConfig {
    /// Base of its FHIR API, such as `https://api.medplum.com/fhir/R4`.
    pub base_url: String,
    /// Who gives tokens for it.
    pub oauth_provider_id: ConnectionId,
    /// How patients are told apart.
    pub binding_mode: MedplumBinding,
}

/// How patients are told apart in a Medplum project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MedplumBinding {
    /// The Patient is sent along: one known by an opaque identifier alone.
    MedplumDemo,
    /// Only an opaque identifier of the patient is sent, as a logical reference; who it is the provider knows.
    ProviderLogical,
}

/// A FHIR R4 server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FhirTarget {
    /// Base of its FHIR API.
    pub base_url: String,
    /// Who gives tokens for it; none where it asks for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth_provider_id: Option<ConnectionId>,
    /// How patients are told apart.
    #[serde(default)]
    pub patient: PatientBinding,
}

/// How patients are told apart at a receiver.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PatientBinding {
    /// A logical reference with an opaque identifier; who it is the receiver knows.
    #[default]
    Logical,
    /// The Patient, known by an opaque identifier alone, is sent along.
    Included,
}

impl From<MedplumBinding> for PatientBinding {
    fn from(mode: MedplumBinding) -> Self {
        match mode {
            MedplumBinding::MedplumDemo => Self::Included,
            MedplumBinding::ProviderLogical => Self::Logical,
        }
    }
}

/// What profiles name as the target of their exports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DataExport {
    /// What kind of target.
    pub kind: ExportKind,
    /// Which one: the id of a Medplum configuration or FHIR target, or the name of a folder under `exports` in the server's
    /// data directory.
    pub target_ref: ConnectionId,
}

/// What kind of target an export has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExportKind {
    /// A Medplum project.
    FhirMedplum,
    /// Any other FHIR R4 server.
    Fhir,
    /// NDJSON files.
    File,
}

impl DataExport {
    /// What it cannot do without.
    pub fn target(&self) -> Option<(&'static str, ConnectionKind, ConnectionId)> {
        let kind = match self.kind {
            ExportKind::FhirMedplum => ConnectionKind::MedplumConfig,
            ExportKind::Fhir => ConnectionKind::FhirTarget,
            ExportKind::File => return None,
        };
        Some(("target_ref", kind, self.target_ref.clone()))
    }
}
