//! What the handlers share.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::FromRef;

use super::capabilities;
use super::conformance::Definitions;
use super::openapi::Document;
use super::parameters::Context;
use super::router::StartError;
use super::subscription::Channels;
use super::template::Template;
use crate::auth::Auth;
use crate::capability::{Capability, Conformance, ResourceRow};
use crate::conformant::Validator;
use crate::store::Store;

/// How the API is to behave.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Scheme, host and port clients know the server by; from the `Host` header where not given.
    pub public_url: Option<String>,
    /// Whether references to resources of this server that are not there are refused in what clients write.
    pub check_references: bool,
    /// Whether what clients write has to be valid.
    pub validate_writes: bool,
    /// The ways subscribers are told.
    pub channels: Channels,
}

/// What every interaction needs; cheap to clone.
#[derive(Debug, Clone)]
pub struct RestState {
    pub(super) store: Store,
    pub(super) auth: Auth,
    pub(super) capability: Arc<Capability>,
    pub(super) definitions: Arc<Definitions>,
    pub(super) statement: Arc<Template>,
    pub(super) document: Arc<Document>,
    /// Scheme, host and port clients know the server by; from the `Host` header where not configured.
    pub(super) public_url: Option<Arc<str>>,
    /// Whether references must lead somewhere.
    pub(super) check_references: bool,
    /// Whether what clients write must be valid.
    pub(super) validate_writes: bool,
    /// The ways subscribers are told.
    pub(super) channels: Channels,
    /// Judges resources by R4, the packages' profiles and ours.
    pub(super) validator: Arc<Validator>,
    /// Everything that is routed, for the entries of a batch.
    pub(super) routes: Arc<OnceLock<Router>>,
}

impl RestState {
    /// Serves `store` and `definitions` to whoever `auth` lets in.
    ///
    /// # Errors
    /// The CapabilityStatement cannot be written.
    pub fn new(
        store: Store,
        auth: Auth,
        settings: Settings,
        definitions: Vec<Conformance>,
        validator: Arc<Validator>,
    ) -> Result<Self, StartError> {
        let capability = Arc::clone(store.capability());
        let statement = Arc::new(capabilities::template(&capability)?);
        let definitions = Arc::new(Definitions::new(definitions));
        Ok(Self {
            store,
            auth,
            capability,
            definitions,
            statement,
            document: Arc::default(),
            public_url: settings.public_url.map(Into::into),
            check_references: settings.check_references,
            validate_writes: settings.validate_writes,
            channels: settings.channels,
            validator,
            routes: Arc::default(),
        })
    }
}

impl RestState {
    /// What the meaning of a search at `base` depends on.
    pub(super) fn context<'a>(&'a self, base: &'a str) -> Context<'a> {
        Context { capability: &self.capability, definitions: &self.definitions, base }
    }
}

/// What the interactions of one resource type need.
#[derive(Debug, Clone)]
pub(super) struct TypeState {
    pub(super) rest: RestState,
    pub(super) row: Arc<ResourceRow>,
}

impl TypeState {
    /// The resource type.
    pub(super) fn kind(&self) -> &str {
        &self.row.resource
    }
}

impl FromRef<TypeState> for RestState {
    fn from_ref(state: &TypeState) -> Self {
        state.rest.clone()
    }
}
