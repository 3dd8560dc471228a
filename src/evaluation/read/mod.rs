//! Recordings with their references, as the tasks take them.

pub(super) mod beats;
pub(super) mod columns;
pub(super) mod ecg;
pub(super) mod finder;
pub(super) mod waves;
