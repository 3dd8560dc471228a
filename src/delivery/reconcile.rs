//! Receivers lose what they said they have. So what was sent is read back some time later, by its id there, and sent again
//! where it is missing or something else.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::Delivery;
use super::load::load;
use super::outgoing::is_stored;
use super::route::{NoRoute, Route};
use crate::id::{ConnectionId, ResourceId, TenantId};
use crate::store::StoreError;
use crate::store::delivery::{Finding, Key, ToCheck};
use crate::time::{Instant, MICROS};

/// So long after it was sent something is read back, in microseconds.
pub(super) const AFTER_US: i64 = 300 * MICROS;
/// Resources of one export in one round.
const ROUND: i64 = 500;

/// What was read back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Report {
    /// Resources that were asked for.
    pub checked: usize,
    /// As they were sent.
    pub stored: usize,
    /// Not there; sent again.
    pub missing: usize,
    /// Something else; sent again.
    pub differing: usize,
    /// Not asked for, because the receiver does not answer or cannot be asked.
    pub unanswered: usize,
}

impl Delivery {
    /// Reads back what was sent before a time to all targets of all tenants.
    pub(super) async fn reconcile_all(&self, before: Instant) -> Result<(), StoreError> {
        for (tenant, export) in self.store.unchecked_exports(before).await? {
            match self.reconcile(&tenant, &export, before).await {
                Ok(_) | Err(NoRoute::Missing(_) | NoRoute::Unknown(_) | NoRoute::Strange(_)) => {}
                Err(NoRoute::Store(error)) => return Err(error),
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, %export, "what was sent cannot be read back");
                }
            }
        }
        Ok(())
    }

    /// Reads back what was sent by an export before a time and was not read back since, and has sent again what is not there as
    /// it should be.
    ///
    /// # Errors
    /// There is no way to the receiver.
    pub async fn reconcile(
        &self,
        tenant: &TenantId,
        export: &ConnectionId,
        before: Instant,
    ) -> Result<Report, NoRoute> {
        let route = self.routes.route(tenant, export).await?;
        let unchecked = self.store.unchecked((tenant, export), &route.place.destination, before, ROUND).await?;
        let mut report = Report::default();
        let mut of_patients: BTreeMap<ResourceId, Vec<ToCheck>> = BTreeMap::new();
        for one in unchecked {
            of_patients.entry(one.patient.clone()).or_default().push(one);
        }
        for (patient, sent) in of_patients {
            let found = self.read_back(tenant, &route, &sent, &mut report).await?;
            self.store.checked(tenant, &route.place.destination, &found).await?;
            let of = |finding: Finding| {
                found.iter().filter(|(_, one)| *one == finding).map(|(key, _)| key.clone()).collect::<Vec<Key>>()
            };
            let (missing, differing) = (of(Finding::Missing), of(Finding::Differing));
            report.stored += of(Finding::Stored).len();
            report.missing += missing.len();
            report.differing += differing.len();
            if !missing.is_empty() || !differing.is_empty() {
                self.telemetry.repaired(missing.len() + differing.len());
                let to = (tenant, export, &patient);
                self.store.make_repair(to, &route.place.destination, (&missing, &differing)).await?;
            }
        }
        Ok(report)
    }

    async fn read_back(
        &self,
        tenant: &TenantId,
        route: &Route,
        sent: &[ToCheck],
        report: &mut Report,
    ) -> Result<Vec<(Key, Finding)>, StoreError> {
        let asked: Vec<(i64, Key)> = (0..).zip(sent).map(|(place, one)| (place, one.key.clone())).collect();
        let loaded = load(&self.store, tenant, &route.place, &asked).await?;
        let named = loaded.iter().flat_map(|one| one.refers.iter().chain([&one.key])).cloned();
        let mut keys: Vec<Key> = named.collect();
        keys.sort();
        keys.dedup();
        let known = self.store.delivered(tenant, &route.place.destination, &keys).await?;
        let mut found = Vec::new();
        for one in &loaded {
            // What changed here since is on its way anyway.
            let Some(last) = known.get(&one.key).filter(|known| known.digest == one.digest) else { continue };
            let Some(request) = route.adapter.look(one, Some(&last.remote)) else {
                report.unanswered += 1;
                continue;
            };
            let answer = route.send(&request).await.ok().and_then(|answer| route.adapter.found(&answer).ok());
            let finding = match answer {
                None => {
                    report.unanswered += 1;
                    // One that does not answer is not asked all of it.
                    break;
                }
                Some(None) => Finding::Missing,
                Some(Some((_, there))) if is_stored(&route.adapter.there(one, &known), &there) => Finding::Stored,
                Some(Some(_)) => Finding::Differing,
            };
            report.checked += 1;
            found.push((one.key.clone(), finding));
        }
        Ok(found)
    }
}
