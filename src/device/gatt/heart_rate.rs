//! Heart Rate Measurement, 0x2A37 (Heart Rate Service 1.0, section 3.1).

use super::cursor::Cursor;
use super::{DecodeError, Decoded, FieldValue};
use crate::signal::AbsentReason;

const WIDE: u8 = 1;
const ENERGY: u8 = 1 << 3;
const RR: u8 = 1 << 4;

pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    let mut cursor = Cursor::new(bytes);
    let flags = cursor.u8("flags")?;
    let rate = if flags & WIDE == 0 { u16::from(cursor.u8("heart_rate")?) } else { cursor.u16("heart_rate")? };
    // Sensors send 0 while they have no contact; the contact bits themselves are not to be relied on.
    let value = if rate == 0 { Err(AbsentReason::Error) } else { Ok(f64::from(rate)) };
    let mut values = vec![FieldValue { field: "heart_rate", value, unit: "/min" }];
    if flags & ENERGY != 0 {
        cursor.skip::<2>("energy expended")?;
    }
    if flags & RR != 0 {
        while !cursor.is_empty() {
            // In 1/1024 s: exact in binary.
            let milliseconds = f64::from(cursor.u16("rr_interval")?) * 1000.0 / 1024.0;
            values.push(FieldValue { field: "rr_interval", value: Ok(milliseconds), unit: "ms" });
        }
    }
    Ok(Decoded { values, stated_time: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> Vec<(&'static str, Result<f64, AbsentReason>)> {
        decode(bytes).unwrap().values.into_iter().map(|v| (v.field, v.value)).collect()
    }

    #[test]
    fn rates_of_both_widths_and_intervals_oldest_first() {
        assert_eq!(decoded(&[0x06, 72]), [("heart_rate", Ok(72.0))]);
        assert_eq!(decoded(&[0x01, 0x2C, 0x01]), [("heart_rate", Ok(300.0))]);
        assert_eq!(
            decoded(&[0x18, 60, 0x10, 0x27, 0x00, 0x04, 0x00, 0x02]),
            [("heart_rate", Ok(60.0)), ("rr_interval", Ok(1000.0)), ("rr_interval", Ok(500.0))]
        );
        assert_eq!(decoded(&[0x10, 60]), [("heart_rate", Ok(60.0))]);
        assert_eq!(decoded(&[0x04, 0]), [("heart_rate", Err(AbsentReason::Error))]);
    }

    #[test]
    fn half_an_interval_is_an_error() {
        let error = decode(&[0x10, 60, 0x00, 0x04, 0x00]).unwrap_err();
        assert_eq!(error, DecodeError::Truncated { field: "rr_interval", needed: 2, left: 1 });
        assert!(decode(&[]).is_err() && decode(&[0]).is_err() && decode(&[0x08, 60, 1]).is_err());
    }
}
