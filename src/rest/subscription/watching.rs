//! What of the API those need who match and send: what a subscription finds, and what its subscriber may see.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::criteria;
use crate::auth::{Access, Bearer, Denied, Standing};
use crate::capability::Mark;
use crate::id::TenantId;
use crate::rest::error::Error;
use crate::rest::extract::Caller;
use crate::rest::state::RestState;
use crate::store::search::Filter;
use crate::store::{Definition, StoreError, Stored};

/// How long what somebody may do is taken for good without asking again.
const TRUST: Duration = Duration::from_secs(1);
/// Subscribers that are remembered.
const REMEMBERED: usize = 4096;

/// By tenant and standing: when it was asked, and what may be done.
type Known = BTreeMap<(TenantId, String), (Instant, Option<Arc<Bearer>>)>;

/// Filters and marks of a topic.
pub(crate) type OfTopic = (Vec<Filter>, Vec<Mark>);

/// Matches and shows as the API does.
#[derive(Debug, Clone)]
pub(crate) struct Watching {
    state: RestState,
    known: Arc<Mutex<Known>>,
}

impl Watching {
    /// By this API.
    pub(crate) fn new(state: RestState) -> Self {
        Self { state, known: Arc::default() }
    }

    /// What whoever subscribed may do now; nothing where that is over.
    pub(crate) async fn subscriber(
        &self,
        tenant: &TenantId,
        standing: &str,
    ) -> Result<Option<Arc<Bearer>>, StoreError> {
        let key = (tenant.clone(), standing.to_owned());
        if let Some((at, bearer)) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&key)
            && at.elapsed() < TRUST
        {
            return Ok(bearer.clone());
        }
        let parsed: Standing =
            serde_json::from_str(standing).map_err(|_| StoreError::Damaged { what: "standing of a subscription" })?;
        let bearer = match self.state.auth.still(tenant, &parsed).await {
            Ok(bearer) => bearer,
            Err(Denied::Store(error)) => return Err(error),
            Err(_) => None,
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(key, (Instant::now(), bearer.clone()));
        Ok(bearer)
    }

    /// What a topic is about.
    pub(crate) fn topic(&self, id: &str) -> Result<OfTopic, Error> {
        let topic = self.state.capability.topic(id).ok_or_else(|| Error::NotFound("this topic".to_owned()))?;
        Ok((criteria::parse(&self.state, "", &topic.resource, &topic.query)?, topic.marks.clone()))
    }

    /// Whether a topic's events are those where a resource comes to be what it is about.
    pub(crate) fn is_entering(&self, id: &str) -> bool {
        self.state.capability.topic(id).is_some_and(|topic| topic.entering)
    }

    /// What a subscription finds that its subscriber may see.
    pub(crate) fn wanted(&self, bearer: &Arc<Bearer>, focus: &str, definition: &Definition) -> Result<OfTopic, Error> {
        let (mut filters, marks) = match &definition.topic {
            Some(topic) => self.topic(topic)?,
            None => OfTopic::default(),
        };
        for query in &definition.filters {
            filters.extend(criteria::parse(&self.state, &definition.base, focus, query)?);
        }
        filters.extend(Caller::of(Arc::clone(bearer)).reach(&self.state, focus, Access::Read)?.into_filters());
        Ok((filters, marks))
    }

    /// Whether a subscriber may see a version of a resource.
    pub(crate) fn sees(&self, bearer: &Arc<Bearer>, stored: &Stored) -> Result<bool, Error> {
        Caller::of(Arc::clone(bearer)).sees_version(&self.state, stored)
    }
}
