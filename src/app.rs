//! Puts the parts together. `main` and the tests build the same thing.

mod connections;
mod people;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{Any, CorsLayer};
use tower_http::timeout::TimeoutLayer;

use connections::Bounds;

use crate::alert::{self, Ways};
use crate::archive::{Archivist, Vault};
use crate::auth::{Auth, Fetcher, Policy};
use crate::config::Config;
use crate::delivery::{self, Delivery, routes::Routes};
use crate::episode::{Episodes, Keeper};
use crate::ingest::{IngestConfig, IngestState, Journal, SharedClock};
use crate::oauth::OauthState;
use crate::outward::{self, Reach};
use crate::pipeline::{self, Pipeline, Progress};
use crate::problem::Problem;
use crate::registry::Registry;
use crate::store::Store;
use crate::subscription::{self, Subscriptions};
use crate::telemetry::Telemetry;
use crate::time::Clock;
use crate::{algorithm, conformant, console, control, device, ingest, oauth, projection, rest};

/// A server, bound and ready to run.
pub struct App {
    listener: TcpListener,
    router: Router,
    store: Store,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("listener", &self.listener).finish_non_exhaustive()
    }
}

/// A request that takes longer is cut off: nothing here should.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

impl App {
    /// Opens the database, starts the pipeline, binds the port.
    ///
    /// # Errors
    /// Whatever of that fails, with the path or setting at fault.
    pub async fn build(config: Config, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        use anyhow::Context;
        std::fs::create_dir_all(&config.data)
            .with_context(|| format!("data: {} cannot be made", config.data.display()))?;
        let registry = Arc::new(Registry::load(config.registry.as_deref()).context("registry")?);
        let problems = problems(&registry);
        anyhow::ensure!(problems.is_empty(), "registry: {}", problems.join("; "));
        let conformance = projection::served(&registry).context("ig")?;
        let validator = Arc::new(conformant::of(&conformance, config.tables.as_deref()).context("tables")?);
        let store = Store::open(&config.database, Arc::clone(&clock)).await.context("database")?;
        let store = store.judged_by(Arc::clone(&validator));
        let telemetry = Telemetry::default();
        let progress = Arc::new(Progress::new(store.is_shared()));
        let (feeder, feed) = ingest::feed();
        let parts = pipeline::Parts {
            store: store.clone(),
            registry: Arc::clone(&registry),
            organization: config.organization.clone(),
            telemetry: telemetry.clone(),
            progress: Arc::clone(&progress),
            clock_bound_us: config.clock_bound_us,
            workers: config.workers,
        };
        let pipeline = Pipeline::start(parts, feed).await.context("pipeline")?;
        let vault = Vault::new(config.archive.clone(), store.clone(), Arc::clone(&clock));
        // Without a public URL nobody but this machine is served, and its own servers are asked as well.
        let open = if config.public_url.is_some() { Reach::Public } else { Reach::Loopback };
        let reach = config.targets.unwrap_or(open);
        let archivist = Archivist {
            settings: config.archive,
            store: store.clone(),
            clock: Arc::clone(&clock),
            telemetry: telemetry.clone(),
        };
        archivist.start(feeder.durable()).await.context("archive")?;
        let fetcher = Fetcher::new(config.key_sets_anywhere).context("key sets of clients")?;
        let policy = config.policy.as_deref().map(std::fs::read_to_string).transpose().context("policy")?;
        let policy = Policy::new(policy.as_deref())?;
        let auth = Auth::new(store.clone(), Arc::clone(&clock), policy, fetcher, config.limits);
        let oauth_state = OauthState {
            auth: auth.clone(),
            capability: Arc::clone(store.capability()),
            public_url: config.public_url.as_deref().map(Into::into),
            tenant: config.tenant.clone(),
            sign_in: people::sign_in(config.sign_in, config.listen)?,
            store: store.clone(),
            categories: people::categories(&registry),
        };
        let backlog: Arc<dyn ingest::Backlog> = Arc::<Progress>::clone(&progress);
        let ingest_state = IngestState {
            auth: auth.clone(),
            journal: Journal::start(store.clone(), backlog, feeder),
            registry: Arc::clone(&registry),
            config: IngestConfig::default(),
            telemetry: telemetry.clone(),
            clock: SharedClock(Arc::clone(&clock)),
        };
        let ways = Ways::new(&config.alerts, open).context("alerts")?;
        alert::Sender::new(store.clone(), Arc::clone(&clock), vault.clone(), ways.clone()).start();
        let episodes = Episodes::new(store.clone(), pipeline.clone(), &config.organization);
        Keeper::new(episodes.clone(), Arc::clone(&registry), Arc::clone(&clock)).start();
        let client = outward::client(reach, delivery::TIMEOUT).context("targets of exports")?;
        let folder = config.data.join("exports");
        let routes = Routes::new(
            (store.clone(), vault.clone(), Arc::clone(&registry)),
            Arc::clone(&clock),
            client.clone(),
            folder,
        );
        let delivery = Delivery::new(delivery::Parts {
            store: store.clone(),
            routes,
            validator: Arc::clone(&validator),
            vault: vault.clone(),
            clock: Arc::clone(&clock),
            telemetry: telemetry.clone(),
            patience: delivery::backoff::Patience::default(),
        });
        delivery.start();
        let control_state = control::ControlState {
            auth: auth.clone(),
            store: store.clone(),
            pipeline,
            clock: SharedClock(Arc::clone(&clock)),
            rederivation: Arc::new(pipeline::Rederivation {
                store: store.clone(),
                registry: Arc::clone(&registry),
                organization: config.organization.clone(),
                clock_bound_us: config.clock_bound_us,
                episode: None,
                algorithm: None,
                write: true,
            }),
            registry: Arc::clone(&registry),
            episodes,
            ways,
            vault,
            reach,
            delivery,
        };
        let settings = rest::Settings {
            public_url: config.public_url.clone(),
            check_references: config.check_references,
            validate_writes: config.validate_writes,
            channels: Some((control_state.ways.clone(), control_state.vault.clone())),
        };
        let rest_state =
            rest::RestState::new(store.clone(), auth, settings, conformance, validator).context("capability")?;
        let rest = rest::routers(&rest_state).context("capability")?;
        let subscriptions = Subscriptions::new(subscription::Parts {
            store: store.clone(),
            rest: rest_state,
            vault: control_state.vault.clone(),
            ways: control_state.ways.clone(),
            reach: open,
            clock: Arc::clone(&clock),
            telemetry: telemetry.clone(),
            patience: subscription::Patience::default(),
        })
        .context("subscriptions")?;
        subscriptions.mask().await.context("subscriptions")?;
        subscriptions.start();
        let is_https = config.public_url.as_ref().is_some_and(|url| url.starts_with("https:"));
        let router = Router::new()
            .merge(ingest::router(ingest_state))
            .merge(control::router(control_state))
            .merge(rest.merge(oauth::router(oauth_state.clone())).layer(cross_origin()))
            .merge(oauth::pages(oauth_state))
            .merge(subscription::router(subscriptions))
            .merge(console::router())
            .merge(operations(store.clone(), telemetry, clock))
            .fallback(nothing_here)
            .layer(map_response(move |response| async move { guarded(response, is_https) }))
            .layer(CompressionLayer::new())
            .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_TIMEOUT));
        let listener = TcpListener::bind(config.listen).await.with_context(|| format!("listen: {}", config.listen))?;
        Ok(Self { listener, router, store })
    }

    /// Where it listens; the real port where 0 was asked for.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The database it runs on.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Serves until `stop` is done, then finishes the requests that are under way.
    ///
    /// # Errors
    /// The socket failed.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send + 'static) -> std::io::Result<()> {
        connections::serve(self.listener, self.router, stop, Bounds::default()).await;
        self.store.close().await;
        Ok(())
    }
}

/// What no browser should make of an answer: guess what it is, tell others where it was from, or ask again in the open.
fn guarded(mut response: Response, is_https: bool) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if is_https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}

/// Pages of other origins may ask what is asked for with a bearer token, which no browser sends by itself.
fn cross_origin() -> CorsLayer {
    let asked = [
        "accept",
        "authorization",
        "content-type",
        "if-match",
        "if-modified-since",
        "if-none-exist",
        "if-none-match",
        "prefer",
        "x-provenance",
    ];
    let answered = ["content-location", "etag", "last-modified", "location", "retry-after", "www-authenticate"];
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(asked.map(HeaderName::from_static))
        .expose_headers(answered.map(HeaderName::from_static))
        .max_age(Duration::from_secs(3600))
}

/// Rows the code has no answer to.
pub fn problems(registry: &Registry) -> Vec<String> {
    let mut problems = algorithm::check(registry);
    if let Err(error) = device::check(registry) {
        problems.push(error.to_string());
    }
    problems
}

/// `/healthz`, `/readyz`, `/metrics`.
fn operations(store: Store, telemetry: Telemetry, clock: Arc<dyn Clock>) -> Router {
    let ready = |State(store): State<Store>| async move {
        match store.last_position().await {
            Ok(_) => (StatusCode::OK, "ready\n"),
            Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "database cannot be reached\n"),
        }
    };
    let metrics = move |State(store): State<Store>| async move {
        // While the database is away these stay what they were.
        if let Ok(oldest) = store.oldest_orphan().await {
            telemetry.orphan_age(oldest.map_or(0, |oldest| clock.now().seconds_since(oldest).max(0.0) as i64));
        }
        if let Ok((held, [warnings, errors, critical])) = store.open_counts().await {
            telemetry.open(held, [("warning", warnings), ("error", errors), ("critical", critical)]);
        }
        if let Ok(counts) = store.subscription_counts().await {
            telemetry.subscriptions(counts.by_status.iter().map(|(status, count)| (status.code(), *count)));
            let age = counts.oldest.map_or(0, |oldest| clock.now().seconds_since(oldest).max(0.0) as i64);
            telemetry.subscription_backlog(counts.changes, counts.events, age);
        }
        let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        ([(header::CONTENT_TYPE, kind)], telemetry.text()).into_response()
    };
    Router::new()
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(store)
}

/// Every path nobody serves.
async fn nothing_here() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "not-found",
        "there is nothing at this path; see /fhir/R4/metadata and /console/",
    )
}

#[cfg(test)]
mod tests;
