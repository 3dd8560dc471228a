//! Processor time: what an algorithm costs, whatever else runs on the machine.

/// Seconds of processor time this thread has taken so far.
#[cfg(unix)]
pub(super) fn time_s() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// There is no such clock here: speeds are not told.
#[cfg(not(unix))]
pub(super) fn time_s() -> f64 {
    f64::NAN
}
