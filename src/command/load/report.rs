//! What a run came to.

use std::fmt;

use serde::Serialize;

use super::process::Used;

/// Latencies in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Latency {
    /// How many there are.
    pub(super) count: usize,
    pub(super) p50: f64,
    pub(super) p95: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
}

impl Latency {
    /// Percentiles by nearest rank.
    pub(super) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let rank = (share * values.len() as f64).ceil() as usize;
            values.get(rank.saturating_sub(1)).copied().unwrap_or_default()
        };
        Self { count: values.len(), p50: at(0.50), p95: at(0.95), p99: at(0.99), max: at(1.0) }
    }
}

/// Everything measured.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Report {
    pub(super) devices: u32,
    pub(super) rate_hz: u32,
    pub(super) seconds: u32,
    pub(super) transport: String,
    pub(super) encoding: &'static str,
    pub(super) connections: u32,
    /// Packets sent.
    pub(super) packets: u64,
    /// Of these, acknowledged.
    pub(super) packets_acked: u64,
    /// Packets due that the server does not say it has.
    pub(super) packets_lost: u64,
    /// Requests repeated after 429, 5xx or a lost connection.
    pub(super) retries: u64,
    /// Requests given up.
    pub(super) failed_requests: u64,
    /// Why the last of them was.
    pub(super) last_failure: Option<String>,
    pub(super) packets_per_second: f64,
    pub(super) samples_per_second: f64,
    pub(super) bytes_per_packet: u64,
    /// From when a packet was due to when it was acknowledged as durable.
    pub(super) ack_ms: Latency,
    /// Seconds from the last acknowledgement until everything was queryable.
    pub(super) settled_s: f64,
    /// Devices whose Observations were read.
    pub(super) devices_looked_at: usize,
    /// Heart rate Observations of these.
    pub(super) observations: usize,
    /// From sending the packet with the last sample of a window to `meta.lastUpdated` of its Observation.
    pub(super) sample_ms: Latency,
    /// From sending the packet that completed it: the one with the samples by which the detector decides on the last beat.
    pub(super) fhir_ms: Latency,
    /// The furthest a heart rate over a whole minute was from the truth, in /min.
    pub(super) heart_rate_error: Option<f64>,
    /// What the server used.
    pub(super) server: Option<Used>,
    /// What this program used.
    pub(super) load: Option<Used>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} devices x {} Hz for {} s, {} {}, {} connections",
            self.devices, self.rate_hz, self.seconds, self.transport, self.encoding, self.connections
        )?;
        writeln!(
            f,
            "packets          {} sent, {} acknowledged, {} lost, {} retries, {} B each",
            self.packets, self.packets_acked, self.packets_lost, self.retries, self.bytes_per_packet
        )?;
        if let Some(why) = &self.last_failure {
            writeln!(f, "failures         {} requests given up, the last one: {why}", self.failed_requests)?;
        }
        writeln!(
            f,
            "throughput       {:.0} packets/s, {:.0} samples/s; all queryable {:.2} s after the last one",
            self.packets_per_second, self.samples_per_second, self.settled_s
        )?;
        writeln!(f, "                      p50        p95        p99        max")?;
        let latencies =
            [("due to ack", &self.ack_ms), ("sample to FHIR", &self.sample_ms), ("device to FHIR", &self.fhir_ms)];
        for (name, latency) in latencies {
            writeln!(
                f,
                "{name:<15}{:>7.1} ms {:>7.1} ms {:>7.1} ms {:>7.1} ms",
                latency.p50, latency.p95, latency.p99, latency.max
            )?;
        }
        let error = self
            .heart_rate_error
            .map_or_else(|| "no whole minute to judge".to_owned(), |e| format!("at most {e:.2} /min off"));
        writeln!(
            f,
            "heart rates      {} Observations of {} devices, {error}",
            self.observations, self.devices_looked_at
        )?;
        for (name, used) in [("server", &self.server), ("load itself", &self.load)] {
            if let Some(used) = used {
                writeln!(
                    f,
                    "{name:<15}  {:.2} cores ({:.1} s CPU), {:.0} MB",
                    used.cores, used.cpu_seconds, used.rss_mb
                )?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let latency = Latency::of((1..=200).rev().map(f64::from).collect());
        assert_eq!((latency.p50, latency.p95, latency.p99, latency.max), (100.0, 190.0, 198.0, 200.0));
        assert_eq!(Latency::of(vec![7.0]).p50, 7.0);
        assert_eq!(Latency::of(Vec::new()), Latency::default());
    }
}
