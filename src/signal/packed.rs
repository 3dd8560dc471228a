//! Samples in half the room, exactly as they were (but that a negative zero is a zero).
//!
//! Converters count in steps, and what they send has few decimals: 0.012 mV is 12 steps of 0.001. As long as every sample is a
//! whole number of steps of the same power of ten and fits into 16 bits, the numbers are kept instead of the samples.

use serde::{Deserialize, Serialize};

/// A missing sample among whole numbers.
const MISSING: i16 = i16::MIN;
/// Decimals tried: more than 16 bits hold at any scale worth measuring.
const MOST_PLACES: u32 = 5;

/// A growing run of samples; NaN where there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Packed {
    /// Whole numbers of steps of 10^-`places`.
    Steps {
        /// Decimals.
        places: u32,
        /// The numbers.
        steps: Vec<i16>,
    },
    /// The samples, where they are not of that kind.
    Plain(Vec<f32>),
}

impl Default for Packed {
    fn default() -> Self {
        Self::Steps { places: 0, steps: Vec::new() }
    }
}

impl Packed {
    /// Samples so far.
    pub fn len(&self) -> usize {
        match self {
            Self::Steps { steps, .. } => steps.len(),
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
            let length = steps.len();
            if append(steps, values, *places) {
                return;
            }
            steps.truncate(length);
            if *places == MOST_PLACES || !refine(steps) {
                *self = Self::Plain(self.to_vec());
            } else {
                *places += 1;
            }
        }
        if let Self::Plain(plain) = self {
            plain.extend_from_slice(values);
        }
    }

    /// Appends missing samples up to a length.
    pub fn pad(&mut self, length: usize) {
        match self {
            Self::Steps { steps, .. } => steps.resize(length.max(steps.len()), MISSING),
            Self::Plain(values) => values.resize(length.max(values.len()), f32::NAN),
        }
    }

    /// The samples.
    pub fn to_vec(&self) -> Vec<f32> {
        match self {
            Self::Steps { places, steps } => steps.iter().map(|&step| sample(step, *places)).collect(),
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

/// Appends samples as steps; stops at the first that is none.
fn append(steps: &mut Vec<i16>, values: &[f32], places: u32) -> bool {
    let scale = f64::from(10_u32.pow(places));
    for &value in values {
        let step = (f64::from(value) * scale).round();
        let is_step = value.is_nan() || (step.abs() < f64::from(i16::MAX) && sample(step as i16, places) == value);
        if !is_step {
            return false;
        }
        steps.push(if value.is_nan() { MISSING } else { step as i16 });
    }
    true
}

/// Ten steps for each; whether they fit. They are as they were where they do not.
fn refine(steps: &mut [i16]) -> bool {
    let fits = |step: &i16| *step == MISSING || step.checked_mul(10).is_some_and(|ten| ten != MISSING);
    let fit = steps.iter().all(fits);
    if fit {
        steps.iter_mut().filter(|step| **step != MISSING).for_each(|step| *step *= 10);
    }
    fit
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|v| if v.is_nan() { f32::NAN.to_bits() } else { (v + 0.0).to_bits() }).collect()
    }

    #[test]
    fn converters_steps_take_half_the_room() {
        let values: Vec<f32> = (-2000..2000).map(|step| (f64::from(step) * 0.005) as f32).collect();
        let packed = Packed::from(values.as_slice());
        assert!(matches!(packed, Packed::Steps { places: 3, .. }), "{packed:?}");
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
