//! Recordings with their references, as the tasks take them.

pub(super) mod beats;
pub(super) mod ecg;
