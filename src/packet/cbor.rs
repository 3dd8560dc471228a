//! CBOR bodies (RFC 8949) with typed arrays (RFC 8746), turned into the JSON terms the packet is defined in.

use ciborium::Value;
use serde_json::{Map, Number, Value as Json};

use super::BatchError;

/// The deepest nesting read.
const MAX_DEPTH: usize = 32;

/// One map or an array of maps.
pub(super) fn packets(body: &[u8], limit: usize) -> Result<Vec<Json>, BatchError> {
    let mut rest = body;
    let value: Value = ciborium::de::from_reader_with_recursion_limit(&mut rest, MAX_DEPTH)
        .map_err(|error| malformed(error.to_string()))?;
    if !rest.is_empty() {
        return Err(malformed(format!("{} bytes after the end", rest.len())));
    }
    match value {
        Value::Array(items) if items.len() > limit => Err(BatchError::TooMany { found: items.len(), limit }),
        Value::Array(items) => items.into_iter().map(json).collect(),
        one => Ok(vec![json(one)?]),
    }
}

fn malformed(problem: String) -> BatchError {
    BatchError::Malformed { format: "CBOR", problem }
}

fn json(value: Value) -> Result<Json, BatchError> {
    Ok(match value {
        Value::Null => Json::Null,
        Value::Bool(b) => Json::Bool(b),
        Value::Text(text) => Json::String(text),
        Value::Integer(i) => {
            let i = i128::from(i);
            match (u64::try_from(i), i64::try_from(i)) {
                (Ok(unsigned), _) => Json::Number(unsigned.into()),
                (_, Ok(signed)) => Json::Number(signed.into()),
                _ => return Err(malformed("an integer beyond 64 bits".to_owned())),
            }
        }
        Value::Float(f) => number(f)?,
        // A GATT value may come as the bytes they are; its JSON form is base64.
        Value::Bytes(bytes) => {
            use base64::Engine;
            Json::String(base64::engine::general_purpose::STANDARD.encode(bytes))
        }
        Value::Array(items) => Json::Array(items.into_iter().map(json).collect::<Result<_, _>>()?),
        Value::Map(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                let Value::Text(key) = key else {
                    return Err(malformed("a map key that is no text".to_owned()));
                };
                if map.insert(key.clone(), json(value)?).is_some() {
                    return Err(malformed(format!("key {key} twice in a map")));
                }
            }
            Json::Object(map)
        }
        Value::Tag(tag, inner) => match *inner {
            Value::Bytes(bytes) => Json::Array(typed_array(tag, &bytes)?),
            _ => return Err(malformed(format!("tag {tag} is not a typed array"))),
        },
        _ => return Err(malformed("a value JSON has no word for".to_owned())),
    })
}

fn number(f: f64) -> Result<Json, BatchError> {
    Number::from_f64(f).map(Json::Number).ok_or_else(|| malformed("a number that is NaN or infinite".to_owned()))
}

/// RFC 8746 section 2.1: tag 0b010_f_s_e_ll.
fn typed_array(tag: u64, bytes: &[u8]) -> Result<Vec<Json>, BatchError> {
    macro_rules! items {
        ($type:ty, $from:ident) => {{
            const WIDTH: usize = size_of::<$type>();
            if !bytes.len().is_multiple_of(WIDTH) {
                return Err(malformed(format!("a typed array of {} bytes is not a multiple of {WIDTH}", bytes.len())));
            }
            let values = bytes.as_chunks::<WIDTH>().0.iter().map(|chunk| <$type>::$from(*chunk));
            values.map(|v| number(f64::from(v))).collect()
        }};
    }
    match tag {
        64 | 68 => items!(u8, from_be_bytes),
        65 => items!(u16, from_be_bytes),
        66 => items!(u32, from_be_bytes),
        69 => items!(u16, from_le_bytes),
        70 => items!(u32, from_le_bytes),
        72 => items!(i8, from_be_bytes),
        73 => items!(i16, from_be_bytes),
        74 => items!(i32, from_be_bytes),
        77 => items!(i16, from_le_bytes),
        78 => items!(i32, from_le_bytes),
        81 => items!(f32, from_be_bytes),
        82 => items!(f64, from_be_bytes),
        85 => items!(f32, from_le_bytes),
        86 => items!(f64, from_le_bytes),
        other => Err(malformed(format!("typed array tag {other} is not supported"))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Format, Limits, parse_one};
    use super::*;

    fn packet(values: Value) -> Vec<u8> {
        let text = |s: &str| Value::Text(s.to_owned());
        let samples = Value::Map(vec![
            (text("signal"), text("ecg")),
            (text("rate_hz"), Value::Integer(250.into())),
            (text("unit"), text("mV")),
            (text("scale"), Value::Float(0.005)),
            (text("values"), values),
        ]);
        let map = Value::Map(vec![
            (text("device"), text("d1")),
            (text("stream"), text("ecg")),
            (text("sequence"), Value::Integer(1.into())),
            (text("device_time"), text("2026-01-18T14:32:12Z")),
            (text("samples"), samples),
        ]);
        let mut bytes = Vec::new();
        ciborium::into_writer(&map, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn int16_with_scale_keeps_a_second_of_ecg_small() {
        let bytes: Vec<u8> = (0..250_i16).flat_map(i16::to_le_bytes).collect();
        let body = packet(Value::Tag(77, Box::new(Value::Bytes(bytes))));
        assert!(body.len() < 650, "{} bytes", body.len());
        let packet = parse_one(Format::Cbor, &body, Limits::default()).unwrap();
        let values = packet.samples.unwrap().values;
        assert_eq!(values.len(), 250);
        assert_eq!(values[200], Some(1.0));
    }

    #[test]
    fn nan_and_garbage_are_refused() {
        assert!(
            parse_one(Format::Cbor, &packet(Value::Array(vec![Value::Float(f64::NAN)])), Limits::default()).is_err()
        );
        assert!(
            parse_one(Format::Cbor, &packet(Value::Tag(77, Box::new(Value::Bytes(vec![1])))), Limits::default())
                .is_err()
        );
        assert!(parse_one(Format::Cbor, b"\xff\xff", Limits::default()).is_err());
    }
}
