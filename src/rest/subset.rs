//! Resources with some of their elements: `_summary` and `_elements`. What is left out is left out of the stored text; what
//! stays is passed on as it is written. <https://hl7.org/fhir/R4/search.html#summary>

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::parameters::Shape;
use crate::capability::ResourceRow;

/// The tag of a resource that is not all of it. <https://hl7.org/fhir/R4/resource.html#simple-tags>
const SUBSETTED: &str = r#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}"#;

/// `resource`, whole FHIR JSON, in another shape.
///
/// # Errors
/// It is no JSON.
pub(super) fn subset(
    resource: Vec<u8>,
    row: Option<&ResourceRow>,
    shape: &Shape,
) -> Result<Vec<u8>, serde_json::Error> {
    let empty: &[String] = &[];
    let (mandatory, summary) = row.map_or((empty, empty), |row| (&row.mandatory, &row.summary));
    let is_in = |names: &[String], name: &str| names.iter().any(|wanted| is_element(wanted, name));
    let keep = |name: &str| match shape {
        Shape::Whole | Shape::Summary => true,
        Shape::Data => name != "text",
        Shape::Text => name == "text" || is_in(mandatory, name),
        Shape::Elements(wanted) => {
            is_in(mandatory, name) || wanted.iter().any(|w| w == name || is_element(&format!("{w}[x]"), name))
        }
    };
    if *shape == Shape::Whole {
        return Ok(resource);
    }
    let object: Object<'_> = serde_json::from_slice(&resource)?;
    let mut out = Writer::default();
    for (name, value) in &object.0 {
        match name.trim_start_matches('_') {
            "resourceType" | "id" | "implicitRules" => out.member(name, value.get()),
            "meta" => out.member(name, &tagged(value)?),
            plain if *shape == Shape::Summary => {
                if let Some(value) = summarized(plain, value, summary)? {
                    out.member(name, &value);
                }
            }
            plain if keep(plain) => out.member(name, value.get()),
            _ => {}
        }
    }
    Ok(out.finish())
}

/// Whether `name` is the element `wanted`, a choice in any of its types.
pub(super) fn is_element(wanted: &str, name: &str) -> bool {
    match wanted.strip_suffix("[x]") {
        Some(choice) => name.strip_prefix(choice).is_some_and(|kind| kind.starts_with(char::is_uppercase)),
        None => wanted == name,
    }
}

/// What of an element belongs to a summary: all of it, or those of its children the paths name.
fn summarized<'a>(
    name: &str,
    value: &'a RawValue,
    paths: &[String],
) -> Result<Option<Cow<'a, str>>, serde_json::Error> {
    let first = |path: &'_ str| path.split('.').next().is_some_and(|first| is_element(first, name));
    let of_children: Vec<String> =
        paths.iter().filter(|p| first(p)).filter_map(|p| p.split_once('.')).map(|(_, rest)| rest.to_owned()).collect();
    if of_children.is_empty() {
        return Ok(paths.iter().any(|path| is_element(path, name)).then(|| Cow::Borrowed(value.get())));
    }
    if value.get().starts_with('[') {
        let parts: Vec<&RawValue> = serde_json::from_str(value.get())?;
        let parts: Vec<String> =
            parts.into_iter().map(|part| children(part, &of_children)).collect::<Result<_, _>>()?;
        let parts: Vec<String> = parts.into_iter().filter(|part| part != "{}").collect();
        return Ok((!parts.is_empty()).then(|| Cow::Owned(format!("[{}]", parts.join(",")))));
    }
    Ok(Some(children(value, &of_children)?).filter(|part| part != "{}").map(Cow::Owned))
}

fn children(value: &RawValue, paths: &[String]) -> Result<String, serde_json::Error> {
    if !value.get().starts_with('{') {
        return Ok(value.get().to_owned());
    }
    let object: Object<'_> = serde_json::from_str(value.get())?;
    let mut out = Writer::default();
    for (name, value) in &object.0 {
        if let Some(value) = summarized(name.trim_start_matches('_'), value, paths)? {
            out.member(name, &value);
        }
    }
    Ok(String::from_utf8_lossy(&out.finish()).into_owned())
}

/// `meta` with the tag.
fn tagged(meta: &RawValue) -> Result<String, serde_json::Error> {
    let object: Object<'_> = serde_json::from_str(meta.get())?;
    let mut out = Writer::default();
    let mut tags: Vec<&str> = Vec::new();
    for (name, value) in &object.0 {
        if name == "tag" {
            tags = serde_json::from_str::<Vec<&RawValue>>(value.get())?.into_iter().map(RawValue::get).collect();
        } else {
            out.member(name, value.get());
        }
    }
    tags.push(SUBSETTED);
    out.member("tag", &format!("[{}]", tags.join(",")));
    Ok(String::from_utf8_lossy(&out.finish()).into_owned())
}

/// The members of an object in their order.
struct Object<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// Writes an object.
#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn member(&mut self, name: &str, value: &str) {
        self.0.push(if self.0.is_empty() { b'{' } else { b',' });
        self.0.extend_from_slice(serde_json::Value::from(name).to_string().as_bytes());
        self.0.push(b':');
        self.0.extend_from_slice(value.as_bytes());
    }

    fn finish(mut self) -> Vec<u8> {
        if self.0.is_empty() {
            self.0.push(b'{');
        }
        self.0.push(b'}');
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::Capability;

    const OBSERVATION: &str = r#"{"resourceType":"Observation","id":"1","meta":{"versionId":"1","tag":[{"code":"x"}]},"text":{"status":"empty"},"status":"final","_status":{"id":"s"},"code":{"text":"c"},"valueQuantity":{"value":1.10},"note":[{"text":"n"}],"component":[{"code":{"text":"k"},"interpretation":[{"text":"i"}],"valueInteger":1},{"interpretation":[]}]}"#;

    #[track_caller]
    fn check(shape: Shape, expected: &str) {
        let capability = Capability::builtin().unwrap();
        let found = subset(OBSERVATION.as_bytes().to_vec(), capability.resource("Observation"), &shape).unwrap();
        let found = String::from_utf8(found).unwrap();
        let head = format!(
            r#"{{"resourceType":"Observation","id":"1","meta":{{"versionId":"1","tag":[{{"code":"x"}},{SUBSETTED}]}}"#
        );
        assert_eq!(found, format!("{head}{expected}}}"), "{shape:?}");
    }

    #[test]
    fn what_stays_is_as_it_was_written() {
        let status = r#","status":"final","_status":{"id":"s"},"code":{"text":"c"}"#;
        check(
            Shape::Summary,
            &format!(
                r#"{status},"valueQuantity":{{"value":1.10}},"component":[{{"code":{{"text":"k"}},"valueInteger":1}}]"#
            ),
        );
        check(Shape::Text, &format!(r#","text":{{"status":"empty"}}{status}"#));
        check(
            Shape::Elements(vec!["value".to_owned(), "id".to_owned()]),
            &format!(r#"{status},"valueQuantity":{{"value":1.10}}"#),
        );
        check(
            Shape::Elements(vec!["valueQuantity".to_owned()]),
            &format!(r#"{status},"valueQuantity":{{"value":1.10}}"#),
        );
        check(
            Shape::Data,
            &format!(
                r#"{status},"valueQuantity":{{"value":1.10}},"note":[{{"text":"n"}}],"component":[{{"code":{{"text":"k"}},"interpretation":[{{"text":"i"}}],"valueInteger":1}},{{"interpretation":[]}}]"#
            ),
        );
        let whole = subset(OBSERVATION.as_bytes().to_vec(), None, &Shape::Whole).unwrap();
        assert_eq!(whole, OBSERVATION.as_bytes());
    }
}
