//! Streaming signal processing.

pub mod ecg;
pub mod evaluate;
pub mod ppg;
pub mod spectrum;
