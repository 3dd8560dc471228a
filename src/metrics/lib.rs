//! Derived metrics.
mod median;
pub mod autonomic_state;
pub mod hrv;
pub mod pulse_rate;
pub mod respiratory_rate;
pub mod eda;
pub mod motion;
pub mod motion_artifact;
pub mod pulse_arrival_time;
pub mod pulse_perfusion;
pub mod spo2;
pub mod temperature;
pub mod tissue_oxygen;
pub mod atrial_fibrillation;
pub mod heart_rate;
pub mod rr;
