//! Octets to numbers: integers, IEEE 11073-20601 FLOAT and SFLOAT, and the seven-octet date time.

use crate::signal::AbsentReason;

/// Why a value is not what its characteristic says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The octets end inside a field.
    #[error("ends before or within {field}: {needed} bytes needed, {left} left")]
    Truncated {
        /// The field.
        field: &'static str,
        /// Octets it has.
        needed: usize,
        /// Octets left.
        left: usize,
    },
}

/// What is left to read.
pub(super) struct Cursor<'a>(&'a [u8]);

/// A decimal number or a special value, before it becomes a float.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal(Result<(i32, i32), AbsentReason>);

impl Decimal {
    /// The number times 10^`exponent`, rounded once.
    pub(super) fn times_ten_to(self, exponent: i32) -> Result<f64, AbsentReason> {
        let (mantissa, own) = self.0?;
        format!("{mantissa}e{}", own + exponent).parse().map_err(|_| AbsentReason::NotANumber)
    }

    /// The number.
    pub(super) fn value(self) -> Result<f64, AbsentReason> {
        self.times_ten_to(0)
    }

    /// From the sign-extended mantissa of `bits` bits; the five highest patterns are special values.
    fn new(mantissa: i32, exponent: i32, bits: u32) -> Self {
        let limit = 1_i32 << (bits - 1);
        Self(match mantissa {
            m if m == limit - 1 => Err(AbsentReason::NotANumber),
            // Infinities, and NRes: "not at this resolution".
            m if m == limit - 2 || m == 2 - limit || m == -limit => Err(AbsentReason::Error),
            // Reserved.
            m if m == 1 - limit => Err(AbsentReason::Unknown),
            m => Ok((m, exponent)),
        })
    }
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn take<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let (head, rest) =
            self.0.split_first_chunk::<N>().ok_or(DecodeError::Truncated { field, needed: N, left: self.0.len() })?;
        self.0 = rest;
        Ok(*head)
    }

    pub(super) fn skip<const N: usize>(&mut self, field: &'static str) -> Result<(), DecodeError> {
        self.take::<N>(field).map(drop)
    }

    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        self.take::<1>(field).map(|[octet]| octet)
    }

    pub(super) fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        self.take(field).map(u16::from_le_bytes)
    }

    pub(super) fn i16(&mut self, field: &'static str) -> Result<i16, DecodeError> {
        self.take(field).map(i16::from_le_bytes)
    }

    /// SFLOAT: four bits of exponent, twelve of mantissa, both signed.
    pub(super) fn sfloat(&mut self, field: &'static str) -> Result<Decimal, DecodeError> {
        let raw = self.i16(field)?;
        Ok(Decimal::new(i32::from(raw << 4 >> 4), i32::from(raw >> 12), 12))
    }

    /// FLOAT: eight bits of exponent, twenty-four of mantissa, both signed.
    pub(super) fn float(&mut self, field: &'static str) -> Result<Decimal, DecodeError> {
        let raw = i32::from_le_bytes(self.take(field)?);
        Ok(Decimal::new(raw << 8 >> 8, raw >> 24, 24))
    }

    /// Year, month, day, hours, minutes, seconds; none where a part is unknown (0) or no date.
    pub(super) fn date_time(&mut self, field: &'static str) -> Result<Option<jiff::civil::DateTime>, DecodeError> {
        let year = self.i16(field)?;
        let [month, day, hour, minute, second] = self.take(field)?.map(|octet| i8::try_from(octet).unwrap_or(-1));
        if year == 0 {
            return Ok(None);
        }
        Ok(jiff::civil::DateTime::new(year, month, day, hour, minute, second, 0).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sfloat(raw: u16) -> Result<f64, AbsentReason> {
        Cursor::new(&raw.to_le_bytes()).sfloat("x").unwrap().value()
    }

    fn float(raw: u32) -> Result<f64, AbsentReason> {
        Cursor::new(&raw.to_le_bytes()).float("x").unwrap().value()
    }

    #[test]
    fn sfloat_numbers_and_special_values() {
        assert_eq!(sfloat(0x0072), Ok(114.0));
        assert_eq!(sfloat(0xF48F), Ok(116.7));
        assert_eq!(sfloat(0xFFFF), Ok(-0.1));
        assert_eq!(sfloat(0x8001), Ok(1e-8));
        assert_eq!(sfloat(0x7001), Ok(1e7));
        assert_eq!(sfloat(0x07FF), Err(AbsentReason::NotANumber));
        assert_eq!(sfloat(0x0800), Err(AbsentReason::Error));
        assert_eq!(sfloat(0x07FE), Err(AbsentReason::Error));
        assert_eq!(sfloat(0x0802), Err(AbsentReason::Error));
        assert_eq!(sfloat(0x0801), Err(AbsentReason::Unknown));
    }

    #[test]
    fn float_numbers_and_special_values() {
        assert_eq!(float(0xFF00_016C), Ok(36.4));
        assert_eq!(float(0xFE00_0E42), Ok(36.5));
        assert_eq!(float(0xFFFF_FFFF), Ok(-0.1));
        assert_eq!(float(0x007F_FFFF), Err(AbsentReason::NotANumber));
        assert_eq!(float(0x0080_0000), Err(AbsentReason::Error));
        assert_eq!(float(0x0080_0001), Err(AbsentReason::Unknown));
        assert!(float(0x7F00_0001).unwrap().is_finite());
    }

    #[test]
    fn date_times_without_a_year_are_unknown() {
        let bytes = [0xEA, 0x07, 1, 18, 14, 32, 12];
        let time = Cursor::new(&bytes).date_time("time").unwrap().unwrap();
        assert_eq!(time.to_string(), "2026-01-18T14:32:12");
        assert_eq!(Cursor::new(&[0; 7]).date_time("time"), Ok(None));
        assert_eq!(Cursor::new(&[0xFF; 7]).date_time("time"), Ok(None));
        assert!(Cursor::new(&[0xEA, 0x07, 1]).date_time("time").is_err());
    }
}
