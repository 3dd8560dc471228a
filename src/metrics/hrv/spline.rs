//! Cubic spline through given points with the not-a-knot end condition (de Boor 1978, chapter IV).

/// A cubic spline: second derivatives at the knots.
pub(super) struct Spline<'a> {
    x: &'a [f64],
    y: &'a [f64],
    curvature: Vec<f64>,
}

impl<'a> Spline<'a> {
    /// `None` for fewer than four points, unequal lengths or knots that do not ascend.
    pub(super) fn new(x: &'a [f64], y: &'a [f64]) -> Option<Self> {
        let ascending = x.windows(2).all(|pair| pair[1] > pair[0]);
        (x.len() >= 4 && x.len() == y.len() && ascending).then(|| Self { x, y, curvature: curvature(x, y) })
    }

    /// Values at ascending positions.
    pub(super) fn at(&self, positions: impl Iterator<Item = f64>) -> Vec<f64> {
        let mut piece = 0;
        let value = |position: f64| {
            while piece + 2 < self.x.len() && position >= self.x[piece + 1] {
                piece += 1;
            }
            self.value(piece, position)
        };
        positions.map(value).collect()
    }

    fn value(&self, i: usize, position: f64) -> f64 {
        let h = self.x[i + 1] - self.x[i];
        let (a, b) = ((self.x[i + 1] - position) / h, (position - self.x[i]) / h);
        let bend = (a * a * a - a) * self.curvature[i] + (b * b * b - b) * self.curvature[i + 1];
        a * self.y[i] + b * self.y[i + 1] + bend * h * h / 6.0
    }
}

/// Second derivatives at the knots. Not-a-knot makes the third derivative continuous at the second and last but one
/// knot, so the outer unknowns are linear in their neighbours; eliminated, a tridiagonal system remains.
fn curvature(x: &[f64], y: &[f64]) -> Vec<f64> {
    let n = x.len();
    let h: Vec<f64> = x.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let slope: Vec<f64> = (0..n - 1).map(|i| (y[i + 1] - y[i]) / h[i]).collect();
    let last = n - 2;
    let mut lower: Vec<f64> = (1..=last).map(|i| h[i - 1]).collect();
    let mut diagonal: Vec<f64> = (1..=last).map(|i| 2.0 * (h[i - 1] + h[i])).collect();
    let mut upper: Vec<f64> = (1..=last).map(|i| h[i]).collect();
    let right: Vec<f64> = (1..=last).map(|i| 6.0 * (slope[i] - slope[i - 1])).collect();
    let (first, end) = (h[0] / h[1], h[last] / h[last - 1]);
    diagonal[0] += h[0] * (1.0 + first);
    upper[0] -= h[0] * first;
    diagonal[last - 1] += h[last] * (1.0 + end);
    lower[last - 1] -= h[last] * end;
    let inner = solve_tridiagonal(&lower, diagonal, &upper, right);
    let mut all = vec![(1.0 + first) * inner[0] - first * inner[1]];
    all.extend(&inner);
    all.push((1.0 + end) * inner[last - 1] - end * inner[last - 2]);
    all
}

/// Thomas algorithm; `lower[0]` and the last of `upper` are not used.
fn solve_tridiagonal(lower: &[f64], mut diagonal: Vec<f64>, upper: &[f64], mut right: Vec<f64>) -> Vec<f64> {
    for i in 1..right.len() {
        let factor = lower[i] / diagonal[i - 1];
        diagonal[i] -= factor * upper[i - 1];
        right[i] -= factor * right[i - 1];
    }
    for i in (0..right.len()).rev() {
        let known = if i + 1 < right.len() { upper[i] * right[i + 1] } else { 0.0 };
        right[i] = (right[i] - known) / diagonal[i];
    }
    right
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_cubic_is_reproduced_exactly() {
        let cubic = |t: f64| 0.5 * t * t * t - 2.0 * t * t + 3.0 * t - 1.0;
        let x = [0.0, 0.7, 1.9, 2.4, 3.8, 5.0];
        let y = x.map(cubic);
        let spline = Spline::new(&x, &y).unwrap();
        let positions = (0..50).map(|i| f64::from(i) * 0.1);
        for (value, t) in spline.at(positions.clone()).into_iter().zip(positions) {
            assert!((value - cubic(t)).abs() < 1e-9, "{t}: {value}");
        }
    }

    #[test]
    fn disordered_knots_are_refused() {
        assert!(Spline::new(&[0.0, 1.0, 1.0, 2.0], &[0.0; 4]).is_none());
        assert!(Spline::new(&[0.0, 1.0, 2.0], &[0.0; 3]).is_none());
    }
}
