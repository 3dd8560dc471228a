//! Temperature Measurement, 0x2A1C (Health Thermometer Service 1.0, section 3.1).

use super::cursor::Cursor;
use super::{DecodeError, Decoded, FieldValue};

const FAHRENHEIT: u8 = 1;
const TIME: u8 = 1 << 1;

pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    let mut cursor = Cursor::new(bytes);
    let flags = cursor.u8("flags")?;
    let unit = if flags & FAHRENHEIT == 0 { "Cel" } else { "[degF]" };
    let value = cursor.float("temperature")?.value();
    let stated_time = if flags & TIME == 0 { None } else { cursor.date_time("time")? };
    Ok(Decoded { values: vec![FieldValue { field: "temperature", value, unit }], stated_time })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::AbsentReason;

    #[test]
    fn both_scales_and_no_number() {
        let celsius = decode(&[0x00, 0x6C, 0x01, 0x00, 0xFF]).unwrap();
        assert_eq!(celsius.values, [FieldValue { field: "temperature", value: Ok(36.4), unit: "Cel" }]);
        let fahrenheit = decode(&[0x07, 0xDA, 0x03, 0x00, 0xFF, 0xEA, 0x07, 1, 18, 14, 32, 12, 9]).unwrap();
        assert_eq!(fahrenheit.values, [FieldValue { field: "temperature", value: Ok(98.6), unit: "[degF]" }]);
        assert!(fahrenheit.stated_time.is_some());
        let none = decode(&[0x00, 0xFF, 0xFF, 0x7F, 0x00]).unwrap();
        assert_eq!(none.values[0].value, Err(AbsentReason::NotANumber));
        assert!(decode(&[0x00, 0x6C, 0x01, 0x00]).is_err());
    }
}
