//! A Bundle read as far as its entries; their resources are left as they are. <https://hl7.org/fhir/R4/bundle.html>

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::rest::error::Error;

/// What is to happen with the entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Batch,
    Transaction,
}

#[derive(Debug)]
pub(super) struct Bundle<'a> {
    pub(super) kind: Kind,
    pub(super) entries: Vec<Entry<'a>>,
}

/// `Bundle.entry`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Entry<'a> {
    pub(super) full_url: Option<String>,
    #[serde(borrow)]
    pub(super) resource: Option<&'a RawValue>,
    pub(super) request: Option<Request>,
    #[serde(default, rename = "id")]
    _id: Option<IgnoredAny>,
    #[serde(default, rename = "extension")]
    _extension: Option<IgnoredAny>,
    #[serde(default, rename = "modifierExtension")]
    _modifier: Option<NeverAny>,
    #[serde(default, rename = "link")]
    _link: Option<IgnoredAny>,
    #[serde(default, rename = "search")]
    _search: Option<IgnoredAny>,
    #[serde(default, rename = "response")]
    _response: Option<IgnoredAny>,
}

/// `Bundle.entry.request`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) if_none_match: Option<String>,
    pub(super) if_modified_since: Option<String>,
    pub(super) if_match: Option<String>,
    pub(super) if_none_exist: Option<String>,
    #[serde(default, rename = "id")]
    _id: Option<IgnoredAny>,
    #[serde(default, rename = "extension")]
    _extension: Option<IgnoredAny>,
}

/// A modifier extension changes what an entry means in a way nobody here knows.
#[derive(Debug)]
struct NeverAny;

impl<'de> Deserialize<'de> for NeverAny {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("modifier extensions are not supported"))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Whole<'a> {
    resource_type: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(borrow, default)]
    entry: Vec<Entry<'a>>,
    #[serde(default, rename = "id")]
    _id: Option<IgnoredAny>,
    #[serde(default, rename = "meta")]
    _meta: Option<IgnoredAny>,
    #[serde(default, rename = "implicitRules")]
    _implicit_rules: Option<NeverAny>,
    #[serde(default, rename = "language")]
    _language: Option<IgnoredAny>,
    #[serde(default, rename = "identifier")]
    _identifier: Option<IgnoredAny>,
    #[serde(default, rename = "timestamp")]
    _timestamp: Option<IgnoredAny>,
    #[serde(default, rename = "total")]
    _total: Option<IgnoredAny>,
    #[serde(default, rename = "link")]
    _link: Option<IgnoredAny>,
    #[serde(default, rename = "signature")]
    _signature: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    resource_type: String,
}

/// Reads a Bundle.
pub(super) fn parse(body: &[u8]) -> Result<Bundle<'_>, Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let other =
        || Error::refused("resourceType", "must be Bundle at the base URL; other resources go to [base]/[type]");
    let whole: Whole<'_> = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        if serde_json::from_slice::<Named>(body).is_ok_and(|named| named.resource_type != "Bundle") {
            return other();
        }
        let path = error.path().to_string();
        let path = if path == "." || path == "?" { "Bundle".to_owned() } else { format!("Bundle.{path}") };
        Error::refused(path, error.into_inner())
    })?;
    deserializer.end().map_err(|error| Error::refused("Bundle", error))?;
    if whole.resource_type != "Bundle" {
        return Err(other());
    }
    let kind = match whole.kind.as_deref() {
        Some("batch") => Kind::Batch,
        Some("transaction") => Kind::Transaction,
        _ => return Err(Error::refused("Bundle.type", "must be batch or transaction")),
    };
    Ok(Bundle { kind, entries: whole.entry })
}
