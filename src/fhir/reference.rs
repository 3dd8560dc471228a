//! References inside a resource: to find them and to turn them into others.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::content::Object;

/// Elements whose texts may look like a `urn:uuid:` and are none of a reference's kind.
const TEXTS: [&str; 5] = ["id", "system", "display", "valueString", "text"];

/// Hands every `Reference.reference` in `resource`, contained resources included, to `see`, with the path to it.
pub fn each<'a>(resource: &'a Object, path: &str, see: &mut impl FnMut(&str, &'a str)) {
    for (name, value) in resource {
        match value {
            Value::String(text) if name == "reference" => see(path, text),
            Value::Object(inner) => each(inner, &format!("{path}.{name}"), see),
            Value::Array(items) => {
                for (i, inner) in items.iter().enumerate().filter_map(|(i, item)| Some((i, item.as_object()?))) {
                    each(inner, &format!("{path}.{name}[{i}]"), see);
                }
            }
            _ => {}
        }
    }
}

/// Replaces whatever `target` has another text for: references, and `urn:uuid:`s in elements of the types uri, url,
/// canonical, oid and uuid and in the links of a narrative. <https://hl7.org/fhir/R4/http.html#trules>
///
/// The keys of `targets` are in lower case where they are `urn:`s. `local` is what own absolute references start with.
pub fn replace(resource: &mut Object, targets: &BTreeMap<String, String>, local: &str) {
    for (name, value) in resource.iter_mut() {
        replace_in(name, value, "", targets, local);
    }
}

fn replace_in(name: &str, value: &mut Value, parent: &str, targets: &BTreeMap<String, String>, local: &str) {
    match value {
        Value::Object(inner) => {
            for (inner_name, value) in inner.iter_mut() {
                replace_in(inner_name, value, name, targets, local);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace_in(name, item, parent, targets, local)),
        Value::String(text) if name == "reference" => {
            if let Some(rest) = text.strip_prefix(local).and_then(|rest| rest.strip_prefix('/')) {
                *text = rest.to_owned();
            }
            let target = if is_urn(text) { targets.get(&text.to_ascii_lowercase()) } else { targets.get(text) };
            if let Some(target) = target {
                text.clone_from(target);
            }
        }
        Value::String(text) if name == "div" => {
            for (from, to) in targets.iter().filter(|(from, _)| is_urn(from)) {
                *text = text.replace(&format!("\"{from}\""), &format!("\"{to}\""));
            }
        }
        // `Identifier.value` may be a UUID of its own.
        Value::String(text) if is_urn(text) && !TEXTS.contains(&name) && (name, parent) != ("value", "identifier") => {
            if let Some(target) = targets.get(&text.to_ascii_lowercase()) {
                text.clone_from(target);
            }
        }
        _ => {}
    }
}

/// Whether this is a `urn:uuid:` or `urn:oid:`.
pub fn is_urn(text: &str) -> bool {
    let starts = |with: &str| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    starts("urn:uuid:") || starts("urn:oid:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_replaced_wherever_they_stand() {
        let json = r#"{"text":{"div":"<a href=\"urn:uuid:a\">x</a>"},"contained":[{"target":[{"reference":"urn:uuid:A"}]}],
            "identifier":[{"system":"urn:ietf:rfc:3986","value":"urn:uuid:a"}],"subject":{"reference":"Patient?identifier=1"},
            "author":[{"reference":"http://h/fhir/R4/Device/d"}],
            "content":[{"attachment":{"url":"urn:uuid:a","title":"Patient?identifier=1"}}]}"#;
        let mut resource: Object = serde_json::from_str(json).unwrap();
        let targets = [("urn:uuid:a", "Binary/1"), ("Patient?identifier=1", "Patient/p")];
        replace(&mut resource, &targets.map(|(a, b)| (a.to_owned(), b.to_owned())).into(), "http://h/fhir/R4");
        let mut seen = Vec::new();
        each(&resource, "X", &mut |path, reference| seen.push(format!("{path} {reference}")));
        assert_eq!(seen, ["X.contained[0].target[0] Binary/1", "X.subject Patient/p", "X.author[0] Device/d"]);
        assert_eq!(resource["content"][0]["attachment"]["url"], "Binary/1");
        assert_eq!(resource["content"][0]["attachment"]["title"], "Patient?identifier=1");
        assert_eq!(resource["identifier"][0]["value"], "urn:uuid:a");
        assert_eq!(resource["text"]["div"], "<a href=\"Binary/1\">x</a>");
    }
}
