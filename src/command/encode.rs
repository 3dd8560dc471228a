//! Packets as bodies of `POST /ingest/raw-packet`, written straight into bytes.

use crate::packet::RawPacket;

/// A CBOR writer (RFC 8949) for the few shapes packets have.
#[derive(Debug, Default)]
pub(super) struct Cbor(Vec<u8>);

impl Cbor {
    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }

    fn head(&mut self, major: u8, value: u64) -> &mut Self {
        let major = major << 5;
        match value {
            0..24 => self.0.push(major | value as u8),
            24..0x100 => self.0.extend([major | 0x18, value as u8]),
            0x100..0x1_0000 => {
                self.0.push(major | 0x19);
                self.0.extend((value as u16).to_be_bytes());
            }
            0x1_0000..0x1_0000_0000 => {
                self.0.push(major | 0x1A);
                self.0.extend((value as u32).to_be_bytes());
            }
            _ => {
                self.0.push(major | 0x1B);
                self.0.extend(value.to_be_bytes());
            }
        }
        self
    }

    pub(super) fn array(&mut self, items: usize) -> &mut Self {
        self.head(4, items as u64)
    }

    pub(super) fn map(&mut self, entries: usize) -> &mut Self {
        self.head(5, entries as u64)
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.head(3, text.len() as u64);
        self.0.extend(text.as_bytes());
        self
    }

    pub(super) fn unsigned(&mut self, value: u64) -> &mut Self {
        self.head(0, value)
    }

    pub(super) fn float(&mut self, value: f64) -> &mut Self {
        self.0.push(0xFB);
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn yes(&mut self) -> &mut Self {
        self.0.push(0xF5);
        self
    }

    fn null(&mut self) -> &mut Self {
        self.0.push(0xF6);
        self
    }

    /// RFC 8746: a typed array of 16-bit integers, least significant octet first (tag 77).
    pub(super) fn int16(&mut self, values: &[i16]) -> &mut Self {
        self.head(6, 77).head(2, values.len() as u64 * 2);
        for value in values {
            self.0.extend(value.to_le_bytes());
        }
        self
    }

    /// RFC 8746: a typed array of doubles, least significant octet first (tag 86); a plain one where values are missing.
    fn doubles(&mut self, values: &[Option<f64>]) -> &mut Self {
        if values.iter().all(Option::is_some) {
            self.head(6, 86).head(2, values.len() as u64 * 8);
            self.0.extend(values.iter().flatten().flat_map(|v| v.to_le_bytes()));
            return self;
        }
        self.array(values.len());
        for value in values {
            match value {
                Some(value) => self.float(*value),
                None => self.null(),
            };
        }
        self
    }

    /// A packet of samples as recordings give them; none for any other content.
    pub(super) fn packet(packet: &RawPacket) -> Option<Vec<u8>> {
        let samples = packet.samples.as_ref().filter(|s| s.components.is_empty())?;
        let mut cbor = Self::default();
        let texts = [("firmware", packet.firmware.as_deref()), ("sdk", packet.sdk.as_deref())];
        let given = texts.iter().filter(|(_, text)| text.is_some()).count();
        cbor.map(5 + given + usize::from(packet.end_of_stream));
        cbor.text("device").text(packet.device.as_str());
        cbor.text("stream").text(packet.stream.as_str());
        cbor.text("sequence").unsigned(packet.sequence);
        cbor.text("device_time").text(&packet.device_time.to_rfc3339());
        for (name, text) in texts {
            if let Some(text) = text {
                cbor.text(name).text(text);
            }
        }
        if packet.end_of_stream {
            cbor.text("end_of_stream").yes();
        }
        let texts = [("unit", samples.unit.as_deref()), ("lead", samples.lead.as_deref())];
        let given = texts.iter().filter(|(_, text)| text.is_some()).count();
        cbor.text("samples").map(2 + given + usize::from(samples.rate_hz.is_some()));
        cbor.text("signal").text(samples.signal.as_str());
        if let Some(rate) = samples.rate_hz {
            cbor.text("rate_hz").float(rate);
        }
        for (name, text) in texts {
            if let Some(text) = text {
                cbor.text(name).text(text);
            }
        }
        cbor.text("values").doubles(&samples.values);
        Some(cbor.finish())
    }
}

/// Packets already written, as one array.
pub(super) fn cbor_array(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut cbor = Cbor::default();
    cbor.array(packets.len());
    let mut body = cbor.finish();
    body.extend(packets.iter().flatten());
    body
}

/// Packets already written, as one array.
pub(super) fn json_array(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut body = Vec::with_capacity(packets.iter().map(|p| p.len() + 1).sum::<usize>() + 2);
    body.push(b'[');
    for (index, packet) in packets.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend(packet);
    }
    body.push(b']');
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Format, Limits, parse_batch, parse_one};

    #[test]
    fn cbor_and_json_are_the_same_packet() {
        for (values, end) in [("-0.345,0,1e-3", "true"), ("0.5,null", "false")] {
            let json = format!(
                r#"{{"device":"d","stream":"ecg","sequence":70000,"device_time":"2026-01-01T00:00:00.123456Z","sdk":"1","end_of_stream":{end},
                "samples":{{"signal":"ecg","rate_hz":360,"unit":"mV","lead":"II","values":[{values}]}}}}"#
            );
            let packet = parse_one(Format::Json, json.as_bytes(), Limits::default()).unwrap();
            let body = cbor_array(&[Cbor::packet(&packet).unwrap()]);
            assert_eq!(&parse_batch(Format::Cbor, &body, Limits::default()).unwrap(), std::slice::from_ref(&packet));
            let body = json_array(&[json.clone().into_bytes(), json.into_bytes()]);
            assert_eq!(parse_batch(Format::Json, &body, Limits::default()).unwrap(), [packet.clone(), packet]);
        }
    }
}
