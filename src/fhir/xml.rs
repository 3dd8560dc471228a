//! FHIR XML in and out. <https://hl7.org/fhir/R4/xml.html>

use fhirbolt::serde::{DeserializationConfig, DeserializationMode};

use crate::Element;
use crate::json::MAX_DEPTH;

/// Why a body is not a FHIR resource.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// It is not UTF-8.
    #[error("not UTF-8")]
    Text,
    /// It is nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH}")]
    Depth,
    /// It is malformed or holds what R4 does not know.
    #[error("not a FHIR R4 resource: {0}")]
    Resource(#[source] fhirbolt::xml::Error),
}

/// Why an element could not be written.
#[derive(Debug, thiserror::Error)]
#[error("element is not valid FHIR R4: {source}")]
pub struct WriteError {
    #[source]
    source: fhirbolt::xml::Error,
}

/// Reads one resource, refusing elements R4 does not know.
///
/// # Errors
/// [`ParseError`].
pub fn parse(xml: &[u8]) -> Result<Element, ParseError> {
    let text = std::str::from_utf8(xml).map_err(|_| ParseError::Text)?;
    if is_deep(text) {
        return Err(ParseError::Depth);
    }
    let config = DeserializationConfig { mode: DeserializationMode::Strict };
    fhirbolt::xml::from_str(text.trim_start_matches('\u{feff}'), Some(config)).map_err(ParseError::Resource)
}

/// Writes one resource.
///
/// # Errors
/// The element holds what R4 does not know.
pub fn to_vec(resource: &Element) -> Result<Vec<u8>, WriteError> {
    fhirbolt::xml::to_vec(resource, None).map_err(|source| WriteError { source })
}

/// Whether more elements are open at once than any resource needs; the reader below goes as deep as it is led.
fn is_deep(text: &str) -> bool {
    let mut open = 0_usize;
    for part in text.split('<').skip(1) {
        let tag = part.split('>').next().unwrap_or_default();
        if tag.starts_with('/') {
            open = open.saturating_sub(1);
        } else if !tag.starts_with(['?', '!']) && !tag.ends_with('/') {
            open += 1;
            if open > MAX_DEPTH {
                return true;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_xml_say_the_same() {
        let json = br#"{"resourceType":"Observation","status":"final","code":{"text":"a<b"},"valueQuantity":{"value":1.10},"note":[{"text":"x"},{"text":"y"}]}"#;
        let xml = to_vec(&crate::json::parse(json).unwrap()).unwrap();
        assert_eq!(crate::json::to_vec(&parse(&xml).unwrap()).unwrap(), json.to_vec());
    }

    #[test]
    fn what_is_no_resource_is_refused() {
        let deep = "<a>".repeat(100_000);
        let unknown = r#"<Observation xmlns="http://hl7.org/fhir"><colour value="red"/></Observation>"#;
        for bad in ["", "<", "<x/>", "{}", deep.as_str(), unknown, "<Observation/>", "<a xmlns='http://hl7.org/fhir'"] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad:.60}");
        }
        assert!(parse(b"\xff\xfe<").is_err());
    }
}
