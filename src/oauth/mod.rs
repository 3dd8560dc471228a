//! The authorization server's endpoints: `/oauth2/…` and `/.well-known/smart-configuration`.
//! <https://hl7.org/fhir/smart-app-launch/STU2.2/backend-services.html>
//!
//! They are there for every tenant under `/t/{tenant}` and for the default one, or whosever the client is, without.

mod configuration;
mod error;
mod introspect;
mod jwks;
mod request;
mod revoke;
#[cfg(test)]
mod tests;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

use crate::auth::Auth;
use crate::capability::Capability;
use crate::id::TenantId;

/// Most bytes of a form.
const BODY: usize = 64 * 1024;

/// What the endpoints need.
#[derive(Debug, Clone)]
pub struct OauthState {
    /// Who may ask, and for what.
    pub auth: Auth,
    /// What scopes can be about.
    pub capability: Arc<Capability>,
    /// URL clients reach the server at; without, it is known on the machine it runs on alone.
    pub public_url: Option<Arc<str>>,
    /// The tenant of the paths without one.
    pub tenant: TenantId,
}

/// The routes.
pub fn router(state: OauthState) -> Router {
    let mut router = Router::new();
    for tenant in ["", "/t/{tenant}"] {
        router = router
            .route(&format!("{tenant}/oauth2/token"), post(token::token))
            .route(&format!("{tenant}/oauth2/introspect"), post(introspect::introspect))
            .route(&format!("{tenant}/oauth2/revoke"), post(revoke::revoke))
            .route(&format!("{tenant}/oauth2/jwks"), get(jwks::jwks))
            .route(&format!("{tenant}/fhir/R4/.well-known/smart-configuration"), get(configuration::configuration));
    }
    router.layer(DefaultBodyLimit::max(BODY)).with_state(state)
}
