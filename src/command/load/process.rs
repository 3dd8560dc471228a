//! What a process uses: proc(5).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Clock ticks a second in `/proc`: 100 on every Linux there is.
const TICKS: f64 = 100.0;

/// What a process has used so far.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Usage {
    ticks: u64,
    rss_kb: u64,
}

/// What a process used over a span.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Used {
    /// Cores busy, on average.
    pub(super) cores: f64,
    /// Seconds of CPU time.
    pub(super) cpu_seconds: f64,
    /// Most memory held, in MB.
    pub(super) rss_mb: f64,
}

/// A process that is looked at once a second.
pub(super) struct Watch {
    pid: u32,
    began: Instant,
    before: Usage,
    highest_kb: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Watch {
    pub(super) fn start(pid: u32) -> anyhow::Result<Self> {
        let before = usage(pid).with_context(|| format!("process {pid} cannot be looked at"))?;
        let highest_kb = Arc::new(AtomicU64::new(before.rss_kb));
        let highest = highest_kb.clone();
        let task = tokio::spawn(async move {
            while let Some(now) = usage(pid) {
                highest.fetch_max(now.rss_kb, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        Ok(Self { pid, began: Instant::now(), before, highest_kb, task })
    }

    /// What it used since; none when it has gone.
    pub(super) fn stop(self) -> Option<Used> {
        self.task.abort();
        let now = usage(self.pid)?;
        let cpu_seconds = now.ticks.saturating_sub(self.before.ticks) as f64 / TICKS;
        let rss_kb = self.highest_kb.load(Ordering::Relaxed).max(now.rss_kb);
        let cores = cpu_seconds / self.began.elapsed().as_secs_f64();
        Some(Used { cores, cpu_seconds, rss_mb: rss_kb as f64 / 1024.0 })
    }
}

fn usage(pid: u32) -> Option<Usage> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    parse(&stat, &status)
}

fn parse(stat: &str, status: &str) -> Option<Usage> {
    // The command's name, in brackets, may hold anything; fields are counted after it.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let rss_kb = line.split_whitespace().next()?.parse().ok()?;
    Some(Usage { ticks: user + system, rss_kb })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_after_the_name() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 3 0 1 1 1";
        let status = "Name:\tx\nVmHWM:\t  999 kB\nVmRSS:\t    2048 kB\n";
        assert_eq!(parse(stat, status), Some(Usage { ticks: 300, rss_kb: 2048 }));
        assert_eq!(parse("7", status), None);
    }
}
