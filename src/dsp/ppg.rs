//! Pulse detection in photoplethysmograms.
//!
//! The steepest point of every systolic upstroke, found in a stream of any chunking, with a quality per pulse and per
//! window. The stages: [`decimate`] to about 50 Hz, [`band`] (detrend and smooth), [`stroke`] (runs between turning
//! points), [`polarity`] (is systole up or down), [`select`] and [`rhythm`] (which strokes are beats), [`quality`] (does the pulse look like its neighbours: Orphanidou et al. 2015,
//! doi:10.1109/JBHI.2014.2338351). The steepest point is the fiducial whose intervals agree best with the ECG's
//! (Peralta et al. 2019, doi:10.1088/1361-6579/ab009b).

pub(crate) mod band;
mod decimate;
mod detector;
pub(crate) mod inlet;
mod lane;
mod period;
mod polarity;
mod quality;
mod rhythm;
mod select;
pub(crate) mod stroke;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

pub use detector::{DetectedPulse, PulseDetector, UnsupportedRate, VERSION};
