//! What the benches share: a lead to work on, CPU time, and how fast the machine can be at all.

use rustix::time::{ClockId, clock_gettime};
use std::hint::black_box;
use std::path::{Path, PathBuf};

#[path = "wfdb.rs"]
mod wfdb;

type AnyError = Box<dyn std::error::Error>;

const RUNS: usize = 9;
const SYNTHETIC_RATE_HZ: f64 = 360.0;
const SYNTHETIC_S: f64 = 1805.0;

/// One ECG lead.
pub(crate) struct Lead {
    pub(crate) name: String,
    pub(crate) rate_hz: f64,
    /// In mV.
    pub(crate) samples: Vec<f32>,
}

/// A record of the MIT-BIH Arrhythmia Database if the shared recordings are there, else a synthetic ECG.
pub(crate) fn lead() -> Lead {
    recorded().unwrap_or_else(|| {
        println!("no recordings under AFFERENT_SHARED or ../shared: a synthetic ECG takes their place");
        synthetic()
    })
}

fn recorded() -> Option<Lead> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let shared = std::env::var_os("AFFERENT_SHARED").map_or_else(beside, PathBuf::from);
    let record = wfdb::first(&shared.join("signals/dev/mitdb")).ok()?;
    Some(Lead { name: format!("mitdb {}", record.name), rate_hz: record.rate_hz, samples: record.signal })
}

/// Gaussian P, QRS and T waves at about 72 /min with a little noise.
fn synthetic() -> Lead {
    const WAVES: [(f64, f64, f64); 4] =
        [(-0.17, 0.022, 0.12), (0.0, 0.011, 1.0), (0.028, 0.010, -0.22), (0.27, 0.05, 0.28)];
    let value = |i: usize| {
        let time = i as f64 / SYNTHETIC_RATE_HZ;
        let in_beat = (time + 0.02 * (0.25 * time).sin()) % 0.83 - 0.3;
        let waves = WAVES.iter().map(|&(at, width, height)| height * (-0.5 * ((in_beat - at) / width).powi(2)).exp());
        (waves.sum::<f64>() + 0.02 * ((i * 7919 % 1013) as f64 / 1013.0 - 0.5)) as f32
    };
    let samples = (0..(SYNTHETIC_S * SYNTHETIC_RATE_HZ) as usize).map(value).collect();
    Lead { name: "synthetic".to_owned(), rate_hz: SYNTHETIC_RATE_HZ, samples }
}

/// CPU seconds this thread has used.
fn cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Prints how many times faster than real time `run` goes through the lead, by CPU time: the median run.
pub(crate) fn times_real_time(name: &str, lead: &Lead, mut run: impl FnMut(&Lead)) {
    let mut seconds: Vec<f64> = (0..RUNS)
        .map(|_| {
            let start = cpu_s();
            run(black_box(lead));
            cpu_s() - start
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    report(name, lead, seconds[RUNS / 2]);
}

/// One line of the table.
pub(crate) fn report(name: &str, lead: &Lead, seconds: f64) {
    let count = lead.samples.len() as f64;
    println!(
        "{name:<34} {:>12.0} x real time {:>9.2} ns/sample",
        count / lead.rate_hz / seconds,
        seconds / count * 1e9
    );
}

/// The physical floor: the same samples read once, and filtered once.
pub(crate) fn floor(lead: &Lead) {
    times_real_time("floor: read every sample", lead, |lead| {
        let mut lanes = [0.0_f32; 16];
        for chunk in lead.samples.as_chunks::<16>().0 {
            lanes.iter_mut().zip(chunk).for_each(|(lane, sample)| *lane += sample);
        }
        black_box(lanes);
    });
    times_real_time("floor: two biquads in cascade", lead, |lead| {
        let mut sections = [Biquad::default(); 2];
        let sum: f32 = lead.samples.iter().map(|&x| sections.iter_mut().fold(x, |x, section| section.push(x))).sum();
        black_box(sum);
    });
}

/// One second-order section, transposed direct form II, with the coefficients of a 5-20 Hz band-pass at 360 Hz.
#[derive(Clone, Copy, Default)]
struct Biquad {
    state: [f32; 2],
}

impl Biquad {
    fn push(&mut self, x: f32) -> f32 {
        const GAIN: f32 = 0.1155;
        const FEEDBACK: [f32; 2] = [-1.7542, 0.7690];
        let y = GAIN * x + self.state[0];
        self.state[0] = self.state[1] - FEEDBACK[0] * y;
        self.state[1] = -GAIN * x - FEEDBACK[1] * y;
        y
    }
}
