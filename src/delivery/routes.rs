//! From the name of an export to the receiver.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::Client;
use serde::de::DeserializeOwned;

use super::adapter::{self, Adapter, Fhir, Medplum, Statement, Transport};
use super::connection::{DataExport, ExportKind, FhirTarget, MedplumConfig, OauthProvider, PatientBinding};
use super::route::{Authority, NoRoute, Place, Route, send};
use super::seal;
use super::token::{TokenKey, Tokens};
use super::transport::{Folder, Http};
use crate::archive::Vault;
use crate::id::{ConnectionId, TenantId};
use crate::registry::{Registry, Target};
use crate::store::{ConnectionKind, KeptConnection, Store};
use crate::time::Clock;

/// How long what a receiver said of itself is taken for good.
const TRUST: Duration = Duration::from_secs(3600);

type Revisions = Vec<i64>;
type Remembered = BTreeMap<(TenantId, ConnectionId), (Instant, Revisions, Arc<Route>)>;

/// The ways to all receivers.
#[derive(Clone)]
pub struct Routes {
    store: Store,
    vault: Vault,
    registry: Arc<Registry>,
    clock: Arc<dyn Clock>,
    client: Client,
    tokens: Tokens,
    folder: PathBuf,
    known: Arc<Mutex<Remembered>>,
}

impl std::fmt::Debug for Routes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Routes").finish_non_exhaustive()
    }
}

impl Routes {
    /// Over this client; files go to folders in `folder`.
    pub fn new(
        (store, vault, registry): (Store, Vault, Arc<Registry>),
        clock: Arc<dyn Clock>,
        client: Client,
        folder: PathBuf,
    ) -> Self {
        let tokens = Tokens::new(client.clone());
        Self { store, vault, registry, clock, client, tokens, folder, known: Arc::default() }
    }

    /// Where an export goes; nothing is asked.
    ///
    /// # Errors
    /// [`NoRoute`].
    pub async fn place(&self, tenant: &TenantId, export: &ConnectionId) -> Result<Place, NoRoute> {
        let (export, _): (DataExport, _) = self.find(tenant, ConnectionKind::DataExport, export).await?;
        let (binding, destination) = match export.kind {
            ExportKind::FhirMedplum => {
                let (config, _): (MedplumConfig, _) =
                    self.find(tenant, ConnectionKind::MedplumConfig, &export.target_ref).await?;
                (config.binding_mode.into(), config.base_url)
            }
            ExportKind::Fhir => {
                let (target, _): (FhirTarget, _) =
                    self.find(tenant, ConnectionKind::FhirTarget, &export.target_ref).await?;
                (target.patient, target.base_url)
            }
            ExportKind::File => (PatientBinding::Included, format!("file:{}", export.target_ref)),
        };
        Ok(Place { destination, binding })
    }

    /// The way to the target of an export.
    ///
    /// # Errors
    /// [`NoRoute`].
    pub async fn route(&self, tenant: &TenantId, id: &ConnectionId) -> Result<Arc<Route>, NoRoute> {
        let (export, kept): (DataExport, _) = self.find(tenant, ConnectionKind::DataExport, id).await?;
        let mut revisions = vec![kept.revision];
        let (base, binding, provider) = match export.kind {
            ExportKind::FhirMedplum => {
                let (config, kept): (MedplumConfig, _) =
                    self.find(tenant, ConnectionKind::MedplumConfig, &export.target_ref).await?;
                revisions.push(kept.revision);
                (config.base_url, config.binding_mode.into(), Some(config.oauth_provider_id))
            }
            ExportKind::Fhir => {
                let (target, kept): (FhirTarget, _) =
                    self.find(tenant, ConnectionKind::FhirTarget, &export.target_ref).await?;
                revisions.push(kept.revision);
                (target.base_url, target.patient, target.oauth_provider_id)
            }
            ExportKind::File => return self.file(tenant, &export),
        };
        let authority = self.authority(tenant, provider.as_ref()).await?;
        revisions.extend(authority.as_ref().map(|authority| authority.key.revision));
        let key = (tenant.clone(), id.clone());
        {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((at, of, route)) = known.get(&key)
                && *of == revisions
                && at.elapsed() < TRUST
            {
                return Ok(Arc::clone(route));
            }
        }
        let transport = Arc::new(Http { base: base.clone(), client: self.client.clone() });
        let adapter = self.adapter(export.kind, &base, (&*transport, authority.as_ref())).await?;
        let route = Arc::new(Route {
            place: Place { destination: base, binding },
            adapter,
            transport,
            authority,
            tokens: self.tokens.clone(),
            clock: Arc::clone(&self.clock),
        });
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(key, (Instant::now(), revisions, Arc::clone(&route)));
        Ok(route)
    }

    /// Asks the receiver what it can do.
    async fn adapter(
        &self,
        kind: ExportKind,
        base: &str,
        (transport, authority): (&dyn Transport, Option<&Authority>),
    ) -> Result<Arc<dyn Adapter>, NoRoute> {
        let by = (transport, &self.tokens, &*self.clock);
        if kind == ExportKind::FhirMedplum {
            let answer = send(by, authority, &Medplum::probe()).await?;
            let mode = Medplum::probed(&answer).ok_or(NoRoute::Strange(answer.status))?;
            return Ok(Arc::new(Medplum { base: base.to_owned(), row: self.row("medplum")?, mode }));
        }
        let answer = send(by, authority, &Fhir::statement()).await?;
        let body = serde_json::from_slice(&answer.body).ok().filter(|_| answer.status == 200);
        let statement = body.as_ref().and_then(Statement::of).ok_or(NoRoute::Strange(answer.status))?;
        Ok(Arc::new(Fhir { base: base.to_owned(), row: self.row("fhir-r4")?, statement }))
    }

    fn file(&self, tenant: &TenantId, export: &DataExport) -> Result<Arc<Route>, NoRoute> {
        // Names of folders have no slashes; `..` is one they could have.
        let name = export.target_ref.as_str().trim_start_matches('.');
        let name = if name.is_empty() { "export" } else { name };
        let path = self.folder.join(tenant.as_str()).join(name);
        Ok(Arc::new(Route {
            place: Place { destination: format!("file:{}", export.target_ref), binding: PatientBinding::Included },
            adapter: Arc::new(adapter::File { row: self.row("ndjson")? }),
            transport: Arc::new(Folder { path }),
            authority: None,
            tokens: self.tokens.clone(),
            clock: Arc::clone(&self.clock),
        }))
    }

    fn row(&self, name: &'static str) -> Result<Target, NoRoute> {
        self.registry.targets.get(name).cloned().ok_or(NoRoute::Row(name))
    }

    async fn authority(
        &self,
        tenant: &TenantId,
        provider: Option<&ConnectionId>,
    ) -> Result<Option<Authority>, NoRoute> {
        let Some(id) = provider else { return Ok(None) };
        let (provider, kept): (OauthProvider, _) = self.find(tenant, ConnectionKind::OauthProvider, id).await?;
        let secrets = seal::secrets(&self.vault, tenant, &kept).await?;
        let key = TokenKey { tenant: tenant.clone(), provider: id.clone(), revision: kept.revision };
        Ok(Some(Authority { key, provider, secrets }))
    }

    async fn find<T: DeserializeOwned>(
        &self,
        tenant: &TenantId,
        kind: ConnectionKind,
        id: &ConnectionId,
    ) -> Result<(T, KeptConnection), NoRoute> {
        let kept = self.store.connection(tenant, kind, id).await?.ok_or(NoRoute::Missing(kind.name()))?;
        let content = serde_json::from_str(&kept.body).map_err(|_| NoRoute::Damaged(kind.name()))?;
        Ok((content, kept))
    }
}
