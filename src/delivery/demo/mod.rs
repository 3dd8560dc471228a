//! A few values into somebody's Medplum project, to see what it looks like there: nothing of it is kept here. Whoever asks pastes
//! the credentials of a client of theirs, which are used for one token and forgotten.

mod values;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
pub use values::{Feature, Skipped};

use super::Delivery;
use super::adapter::{Adapter, Known, Medplum, Mode, Outcome, Request, Transport};
use super::connection::{Authentication, OauthProvider};
use super::disposition::Disposition;
use super::keys::Secrets;
use super::outgoing::Outgoing;
use super::token;
use super::transport::Http;
use crate::outward::{self, Reach};
use crate::registry::Registry;
use crate::secret::Secret;
use crate::store::delivery::Delivered;

/// Hosts that are asked, beside this machine in development.
const HOSTS: [&str; 2] = ["api.medplum.com", "api.staging.medplum.com"];
/// Most values in one request.
pub const FEATURES: usize = 64;
/// Attempts at a request the project does not take at once.
const ATTEMPTS: usize = 3;

/// What became of it.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct Made {
    /// References in the project, of what is new there.
    pub created: Vec<String>,
    /// What the project said of what it refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Value>,
    /// What was not sent.
    pub skipped: Vec<Skipped>,
}

/// Whose project.
pub struct Project {
    /// Base URL of its FHIR API.
    pub base_url: String,
    /// Id of the client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
}

/// Why nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The host is not one that is asked.
    #[error("must be the FHIR API of a Medplum project, such as https://api.medplum.com/fhir/R4")]
    Host,
    /// A time is none.
    #[error("features[{0}].effective: must be a time as RFC 3339")]
    Time(usize),
    /// The project gave no token, or did not answer.
    #[error("{0}")]
    Target(String),
    /// A value has no FHIR form.
    #[error("features: {0}")]
    Project(#[from] crate::projection::ProjectionError),
}

/// The base URL and the URL for tokens, where the host is one that is asked.
pub fn addresses(base_url: &str, reach: Reach) -> Result<(String, String), DemoError> {
    // Private addresses are nobody's demo, whatever targets of exports may have.
    let narrow = if reach == Reach::Public { Reach::Public } else { Reach::Loopback };
    let url = outward::url(base_url, narrow).filter(|url| url.query().is_none()).ok_or(DemoError::Host)?;
    let host = url.host_str().unwrap_or_default();
    let is_local = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    let is_known = HOSTS.contains(&host) && url.scheme() == "https" && url.port().is_none();
    let path = url.path().trim_end_matches('/');
    if !(is_known || (is_local && narrow == Reach::Loopback)) || path != "/fhir/R4" {
        return Err(DemoError::Host);
    }
    let base = base_url.trim_end_matches('/').to_owned();
    let token = format!("{}/oauth2/token", base.trim_end_matches("/fhir/R4"));
    Ok((base, token))
}

impl Delivery {
    /// Sends values to a project. The same values once more are known there.
    ///
    /// # Errors
    /// [`DemoError`].
    pub async fn demo(
        &self,
        project: &Project,
        features: &[Feature],
        registry: &Registry,
        reach: Reach,
    ) -> Result<Made, DemoError> {
        let (base, token_url) = addresses(&project.base_url, reach)?;
        let tenant = values::tenant(&project.client_id);
        let (mut pending, skipped) = values::outgoing(&tenant, features, registry)?;
        let mut made = Made { skipped, ..Made::default() };
        if pending.len() < 2 {
            return Ok(made); // nobody but the patient
        }
        let narrow = if reach == Reach::Public { Reach::Public } else { Reach::Loopback };
        let client = outward::client(narrow, super::TIMEOUT).map_err(|e| DemoError::Target(e.to_string()))?;
        let provider = OauthProvider {
            name: String::new(),
            token_url,
            client_id: project.client_id.clone(),
            scope: None,
            authentication: Authentication::ClientSecret,
            keys: Vec::new(),
        };
        let mut secrets = Secrets::default();
        secrets.client_secret = Some(project.client_secret.expose().to_owned());
        let token = token::ask(&client, &provider, &secrets, self.clock.now()).await;
        let token = token.map_err(|e| DemoError::Target(e.to_string()))?;
        drop(secrets);
        let row = registry.targets.get("medplum").cloned();
        let row = row.ok_or_else(|| DemoError::Target("there is no registry/target row medplum".to_owned()))?;
        // A batch is the same in projects with transactions and without.
        let adapter = Medplum { base: base.clone(), row, mode: Mode::Batch };
        let http = Http { base, client };
        let mut known = Known::new();
        while !pending.is_empty() {
            let all: Vec<&Outgoing> = pending.iter().collect();
            let request = adapter.request(&all, &known, adapter.most());
            let results = send(&adapter, &http, &request, token.value.expose()).await?;
            let mut done = Vec::new();
            for (place, result) in request.items.iter().zip(results) {
                let Some(one) = pending.get(*place) else { continue };
                done.push(one.ordinal);
                match (result.disposition, result.remote) {
                    (Disposition::Done, Some(remote)) => {
                        if !result.existed {
                            made.created.push(format!("{}/{remote}", one.key.0));
                        }
                        known.insert(one.key.clone(), Delivered { remote, digest: one.digest });
                    }
                    _ => made.outcome = made.outcome.or(result.outcome),
                }
            }
            pending.retain(|one| !done.contains(&one.ordinal));
        }
        Ok(made)
    }
}

async fn send(
    adapter: &Medplum,
    http: &Http,
    request: &Request,
    token: &str,
) -> Result<Vec<super::adapter::Result>, DemoError> {
    let mut last = String::new();
    for _ in 0..ATTEMPTS {
        match http.send(request, Some(token)).await {
            Err(error) => last = error.to_string(),
            Ok(answer) => match adapter.outcome(request, &answer) {
                Outcome::Each(results) => return Ok(results),
                Outcome::Whole(result)
                    if matches!(result.disposition, Disposition::Retry(_) | Disposition::Ambiguous) =>
                {
                    last = format!("the target answered {}", answer.status);
                }
                Outcome::Whole(_) => return Err(DemoError::Target(format!("the target answered {}", answer.status))),
            },
        }
    }
    Err(DemoError::Target(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_medplum_and_in_development_this_machine_are_asked() {
        let ok = "https://api.medplum.com/fhir/R4";
        assert_eq!(addresses(ok, Reach::Public).unwrap().1, "https://api.medplum.com/oauth2/token");
        assert!(addresses("https://api.medplum.com/fhir/R4/", Reach::Public).is_ok());
        assert!(addresses("http://127.0.0.1:8103/fhir/R4", Reach::Loopback).is_ok());
        for bad in [
            "http://api.medplum.com/fhir/R4",
            "https://api.medplum.com:8443/fhir/R4",
            "https://api.medplum.com.evil.example/fhir/R4",
            "https://user:x@api.medplum.com/fhir/R4",
            "https://evil.example/fhir/R4?x=api.medplum.com",
            "https://evil.example/fhir/R4",
            "https://api.medplum.com/../admin",
            "https://api.medplum.com/",
            "https://169.254.169.254/fhir/R4",
        ] {
            assert!(addresses(bad, Reach::Loopback).is_err(), "{bad}");
            assert!(addresses(bad, Reach::Anywhere).is_err(), "{bad}");
        }
        assert!(addresses("http://127.0.0.1:8103/fhir/R4", Reach::Public).is_err());
        assert!(addresses("http://10.0.0.1/fhir/R4", Reach::Anywhere).is_err());
    }
}
