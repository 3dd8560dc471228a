//! FHIR JSON in and out. <https://hl7.org/fhir/R4/json.html>

use fhirbolt::serde::{DeserializationConfig, DeserializationMode};

use crate::Element;

/// Why a body is not a FHIR resource.
#[derive(Debug, thiserror::Error)]
#[error("not a FHIR R4 resource: {source}")]
pub struct ParseError {
    #[source]
    source: fhirbolt::json::Error,
}

/// Why an element could not be written.
#[derive(Debug, thiserror::Error)]
#[error("element is not valid FHIR R4: {source}")]
pub struct WriteError {
    #[source]
    source: fhirbolt::json::Error,
}

/// The deepest nesting read. R4 itself nests about a dozen levels; recursive ones (Questionnaire.item) a few more.
pub const MAX_DEPTH: usize = 64;

/// Reads one resource, refusing elements R4 does not know.
///
/// # Errors
/// The JSON is malformed, nested deeper than [`MAX_DEPTH`], or holds an unknown element.
pub fn parse(json: &[u8]) -> Result<Element, ParseError> {
    let config = DeserializationConfig { mode: DeserializationMode::Strict };
    fhirbolt::json::from_slice(json, Some(config)).map_err(|source| ParseError { source })
}

/// Writes one resource, elements in the order they were put in.
///
/// # Errors
/// The element holds what R4 does not know or a decimal that is none.
pub fn to_vec(resource: &Element) -> Result<Vec<u8>, WriteError> {
    fhirbolt::json::to_vec(resource, None).map_err(|source| WriteError { source })
}

/// Writes one resource indented, for files that people read.
///
/// # Errors
/// As [`to_vec`].
pub fn to_string_pretty(resource: &Element) -> Result<String, WriteError> {
    fhirbolt::json::to_string_pretty(resource, None).map_err(|source| WriteError { source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_survive_a_round_trip() {
        let json =
            br#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.10}}"#;
        assert_eq!(to_vec(&parse(json).unwrap()).unwrap(), json.to_vec());
    }

    #[test]
    fn unknown_elements_are_refused_by_name() {
        let error = parse(br#"{"resourceType":"Observation","colour":"red"}"#).unwrap_err().to_string();
        assert!(error.contains("colour"), "{error}");
    }

    #[test]
    fn nesting_bombs_are_refused() {
        let bomb = format!("{}{}", r#"{"resourceType":"Bundle","entry":["#, "[".repeat(100_000));
        assert!(parse(bomb.as_bytes()).is_err());
    }
}
