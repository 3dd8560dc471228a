//! The one way from a handler to what is stored: here a caller's scopes become part of every search and are held against every
//! single resource. No other file of the API reads resources from the store; a test sees to that.
//!
//! A scope may be about a type, about those resources of it that a search finds (`?category=…`), and, where the grant is about
//! one patient, about what is that patient's. What a caller may not see is answered as if it were not there.
//! <https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html>

mod narrow;
mod reach;

use serde_json::Value;

use super::error::Error;
use super::extract::Caller;
use super::state::RestState;
use crate::auth::{Access, Standing};
use crate::id::ResourceId;
use crate::store::search::{Filter, Page, Search, TermMatch};
use crate::store::{Place, Stored, Versions};
use reach::{Reach, With};

impl Caller {
    /// Whether a type may be searched without saying what in it is looked for.
    pub(in crate::rest) fn may_search_all(&self, state: &RestState, kind: &str) -> bool {
        self.reach(state, kind, Access::Search).is_ok_and(|reach| reach.with.is_none())
    }

    /// One page of a search.
    pub(in crate::rest) async fn search(&self, state: &RestState, search: &Search) -> Result<Page, Error> {
        let reach = self.reach(state, &search.kind, Access::Search)?;
        if !self.is_bounded() {
            let mut page = state.store.search(self.tenant(), search).await?;
            page.included.retain(|resource| self.may(&resource.kind, Access::Read));
            return Ok(page);
        }
        let mut confined = search.clone();
        self.confine(state, &mut confined.filters)?;
        if reach.with.is_some() && !self.may_look_for(state, &search.filters).await? {
            return Ok(Page { total: Some(0), ..Page::default() });
        }
        confined.filters.extend(reach.filters.iter().cloned());
        let mut page = state.store.search(self.tenant(), &confined).await?;
        if reach.with.is_some() {
            page.matches = self.visible(state, page.matches, Access::Search).await?;
        }
        page.included = self.visible(state, page.included, Access::Read).await?;
        Ok(page)
    }

    /// The current version of a resource.
    pub(in crate::rest) async fn read(
        &self,
        state: &RestState,
        kind: &str,
        id: &ResourceId,
    ) -> Result<Option<Stored>, Error> {
        let reach = self.reach(state, kind, Access::Read)?;
        let Some(stored) = state.store.read(self.tenant(), kind, id).await? else { return Ok(None) };
        Ok(self.fits(state, &reach, &stored).await?.then_some(stored))
    }

    /// The deletion of a resource that is deleted. A caller who may see some of a type's resources is not told which are gone.
    pub(in crate::rest) async fn deletion(
        &self,
        state: &RestState,
        kind: &str,
        id: &ResourceId,
    ) -> Result<Option<Stored>, Error> {
        if !self.reach(state, kind, Access::Read)?.is_everything() {
            return Ok(None);
        }
        Ok(state.store.deletion(self.tenant(), kind, id).await?)
    }

    /// One version of a resource.
    pub(in crate::rest) async fn vread(
        &self,
        state: &RestState,
        kind: &str,
        id: &ResourceId,
        version: i64,
    ) -> Result<Option<Stored>, Error> {
        let reach = self.reach(state, kind, Access::Read)?;
        let Some(stored) = state.store.vread(self.tenant(), kind, id, version).await? else { return Ok(None) };
        Ok(self.fits(state, &reach, &stored).await?.then_some(stored))
    }

    /// A page of versions. Each is held against the scopes by itself: it may have been somebody else's.
    pub(in crate::rest) async fn history(
        &self,
        state: &RestState,
        versions: &Versions,
        access: Access,
    ) -> Result<(Vec<Stored>, Option<Place>), Error> {
        versions.kinds.iter().try_for_each(|kind| self.require(kind, access))?;
        let (page, next) = state.store.history(self.tenant(), versions).await?;
        Ok((if self.is_bounded() { self.visible(state, page, access).await? } else { page }, next))
    }

    /// Those of `found` that may be accessed so.
    async fn visible(&self, state: &RestState, found: Vec<Stored>, access: Access) -> Result<Vec<Stored>, Error> {
        let mut visible = Vec::with_capacity(found.len());
        for stored in found {
            match self.reach(state, &stored.kind, access) {
                Ok(reach) if self.fits(state, &reach, &stored).await? => visible.push(stored),
                Ok(_) | Err(Error::Forbidden { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(visible)
    }

    /// Those of these versions of resources of a type that there are and that may be read.
    pub(in crate::rest) async fn versions(
        &self,
        state: &RestState,
        kind: &str,
        wanted: &[(&str, i64)],
    ) -> Result<Vec<Stored>, Error> {
        let mut seen = Vec::new();
        for stored in state.store.versions(self.tenant(), kind, wanted).await? {
            if !stored.is_deletion() && self.sees_version(state, &stored)? {
                seen.push(stored);
            }
        }
        Ok(seen)
    }

    /// Whether this caller may have what somebody is told who subscribed to a type: who did, or who may read all of it.
    pub(in crate::rest) fn may_have(&self, state: &RestState, kind: &str, standing: &Standing) -> Result<bool, Error> {
        match self.reach(state, kind, Access::Read) {
            Ok(reach) => Ok(reach.is_everything() || standing.is_of(self.grant())),
            Err(Error::Forbidden { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether a version of a resource may be read that is seen by itself.
    pub(in crate::rest) fn sees_version(&self, state: &RestState, stored: &Stored) -> Result<bool, Error> {
        let reach = match self.reach(state, &stored.kind, Access::Read) {
            Err(Error::Forbidden { .. }) => return Ok(false),
            reach => reach?,
        };
        Ok(reach.is_everything()
            || (reach.with.is_none() && state.store.fits(self.tenant(), &reach.filters, stored)?))
    }

    async fn fits(&self, state: &RestState, reach: &Reach, stored: &Stored) -> Result<bool, Error> {
        if reach.is_everything() {
            return Ok(true);
        }
        if !state.store.fits(self.tenant(), &reach.filters, stored)? {
            return Ok(false);
        }
        match reach.with {
            None => Ok(true),
            Some(With::Targets) => self.sees_targets(state, stored).await,
            Some(With::Documents) => self.sees_document_of(state, &stored.reference()).await,
        }
    }

    /// Whether a document may be found that has this for its content. Whoever may write documents could name anything.
    async fn sees_document_of(&self, state: &RestState, reference: &str) -> Result<bool, Error> {
        const KIND: &str = "DocumentReference";
        if !self.may(KIND, Access::Search) || self.may(KIND, Access::Create) || self.may(KIND, Access::Update) {
            return Ok(false);
        }
        let location = vec![TermMatch::of(reference.to_owned())];
        let filters = vec![Filter::Term { parameter: "location".to_owned(), values: location }];
        let search = Search { kind: KIND.to_owned(), filters, count: 1, ..Search::default() };
        Ok(!Box::pin(self.search(state, &search)).await?.matches.is_empty())
    }

    /// Whether everything a Provenance is about may be read, and it is about something.
    async fn sees_targets(&self, state: &RestState, provenance: &Stored) -> Result<bool, Error> {
        let resource: Value = serde_json::from_slice(&provenance.json()).map_err(|_| Error::Damaged)?;
        let targets = resource["target"].as_array().cloned().unwrap_or_default();
        for target in &targets {
            if !self.sees(state, target["reference"].as_str().unwrap_or_default()).await? {
                return Ok(false);
            }
        }
        Ok(!targets.is_empty())
    }

    /// Whether a reference leads to something that may be read.
    pub(in crate::rest) async fn sees(&self, state: &RestState, reference: &str) -> Result<bool, Error> {
        let reference = crate::store::normalize_reference(reference);
        let Some((kind, id)) = reference.split_once('/').filter(|(kind, _)| *kind != "Provenance") else {
            return Ok(false);
        };
        let Ok(id) = ResourceId::new(id) else { return Ok(false) };
        match Box::pin(self.read(state, kind, &id)).await {
            Ok(found) => Ok(found.is_some()),
            Err(Error::Forbidden { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether a search for what is about something names that, and the caller sees all it names.
    async fn may_look_for(&self, state: &RestState, filters: &[Filter]) -> Result<bool, Error> {
        let named = filters.iter().find_map(|filter| match filter {
            Filter::Term { parameter, values } if matches!(parameter.as_str(), "target" | "patient") => Some(values),
            _ => None,
        });
        let Some(named) = named else {
            return Err(Error::Forbidden { access: "search without target", kind: "Provenance".to_owned() });
        };
        for TermMatch { value, .. } in named {
            if !self.sees(state, value).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
