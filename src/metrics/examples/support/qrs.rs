//! A plain batch R-peak finder for the reference: slope energy, local threshold, strongest sample.

/// R peaks of one ECG lead in seconds.
pub(crate) fn detect_beats(ecg: &[f32], rate_hz: f64) -> Vec<f64> {
    let x: Vec<f64> = ecg.iter().map(|v| if v.is_finite() { f64::from(*v) } else { 0.0 }).collect();
    let smooth = moving_mean(&x, (0.016 * rate_hz).round().max(1.0) as usize);
    let slope: Vec<f64> = (0..x.len()).map(|i| if i < 3 { 0.0 } else { (smooth[i] - smooth[i - 3]).powi(2) }).collect();
    let energy = moving_mean(&moving_mean(&slope, (0.1 * rate_hz) as usize), (0.06 * rate_hz) as usize);
    let mut peaks: Vec<usize> = Vec::new();
    let refractory = (0.28 * rate_hz) as usize;
    for i in 1..energy.len().saturating_sub(1) {
        if energy[i] > energy[i - 1] && energy[i] >= energy[i + 1] {
            let from = i.saturating_sub((2.0 * rate_hz) as usize);
            let to = (i + (2.0 * rate_hz) as usize).min(energy.len());
            let mut local: Vec<f64> = energy[from..to].to_vec();
            local.sort_by(f64::total_cmp);
            let high = local[local.len() * 95 / 100];
            if energy[i] < 0.22 * high {
                continue;
            }
            match peaks.last_mut() {
                Some(last) if i - *last < refractory => {
                    if energy[i] > energy[*last] {
                        *last = i;
                    }
                }
                _ => peaks.push(i),
            }
        }
    }
    let reach = (0.08 * rate_hz) as usize;
    peaks
        .iter()
        .map(|&peak| {
            let (from, to) = (peak.saturating_sub(reach), (peak + reach).min(x.len() - 1));
            let centre = (from..=to).map(|i| (i as f64, slope[i])).fold((0.0, 0.0), |s, (i, w)| (s.0 + i * w, s.1 + w));
            centre.0 / centre.1.max(1e-12) / rate_hz
        })
        .collect()
}

pub(super) fn moving_mean(x: &[f64], width: usize) -> Vec<f64> {
    let mut sums = vec![0.0];
    for v in x {
        sums.push(sums[sums.len() - 1] + v);
    }
    let half = width / 2;
    (0..x.len())
        .map(|i| {
            let (from, to) = (i.saturating_sub(half), (i + half + 1).min(x.len()));
            (sums[to] - sums[from]) / (to - from) as f64
        })
        .collect()
}
