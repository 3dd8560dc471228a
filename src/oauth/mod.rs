//! The authorization server's endpoints: `/oauth2/…` and `/.well-known/smart-configuration`, and its pages for people.
//! <https://hl7.org/fhir/smart-app-launch/STU2.2/backend-services.html>
//!
//! They are there for every tenant under `/t/{tenant}` and for the default one, or whosever the client is, without.

mod authorize;
mod configuration;
mod consent;
mod cookie;
mod error;
mod introspect;
mod jwks;
mod offer;
mod page;
mod patients;
mod request;
mod revoke;
mod sign_in;
mod style;
#[cfg(test)]
mod tests;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

use crate::auth::{Auth, SignIn};
use crate::capability::Capability;
use crate::id::TenantId;
use crate::store::Store;

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
    /// How people sign in, if they can.
    pub sign_in: Option<SignIn>,
    /// Whom a person may choose as the patient.
    pub store: Store,
    /// Categories Observations here are of: code and display.
    pub categories: Arc<[(&'static str, &'static str)]>,
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
            .route(&format!("{tenant}/oauth2/style.json"), get(style::style))
            .route(&format!("{tenant}/.well-known/openid-configuration"), get(configuration::openid))
            .route(&format!("{tenant}/fhir/R4/.well-known/smart-configuration"), get(configuration::smart));
    }
    router.layer(DefaultBodyLimit::max(BODY)).with_state(state)
}

/// The pages for people. No other origin's page may read them.
pub fn pages(state: OauthState) -> Router {
    let mut router =
        Router::new().route("/oauth2/page.css", get(page::style)).route("/oauth2/callback", get(sign_in::callback));
    for tenant in ["", "/t/{tenant}"] {
        router = router
            .route(&format!("{tenant}/oauth2/authorize"), get(authorize::by_get).post(authorize::by_post))
            .route(&format!("{tenant}/oauth2/sign-in"), get(sign_in::ask).post(sign_in::said))
            .route(&format!("{tenant}/oauth2/consent"), get(consent::ask).post(consent::answer));
    }
    router.layer(DefaultBodyLimit::max(BODY)).with_state(state)
}
