//! Blood Pressure Measurement, 0x2A35 (Blood Pressure Service 1.1.1, section 3.1).

use super::cursor::Cursor;
use super::{DecodeError, Decoded, FieldValue};

const KILOPASCAL: u8 = 1;
const TIME: u8 = 1 << 1;
const PULSE: u8 = 1 << 2;

pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    let mut cursor = Cursor::new(bytes);
    let flags = cursor.u8("flags")?;
    let unit = if flags & KILOPASCAL == 0 { "mm[Hg]" } else { "kPa" };
    let mut values = Vec::with_capacity(4);
    for field in ["systolic", "diastolic", "mean_arterial_pressure"] {
        values.push(FieldValue { field, value: cursor.sfloat(field)?.value(), unit });
    }
    let stated_time = if flags & TIME == 0 { None } else { cursor.date_time("time")? };
    if flags & PULSE != 0 {
        values.push(FieldValue { field: "pulse_rate", value: cursor.sfloat("pulse_rate")?.value(), unit: "/min" });
    }
    Ok(Decoded { values, stated_time })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::AbsentReason;

    #[test]
    fn pressures_time_and_pulse() {
        let bytes = [0x06, 120, 0, 80, 0, 0xFF, 0x07, 0xEA, 0x07, 1, 18, 14, 32, 12, 0xD0, 0xF2];
        let decoded = decode(&bytes).unwrap();
        let values: Vec<_> = decoded.values.iter().map(|v| (v.field, v.value, v.unit)).collect();
        assert_eq!(
            values,
            [
                ("systolic", Ok(120.0), "mm[Hg]"),
                ("diastolic", Ok(80.0), "mm[Hg]"),
                ("mean_arterial_pressure", Err(AbsentReason::NotANumber), "mm[Hg]"),
                ("pulse_rate", Ok(72.0), "/min"),
            ]
        );
        assert_eq!(decoded.stated_time.unwrap().to_string(), "2026-01-18T14:32:12");
    }

    #[test]
    fn kilopascals_are_said_to_be() {
        let decoded = decode(&[0x01, 0xA0, 0xF0, 0x6B, 0xF0, 0x7C, 0xF0]).unwrap();
        assert_eq!(decoded.values[0], FieldValue { field: "systolic", value: Ok(16.0), unit: "kPa" });
        assert_eq!(decoded.values[1].value, Ok(10.7));
        assert!(decode(&[0x06, 120, 0, 80, 0, 93, 0, 0xEA]).is_err());
    }
}
