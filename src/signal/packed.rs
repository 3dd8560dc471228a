//! Samples in a quarter of the room, exactly as they were (but that a negative zero is a zero).
//!
//! Converters count in steps, and what they send has few decimals: 0.012 mV is 12 steps of 0.001. As long as every sample is a
//! whole number of steps of the same power of ten and fits into 16 bits, the differences of these numbers are kept instead of
//! the samples: in LEB128, the sign in the lowest bit, so that most take one byte.

use serde::{Deserialize, Serialize};

/// A missing sample among whole numbers.
const MISSING: i16 = i16::MIN;
/// Decimals tried: more than 16 bits hold at any scale worth measuring.
const MOST_PLACES: u32 = 5;
/// Bytes there is room made for at a time: thousands of streams have some to spare.
const ROOM: usize = 2048;

/// A growing run of samples; NaN where there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Packed {
    /// Whole numbers of steps of 10^-`places`.
    Steps {
        /// Decimals.
        places: u32,
        /// The numbers.
        steps: Steps,
    },
    /// The samples, where they are not of that kind.
    Plain(Vec<f32>),
}

/// Whole numbers, each as its difference to the one before it.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct Steps {
    count: usize,
    last: i16,
    differences: Vec<u8>,
}

impl Steps {
    fn push(&mut self, step: i16) {
        let difference = i32::from(step) - i32::from(self.last);
        let mut rest = (difference << 1) ^ (difference >> 31);
        if self.differences.capacity() - self.differences.len() < 3 {
            self.differences.reserve_exact(ROOM);
        }
        while rest >= 0x80 {
            self.differences.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.differences.push(rest as u8);
        (self.count, self.last) = (self.count + 1, step);
    }

    fn iter(&self) -> impl Iterator<Item = i16> {
        let (mut bytes, mut last) = (self.differences.iter(), 0);
        std::iter::from_fn(move || {
            let (mut rest, mut shift) = (0, 0);
            loop {
                let byte = i32::from(*bytes.next()?);
                rest |= (byte & 0x7F) << shift;
                if byte < 0x80 {
                    break;
                }
                // What this type wrote has three bytes at most.
                shift = (shift + 7).min(14);
            }
            last = i32::wrapping_add(last, (rest >> 1) ^ -(rest & 1));
            Some(last as i16)
        })
    }

    /// Takes away all after the state `self` was in.
    fn go_back(&mut self, (count, last, length): (usize, i16, usize)) {
        (self.count, self.last) = (count, last);
        self.differences.truncate(length);
    }

    fn place(&self) -> (usize, i16, usize) {
        (self.count, self.last, self.differences.len())
    }

    /// Appends samples as steps; stops at the first that is none.
    fn append(&mut self, values: &[f32], places: u32) -> bool {
        let scale = f64::from(10_u32.pow(places));
        for &value in values {
            let step = (f64::from(value) * scale).round();
            let is_step = value.is_nan() || (step.abs() < f64::from(i16::MAX) && sample(step as i16, places) == value);
            if !is_step {
                return false;
            }
            self.push(if value.is_nan() { MISSING } else { step as i16 });
        }
        true
    }

    /// Ten steps for each; none where they do not fit.
    fn refined(&self) -> Option<Self> {
        let mut finer = Self::default();
        for step in self.iter() {
            let is_missing = step == MISSING;
            finer.push(if is_missing { step } else { step.checked_mul(10).filter(|ten| *ten != MISSING)? });
        }
        Some(finer)
    }
}

impl Default for Packed {
    fn default() -> Self {
        Self::Steps { places: 0, steps: Steps::default() }
    }
}

impl Packed {
    /// Samples so far.
    pub fn len(&self) -> usize {
        match self {
            Self::Steps { steps, .. } => steps.count,
            Self::Plain(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends samples.
    pub fn extend(&mut self, values: &[f32]) {
        while let Self::Steps { places, steps } = self {
            let place = steps.place();
            if steps.append(values, *places) {
                return;
            }
            steps.go_back(place);
            match steps.refined().filter(|_| *places < MOST_PLACES) {
                Some(finer) => (*places, *steps) = (*places + 1, finer),
                None => *self = Self::Plain(self.to_vec()),
            }
        }
        if let Self::Plain(plain) = self {
            plain.extend_from_slice(values);
        }
    }

    /// Appends missing samples up to a length.
    pub fn pad(&mut self, length: usize) {
        match self {
            Self::Steps { steps, .. } => (steps.count..length).for_each(|_| steps.push(MISSING)),
            Self::Plain(values) => values.resize(length.max(values.len()), f32::NAN),
        }
    }

    /// The samples.
    pub fn to_vec(&self) -> Vec<f32> {
        match self {
            Self::Steps { places, steps } => {
                let mut values = Vec::with_capacity(steps.count);
                values.extend(steps.iter().map(|step| sample(step, *places)));
                values
            }
            Self::Plain(values) => values.clone(),
        }
    }
}

impl From<&[f32]> for Packed {
    fn from(values: &[f32]) -> Self {
        let mut packed = Self::default();
        packed.extend(values);
        packed
    }
}

fn sample(step: i16, places: u32) -> f32 {
    if step == MISSING { f32::NAN } else { (f64::from(step) / f64::from(10_u32.pow(places))) as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|v| if v.is_nan() { f32::NAN.to_bits() } else { (v + 0.0).to_bits() }).collect()
    }

    #[test]
    fn converters_steps_take_a_byte_each() {
        let values: Vec<f32> = (-2000..2000).map(|step| (f64::from(step) * 0.005) as f32).collect();
        let packed = Packed::from(values.as_slice());
        let Packed::Steps { places: 3, steps } = &packed else { panic!("{packed:?}") };
        assert_eq!(steps.differences.len(), values.len() + 2, "but for the first, which is far from nothing");
        assert_eq!(bits(&packed.to_vec()), bits(&values));
    }

    proptest! {
        #[test]
        fn whatever_comes_in_comes_out(pieces in prop::collection::vec(prop_oneof![
            prop::collection::vec((-40_000_i32..40_000, 0_u32..7).prop_map(|(n, places)| (f64::from(n) / 10_f64.powi(places.cast_signed())) as f32), 0..20),
            prop::collection::vec((-300_i32..300).prop_map(|n| n as f32 / 100.0), 0..20),
            prop::collection::vec(any::<f32>(), 0..4),
            Just(vec![f32::NAN, -0.0, 0.0, f32::INFINITY]),
        ], 0..12), gap in 0_usize..5) {
            let (mut packed, mut plain) = (Packed::default(), Vec::new());
            for piece in pieces {
                packed.extend(&piece);
                plain.extend_from_slice(&piece);
                packed.pad(plain.len() + gap);
                plain.resize(plain.len() + gap, f32::NAN);
                prop_assert_eq!(packed.len(), plain.len());
            }
            prop_assert_eq!(bits(&packed.to_vec()), bits(&plain));
        }
    }
}
