//! What is pushed to others: exports of episodes, to where the control plane says.

pub mod connection;
pub mod keys;
pub mod seal;
