//! What the annotations of a record say: beats, stretches of flutter, rhythms.

use std::path::Path;

use super::super::folder::{Folder, Record, extension};
use crate::recording::wfdb::Annotation;

/// Beats before this many make no record to judge: such a file annotates something else.
const FEWEST_BEATS: usize = 3;

/// A record's reference; times are in seconds since its start.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::evaluation) struct Reference {
    /// Where the beats come from: `atr`.
    pub(in crate::evaluation) annotator: String,
    /// The beats, ascending.
    pub(in crate::evaluation) beats_s: Vec<f64>,
    /// Ventricular flutter or fibrillation, `[start, end)`; EC57 leaves it out.
    pub(in crate::evaluation) flutter_s: Vec<(f64, f64)>,
    /// Changes of rhythm: when, and to what (`AFIB`).
    pub(in crate::evaluation) rhythms: Vec<(f64, String)>,
}

impl Reference {
    /// Reads the most trustworthy annotations there are of a record: the first file with beats, the first with rhythms.
    ///
    /// # Errors
    /// There are no beats, with the reason.
    pub(in crate::evaluation) fn read(folder: &Folder, record: &Record) -> Result<Self, String> {
        let rate_hz = record.head.as_ref().map_err(Clone::clone)?.rate_hz;
        let mut found = Self::default();
        let mut problem = "mark no beats".to_owned();
        for file in &record.annotations {
            let annotations = match folder.annotations(file) {
                Ok(annotations) => annotations,
                Err(reason) => {
                    problem = reason;
                    continue;
                }
            };
            found.take(file, &annotations, rate_hz);
        }
        if found.beats_s.is_empty() { Err(problem) } else { Ok(found) }
    }

    fn take(&mut self, file: &Path, annotations: &[Annotation], rate_hz: f64) {
        let resolution = annotations.iter().find_map(|a| a.text.strip_prefix("## time resolution: "));
        let rate_hz = resolution.and_then(|hz| hz.trim().parse().ok()).unwrap_or(rate_hz);
        let seconds = |a: &Annotation| a.sample as f64 / rate_hz;
        let beats: Vec<f64> = annotations.iter().filter(|a| a.beat).map(seconds).collect();
        if self.beats_s.is_empty() && beats.len() >= FEWEST_BEATS {
            self.annotator = extension(file);
            self.beats_s = beats;
            self.flutter_s = flutter(annotations, seconds);
        }
        if self.rhythms.is_empty() {
            let name = |text: &str| Some(text.strip_prefix('(')?.trim().to_owned());
            let changes = annotations.iter().filter(|a| a.symbol == "+");
            self.rhythms = changes.filter_map(|a| Some((seconds(a), name(&a.text)?))).collect();
        }
    }

    /// The rhythm at a time; none before the first is stated.
    pub(in crate::evaluation) fn rhythm_at(&self, time_s: f64) -> Option<&str> {
        let next = self.rhythms.partition_point(|(start, _)| *start <= time_s);
        self.rhythms.get(next.checked_sub(1)?).map(|(_, name)| name.as_str())
    }
}

/// From `[` to `]`, or to the end.
fn flutter(annotations: &[Annotation], seconds: impl Fn(&Annotation) -> f64) -> Vec<(f64, f64)> {
    let mut stretches = Vec::new();
    let mut begin = None;
    for annotation in annotations {
        match annotation.symbol {
            "[" => begin = Some(seconds(annotation)),
            "]" => stretches.extend(begin.take().map(|from| (from, seconds(annotation)))),
            _ => {}
        }
    }
    stretches.extend(begin.map(|from| (from, f64::INFINITY)));
    stretches
}
