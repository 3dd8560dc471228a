//! The lower convex hull of points that come in the order of their abscissa (Andrew's monotone chain, one side of it).

use serde::{Deserialize, Serialize};

/// Points kept. The hull of delays has a dozen; a stream of ever earlier packets could make it grow.
const MOST: usize = 64;

/// The hull.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Hull {
    points: Vec<(f64, f64)>,
}

impl Hull {
    /// Adds a point. One whose abscissa is not after the last one's counts only where that is the same and it lies lower.
    pub(super) fn add(&mut self, x: f64, y: f64) {
        if let Some(&(last_x, last_y)) = self.points.last() {
            if x < last_x || (x == last_x && y >= last_y) {
                return;
            }
            if x == last_x {
                self.points.pop();
            }
        }
        while let [.., a, b] = self.points.as_slice()
            && (b.0 - a.0) * (y - a.1) <= (b.1 - a.1) * (x - a.0)
        {
            self.points.pop();
        }
        self.points.push((x, y));
        if self.points.len() > MOST {
            // Of neighbours that hardly bend the hull one is enough.
            let mut place = 0;
            self.points.retain(|_| {
                place += 1;
                place % 2 == 1 || place > MOST
            });
        }
    }

    /// The lowest ordinate.
    pub(super) fn least(&self) -> Option<f64> {
        self.points.iter().map(|p| p.1).min_by(f64::total_cmp)
    }

    /// Distance from the first abscissa to the last.
    pub(super) fn span(&self) -> f64 {
        self.points.first().zip(self.points.last()).map_or(0.0, |(first, last)| last.0 - first.0)
    }

    /// Counts abscissas from `origin`.
    pub(super) fn shift(&mut self, origin: f64) {
        self.points.iter_mut().for_each(|point| point.0 -= origin);
    }

    /// The hull of its points and of those of one that lies after it.
    pub(super) fn and(mut self, after: &Self) -> Self {
        after.points.iter().for_each(|&(x, y)| self.add(x, y));
        self
    }

    /// Ordinate at 0 and slope of the edge over the middle, no steeper than `steepest`; below all points.
    pub(super) fn line(&self, steepest: f64) -> (f64, f64) {
        let middle = self.points.first().map_or(0.0, |first| first.0 + self.span() / 2.0);
        let edge = self.points.windows(2).find(|edge| matches!(edge, [_, b] if b.0 >= middle));
        let slope = match edge {
            Some([a, b]) => ((b.1 - a.1) / (b.0 - a.0)).clamp(-steepest, steepest),
            _ => 0.0,
        };
        let under = self.points.iter().map(|p| p.1 - slope * p.0).min_by(f64::total_cmp);
        (under.unwrap_or(0.0), slope)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_point_lies_below_a_line_of_it(points in proptest::collection::vec((0.0_f64..1e3, -1e3_f64..1e3), 2..60)) {
            let mut points = points;
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            let mut hull = Hull::default();
            points.iter().for_each(|p| hull.add(p.0, p.1));
            let (at_0, slope) = hull.line(10.0);
            prop_assert!(points.iter().all(|p| p.1 >= at_0 + slope * p.0 - 1e-6));
            let least = points.iter().map(|p| p.1).fold(f64::INFINITY, f64::min);
            prop_assert_eq!(hull.least(), Some(least));
        }
    }
}
