//! Documents that are the same for everybody but for the base URL they were asked for at.

/// What stands for the base URL until it is known.
pub(super) const PLACE: &str = "urn:afferent:base";

/// A document, written once, with a gap for the base URL.
#[derive(Debug)]
pub(super) struct Template {
    before: String,
    after: String,
}

impl Template {
    /// Of JSON that has [`PLACE`] in it once.
    pub(super) fn new(whole: &str) -> Self {
        let (before, after) = whole.split_once(PLACE).unwrap_or((whole, ""));
        Self { before: before.to_owned(), after: after.to_owned() }
    }

    /// The document at a base URL.
    pub(super) fn at(&self, base: &str) -> Vec<u8> {
        let base: String = base.chars().filter(|c| !c.is_control() && !matches!(c, '"' | '\\')).collect();
        [&self.before, &base, &self.after].map(String::as_str).concat().into_bytes()
    }
}
