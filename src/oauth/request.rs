//! What the endpoints take from a request: its form, the server's URL, the tenant, and who asks.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::OauthState;
use super::error::Error;
use crate::auth::Bearer;
use crate::id::TenantId;
use crate::secret::Secret;
use crate::store::ClientRecord;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Where the server is, and which tenant's paths were asked.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Scheme, host and port.
    root: String,
    /// The tenant in the path.
    pub(super) tenant: Option<TenantId>,
}

impl Place {
    /// What stands before `/oauth2` and `/fhir`.
    pub(super) fn base(&self) -> String {
        self.tenant.as_ref().map_or_else(|| self.root.clone(), |tenant| format!("{}/t/{tenant}", self.root))
    }

    /// Scheme, host and port.
    pub(super) fn root(&self) -> &str {
        &self.root
    }

    /// Whether browsers reach the server over https.
    pub(super) fn is_https(&self) -> bool {
        self.root.starts_with("https://")
    }

    /// Whether these are the paths of `tenant`, whose issuer they are: `own` has those without one in them.
    pub(super) fn is_home_of(&self, tenant: &TenantId, own: &TenantId) -> bool {
        self.tenant.as_ref().unwrap_or(own) == tenant
    }

    /// The URLs of a client's token endpoint.
    fn token_urls(&self, client: &ClientRecord) -> Vec<String> {
        vec![format!("{}/oauth2/token", self.root), format!("{}/t/{}/oauth2/token", self.root, client.tenant)]
    }

    /// Whether what is of `tenant` may be asked for here.
    pub(super) fn is_of(&self, tenant: &TenantId) -> bool {
        self.tenant.as_ref().is_none_or(|own| own == tenant)
    }
}

impl FromRequestParts<OauthState> for Place {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &OauthState) -> Result<Self, Error> {
        let root = match &state.public_url {
            Some(url) => url.to_string(),
            // An assertion is made for a URL. Were it taken from what a request says of itself, one made for another
            // server could be used here by naming that one.
            None => format!("http://{}", loopback(parts).ok_or_else(|| Error::Request(NO_URL.to_owned()))?),
        };
        let path = RawPathParams::from_request_parts(parts, &()).await.ok();
        let named = path.and_then(|path| path.iter().find(|(name, _)| *name == "tenant").map(|(_, v)| v.to_owned()));
        let tenant = named.map(TenantId::new).transpose().map_err(|_| Error::NoTenant)?;
        Ok(Self { root, tenant })
    }
}

const NO_URL: &str = "the server does not know its own URL: set public_url";

/// The host a request names, where it is this machine.
fn loopback(parts: &Parts) -> Option<&str> {
    let from_header = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = from_header.or_else(|| parts.uri.authority().map(axum::http::uri::Authority::as_str))?;
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => host.split(':').next()?,
    };
    let is_here = name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let plain = host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b));
    (is_here && plain).then_some(host)
}

/// The parameters in a form, each once.
#[derive(Debug)]
pub(super) struct Form(BTreeMap<String, String>);

impl Form {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, Error> {
        self.get(name).ok_or_else(|| Error::Request(format!("{name} is required")))
    }

    /// The names in it.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Reads pairs.
    pub(super) fn parse(text: &[u8]) -> Result<Self, Error> {
        let mut form = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(text) {
            if form.insert(name.to_string(), value.into_owned()).is_some() {
                return Err(Error::Request(format!("{} is given twice", name.chars().take(64).collect::<String>())));
            }
        }
        Ok(Self(form))
    }

    /// The client that asks: it proves itself with the assertion in the form, or with its secret in the header, or says who it
    /// is where it can keep no secret.
    pub(super) async fn client(
        &self,
        state: &OauthState,
        place: &Place,
        headers: &HeaderMap,
    ) -> Result<ClientRecord, Error> {
        let client = match (self.get("client_assertion"), basic(headers)?, self.get("client_id")) {
            (None, Some((id, secret)), _) => state.auth.client_with_secret(&id, secret.expose()).await?,
            (None, None, Some(id)) if self.get("client_assertion_type").is_none() => {
                state.auth.public_client(id).await?
            }
            _ => self.client_of_assertion(state, place).await?,
        };
        let named = self.get("client_id").is_none_or(|id| id == client.id);
        if named && place.is_of(&client.tenant) {
            return Ok(client);
        }
        Err(Error::Client("the client is not registered here".to_owned()))
    }

    async fn client_of_assertion(&self, state: &OauthState, place: &Place) -> Result<ClientRecord, Error> {
        if self.required("client_assertion_type")? != ASSERTION_TYPE {
            return Err(Error::Request(format!("client_assertion_type must be {ASSERTION_TYPE}")));
        }
        let assertion = self.required("client_assertion")?;
        Ok(state.auth.client(assertion, |client| place.token_urls(client)).await?)
    }
}

impl FromRequest<OauthState> for Form {
    type Rejection = Error;

    async fn from_request(request: Request, state: &OauthState) -> Result<Self, Error> {
        let given = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        if !given.split(';').next().is_some_and(|t| t.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"))
        {
            return Err(Error::Request("Content-Type must be application/x-www-form-urlencoded".to_owned()));
        }
        let unreadable = |_| Error::Request("the body is too large or did not arrive".to_owned());
        let body = Bytes::from_request(request, state).await.map_err(unreadable)?;
        Self::parse(&body)
    }
}

/// Id and secret in an `Authorization: Basic` header, each encoded as in a form.
/// <https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1>
fn basic(headers: &HeaderMap) -> Result<Option<(String, Secret)>, Error> {
    let header = headers.get(header::AUTHORIZATION).and_then(|header| header.to_str().ok());
    let Some((scheme, text)) = header.and_then(|header| header.split_once(' ')) else { return Ok(None) };
    if !scheme.eq_ignore_ascii_case("basic") {
        return Ok(None);
    }
    let decoded = |text: &str| {
        let (name, _) = form_urlencoded::parse(text.as_bytes()).next()?;
        Some(name.into_owned())
    };
    let read = || {
        let pair = String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok()?;
        let (id, secret) = pair.split_once(':')?;
        Some((decoded(id)?, Secret::new(decoded(secret)?)))
    };
    read().map(Some).ok_or_else(|| Error::Secret("the Authorization header is no client_id and secret".to_owned()))
}

/// Who asks about a token.
pub(super) enum Asker {
    /// A client, about its own.
    Client(ClientRecord),
    /// The bearer of a token or key.
    Bearer(Arc<Bearer>),
}

impl Asker {
    pub(super) async fn of(state: &OauthState, place: &Place, headers: &HeaderMap, form: &Form) -> Result<Self, Error> {
        let is_bearer = headers.get(header::AUTHORIZATION).is_some_and(|header| {
            header
                .to_str()
                .is_ok_and(|header| header.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer ")))
        });
        let is_client = form.get("client_assertion").is_some() || form.get("client_id").is_some();
        if !is_bearer && (is_client || headers.contains_key(header::AUTHORIZATION)) {
            return form.client(state, place, headers).await.map(Self::Client);
        }
        let grant = state.auth.authenticate(headers.get(header::AUTHORIZATION)).await?;
        if place.is_of(&grant.tenant) { Ok(Self::Bearer(grant)) } else { Err(Error::Unauthorized) }
    }

    /// The client that asks for itself.
    pub(super) fn client(&self) -> Option<&str> {
        match self {
            Self::Client(own) => Some(&own.id),
            Self::Bearer(_) => None,
        }
    }

    /// Whether a token of this client of this tenant is its business.
    pub(super) fn may_ask(&self, tenant: &TenantId, client: &str) -> bool {
        match self {
            Self::Client(own) => own.id == client,
            Self::Bearer(grant) => grant.tenant == *tenant && (grant.key_id == client || grant.may_control()),
        }
    }
}
