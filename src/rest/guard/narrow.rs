//! Conditions, what is searched on the way, and what is written, kept within a caller's scopes.

use std::borrow::Cow;

use crate::auth::Access;
use crate::fhir::Element;
use crate::rest::error::Error;
use crate::rest::extract::Caller;
use crate::rest::state::RestState;
use crate::store::search::Filter;
use crate::store::{Condition, Stored};

impl Caller {
    /// A condition that matches what the caller may see.
    pub(in crate::rest) fn confined<'a>(
        &self,
        state: &RestState,
        condition: &'a Condition,
    ) -> Result<Cow<'a, Condition>, Error> {
        let reach = self.reach(state, &condition.search.kind, Access::Search)?;
        if !self.is_bounded() {
            return Ok(Cow::Borrowed(condition));
        }
        if reach.with.is_some() {
            return Err(Error::Forbidden { access: "search", kind: condition.search.kind.clone() });
        }
        let mut confined = condition.clone();
        self.confine(state, &mut confined.search.filters)?;
        confined.search.filters.extend(reach.filters);
        Ok(Cow::Owned(confined))
    }

    /// Refuses to write over `before`, or to write `after`, where either is beyond the scopes.
    pub(in crate::rest) fn require_written(
        &self,
        state: &RestState,
        (kind, id): (&str, &str),
        access: Access,
        before: Option<&Stored>,
        after: Option<&Element>,
    ) -> Result<(), Error> {
        let reach = self.reach(state, kind, access)?;
        if reach.is_everything() {
            return Ok(());
        }
        let (store, tenant) = (&state.store, self.tenant());
        let before = before.map(|stored| store.fits(tenant, &reach.filters, stored)).transpose()?;
        let after = after.map(|element| store.fits_element(tenant, &reach.filters, (kind, id), element));
        if reach.with.is_none() && before.unwrap_or(true) && after.unwrap_or(true) {
            return Ok(());
        }
        Err(Error::Forbidden { access: access.word(), kind: format!("this {kind}") })
    }

    /// Adds to the filters on what is searched on the way what of it the caller may see.
    pub(super) fn confine(&self, state: &RestState, filters: &mut [Filter]) -> Result<(), Error> {
        for filter in filters {
            match filter {
                Filter::Chain { targets, .. } => {
                    for (kind, filters) in targets {
                        self.confine_type(state, kind, filters)?;
                    }
                }
                Filter::Has { kind, filters, .. } => self.confine_type(state, kind, filters)?,
                Filter::Not(inner) => self.confine(state, std::slice::from_mut(&mut **inner))?,
                Filter::Any(alternatives) => {
                    for alternative in alternatives {
                        self.confine(state, alternative)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn confine_type(&self, state: &RestState, kind: &str, filters: &mut Vec<Filter>) -> Result<(), Error> {
        self.confine(state, filters)?;
        let reach = self.reach(state, kind, Access::Search)?;
        if reach.with.is_some() {
            return Err(Error::Forbidden { access: "search on the way in", kind: kind.to_owned() });
        }
        filters.extend(reach.filters);
        Ok(())
    }
}
