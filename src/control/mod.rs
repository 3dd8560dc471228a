//! The control plane under `/api/v1`.
//!
//! Handlers are routed by what they say of themselves ([`utoipa::path`]), and the document at `/api/v1/openapi.json` is made
//! from the same: what is routed is documented.

mod alert_channels;
mod alerts;
mod associations;
mod body;
mod clients;
mod connections;
mod corrections;
mod dead_letters;
mod demo;
mod devices;
mod enrolments;
mod episode_devices;
mod episodes;
mod lag;
mod launches;
mod operations;
mod openapi;
mod orphans;
mod programs;
mod quarantine;
mod reconciliation;
#[cfg(test)]
mod tests;
mod triggers;
mod users;

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode, header};
use axum::{Extension, Router};
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::alert::Ways;
use crate::archive::Vault;
use crate::auth::{Auth, Bearer, ScopeSet};
use crate::delivery::Delivery;
use crate::episode::Episodes;
use crate::ingest::SharedClock;
use crate::outward::Reach;
use crate::pipeline::{Pipeline, Rederivation};
use crate::problem::Problem;
use crate::store::Store;

/// What control-plane handlers need.
#[derive(Debug, Clone)]
pub struct ControlState {
    /// Who may ask.
    pub auth: Auth,
    /// Store.
    pub store: Store,
    /// Told when a device changes patients, and asked how far it has come.
    pub pipeline: Pipeline,
    /// What time it is.
    pub clock: SharedClock,
    /// Device models there are.
    pub registry: Arc<crate::registry::Registry>,
    /// Opens and ends episodes.
    pub episodes: Episodes,
    /// Takes up again what came of packets and was held back.
    pub rederivation: Arc<Rederivation>,
    /// By which alerts can be sent.
    pub ways: Ways,
    /// Seals secrets.
    pub vault: Vault,
    /// Which addresses may be named as targets.
    pub reach: Reach,
    /// Delivers exports.
    pub delivery: Delivery,
}

/// Routes of `/api/v1`.
pub fn router(state: ControlState) -> Router {
    let (router, document) = documented().split_for_parts();
    router.layer(Extension(Arc::new(openapi::whole(document)))).with_state(state)
}

/// Routes with their documentation.
fn documented() -> OpenApiRouter<ControlState> {
    OpenApiRouter::with_openapi(openapi::Head::openapi())
        .routes(routes!(devices::link, devices::read))
        .routes(routes!(associations::replace, associations::read))
        .routes(routes!(lag::lag))
        .routes(routes!(orphans::list))
        .routes(routes!(programs::put_program, programs::read_program))
        .routes(routes!(programs::list_programs))
        .routes(routes!(programs::put_profile, programs::read_profile))
        .routes(routes!(programs::list_profiles))
        .routes(routes!(enrolments::put_enrolment, enrolments::read_enrolment))
        .routes(routes!(enrolments::list_enrolments))
        .routes(routes!(episodes::open, episodes::read_episode))
        .routes(routes!(episodes::list_episodes))
        .routes(routes!(episodes::close))
        .routes(routes!(episode_devices::attach, episode_devices::detach))
        .routes(routes!(triggers::list_triggers))
        .routes(routes!(quarantine::list_quarantine))
        .routes(routes!(quarantine::read_quarantine))
        .routes(routes!(quarantine::read_quarantine_content))
        .routes(routes!(quarantine::redrive_quarantine))
        .routes(routes!(quarantine::discard_quarantine))
        .routes(routes!(alerts::list_alerts))
        .routes(routes!(alerts::read_alert))
        .routes(routes!(alerts::acknowledge_alert))
        .routes(routes!(
            alert_channels::put_alert_channel,
            alert_channels::read_alert_channel,
            alert_channels::delete_alert_channel
        ))
        .routes(routes!(alert_channels::list_alert_channels))
        .routes(routes!(clients::create_client, clients::list_clients))
        .routes(routes!(clients::delete_client))
        .routes(routes!(users::create_user, users::list_users))
        .routes(routes!(users::delete_user))
        .routes(routes!(launches::create_launch))
        .merge(delivery_routes())
        .routes(routes!(openapi::document))
}

/// Where things go.
fn delivery_routes() -> OpenApiRouter<ControlState> {
    use connections::{client_keys as keys, oauth_providers as oauth, plain};
    OpenApiRouter::new()
        .routes(routes!(oauth::put_oauth_provider, oauth::read_oauth_provider, oauth::delete_oauth_provider))
        .routes(routes!(oauth::list_oauth_providers))
        .routes(routes!(keys::rotate_oauth_provider_key))
        .routes(routes!(keys::read_client_keys))
        .routes(routes!(plain::put_medplum_config, plain::read_medplum_config, plain::delete_medplum_config))
        .routes(routes!(plain::list_medplum_configs))
        .routes(routes!(plain::put_fhir_target, plain::read_fhir_target, plain::delete_fhir_target))
        .routes(routes!(plain::list_fhir_targets))
        .routes(routes!(plain::put_data_export, plain::read_data_export, plain::delete_data_export))
        .routes(routes!(plain::list_data_exports))
        .routes(routes!(operations::list_operations))
        .routes(routes!(operations::read_operation))
        .routes(routes!(operations::read_exchanges))
        .routes(routes!(dead_letters::list_dead_letters))
        .routes(routes!(dead_letters::read_dead_letter))
        .routes(routes!(corrections::correct_dead_letter))
        .routes(routes!(dead_letters::redrive_dead_letter))
        .routes(routes!(dead_letters::discard_dead_letter))
        .routes(routes!(reconciliation::reconcile))
        .routes(routes!(reconciliation::list_reconciliation))
        .routes(routes!(demo::demo_export))
}

/// Who asks, if they may use the control plane.
async fn authorize(state: &ControlState, headers: &HeaderMap) -> Result<Arc<Bearer>, Problem> {
    let grant = state.auth.authenticate(headers.get(header::AUTHORIZATION)).await?;
    if grant.may_control() {
        return Ok(grant);
    }
    Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "the key has no control scope"))
}

/// Refuses to hand on what the caller does not have: else whoever may use the control plane could give themselves all else.
fn hands_on(grant: &Bearer, scope: &str) -> Result<(), Problem> {
    if ScopeSet::parse(scope).is_within(&grant.scope) {
        return Ok(());
    }
    let told = format!("the key cannot hand on what it does not have: {scope}");
    Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", told))
}

/// Refuses a caller who may not read all resources; `why` that is needed.
fn reads_everything(grant: &Bearer, why: &str) -> Result<(), Problem> {
    if grant.may_read_everything() { Ok(()) } else { Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", why)) }
}

/// The store failed: the cause goes to the log, not to the caller.
fn unavailable(error: &(dyn std::error::Error + 'static)) -> Problem {
    tracing::error!(error, "control plane request failed");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "try again").retry_after(1)
}
