//! Documents that are the same for everybody but for the base URL they were asked for at.

/// What stands for the base URL until it is known.
pub(super) const PLACE: &str = "urn:afferent:base";

/// What stands for the URL of the authorization server until it is known.
pub(super) const AUTHORIZATION: &str = "urn:afferent:oauth2";

/// A document, written once, with gaps for the URLs.
#[derive(Debug)]
pub(super) struct Template(String);

impl Template {
    /// Of JSON that may have [`PLACE`] and [`AUTHORIZATION`] in it.
    pub(super) fn new(whole: &str) -> Self {
        Self(whole.to_owned())
    }

    /// The document at a base URL.
    pub(super) fn at(&self, base: &str) -> Vec<u8> {
        let base: String = base.chars().filter(|c| !c.is_control() && !matches!(c, '"' | '\\')).collect();
        let root = base.strip_suffix("/fhir/R4").unwrap_or(&base);
        self.0.replace(AUTHORIZATION, &format!("{root}/oauth2")).replace(PLACE, &base).into_bytes()
    }
}
