//! Constructors for [`Element`] trees, so that building a resource reads like the resource.
//!
//! In the element model every primitive is an element with a `value` of its own (it may carry `id` and extensions beside
//! it); these functions hide that.

use crate::{Element, Primitive, Value};

/// An element from its children, in order. Children whose value is `None` are left out.
pub fn element<const N: usize>(children: [(&str, Option<Value>); N]) -> Element {
    let mut element = Element::with_capacity(N);
    for (name, value) in children {
        if let Some(value) = value {
            element.insert(name.to_owned(), value);
        }
    }
    element
}

/// [`element`] as a child.
#[allow(clippy::unnecessary_wraps)] // every constructor here answers what `element` takes
pub fn object<const N: usize>(children: [(&str, Option<Value>); N]) -> Option<Value> {
    Some(Value::Element(element(children)))
}

/// A repeating element; none when empty, since FHIR has no empty arrays.
pub fn list(elements: Vec<Element>) -> Option<Value> {
    if elements.is_empty() { None } else { Some(Value::Sequence(elements)) }
}

/// A repeating element with one repetition.
#[allow(clippy::unnecessary_wraps)]
pub fn one(element: Element) -> Option<Value> {
    Some(Value::Sequence(vec![element]))
}

/// A primitive of any string-like type: string, code, uri, dateTime, id, base64Binary.
#[allow(clippy::unnecessary_wraps)]
pub fn text(value: impl Into<String>) -> Option<Value> {
    Some(Value::Element(primitive(Primitive::String(value.into()))))
}

/// A repeating string-like primitive; none when empty.
pub fn texts<I, S>(values: I) -> Option<Value>
where
    I: IntoIterator<Item = S>,
    S: Into<String>,
{
    list(values.into_iter().map(|v| primitive(Primitive::String(v.into()))).collect())
}

/// A boolean.
#[allow(clippy::unnecessary_wraps)]
pub fn boolean(value: bool) -> Option<Value> {
    Some(Value::Element(primitive(Primitive::Bool(value))))
}

/// An integer, positiveInt or unsignedInt.
#[allow(clippy::unnecessary_wraps)]
pub fn integer(value: i32) -> Option<Value> {
    Some(Value::Element(primitive(Primitive::Integer(value))))
}

/// A decimal, already written with the digits it is to keep. See [`decimal_digits`].
#[allow(clippy::unnecessary_wraps)]
pub fn decimal(digits: impl Into<String>) -> Option<Value> {
    Some(Value::Element(primitive(Primitive::Decimal(digits.into()))))
}

/// `value` rounded to `places` decimals: the one place where a measured number becomes a FHIR decimal.
///
/// Never writes a negative zero. `None` for NaN and infinities, which FHIR cannot hold.
pub fn decimal_digits(value: f64, places: u8) -> Option<String> {
    if !value.is_finite() {
        return None;
    }
    let digits = format!("{value:.*}", usize::from(places));
    if digits.starts_with('-') && digits.bytes().all(|b| matches!(b, b'-' | b'0' | b'.')) {
        return Some(digits[1..].to_owned());
    }
    Some(digits)
}

/// An extension with one value, `("valueCode", text("x"))`.
pub fn extension(url: &str, value: (&str, Option<Value>)) -> Element {
    element([("url", url_attribute(url)), value])
}

/// An extension made of extensions.
pub fn complex_extension(url: &str, parts: Vec<Element>) -> Element {
    element([("url", url_attribute(url)), ("extension", list(parts))])
}

/// `Extension.url` is the one element that is a bare primitive: it can carry neither id nor extensions.
#[allow(clippy::unnecessary_wraps)]
fn url_attribute(url: &str) -> Option<Value> {
    Some(Value::Primitive(Primitive::String(url.to_owned())))
}

fn primitive(value: Primitive) -> Element {
    let mut element = Element::with_capacity(1);
    element.insert("value".to_owned(), Value::Primitive(value));
    element
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_have_a_plain_url() {
        let part = extension("part", ("valueCode", text("x")));
        let patient = element([
            ("resourceType", url_attribute("Patient")),
            ("extension", one(complex_extension("http://e", vec![part]))),
        ]);
        let json = crate::json::to_vec(&patient).unwrap();
        let expected = br#"{"resourceType":"Patient","extension":[{"url":"http://e","extension":[{"url":"part","valueCode":"x"}]}]}"#;
        assert_eq!(String::from_utf8(json).unwrap().as_bytes(), expected);
    }

    #[test]
    fn decimals_keep_the_places_they_are_given() {
        assert_eq!(decimal_digits(36.0, 1).as_deref(), Some("36.0"));
        assert_eq!(decimal_digits(-0.01, 1).as_deref(), Some("0.0"));
        assert_eq!(decimal_digits(-1.26, 1).as_deref(), Some("-1.3"));
        assert_eq!(decimal_digits(f64::NAN, 1), None);
    }
}
