//! The patients somebody may choose from. Who may choose one is for the policy to say.

use serde_json::Value;

use super::OauthState;
use super::error::Error;
use crate::auth::{Access, Action, Context, Mark, ScopeSet, Session};
use crate::id::{ResourceId, TenantId};
use crate::store::Stored;
use crate::store::search::{Filter, How, Search, StringMatch};

/// Most to choose from at once.
const MOST: usize = 20;

/// A patient to choose.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) id: ResourceId,
    /// Name and birth date.
    pub(super) shown: String,
}

/// Whether a patient has to be chosen.
pub(super) fn is_needed(scope: &ScopeSet) -> bool {
    scope.has(Context::Patient) || scope.is_marked(Mark::LaunchPatient)
}

async fn may(state: &OauthState, session: &Session, client: &str, access: Access) -> Result<bool, Error> {
    Ok(state.auth.person_may(session, client, "user/Patient.rs", Action::Fhir(access), "Patient").await?)
}

/// Those whose name starts so.
pub(super) async fn found(
    state: &OauthState,
    session: &Session,
    client: &str,
    name: Option<&str>,
) -> Result<Vec<Choice>, Error> {
    if !may(state, session, client, Access::Search).await? {
        return Ok(Vec::new());
    }
    let named = name.map(|text| Filter::String {
        parameter: "name".to_owned(),
        values: vec![StringMatch { how: How::Start, text: text.replace(char::is_control, "") }],
    });
    let search =
        Search { kind: "Patient".to_owned(), filters: named.into_iter().collect(), count: MOST, ..Search::default() };
    let page = state.store.search(&session.person.tenant, &search).await?;
    Ok(page.matches.iter().filter_map(choice).collect())
}

/// The one with this id, where there is one and somebody may choose it.
pub(super) async fn one(
    state: &OauthState,
    session: &Session,
    client: &str,
    id: &ResourceId,
) -> Result<Option<Choice>, Error> {
    if !may(state, session, client, Access::Read).await? {
        return Ok(None);
    }
    Ok(state.store.read(&session.person.tenant, "Patient", id).await?.as_ref().and_then(choice))
}

/// What a patient that was chosen elsewhere is called.
pub(super) async fn shown(state: &OauthState, tenant: &TenantId, id: &ResourceId) -> Result<String, Error> {
    let stored = state.store.read(tenant, "Patient", id).await?;
    Ok(stored.as_ref().and_then(choice).map_or_else(|| format!("Patient/{id}"), |choice| choice.shown))
}

fn choice(stored: &Stored) -> Option<Choice> {
    let patient: Value = serde_json::from_slice(&stored.json()).ok()?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name = &patient["name"][0];
    let given = name["given"].as_array().map_or_else(Vec::new, |given| given.iter().map(text).collect());
    let whole = given.into_iter().chain([text(&name["family"])]).filter(|part| !part.is_empty()).collect::<Vec<_>>();
    let written = if whole.is_empty() { text(&name["text"]) } else { whole.join(" ") };
    let called = if written.is_empty() { stored.reference() } else { written };
    let born = text(&patient["birthDate"]);
    let shown = if born.is_empty() { called } else { format!("{called}, {born}") };
    Some(Choice { id: ResourceId::new(stored.id.clone()).ok()?, shown })
}
