//! Scale-free statistics of a run of RR intervals.

/// Width of a histogram bin, relative to the mean interval, and the number of bins on each side.
const BIN: f64 = 0.04;
const SIDE_BINS: i32 = 8;
/// Added to ratios before their logarithm: jitter of the R-peak position, relative to an interval.
const JITTER: f64 = 1e-3;
const FEWEST: usize = 6;

/// All but entropy and turning share are natural logarithms.
#[derive(Debug, Clone, Copy)]
pub(super) struct Statistics {
    /// Shannon entropy of the histogram of successive differences, in nats.
    pub(super) entropy: f64,
    /// First quartile and median of the size of successive differences, over the median interval.
    pub(super) lower_quartile: f64,
    pub(super) middle: f64,
    /// Median deviation from the median interval, over the latter.
    pub(super) deviation: f64,
    /// Median interval in seconds.
    pub(super) interval: f64,
    /// Median size of differences between intervals two apart, over the median interval: small in bigeminy.
    pub(super) second_differences: f64,
    /// Share of intervals that are longer or shorter than both neighbours; two thirds if they are random.
    pub(super) turning: f64,
}

impl Statistics {
    /// None with too few intervals.
    pub(super) fn new(intervals_s: &[f64]) -> Option<Self> {
        if intervals_s.len() < FEWEST {
            return None;
        }
        let interval = quantile(intervals_s.to_vec(), 0.5);
        let relative = |value: f64| (value / interval + JITTER).ln();
        let differences: Vec<f64> = intervals_s.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let sizes: Vec<f64> = differences.iter().map(|difference| difference.abs()).collect();
        let second: Vec<f64> = intervals_s.windows(3).map(|triple| (triple[2] - triple[0]).abs()).collect();
        let deviations = intervals_s.iter().map(|length| (length - interval).abs()).collect();
        let turns = intervals_s.windows(3).filter(|triple| (triple[1] - triple[0]) * (triple[1] - triple[2]) > 0.0);
        Some(Self {
            entropy: entropy(&differences, intervals_s.iter().sum::<f64>() / intervals_s.len() as f64),
            lower_quartile: relative(quantile(sizes.clone(), 0.25)),
            middle: relative(quantile(sizes, 0.5)),
            deviation: relative(quantile(deviations, 0.5)),
            interval: interval.ln(),
            second_differences: relative(quantile(second, 0.5)),
            turning: turns.count() as f64 / (intervals_s.len() - 2) as f64,
        })
    }
}

fn entropy(differences: &[f64], mean: f64) -> f64 {
    let mut counts = [0_u32; 2 * SIDE_BINS as usize + 1];
    for difference in differences {
        let bin = (difference / mean / BIN).round().clamp(f64::from(-SIDE_BINS), f64::from(SIDE_BINS)) as i32;
        counts[(bin + SIDE_BINS) as usize] += 1;
    }
    let total = differences.len() as f64;
    let term = |&count: &u32| {
        let share = f64::from(count) / total;
        if count == 0 { 0.0 } else { -share * share.ln() }
    };
    counts.iter().map(term).sum()
}

/// Quantile with linear interpolation between order statistics.
fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = share * (values.len() - 1) as f64;
    let below = at.floor() as usize;
    let above = (below + 1).min(values.len() - 1);
    values[below] + (at - below as f64) * (values[above] - values[below])
}
