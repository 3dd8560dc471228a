//! One sentence for readers without a viewer. <https://hl7.org/fhir/R4/narrative.html>

use crate::fhir::Value;
use crate::fhir::make::{object, text};

/// `text` with this sentence. It never names a person.
pub(crate) fn narrative(sentence: &str) -> Option<Value> {
    let mut div = String::with_capacity(sentence.len() + 56);
    div.push_str(r#"<div xmlns="http://www.w3.org/1999/xhtml">"#);
    for c in sentence.chars() {
        match c {
            '<' => div.push_str("&lt;"),
            '>' => div.push_str("&gt;"),
            '&' => div.push_str("&amp;"),
            c => div.push(c),
        }
    }
    div.push_str("</div>");
    object([("status", text("generated")), ("div", text(div))])
}
