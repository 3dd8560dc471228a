//! Bodies of `POST /ingest/raw-packet` to packets: one or a batch, as JSON, NDJSON or CBOR.

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::{PacketError, RawPacket, cbor};

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `application/json`: an object or an array of objects.
    Json,
    /// `application/x-ndjson`: an object a line.
    Ndjson,
    /// `application/cbor`: a map or an array of maps.
    Cbor,
}

/// What a body may hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Packets in a batch.
    pub packets: usize,
    /// Values in a packet.
    pub values: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { packets: 10_000, values: 200_000 }
    }
}

/// Why a body gives no packets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Nothing in it.
    #[error("the body is empty")]
    Empty,
    /// More packets than allowed.
    #[error("{found} packets in one batch, at most {limit} are taken")]
    TooMany {
        /// Packets found.
        found: usize,
        /// Packets allowed.
        limit: usize,
    },
    /// Not the format it claims to be.
    #[error("not {format}: {problem}")]
    Malformed {
        /// JSON, NDJSON or CBOR.
        format: &'static str,
        /// What and where.
        problem: String,
    },
    /// A packet in it is wrong.
    #[error("packet {index}: {source}")]
    Packet {
        /// Position in the batch, from 0.
        index: usize,
        /// What is wrong with it.
        #[source]
        source: PacketError,
    },
}

/// Reads a body.
///
/// # Errors
/// The first thing wrong with it; nothing of a bad body is used.
pub fn parse_batch(format: Format, body: &[u8], limits: Limits) -> Result<Vec<RawPacket>, BatchError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(BatchError::Empty);
    }
    match format {
        Format::Json => parse_json(body, limits),
        Format::Ndjson => {
            let lines = body.split(|b| *b == b'\n').filter(|line| !line.iter().all(u8::is_ascii_whitespace));
            collect(lines.map(|line| from_json(line).and_then(|p| checked(p, limits))), limits)
        }
        Format::Cbor => {
            let packets = cbor::packets(body, limits.packets)?;
            collect(packets.into_iter().map(|value| from_value(value).and_then(|p| checked(p, limits))), limits)
        }
    }
}

/// Reads exactly one packet.
///
/// # Errors
/// What is wrong with it, naming the element.
pub fn parse_one(format: Format, body: &[u8], limits: Limits) -> Result<RawPacket, BatchError> {
    let mut packets = parse_batch(format, body, limits)?;
    match (packets.pop(), packets.len()) {
        (Some(packet), 0) => Ok(packet),
        (_, more) => Err(BatchError::TooMany { found: more + 1, limit: 1 }),
    }
}

fn parse_json(body: &[u8], limits: Limits) -> Result<Vec<RawPacket>, BatchError> {
    let first = body.iter().find(|b| !b.is_ascii_whitespace());
    if first != Some(&b'[') {
        let packet = from_json(body).and_then(|p| checked(p, limits));
        return packet.map(|p| vec![p]).map_err(|source| BatchError::Packet { index: 0, source });
    }
    let items: Vec<&RawValue> = serde_json::from_slice(body)
        .map_err(|error| BatchError::Malformed { format: "JSON", problem: error.to_string() })?;
    if items.is_empty() {
        return Err(BatchError::Empty);
    }
    if items.len() > limits.packets {
        return Err(BatchError::TooMany { found: items.len(), limit: limits.packets });
    }
    collect(items.iter().map(|item| from_json(item.get().as_bytes()).and_then(|p| checked(p, limits))), limits)
}

fn collect(
    packets: impl Iterator<Item = Result<RawPacket, PacketError>>,
    limits: Limits,
) -> Result<Vec<RawPacket>, BatchError> {
    let mut out = Vec::new();
    for (index, packet) in packets.enumerate() {
        if index >= limits.packets {
            return Err(BatchError::TooMany { found: index + 1, limit: limits.packets });
        }
        out.push(packet.map_err(|source| BatchError::Packet { index, source })?);
    }
    if out.is_empty() { Err(BatchError::Empty) } else { Ok(out) }
}

/// One packet from JSON text.
pub(super) fn from_json(json: &[u8]) -> Result<RawPacket, PacketError> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let packet = named(serde_path_to_error::deserialize(&mut deserializer))?;
    deserializer.end().map_err(|error| PacketError::at("packet", error.to_string()))?;
    Ok(packet)
}

fn from_value(value: serde_json::Value) -> Result<RawPacket, PacketError> {
    named(serde_path_to_error::deserialize(value))
}

fn named<T: DeserializeOwned>(
    result: Result<T, serde_path_to_error::Error<serde_json::Error>>,
) -> Result<T, PacketError> {
    result.map_err(|error| {
        let path = error.path().to_string();
        PacketError::at(if path == "." { "packet".to_owned() } else { path }, error.inner().to_string())
    })
}

/// The packet in canonical terms, or what is wrong with it whatever the registry says.
fn checked(mut packet: RawPacket, limits: Limits) -> Result<RawPacket, PacketError> {
    let contents = usize::from(packet.samples.is_some())
        + usize::from(packet.gatt.is_some())
        + usize::from(packet.vendor.is_some());
    if contents > 1 || (contents == 0 && !packet.end_of_stream) {
        return Err(PacketError::at("packet", "needs exactly one of samples, gatt and vendor"));
    }
    for (element, text) in [("firmware", &packet.firmware), ("sdk", &packet.sdk)] {
        if text.as_ref().is_some_and(|t| t.is_empty() || t.len() > 128 || t.chars().any(char::is_control)) {
            return Err(PacketError::at(element, "must be 1 to 128 printable characters"));
        }
    }
    let Some(samples) = &mut packet.samples else { return Ok(packet) };
    if samples.values.len() > limits.values {
        let problem = format!("{} values, at most {} are taken", samples.values.len(), limits.values);
        return Err(PacketError::at("samples.values", problem));
    }
    if samples.values.is_empty() == samples.components.is_empty() {
        return Err(PacketError::at("samples", "needs either values or components"));
    }
    if samples.rate_hz.is_some_and(|rate| !(rate.is_finite() && rate > 0.0 && rate <= 100_000.0)) {
        return Err(PacketError::at("samples.rate_hz", "must be above 0 and at most 100000"));
    }
    if samples.lead.as_ref().is_some_and(|t| t.is_empty() || t.len() > 32 || t.chars().any(char::is_control)) {
        return Err(PacketError::at("samples.lead", "must be 1 to 32 printable characters"));
    }
    if let Some(scale) = samples.scale.take() {
        if !scale.is_finite() || scale == 0.0 {
            return Err(PacketError::at("samples.scale", "must be finite and not 0"));
        }
        samples.values.iter_mut().flatten().for_each(|value| *value = scaled(*value, scale));
    }
    for (index, value) in samples.values.iter().enumerate() {
        if value.is_some_and(|v| !v.is_finite()) {
            return Err(PacketError::at(
                format!("samples.values[{index}]"),
                "is not a finite number; write null for a missing sample",
            ));
        }
    }
    if let Some((component, _)) = samples.components.iter().find(|(_, v)| !v.is_finite()) {
        return Err(PacketError::at(format!("samples.components.{component}"), "is not a finite number"));
    }
    Ok(packet)
}

/// `value` counts of `scale`. A scale such as 0.005 has no exact binary form, its inverse does: dividing gives the number
/// the sender means, with no digits behind it that are not there.
fn scaled(value: f64, scale: f64) -> f64 {
    let inverse = (1.0 / scale).round();
    if inverse != 0.0 && (inverse * scale - 1.0).abs() < 1e-12 { value / inverse } else { value * scale }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: &str = r#"{"device":"d1","stream":"ecg","sequence":17,"device_time":"2026-01-18T14:32:12.345Z",
        "samples":{"signal":"ecg","rate_hz":250,"unit":"mV","values":[0.012,null,-1]}}"#;

    fn json(text: &str) -> Result<Vec<RawPacket>, BatchError> {
        parse_batch(Format::Json, text.as_bytes(), Limits::default())
    }

    #[test]
    fn the_canonical_form_does_not_depend_on_the_way_it_was_written() {
        let one = json(PACKET).unwrap().remove(0).canonical().unwrap();
        let reordered = r#"[ {"samples":{"values":[0.012,null,-1.0],"unit":"mV","rate_hz":250.0,"signal":"ecg"},
            "device_time":"2026-01-18T15:32:12.345+01:00","sequence":17,"stream":"ecg","device":"d1"} ]"#;
        assert_eq!(json(reordered).unwrap().remove(0).canonical().unwrap(), one);
        let back = RawPacket::from_canonical(&one.json).unwrap();
        assert_eq!(back.canonical().unwrap(), one);
    }

    #[test]
    fn errors_name_the_element() {
        for (body, expected) in [
            (PACKET.replace("\"d1\"", "\"d 1\""), "packet 0: device"),
            (PACKET.replace("2026-01-18T14", "yesterday"), "packet 0: device_time"),
            (PACKET.replace("17", "-1"), "packet 0: sequence"),
            (PACKET.replace("250", "0"), "packet 0: samples.rate_hz"),
            (PACKET.replace("\"unit\"", "\"units\""), "packet 0: samples"),
            (PACKET.replace("0.012", "NaN"), "packet 0: samples.values"),
            ("{}".to_owned(), "device"),
            ("   ".to_owned(), "the body is empty"),
            ("[]".to_owned(), "the body is empty"),
        ] {
            let error = json(&body).unwrap_err().to_string();
            assert!(error.contains(expected), "{body}\n{error}");
        }
    }

    #[test]
    fn scaled_counts_are_the_numbers_they_stand_for() {
        assert_eq!(scaled(-69.0, 0.005).to_string(), "-0.345");
        assert_eq!(scaled(3.0, 0.1).to_string(), "0.3");
        assert_eq!(scaled(3.0, 2.5), 7.5);
    }

    #[test]
    fn too_many_packets_are_refused_before_they_are_read() {
        let batch = format!("[{}]", vec!["{}"; 10_001].join(","));
        assert_eq!(json(&batch), Err(BatchError::TooMany { found: 10_001, limit: 10_000 }));
    }

    #[test]
    fn nesting_bombs_are_refused() {
        let bomb = "[".repeat(10 << 20);
        assert!(matches!(json(&bomb), Err(BatchError::Malformed { .. } | BatchError::Packet { .. })));
        assert!(parse_batch(Format::Cbor, &vec![0x81; 10 << 20], Limits::default()).is_err());
    }
}
