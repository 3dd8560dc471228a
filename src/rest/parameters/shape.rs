//! How much of each resource is answered: `_summary` and `_elements`. <https://hl7.org/fhir/R4/search.html#summary>

use crate::rest::error::Error;
use crate::rest::parameters::pairs;

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

impl Shape {
    /// What `_summary` says.
    pub(super) fn of_summary(text: &str) -> Result<Self, Error> {
        match text {
            "false" => Ok(Self::Whole),
            "true" => Ok(Self::Summary),
            "text" => Ok(Self::Text),
            "data" => Ok(Self::Data),
            _ => Err(Error::invalid("_summary", "must be true, text, data, count or false")),
        }
    }

    /// What the query of a read asks for: one resource, so there is nothing to count.
    pub(crate) fn of_read(query: Option<&str>) -> Result<Self, Error> {
        let mut shape = Self::Whole;
        for (name, value) in pairs(query) {
            match (name.as_str(), value.as_str()) {
                ("_summary", "count") => return Err(Error::invalid("_summary", "must be true, text, data or false")),
                ("_summary", value) => shape = Self::of_summary(value)?,
                ("_elements", value) => shape = elements("_elements", value)?,
                _ => {}
            }
        }
        Ok(shape)
    }
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
