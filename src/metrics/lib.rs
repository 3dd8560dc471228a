//! Derived metrics.
pub mod autonomic_state;
pub mod hrv;
pub mod pulse_rate;
