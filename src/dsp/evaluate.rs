//! Beat-by-beat comparison with reference annotations, after ANSI/AAMI EC57.
//!
//! A detection and a reference beat match when they are no more than 150 ms apart; each is used at most once, and of
//! several possible partners the nearest wins. The first five minutes are a learning period and do not count, nor do
//! stretches of ventricular flutter or fibrillation (EC57:2012, 4.2.1 and 4.3.3).

mod tally;

pub use tally::Tally;

/// EC57's match window.
pub const MATCH_WINDOW_S: f64 = 0.150;
/// EC57's learning period at the start of a recording.
pub const LEARNING_PERIOD_S: f64 = 300.0;

/// What of a recording counts.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Beats before this sample do not count.
    pub from: f64,
    /// Stretches `[start, end)` in samples that do not count, in ascending order.
    pub excluded: Vec<(f64, f64)>,
}

impl Scope {
    fn contains(&self, sample: f64) -> bool {
        sample >= self.from && !self.excluded.iter().any(|&(start, end)| (start..end).contains(&sample))
    }
}

/// Compares `detected` with `reference` (both in samples, ascending) at `rate_hz`.
///
/// Matching is done over the whole recording and what lies outside `scope` is left out afterwards, so a beat at the
/// edge of an excluded stretch is not turned into an error by its partner's exclusion.
pub fn match_beats(reference: &[f64], detected: &[f64], rate_hz: f64, scope: &Scope) -> Tally {
    let window = MATCH_WINDOW_S * rate_hz;
    let mut tally = Tally::new(rate_hz);
    let (mut next_reference, mut next_detected) = (0, 0);
    while next_reference < reference.len() || next_detected < detected.len() {
        match (reference.get(next_reference), detected.get(next_detected)) {
            (Some(&beat), Some(&found)) if partners(reference, detected, next_reference, next_detected, window) => {
                if scope.contains(beat) {
                    tally.matched(found - beat, beat);
                }
                next_reference += 1;
                next_detected += 1;
            }
            (Some(&beat), found) if found.is_none_or(|&found| beat <= found) => {
                if scope.contains(beat) {
                    tally.missed(beat);
                }
                next_reference += 1;
            }
            (_, Some(&found)) => {
                if scope.contains(found) {
                    tally.extra(found);
                }
                next_detected += 1;
            }
            // Both lists are at their end: the loop's condition excludes it.
            _ => break,
        }
    }
    tally
}

/// Whether the two next beats belong together: within the window, and neither has a nearer partner right after.
fn partners(reference: &[f64], detected: &[f64], r: usize, d: usize, window: f64) -> bool {
    let distance = (reference[r] - detected[d]).abs();
    if distance > window {
        return false;
    }
    let later_reference = reference.get(r + 1).map_or(f64::INFINITY, |&next| (next - detected[d]).abs());
    let later_detected = detected.get(d + 1).map_or(f64::INFINITY, |&next| (next - reference[r]).abs());
    let spare_reference = detected.get(d + 1).is_some() && later_detected <= window;
    let spare_detected = reference.get(r + 1).is_some() && later_reference <= window;
    // A nearer neighbour takes the partner only if that does not cost a match.
    if reference[r] < detected[d] && spare_detected && later_reference < distance {
        return false;
    }
    !(detected[d] < reference[r] && spare_reference && later_detected < distance)
}

#[cfg(test)]
mod tests;
