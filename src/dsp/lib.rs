//! Streaming signal processing.

pub mod ecg;
pub mod evaluate;
pub mod ppg;
pub mod spectrum;
pub mod respiration;
pub mod eda;
pub mod motion;
