//! Weight Measurement, 0x2A9D (Weight Scale Service 1.0.1, section 3.2).

use super::cursor::Cursor;
use super::{DecodeError, Decoded, FieldValue};
use crate::signal::AbsentReason;

const IMPERIAL: u8 = 1;
const TIME: u8 = 1 << 1;
const UNSUCCESSFUL: u16 = 0xFFFF;

pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    let mut cursor = Cursor::new(bytes);
    let flags = cursor.u8("flags")?;
    let raw = cursor.u16("weight")?;
    // Steps of 0.005 kg or 0.01 lb.
    let (value, unit) = match flags & IMPERIAL {
        0 => (f64::from(raw) * 5.0 / 1000.0, "kg"),
        _ => (f64::from(raw) / 100.0, "[lb_av]"),
    };
    let value = if raw == UNSUCCESSFUL { Err(AbsentReason::Error) } else { Ok(value) };
    let stated_time = if flags & TIME == 0 { None } else { cursor.date_time("time")? };
    Ok(Decoded { values: vec![FieldValue { field: "weight", value, unit }], stated_time })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kilograms_pounds_and_a_failed_weighing() {
        let weight = |bytes: &[u8]| decode(bytes).unwrap().values.remove(0);
        assert_eq!(weight(&[0x00, 0x8C, 0x3C]), FieldValue { field: "weight", value: Ok(77.5), unit: "kg" });
        assert_eq!(weight(&[0x01, 0x48, 0x43]), FieldValue { field: "weight", value: Ok(172.24), unit: "[lb_av]" });
        assert_eq!(weight(&[0x00, 0xFF, 0xFF]).value, Err(AbsentReason::Error));
        assert!(decode(&[0x02, 0x8C, 0x3C, 0xEA]).is_err());
    }
}
