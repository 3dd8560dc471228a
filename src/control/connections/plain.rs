//! What is kept as it is sent: `/api/v1/data-exports`, `/api/v1/fhir-medplum-configs` and `/api/v1/fhir-targets`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::super::body::{self, List, PageQuery, id, query};
use super::super::{ControlState, authorize};
use super::handlers::{kept, put};
use super::{Kept, check_url};
use crate::delivery::connection::{DataExport, FhirTarget, MedplumConfig};
use crate::id::{ConnectionId, TenantId};
use crate::problem::Problem;
use crate::store::{Connection, ConnectionKind};

type Refers = Option<(&'static str, ConnectionKind, ConnectionId)>;

/// Kept as it is sent.
pub(super) trait Plain: Sized {
    const KIND: ConnectionKind;

    /// Itself, if it may be kept.
    fn checked(self, state: &ControlState) -> Result<Self, Problem>;

    /// What it cannot do without.
    fn refers(&self) -> Refers;
}

fn as_it_is<T>(_: &TenantId, _: &ConnectionId, content: T) -> T {
    content
}

fn provider(id: &ConnectionId) -> (&'static str, ConnectionKind, ConnectionId) {
    ("oauth_provider_id", ConnectionKind::OauthProvider, id.clone())
}

impl Plain for DataExport {
    const KIND: ConnectionKind = ConnectionKind::DataExport;

    fn checked(self, _: &ControlState) -> Result<Self, Problem> {
        Ok(self)
    }

    fn refers(&self) -> Refers {
        self.target()
    }
}

impl Plain for MedplumConfig {
    const KIND: ConnectionKind = ConnectionKind::MedplumConfig;

    fn checked(self, state: &ControlState) -> Result<Self, Problem> {
        Ok(Self { base_url: check_url(state, "base_url", &self.base_url)?, ..self })
    }

    fn refers(&self) -> Refers {
        Some(provider(&self.oauth_provider_id))
    }
}

impl Plain for FhirTarget {
    const KIND: ConnectionKind = ConnectionKind::FhirTarget;

    fn checked(self, state: &ControlState) -> Result<Self, Problem> {
        Ok(Self { base_url: check_url(state, "base_url", &self.base_url)?, ..self })
    }

    fn refers(&self) -> Refers {
        self.oauth_provider_id.as_ref().map(provider)
    }
}

put! {
    DataExport at "/api/v1/data-exports/{id}";
    /// Makes an export, or changes one: that needs `If-Match` with its `ETag`.
    put_data_export;
}

kept! {
    DataExport::KIND, DataExport = as_it_is::<DataExport>, at "/api/v1/data-exports/{id}" in "/api/v1/data-exports";
    /// An export.
    read_data_export;
    /// All of them, by id.
    list_data_exports;
    /// Deletes one that nothing refers to.
    delete_data_export;
}

put! {
    MedplumConfig at "/api/v1/fhir-medplum-configs/{id}";
    /// Makes a Medplum configuration, or changes one: that needs `If-Match` with its `ETag`.
    put_medplum_config;
}

kept! {
    MedplumConfig::KIND, MedplumConfig = as_it_is::<MedplumConfig>,
        at "/api/v1/fhir-medplum-configs/{id}" in "/api/v1/fhir-medplum-configs";
    /// A Medplum configuration.
    read_medplum_config;
    /// All of them, by id.
    list_medplum_configs;
    /// Deletes one that nothing refers to.
    delete_medplum_config;
}

put! {
    FhirTarget at "/api/v1/fhir-targets/{id}";
    /// Makes a FHIR target, or changes one: that needs `If-Match` with its `ETag`.
    put_fhir_target;
}

kept! {
    FhirTarget::KIND, FhirTarget = as_it_is::<FhirTarget>, at "/api/v1/fhir-targets/{id}" in "/api/v1/fhir-targets";
    /// A FHIR target.
    read_fhir_target;
    /// All of them, by id.
    list_fhir_targets;
    /// Deletes one that nothing refers to.
    delete_fhir_target;
}
