//! What flows through the stages: sample blocks, interval series, measurements with their quality and lineage.

mod alert;
mod block;
mod measured;
mod packed;

pub use alert::{Alert, Evidence, EvidenceOf};
pub use block::SampleBlock;
pub use measured::{AbsentReason, AlgorithmRef, Beat, Measured, PacketRange, Source, Value};
pub use packed::Packed;

/// Signal quality index in [0, 1]: 1 is a textbook recording, 0 is noise.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, serde::Serialize, serde::Deserialize)]
pub struct Quality(f64);

impl Quality {
    /// Nothing known to be wrong.
    pub const GOOD: Self = Self(1.0);
    /// Unusable.
    pub const NONE: Self = Self(0.0);

    /// Clamps into [0, 1]; NaN counts as 0.
    pub fn new(index: f64) -> Self {
        Self(if index.is_nan() { 0.0 } else { index.clamp(0.0, 1.0) })
    }

    /// This quality, less so by a factor.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self::new(self.0 * factor)
    }

    /// The index.
    pub fn index(self) -> f64 {
        self.0
    }
}
