//! Logistic regression, and what a score is worth.

/// Weight of the squared coefficients, in standard deviations of their features: a bound against separable data.
const SHRINKAGE: f64 = 1e-3;
const STEPS: usize = 30;

/// One observation: its features, whether it is positive, and how much it counts.
pub(crate) struct Observation {
    pub(crate) features: Vec<f64>,
    pub(crate) positive: bool,
    pub(crate) weight: f64,
}

/// Bias and coefficients.
#[derive(Debug, Clone)]
pub(crate) struct Fit {
    pub(crate) bias: f64,
    pub(crate) coefficients: Vec<f64>,
}

impl Fit {
    pub(crate) fn log_odds(&self, features: &[f64]) -> f64 {
        self.bias + self.coefficients.iter().zip(features).map(|(weight, feature)| weight * feature).sum::<f64>()
    }

    /// As the constants in the code.
    pub(crate) fn text(&self) -> String {
        let each: Vec<String> = self.coefficients.iter().map(|weight| format!("{weight:.3}")).collect();
        format!("bias {:.3}, weights [{}]", self.bias, each.join(", "))
    }
}

/// Gives both classes the same total weight.
pub(crate) fn balance(observations: &mut [Observation]) {
    for class in [false, true] {
        let of_class = |observation: &&mut Observation| observation.positive == class;
        let count = observations.iter_mut().filter(of_class).count() as f64;
        observations.iter_mut().filter(of_class).for_each(|observation| observation.weight = 1.0 / count);
    }
}

/// Maximum likelihood by Newton's method over standardised features.
pub(crate) fn fit(observations: &[&Observation]) -> Fit {
    let size = observations[0].features.len();
    let total: f64 = observations.iter().map(|observation| observation.weight).sum();
    let average = |value: &dyn Fn(&Observation) -> f64| {
        observations.iter().map(|observation| observation.weight * value(observation)).sum::<f64>() / total
    };
    let means: Vec<f64> = (0..size).map(|i| average(&|o| o.features[i])).collect();
    let scales: Vec<f64> = (0..size).map(|i| average(&|o| (o.features[i] - means[i]).powi(2)).sqrt()).collect();
    let standard = |observation: &Observation| {
        let scaled = observation.features.iter().zip(&means).zip(&scales).map(|((x, mean), scale)| (x - mean) / scale);
        std::iter::once(1.0).chain(scaled).collect::<Vec<f64>>()
    };
    let mut beta = vec![0.0; size + 1];
    for _ in 0..STEPS {
        let mut gradient: Vec<f64> = (0..=size).map(|i| if i == 0 { 0.0 } else { SHRINKAGE * beta[i] }).collect();
        let mut hessian = vec![vec![0.0; size + 1]; size + 1];
        (1..=size).for_each(|i| hessian[i][i] = SHRINKAGE);
        for observation in observations {
            let x = standard(observation);
            let log_odds: f64 = x.iter().zip(&beta).map(|(x, beta)| x * beta).sum();
            let p = 1.0 / (1.0 + (-log_odds).exp());
            let weight = observation.weight / total;
            for i in 0..=size {
                gradient[i] += weight * (p - f64::from(u8::from(observation.positive))) * x[i];
                (0..=size).for_each(|j| hessian[i][j] += weight * p * (1.0 - p) * x[i] * x[j]);
            }
        }
        for (beta, step) in beta.iter_mut().zip(solve(hessian, gradient)) {
            *beta -= step;
        }
    }
    let coefficients: Vec<f64> = (0..size).map(|i| beta[i + 1] / scales[i]).collect();
    let bias = beta[0] - coefficients.iter().zip(&means).map(|(weight, mean)| weight * mean).sum::<f64>();
    Fit { bias, coefficients }
}

/// Gaussian elimination; the matrix is positive definite, so no pivoting is needed.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let n = right.len();
    for i in 0..n {
        for row in i + 1..n {
            let factor = matrix[row][i] / matrix[i][i];
            (i..n).for_each(|column| matrix[row][column] -= factor * matrix[i][column]);
            right[row] -= factor * right[i];
        }
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|j| matrix[i][j] * right[j]).sum();
        right[i] = (right[i] - known) / matrix[i][i];
    }
    right
}

/// Scores with their truth, best first.
pub(crate) struct Ranking(Vec<(f64, bool)>);

impl Ranking {
    pub(crate) fn new(mut scored: Vec<(f64, bool)>) -> Self {
        scored.sort_by(|a, b| b.0.total_cmp(&a.0));
        Self(scored)
    }

    /// Sensitivity and specificity when everything above `threshold` is called positive, in percent.
    pub(crate) fn at(&self, threshold: f64) -> (f64, f64) {
        let share = |class: bool| {
            let right = |scored: &&(f64, bool)| scored.1 == class && (scored.0 > threshold) == class;
            let of_class = self.0.iter().filter(|scored| scored.1 == class).count();
            100.0 * self.0.iter().filter(right).count() as f64 / of_class.max(1) as f64
        };
        (share(true), share(false))
    }

    /// The highest score with which sensitivity, in percent, is at least this.
    pub(crate) fn threshold_of(&self, sensitivity: f64) -> f64 {
        let positives: Vec<f64> = self.0.iter().filter(|scored| scored.1).map(|scored| scored.0).collect();
        let needed = (positives.len() as f64 * sensitivity / 100.0).ceil() as usize;
        positives.get(needed.saturating_sub(1)).map_or(f64::NEG_INFINITY, |score| score.next_down())
    }

    /// The score where sensitivity and specificity are equal.
    pub(crate) fn even(&self) -> f64 {
        let positives = self.0.iter().filter(|scored| scored.1).count() as f64;
        let negatives = self.0.len() as f64 - positives;
        let (mut hits, mut alarms) = (0.0, 0.0);
        for &(score, positive) in &self.0 {
            if positive {
                hits += 1.0;
            } else {
                alarms += 1.0;
            }
            if hits / positives >= 1.0 - alarms / negatives {
                return score;
            }
        }
        f64::NEG_INFINITY
    }

    /// Area under the receiver operating characteristic; equal scores count half.
    pub(crate) fn area(&self) -> f64 {
        let (mut positives, mut negatives, mut area) = (0.0, 0.0, 0.0);
        for tied in self.0.chunk_by(|a, b| a.0 == b.0) {
            let hits = tied.iter().filter(|scored| scored.1).count() as f64;
            let alarms = tied.len() as f64 - hits;
            area += alarms * (positives + hits / 2.0);
            positives += hits;
            negatives += alarms;
        }
        area / (positives * negatives)
    }
}
