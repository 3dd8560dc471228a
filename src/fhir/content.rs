//! A resource as a client wrote it: checked against R4, then kept as it is.
//!
//! The element model costs a tenth of a millisecond for an Observation in and out, most of it to learn what R4 knows under
//! each name. Whether a resource is accepted depends on its names and the kinds of its values alone, its *shape*; clients send
//! the same few shapes again and again. So the element model judges each shape once, and a shape it accepted is
//! remembered. Besides, nothing may be empty and dates must be dates, which the element model does not look at.

mod date;
mod shape;

use serde_json::{Map, Value};

use crate::{Element, json, stored};

/// The object a resource is.
pub type Object = Map<String, Value>;

/// A resource that may be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Content(Object);

/// Why a body is no resource that may be stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct Invalid {
    /// FHIRPath of the element at fault, where known.
    pub path: Option<String>,
    /// What is wrong with it.
    pub problem: String,
    /// Whether it is the form that is wrong, not a value.
    pub is_structure: bool,
}

impl Invalid {
    fn structure(path: Option<String>, problem: impl Into<String>) -> Self {
        Self { path, problem: problem.into(), is_structure: true }
    }
}

impl Content {
    /// Reads a resource.
    ///
    /// # Errors
    /// It is not JSON, not R4, or has something empty or a date that is none.
    pub fn parse(json: &[u8]) -> Result<Self, Invalid> {
        match serde_json::from_slice(json) {
            Ok(Value::Object(object)) => Self::new(object),
            Ok(_) => Err(Invalid::structure(None, "not a JSON object")),
            Err(error) => Err(Invalid::structure(None, format!("not JSON: {error}"))),
        }
    }

    /// Takes an object as a resource.
    ///
    /// # Errors
    /// As [`Content::parse`].
    pub fn new(mut object: Object) -> Result<Self, Invalid> {
        shape::type_first(&mut object);
        let Some(kind) = object.get("resourceType").and_then(Value::as_str).map(str::to_owned) else {
            return Err(Invalid::structure(Some("resourceType".to_owned()), "resourceType is missing or no string"));
        };
        shape::check_values(&object, &kind)?;
        let shape = shape::of(&object);
        if !shape::is_known(shape) {
            let bytes = serde_json::to_vec(&object).map_err(|e| Invalid::structure(None, e.to_string()))?;
            let element = json::parse(&bytes).map_err(|e| explained(&object, &kind, &e.to_string()))?;
            shape::check_lists(&object, &kind)?;
            let again = json::to_vec(&element).map_err(|e| explained(&object, &kind, &e.to_string()))?;
            // A number in quotes is taken for a number: that depends on the value, so it is not to be remembered.
            if serde_json::from_slice::<Object>(&again)
                .is_ok_and(|again| shape::of_sorted(&again) == shape::of_sorted(&object))
            {
                shape::remember(shape);
            }
        }
        Ok(Self(object))
    }

    /// `resourceType`.
    pub fn kind(&self) -> &str {
        self.0.get("resourceType").and_then(Value::as_str).unwrap_or_default()
    }

    /// `id`.
    pub fn id(&self) -> Option<&str> {
        self.0.get("id").and_then(Value::as_str)
    }

    /// The object.
    pub fn object(&self) -> &Object {
        &self.0
    }

    /// The object, to put other references into it.
    pub fn object_mut(&mut self) -> &mut Object {
        &mut self.0
    }

    /// Says where it is from, unless it does so itself. <https://hl7.org/fhir/R4/resource.html#Meta>
    pub fn set_source(&mut self, source: &str) {
        if let Value::Object(meta) = self.0.entry("meta").or_insert_with(|| Value::Object(Map::new())) {
            meta.entry("source").or_insert_with(|| Value::String(source.to_owned()));
        }
    }

    /// What the store keeps of it, see [`stored`].
    pub fn tail(&self) -> Vec<u8> {
        stored::tail_of(&self.0)
    }

    /// What the store searches in.
    pub fn element(&self) -> Element {
        shape::element(&self.0)
    }
}

/// Whether R4 has a list under `name` in the element at `path` of a resource type.
pub fn is_list(kind: &str, path: &[&str], name: &str) -> bool {
    shape::at(kind, path, name).is_some_and(|path| path.current_element_is_sequence())
}

/// Whether R4 has an element of this name there.
pub fn is_element(kind: &str, path: &[&str], name: &str) -> bool {
    shape::at(kind, path, name).is_some()
}

/// What the element model says, shorter and with the place.
fn explained(object: &Object, kind: &str, message: &str) -> Invalid {
    let message = message.split(", expected one of [").next().unwrap_or(message);
    let message = message.split(", there are no fields").next().unwrap_or(message);
    let name = message.split_once("unknown field `").and_then(|(_, rest)| rest.split_once('`')).map(|(name, _)| name);
    let path = name.and_then(|name| shape::place_of(object, kind, name));
    Invalid::structure(path, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBSERVATION: &str = r#"{"resourceType":"Observation","id":"x","meta":{"versionId":"7","profile":["http://p"]},"status":"final","code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}]},"effectiveDateTime":"2026-01-18T14:00:00Z","valueQuantity":{"value":1.10}}"#;

    #[test]
    fn what_is_accepted_is_kept_as_it_is() {
        for _ in 0..2 {
            let mut content = Content::parse(OBSERVATION.as_bytes()).unwrap();
            let as_element = json::parse(OBSERVATION.as_bytes()).unwrap();
            assert_eq!(content.tail(), stored::tail(as_element.clone()).unwrap());
            let element = content.element();
            for path in ["code.coding.code", "valueQuantity.value", "effectiveDateTime", "meta.profile"] {
                assert_eq!(crate::read::strings(&element, path), crate::read::strings(&as_element, path));
            }
            content.set_source("urn:x");
            content.set_source("urn:y");
            assert_eq!(content.object()["meta"]["source"], "urn:x");
        }
    }

    #[test]
    fn the_type_may_come_last() {
        let json =
            r#"{"status":"active","contained":[{"active":true,"resourceType":"Patient"}],"resourceType":"Device"}"#;
        let content = Content::parse(json.as_bytes()).unwrap();
        let mut whole = Vec::new();
        stored::write(&mut whole, content.kind(), "x", 1, "2026-01-18T14:00:00.000Z", &content.tail());
        assert_eq!(crate::read::elements(&json::parse(&whole).unwrap(), "contained.active").len(), 1);
        assert_eq!(crate::read::string(&json::parse(&whole).unwrap(), "status"), Some("active"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        Content::parse(OBSERVATION.as_bytes()).unwrap();
        for (from, to, path) in [
            (r#""status""#, r#""colour""#, Some("Observation.colour")),
            (r#""final""#, "5", None),
            (r#""final""#, "null", Some("Observation.status")),
            (r#""final""#, r#""""#, Some("Observation.status")),
            (r#"[{"system":"http://loinc.org","code":"8867-4"}]"#, "[]", Some("Observation.code.coding")),
            (r#""code":"8867-4""#, r#""codee":"8867-4""#, Some("Observation.code.coding[0].codee")),
            ("2026-01-18T14:00:00Z", "yesterday", Some("Observation.effectiveDateTime")),
            ("2026-01-18T14:00:00Z", "2026-13", Some("Observation.effectiveDateTime")),
            ("1.10", r#""much""#, None),
            (r#"{"value":1.10}"#, "{}", Some("Observation.valueQuantity")),
            (r#""final""#, r#"["final"]"#, Some("Observation.status")),
            (r#"[{"system":"http://loinc.org","code":"8867-4"}]"#, r#"{"code":"x"}"#, Some("Observation.code.coding")),
            (r#"{"versionId":"7","profile":["http://p"]}"#, "[{}]", Some("Observation.meta[0]")),
            (r#""resourceType":"Observation""#, r#""status":"x""#, Some("resourceType")),
        ] {
            let text = OBSERVATION.replace(from, to);
            assert_ne!(text, OBSERVATION);
            let invalid = Content::parse(text.as_bytes()).unwrap_err();
            assert_eq!(invalid.path.as_deref(), path, "{invalid}");
        }
        // A value that was taken for a number is no licence for one that is none.
        Content::parse(OBSERVATION.replace("1.10", "\"1.10\"").as_bytes()).unwrap();
        assert!(Content::parse(OBSERVATION.replace("1.10", "\"1.x\"").as_bytes()).is_err());
        for bad in ["", "[]", "5", "{", "{}", "{\"resourceType\":5}", &"[".repeat(100_000)] {
            assert!(Content::parse(bad.as_bytes()).is_err(), "{bad:.20}");
        }
    }
}
