//! NDJSON: what a search found, a resource on each line, passed on as it is stored. The next page stands in the `Link` header
//! ([RFC 8288](https://www.rfc-editor.org/rfc/rfc8288)). Whatever is no search result is a line by itself.
//! <https://hl7.org/fhir/R4/nd-json.html>

use serde::Deserialize;
use serde_json::value::RawValue;

/// The media type.
pub(super) const MEDIA_TYPE: &str = "application/fhir+ndjson";

#[derive(Deserialize)]
struct Bundle<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(default)]
    link: Vec<Link>,
    #[serde(borrow, default)]
    entry: Vec<Entry<'a>>,
}

#[derive(Deserialize)]
struct Link {
    relation: String,
    url: String,
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
}

/// FHIR JSON as lines, with the URL of the next page where there is one; nothing where it is no JSON.
pub(super) fn lines(json: &[u8]) -> Option<(Vec<u8>, Option<String>)> {
    let whole: &RawValue = serde_json::from_slice(json).ok()?;
    let Some(bundle) = serde_json::from_str::<Bundle<'_>>(whole.get()).ok().filter(|b| b.kind == "searchset") else {
        return Some((line(whole).into_bytes(), None));
    };
    let lines: String = bundle.entry.iter().filter_map(|entry| entry.resource).map(line).collect();
    let next = bundle.link.into_iter().find(|link| link.relation == "next").map(|link| link.url);
    Some((lines.into_bytes(), next))
}

/// A value on a line of its own. A line break in JSON is white space between its tokens.
fn line(value: &RawValue) -> String {
    value.get().replace(['\n', '\r'], " ") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_becomes_its_resources() {
        let bundle = br#"{"resourceType":"Bundle","type":"searchset","link":[{"relation":"self","url":"a"},{"relation":"next","url":"b"}],
            "entry":[{"fullUrl":"x","resource":{"id":"1","value":1.10}},{"resource":{"id":"2",
            "x":"a\\nb"}}]}"#;
        let (text, next) = lines(bundle).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert!(text.starts_with("{\"id\":\"1\",\"value\":1.10}\n"), "{text}");
        assert_eq!(next.as_deref(), Some("b"));
        assert_eq!(lines(b"{\"resourceType\":\"Patient\"}").unwrap().0, b"{\"resourceType\":\"Patient\"}\n");
        let history = br#"{"resourceType":"Bundle","type":"history"}"#;
        assert_eq!(lines(history).unwrap().0, [history.as_slice(), b"\n"].concat());
        assert!(lines(b"<").is_none());
    }
}
