//! The worst stretches of a record, to look at.

use afferent_dsp::evaluate::Tally;

use super::super::super::read::ecg::Lead;
use super::super::super::report::Strip;

/// Length of a stretch.
const STRETCH_S: f64 = 8.0;
/// Stretches of one record at most.
const PER_RECORD: usize = 2;

/// The stretches of a record with most errors, each with their number.
pub(super) fn worst(
    record: &str,
    lead: &Lead,
    reference: &[f64],
    detected: &[f64],
    tally: &Tally,
) -> Vec<(usize, Strip)> {
    let mut errors: Vec<f64> = tally.missed_at.iter().chain(&tally.extra_at).copied().collect();
    errors.sort_by(f64::total_cmp);
    let mut strips = Vec::new();
    while strips.len() < PER_RECORD {
        let Some((from, to)) = densest(&errors, STRETCH_S * lead.rate_hz) else { break };
        let here = errors.get(from..to).unwrap_or_default();
        let (Some(first), Some(last)) = (here.first(), here.last()) else { break };
        let start = f64::midpoint(*first, *last) / lead.rate_hz - STRETCH_S / 2.0;
        strips.push((here.len(), strip(record, lead, start.max(0.0), reference, detected, tally)));
        errors.drain(from..to);
    }
    strips
}

/// The range of errors that lie within one stretch and are most; the first of several.
fn densest(errors: &[f64], length: f64) -> Option<(usize, usize)> {
    let until = |from: usize, at: &f64| from..errors.partition_point(|e| *e < at + 0.9 * length);
    let ranges = errors.iter().enumerate().map(|(from, at)| until(from, at));
    ranges.map(|r| (r.start, r.end)).reduce(|best, r| if r.1 - r.0 > best.1 - best.0 { r } else { best })
}

fn strip(record: &str, lead: &Lead, from_s: f64, reference: &[f64], detected: &[f64], tally: &Tally) -> Strip {
    let first = (from_s * lead.rate_hz) as usize;
    let last = (first + (STRETCH_S * lead.rate_hz) as usize).min(lead.samples.len());
    let within = |at: &&f64| (first as f64..last as f64).contains(*at);
    let marks = |all: &[f64], wrong: &[f64]| -> Vec<(f64, bool)> {
        all.iter().filter(within).map(|at| (at / lead.rate_hz, !wrong.contains(at))).collect()
    };
    let count = |wrong: &[f64]| wrong.iter().filter(within).count();
    Strip {
        title: format!("{record}, {}: {} missed, {} extra", lead.name, count(&tally.missed_at), count(&tally.extra_at)),
        unit: "mV".to_owned(),
        from_s: first as f64 / lead.rate_hz,
        rate_hz: lead.rate_hz,
        samples: lead.samples.get(first..last).unwrap_or_default().to_vec(),
        reference: marks(reference, &tally.missed_at),
        detected: marks(detected, &tally.extra_at),
    }
}
