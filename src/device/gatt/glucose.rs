//! Glucose Measurement, 0x2A18 (Glucose Service 1.0.1, section 3.1).

use jiff::ToSpan;

use super::cursor::Cursor;
use super::{DecodeError, Decoded, FieldValue};

const OFFSET: u8 = 1;
const CONCENTRATION: u8 = 1 << 1;
const MOLES: u8 = 1 << 2;

pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    let mut cursor = Cursor::new(bytes);
    let flags = cursor.u8("flags")?;
    cursor.skip::<2>("sequence number")?;
    let mut stated_time = cursor.date_time("time")?;
    if flags & OFFSET != 0 {
        let minutes = i64::from(cursor.i16("time offset")?);
        stated_time = stated_time.and_then(|time| time.checked_add(minutes.minutes()).ok());
    }
    let mut values = Vec::new();
    if flags & CONCENTRATION != 0 {
        let concentration = cursor.sfloat("glucose")?;
        cursor.skip::<1>("type and sample location")?;
        // 1 kg/L is 100 000 mg/dL, 1 mol/L is 1000 mmol/L: the decimal point moves, nothing is rounded.
        values.push(match flags & MOLES {
            0 => FieldValue { field: "glucose", value: concentration.times_ten_to(5), unit: "mg/dL" },
            _ => FieldValue { field: "glucose", value: concentration.times_ten_to(3), unit: "mmol/L" },
        });
    }
    Ok(Decoded { values, stated_time })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: [u8; 9] = [17, 0, 0xEA, 0x07, 1, 18, 14, 32, 12];

    fn message(flags: u8, tail: &[u8]) -> Vec<u8> {
        [&[flags][..], &HEAD, tail].concat()
    }

    #[test]
    fn mass_and_moles() {
        // 95e-5 kg/L and 53e-4 mol/L.
        let mass = decode(&message(0x02, &[0x5F, 0xB0, 0x11])).unwrap();
        assert_eq!(mass.values, [FieldValue { field: "glucose", value: Ok(95.0), unit: "mg/dL" }]);
        let moles = decode(&message(0x06, &[0x35, 0xC0, 0x11])).unwrap();
        assert_eq!(moles.values, [FieldValue { field: "glucose", value: Ok(5.3), unit: "mmol/L" }]);
    }

    #[test]
    fn the_offset_is_signed_and_concentration_optional() {
        let decoded = decode(&message(0x01, &(-33_i16).to_le_bytes())).unwrap();
        assert_eq!(decoded.stated_time.unwrap().to_string(), "2026-01-18T13:59:12");
        assert!(decoded.values.is_empty());
        assert!(decode(&message(0x02, &[0x5F])).is_err());
    }
}
