//! What a patient has said about others reading what is theirs, in Consents. <https://hl7.org/fhir/R4/consent.html>
//!
//! Counted are those that are active, about privacy, in force now and about everything: one that permits or denies a part, to
//! some, or for some purpose, is for people to read. No other one says yes where one says no.

use serde_json::Value;

use crate::id::{ResourceId, TenantId};
use crate::store::search::{Filter, Search, TermMatch};
use crate::store::{Store, StoreError};
use crate::time::Instant;

const SCOPES: &str = "http://terminology.hl7.org/CodeSystem/consentscope";
/// Parts of a provision that make it one about less than everything.
const PARTS: [&str; 8] = ["actor", "action", "securityLabel", "purpose", "class", "code", "data", "provision"];
/// Most of a patient's that are read; one with more has said too much to be understood, and is asked.
const MOST: usize = 200;

/// What a patient has said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatientConsent {
    /// Yes.
    Given,
    /// No.
    Refused,
}

impl PatientConsent {
    /// As policies write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Refused => "refused",
        }
    }
}

/// What a patient has said; nothing where they have said nothing about everything.
///
/// # Errors
/// The database failed.
pub async fn consent_of(
    store: &Store,
    tenant: &TenantId,
    patient: &ResourceId,
    now: Instant,
) -> Result<Option<PatientConsent>, StoreError> {
    let active = Filter::Term { parameter: "status".to_owned(), values: vec![TermMatch::of("active".to_owned())] };
    let search = Search {
        kind: "Consent".to_owned(),
        filters: vec![Filter::Subject(vec![format!("Patient/{patient}")]), active],
        count: MOST,
        ..Search::default()
    };
    let page = store.search(tenant, &search).await?;
    if page.next.is_some() {
        return Ok(Some(PatientConsent::Refused));
    }
    let said: Vec<PatientConsent> = page.matches.iter().filter_map(|stored| said(&stored.json(), now)).collect();
    let refused = said.contains(&PatientConsent::Refused).then_some(PatientConsent::Refused);
    Ok(refused.or_else(|| said.first().copied()))
}

/// What one Consent says about everything now.
fn said(json: &[u8], now: Instant) -> Option<PatientConsent> {
    let consent: Value = serde_json::from_slice(json).ok()?;
    let is_privacy = |coding: &Value| coding["system"] == SCOPES && coding["code"] == "patient-privacy";
    let provision = &consent["provision"];
    let about_all = PARTS.iter().all(|part| provision.get(part).is_none());
    if !consent["scope"]["coding"].as_array()?.iter().any(is_privacy)
        || !about_all
        || !covers(&provision["period"], now)
    {
        return None;
    }
    match provision["type"].as_str()? {
        "permit" => Some(PatientConsent::Given),
        "deny" => Some(PatientConsent::Refused),
        _ => None,
    }
}

/// Whether a period has begun and is not over. Days are whole, in UTC.
fn covers(period: &Value, now: Instant) -> bool {
    let now = now.to_rfc3339();
    // As precise as they are, and dates before what they are the beginning of.
    let before =
        |text: &str| text.get(..text.len().min(19)).unwrap_or(text) <= now.get(..text.len().min(19)).unwrap_or(&now);
    let after =
        |text: &str| text.get(..text.len().min(19)).unwrap_or(text) >= now.get(..text.len().min(19)).unwrap_or(&now);
    period["start"].as_str().is_none_or(before) && period["end"].as_str().is_none_or(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{Standing, resource, store, tenant};
    use crate::time::Clock as _;

    /// A Consent of `p` with this provision.
    fn consent(id: &str, status: &str, provision: &str) -> crate::resource::Resource {
        let body = format!(
            r#","status":"{status}","scope":{{"coding":[{{"system":"{SCOPES}","code":"patient-privacy"}}]}},
            "category":[{{"text":"x"}}],"patient":{{"reference":"Patient/p"}},"provision":{provision}"#
        );
        resource("Consent", id, &body)
    }

    #[tokio::test]
    async fn what_is_said_about_everything_counts_and_no_before_yes() {
        use PatientConsent::{Given, Refused};
        let (_directory, store) = store().await;
        let (tenant, patient, now) = (tenant("a"), ResourceId::new("p").unwrap(), Standing.now());
        assert_eq!(consent_of(&store, &tenant, &patient, now).await.unwrap(), None);
        for (status, provision, expected) in [
            ("draft", r#"{"type":"deny"}"#, None),
            ("active", r#"{"type":"deny","purpose":[{"code":"HMARKT"}]}"#, None),
            ("active", r#"{"type":"deny","period":{"end":"2026-01-31"}}"#, None),
            ("active", r#"{"type":"deny","period":{"start":"2026-02-02"}}"#, None),
            ("active", r#"{"type":"permit"}"#, Some(Given)),
            ("active", r#"{"type":"deny","period":{"start":"2026-02-01","end":"2026-02-01"}}"#, Some(Refused)),
            ("active", r#"{"type":"deny","period":{"start":"2025"}}"#, Some(Refused)),
        ] {
            store.put(&tenant, vec![consent("c", status, provision)]).await.unwrap();
            assert_eq!(consent_of(&store, &tenant, &patient, now).await.unwrap(), expected, "{status} {provision}");
        }
        store.put(&tenant, vec![consent("d", "active", r#"{"type":"permit"}"#)]).await.unwrap();
        assert_eq!(consent_of(&store, &tenant, &patient, now).await.unwrap(), Some(Refused));
    }
}
