//! CPU time of processes, and room on disk.

use std::path::Path;

/// Clock ticks a second in `/proc`: 100 on every Linux there is.
const TICKS: f64 = 100.0;

/// The processes whose CPU time counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meter {
    server: u32,
    database: Option<u32>,
}

impl Meter {
    pub(super) fn new(server: u32, database: Option<u32>) -> Self {
        Self { server, database }
    }

    /// Seconds of CPU time used so far.
    pub(super) fn read(&self) -> Option<f64> {
        let (_, server, _) = stat(self.server)?;
        let database = match self.database {
            Some(parent) => family(parent)?,
            None => 0,
        };
        Some((server + database) as f64 / TICKS)
    }
}

/// Ticks of a process and its children, those that have ended included.
fn family(parent: u32) -> Option<u64> {
    let (_, own, ended) = stat(parent)?;
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let children = ids.filter_map(stat).filter(|(of, ..)| *of == parent).map(|(_, ticks, _)| ticks);
    Some(own + ended + children.sum::<u64>())
}

/// Parent, ticks used, ticks its ended children used: proc(5).
fn stat(pid: u32) -> Option<(u32, u64, u64)> {
    parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse(stat: &str) -> Option<(u32, u64, u64)> {
    // The command's name, in brackets, may hold anything; fields are counted after it.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some((number(1)?.try_into().ok()?, number(11)? + number(12)?, number(13)? + number(14)?))
}

/// Bytes of a file, or of all in a folder.
pub(super) fn size(path: impl AsRef<Path>) -> u64 {
    let path = path.as_ref();
    if path.is_dir() {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        return entries.map(|entry| size(entry.path())).sum();
    }
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_after_the_name() {
        let stat = "7 (a b) c) S 3 7 7 0 -1 4194560 1 0 0 0 250 50 4 5 20 0 3 0 1 1 1";
        assert_eq!(parse(stat), Some((3, 300, 9)));
        assert_eq!(parse("7"), None);
    }
}
