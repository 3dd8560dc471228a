//! How much of each resource is answered: `_summary` and `_elements`. <https://hl7.org/fhir/R4/search.html#summary>

use crate::rest::error::Error;

/// What is left of a resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Everything.
    #[default]
    Whole,
    /// `_summary=true`
    Summary,
    /// `_summary=text`
    Text,
    /// `_summary=data`
    Data,
    /// `_elements=…`
    Elements(Vec<String>),
}

/// `_elements=status,code`
pub(super) fn elements(name: &str, text: &str) -> Result<Shape, Error> {
    let names: Vec<&str> = text.split(',').map(str::trim).collect();
    let plain = |name: &&str| !name.is_empty() && name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric());
    if names.iter().all(plain) {
        return Ok(Shape::Elements(names.into_iter().map(str::to_owned).collect()));
    }
    Err(Error::invalid(name, "must be names of elements of the resource with commas between them"))
}
