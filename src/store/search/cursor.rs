//! Where a page of a search ended: the sort values of its last resource. Opaque to clients, checked when it comes back.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::store::sql::Value;

/// Position after a resource in the order of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Cursor {
    /// Values of the sort columns, the row's number last.
    pub(in crate::store) at: Vec<Value>,
}

/// Why a text is no cursor of this search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a position in this search; start again from its first page")]
pub struct InvalidCursor;

#[derive(Serialize, Deserialize)]
struct Wire {
    check: [u8; 8],
    at: Vec<Part>,
}

#[derive(Serialize, Deserialize)]
enum Part {
    Int(i64),
    Text(String),
}

impl Cursor {
    /// The text for a `next` link; it is good for the search that `search` describes and no other.
    pub fn encode(&self, search: &str) -> String {
        let at: Vec<Part> = self.at.iter().filter_map(part).collect();
        let wire = Wire { check: check(search, &at), at };
        URL_SAFE_NO_PAD.encode(postcard::to_stdvec(&wire).unwrap_or_default())
    }

    /// Reads what [`Cursor::encode`] wrote for the same search.
    ///
    /// # Errors
    /// It is something else.
    pub fn decode(text: &str, search: &str) -> Result<Self, InvalidCursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidCursor)?;
        let (wire, rest): (Wire, _) = postcard::take_from_bytes(&bytes).map_err(|_| InvalidCursor)?;
        // No text that is stored has it, and PostgreSQL takes none that does.
        let void = |part: &Part| matches!(part, Part::Text(text) if text.contains('\0'));
        if !rest.is_empty() || wire.at.iter().any(void) || wire.check != check(search, &wire.at) {
            return Err(InvalidCursor);
        }
        let value = |part| match part {
            Part::Int(n) => Value::Int(n),
            Part::Text(t) => Value::Text(t),
        };
        Ok(Self { at: wire.at.into_iter().map(value).collect() })
    }
}

fn part(value: &Value) -> Option<Part> {
    match value {
        Value::Int(n) => Some(Part::Int(*n)),
        Value::Text(t) => Some(Part::Text(t.clone())),
        Value::Real(_) | Value::Blob(_) => None,
    }
}

/// Binds position and search together: a mistaken or mangled cursor is refused. It grants nothing, so it is not signed.
fn check(search: &str, at: &[Part]) -> [u8; 8] {
    let mut digest = Sha256::new();
    digest.update(b"cursor 1\x1f");
    digest.update(search.as_bytes());
    digest.update([0x1f]);
    digest.update(postcard::to_stdvec(at).unwrap_or_default());
    let mut first = [0u8; 8];
    first.iter_mut().zip(digest.finalize()).for_each(|(to, from)| *to = from);
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_good_for_its_search_only() {
        let cursor = Cursor { at: vec![Value::Int(-5), Value::Text("x".to_owned()), Value::Int(7)] };
        let text = cursor.encode("Observation?code=1");
        assert_eq!(Cursor::decode(&text, "Observation?code=1"), Ok(cursor));
        assert_eq!(Cursor::decode(&text, "Observation?code=2"), Err(InvalidCursor));
        for bad in ["", "x", "AAAA", "ä", &text[1..], &format!("{text}A")] {
            assert_eq!(Cursor::decode(bad, "Observation?code=1"), Err(InvalidCursor), "{bad:?}");
        }
    }
}
