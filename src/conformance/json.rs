//! JSON as it was written: the order of properties, repeated properties and the kind of a number are kept, and strings
//! are borrowed from the text where they have no escapes.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Json<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A number written without point and exponent.
    Integer(i64),
    /// Any other number.
    Decimal(f64),
    /// A string.
    String(Cow<'a, str>),
    /// An array.
    Array(Vec<Json<'a>>),
    /// An object.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl<'a> Json<'a> {
    /// Reads one JSON text.
    pub fn parse(text: &'a [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice::<Text<'a>>(text).map(|text| text.0)
    }

    /// The value of an object's property.
    pub fn get(&self, name: &str) -> Option<&Json<'a>> {
        match self {
            Self::Object(properties) => properties.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// A string's text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value as one that borrows nothing.
    pub fn into_owned(self) -> Json<'static> {
        match self {
            Self::Null => Json::Null,
            Self::Boolean(value) => Json::Boolean(value),
            Self::Integer(value) => Json::Integer(value),
            Self::Decimal(value) => Json::Decimal(value),
            Self::String(text) => Json::String(Cow::Owned(text.into_owned())),
            Self::Array(items) => Json::Array(items.into_iter().map(Json::into_owned).collect()),
            Self::Object(properties) => {
                let owned =
                    properties.into_iter().map(|(key, value)| (Cow::Owned(key.into_owned()), value.into_owned()));
                Json::Object(owned.collect())
            }
        }
    }
}

/// JSON text on its way in; [`Json`] itself is what tables are written with.
struct Text<'a>(Json<'a>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Text)
    }
}

/// A property's name, borrowed where it can be.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_str(Reader)? {
            Json::String(text) => Ok(Self(text)),
            _ => Ok(Self(Cow::Borrowed(""))),
        }
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Json::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Json::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(value).map_or(Json::Decimal(value as f64), Json::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Json::Decimal(value))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Json::String(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Json::String(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Text(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut properties: A) -> Result<Self::Value, A::Error> {
        let mut object = Vec::with_capacity(8);
        while let Some((Name(name), Text(value))) = properties.next_entry()? {
            object.push((name, value));
        }
        if let [(name, Json::String(text))] = object.as_slice()
            && name == NUMBER
        {
            return Ok(number(text));
        }
        Ok(Json::Object(object))
    }
}

/// The property that serde_json writes a number as where another crate asks it for arbitrary precision.
const NUMBER: &str = "$serde_json::private::Number";

/// A number by its text.
fn number(text: &str) -> Json<'static> {
    match text.parse() {
        Ok(whole) => Json::Integer(whole),
        Err(_) => Json::Decimal(text.parse().unwrap_or(f64::NAN)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_numbers_however_they_are_handed_over() {
        for text in [
            "[1,-2,0.93,1e2]",
            r#"[{"$serde_json::private::Number":"1"},-2,{"$serde_json::private::Number":"0.93"},1e2]"#,
        ] {
            let numbers =
                Json::Array(vec![Json::Integer(1), Json::Integer(-2), Json::Decimal(0.93), Json::Decimal(100.0)]);
            assert_eq!(Json::parse(text.as_bytes()).unwrap(), numbers);
        }
    }
}
