//! What handlers take from a request: who asks, for which resource, in which format, under which URL.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use super::error::Error;
use super::parameters::Shape;
use super::state::{RestState, TypeState};
use crate::auth::{Access, Bearer, Grant};
use crate::id::{CANONICAL_BASE, ResourceId, TenantId};

/// The authenticated caller.
#[derive(Debug, Clone)]
pub(super) struct Caller(Arc<Bearer>);

impl Caller {
    /// Somebody who is known already.
    pub(super) fn of(bearer: Arc<Bearer>) -> Self {
        Self(bearer)
    }

    /// The tenant the request is about.
    pub(super) fn tenant(&self) -> &TenantId {
        &self.0.tenant
    }

    /// What the caller may do.
    pub(super) fn grant(&self) -> &Grant {
        &self.0
    }

    /// Whether the caller may do this to some resources of the type; to which ones, [`super::guard`] tells.
    pub(super) fn may(&self, kind: &str, access: Access) -> bool {
        self.0.may(kind, access)
    }

    /// Refuses what the caller's scopes do not allow.
    pub(super) fn require(&self, kind: &str, access: Access) -> Result<(), Error> {
        if self.may(kind, access) {
            return Ok(());
        }
        Err(Error::Forbidden { access: access.word(), kind: kind.to_owned() })
    }

    /// `meta.source` of what the caller writes.
    pub(super) fn source(&self) -> String {
        format!("{CANONICAL_BASE}/client/{}", self.0.key_id)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller
where
    RestState: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let auth = RestState::from_ref(state).auth;
        let grant = auth.authenticate(parts.headers.get(header::AUTHORIZATION)).await?;
        match path_parameter(parts, "tenant").await {
            Some(tenant) if tenant != grant.tenant.as_str() => Err(Error::OtherTenant),
            _ => Ok(Self(grant)),
        }
    }
}

/// The logical id in the path.
#[derive(Debug, Clone)]
pub(super) struct Id(pub(super) ResourceId);

impl FromRequestParts<TypeState> for Id {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &TypeState) -> Result<Self, Error> {
        let text = path_parameter(parts, "id").await.unwrap_or_default();
        if text.starts_with('$') {
            return Err(Error::NotSupported(format!("an operation on {}", state.kind())));
        }
        match text.as_str() {
            "_history" => return Err(Error::NotSupported(format!("history of the type {}", state.kind()))),
            "_search" => return Err(Error::NotSupported(format!("search in {}", state.kind()))),
            _ => {}
        }
        ResourceId::new(text).map(Self).map_err(|problem| Error::invalid("id", problem))
    }
}

/// The version in the path.
#[derive(Debug, Clone, Copy)]
pub(super) struct VersionId(pub(super) i64);

impl<S: Send + Sync> FromRequestParts<S> for VersionId {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let text = path_parameter(parts, "version").await.unwrap_or_default();
        // Whatever is no number of ours names no version.
        let plain = text.len() < 19 && text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
        let version = text.parse().ok().filter(|_| plain);
        version.map(Self).ok_or_else(|| Error::NotFound("this version".to_owned()))
    }
}

/// The service base URL the request came to: `https://host/fhir/R4`.
#[derive(Debug, Clone)]
pub(super) struct Base(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Base
where
    RestState: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let mut base = match RestState::from_ref(state).public_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("http://{}", host(parts)),
        };
        if let Some(tenant) = path_parameter(parts, "tenant").await {
            let tenant = TenantId::new(tenant).map_err(|_| Error::NotFound("this tenant".to_owned()))?;
            base.push_str("/t/");
            base.push_str(tenant.as_str());
        }
        base.push_str("/fhir/R4");
        Ok(Self(base))
    }
}

fn host(parts: &Parts) -> &str {
    let from_header = parts.headers.get(header::HOST).and_then(|h| h.to_str().ok());
    let host =
        from_header.or_else(|| parts.uri.authority().map(axum::http::uri::Authority::as_str)).unwrap_or("localhost");
    let plain = host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b));
    if plain && !host.is_empty() { host } else { "localhost" }
}

/// Proof that FHIR may be answered, and whether it was asked for by name. What is answered is JSON; [`super::format`] turns
/// it into what is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Format {
    /// FHIR was asked for, not just anything.
    pub(super) fhir: bool,
    /// In which form.
    pub(super) form: Form,
    /// Whether other media types are welcome too.
    pub(super) anything: bool,
}

/// How a resource is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `application/fhir+json`
    Json,
    /// `application/fhir+xml`
    Xml,
    /// `application/fhir+ndjson`: what is in a Bundle, a line each.
    Ndjson,
}

impl Form {
    /// What `_format` calls it in short, and its media types.
    const ALL: [(Self, &'static str, &'static [&'static str]); 3] =
        [(Self::Json, "json", &JSON), (Self::Xml, "xml", &XML), (Self::Ndjson, "ndjson", &NDJSON)];
}

impl Format {
    /// What `_format`, else `Accept`, asks for. <https://hl7.org/fhir/R4/http.html#mime-type>
    pub(super) fn of(query: &str, headers: &HeaderMap) -> Self {
        let pairs = form_urlencoded::parse(query.as_bytes());
        let format =
            pairs.into_iter().filter(|(name, _)| name == "_format").last().map(|(_, value)| value.into_owned());
        if let Some(format) = format {
            // An unescaped plus sign arrives as a space.
            let format = format.replace(' ', "+");
            let form = Form::ALL.iter().find(|(_, short, types)| format == *short || is(&format, types));
            return Self { fhir: form.is_some(), form: form.map_or(Form::Json, |(form, ..)| *form), anything: false };
        }
        Self::accepted(headers)
    }

    fn accepted(headers: &HeaderMap) -> Self {
        let accepts: Vec<&str> = headers
            .get_all(header::ACCEPT)
            .iter()
            .filter_map(|v| v.to_str().ok())
            .flat_map(|v| v.split(','))
            .map(str::trim)
            .collect();
        let ranges = accepts.iter().map(|range| range.split(';').next().unwrap_or_default().trim());
        let anything = accepts.is_empty() || ranges.clone().any(|r| r.is_empty() || r == "*/*" || r == "application/*");
        let best = |types: &[&str]| accepts.iter().filter(|range| is(range, types)).map(|range| weight(range)).max();
        // A browser names `application/xml` after HTML and takes anything.
        let browser = anything && accepts.iter().any(|range| range.starts_with("text/html"));
        let welcome = Form::ALL.iter().filter(|(form, ..)| *form == Form::Json || !browser);
        let mut chosen = (Form::Json, None);
        for (form, _, types) in welcome {
            let weight = best(types);
            // The first of those that are as welcome.
            if weight > chosen.1 {
                chosen = (*form, weight);
            }
        }
        Self { fhir: chosen.1.is_some(), form: chosen.0, anything }
    }
}

const JSON: [&str; 3] = ["application/fhir+json", "application/json", "text/json"];
const XML: [&str; 3] = ["application/fhir+xml", "application/xml", "text/xml"];
const NDJSON: [&str; 3] = ["application/fhir+ndjson", "application/ndjson", "application/x-ndjson"];

/// Whether a media type, or a range in `Accept`, is one of these, in a version of FHIR that is ours.
fn is(media_type: &str, types: &[&str]) -> bool {
    let mut parts = media_type.split(';').map(str::trim);
    let fits = parts.next().is_some_and(|t| types.iter().any(|known| t.eq_ignore_ascii_case(known)));
    fits && parts.all(|p| p.strip_prefix("fhirVersion=").is_none_or(|v| v.trim_matches('"').starts_with("4.0")))
}

/// Whether a `Content-Type` is FHIR XML.
pub(super) fn is_xml(media_type: &str) -> bool {
    is(media_type, &XML)
}

/// `q` in thousandths. <https://www.rfc-editor.org/rfc/rfc9110#section-12.4.2>
fn weight(range: &str) -> u32 {
    let q = range.split(';').find_map(|p| p.trim().strip_prefix("q=")).and_then(|q| q.parse::<f64>().ok());
    (q.unwrap_or(1.0).clamp(0.0, 1.0) * 1000.0) as u32
}

impl<S: Send + Sync> FromRequestParts<S> for Format {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let format = Self::of(parts.uri.query().unwrap_or_default(), &parts.headers);
        if format.fhir || format.anything { Ok(format) } else { Err(Error::NotAcceptable) }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Shape {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        Self::of_read(parts.uri.query())
    }
}

/// The format of a Binary, which may be asked for as whatever it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct BinaryFormat {
    /// Whether the resource was asked for rather than its content.
    pub(super) fhir: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for BinaryFormat {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self { fhir: Format::of(parts.uri.query().unwrap_or_default(), &parts.headers).fhir })
    }
}

/// `Prefer: handling=…`, what to do about parameters the server does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Handling {
    /// Refuse the request.
    Strict,
    /// Leave them out and say so.
    Lenient,
}

impl<S: Send + Sync> FromRequestParts<S> for Handling {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let mut wishes =
            parts.headers.get_all("prefer").iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split([',', ';']));
        let strict = wishes.any(|wish| wish.trim().eq_ignore_ascii_case("handling=strict"));
        Ok(if strict { Self::Strict } else { Self::Lenient })
    }
}

async fn path_parameter(parts: &mut Parts, name: &str) -> Option<String> {
    let parameters = RawPathParams::from_request_parts(parts, &()).await.ok()?;
    parameters.iter().find(|(n, _)| *n == name).map(|(_, value)| value.to_owned())
}
