//! PLX Spot-Check Measurement 0x2A5E and PLX Continuous Measurement 0x2A5F (Pulse Oximeter Service 1.0.1, section 3).

use super::cursor::Cursor;
use super::{DecodeError, Decoded, FieldValue};

pub(super) fn decode_spot_check(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    let mut cursor = Cursor::new(bytes);
    let flags = cursor.u8("flags")?;
    let mut values = saturation_and_pulse(&mut cursor)?;
    let stated_time = if flags & 1 == 0 { None } else { cursor.date_time("time")? };
    status_and_perfusion(&mut cursor, flags >> 1, &mut values)?;
    Ok(Decoded { values, stated_time })
}

pub(super) fn decode_continuous(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    let mut cursor = Cursor::new(bytes);
    let flags = cursor.u8("flags")?;
    let mut values = saturation_and_pulse(&mut cursor)?;
    if flags & 1 != 0 {
        cursor.skip::<4>("fast response")?;
    }
    if flags & 2 != 0 {
        cursor.skip::<4>("slow response")?;
    }
    status_and_perfusion(&mut cursor, flags >> 2, &mut values)?;
    Ok(Decoded { values, stated_time: None })
}

fn saturation_and_pulse(cursor: &mut Cursor<'_>) -> Result<Vec<FieldValue>, DecodeError> {
    let spo2 = cursor.sfloat("spo2")?.value();
    let pulse_rate = cursor.sfloat("pulse_rate")?.value();
    Ok(vec![
        FieldValue { field: "spo2", value: spo2, unit: "%" },
        FieldValue { field: "pulse_rate", value: pulse_rate, unit: "/min" },
    ])
}

/// Three flags both characteristics end in: measurement status, device and sensor status, pulse amplitude index.
fn status_and_perfusion(cursor: &mut Cursor<'_>, flags: u8, values: &mut Vec<FieldValue>) -> Result<(), DecodeError> {
    if flags & 1 != 0 {
        cursor.skip::<2>("measurement status")?;
    }
    if flags & 2 != 0 {
        cursor.skip::<3>("device and sensor status")?;
    }
    if flags & 4 != 0 {
        let value = cursor.sfloat("perfusion_index")?.value();
        values.push(FieldValue { field: "perfusion_index", value, unit: "%" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::AbsentReason;

    fn named(decoded: &Decoded) -> Vec<(&'static str, Result<f64, AbsentReason>)> {
        decoded.values.iter().map(|v| (v.field, v.value)).collect()
    }

    #[test]
    fn spot_check_with_everything() {
        let mut bytes = vec![0x0F, 97, 0, 64, 0];
        bytes.extend([0xEA, 0x07, 1, 18, 14, 32, 12]);
        bytes.extend([0x20, 0x00, 0x00, 0x00, 0x00]);
        bytes.extend([0x23, 0xF0]);
        let decoded = decode_spot_check(&bytes).unwrap();
        assert_eq!(named(&decoded), [("spo2", Ok(97.0)), ("pulse_rate", Ok(64.0)), ("perfusion_index", Ok(3.5))]);
        assert!(decoded.stated_time.is_some());
        bytes.pop();
        assert!(decode_spot_check(&bytes).is_err());
    }

    #[test]
    fn continuous_skips_its_fast_and_slow_fields() {
        let mut bytes = vec![0x1F, 0xFF, 0x07, 64, 0];
        bytes.extend([96, 0, 65, 0, 95, 0, 66, 0]);
        bytes.extend([0x00, 0x00, 0x00, 0x00, 0x00]);
        bytes.extend([0x0C, 0xF0]);
        let expected =
            [("spo2", Err(AbsentReason::NotANumber)), ("pulse_rate", Ok(64.0)), ("perfusion_index", Ok(1.2))];
        assert_eq!(named(&decode_continuous(&bytes).unwrap()), expected);
        assert_eq!(named(&decode_continuous(&[0, 97, 0, 64, 0]).unwrap()).len(), 2);
    }
}
