//! Respiratory rate against annotated breaths.

use afferent_dsp::respiration as breaths_of;
use afferent_dsp::{ppg, ppg::DetectedPulse};
use afferent_metrics::respiratory_rate::{self, GATE, RespiratoryRate, from_breaths, from_pulse_wave};

use super::super::read::ecg::Lead;
use super::super::read::waves::{Place, Waves, breaths, places};
use super::super::report::{Algorithm, Cell, Findings, Kind, Measure, Table, measure};
use super::super::statistics::{mean, mean_absolute, root_mean_square};
use super::super::task::{Context, Found, Judged, Task, groups};
use super::detect;
use super::figures::{BIAS, MEAN_ABSOLUTE_ERROR, ROOT_MEAN_SQUARE, bland_altman};
use super::pulses::{mean_rate, starts, within};

/// Respiratory rate from a pulse wave and from impedance or a belt.
pub(super) struct Respiration;

/// A source of the rate and its window, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Wave(u32),
    Pulse(u32),
}

const WAYS: [(Way, &str, &str); 4] = [
    (Way::Pulse(64), "ppg_64", "PPG, 64 s windows"),
    (Way::Pulse(32), "ppg_32", "PPG, 32 s windows"),
    (Way::Wave(64), "impedance_64", "Impedance or belt, 64 s windows"),
    (Way::Wave(32), "impedance_32", "Impedance or belt, 32 s windows"),
];
const HOP_S: f64 = 16.0;
/// Breaths a window needs for a reference rate.
const FEWEST_BREATHS: usize = 3;
/// Where annotators differ by more, there is no reference, in /min.
const AGREEMENT: f64 = 2.0;

/// What one recording gave, in the order of [`WAYS`]; none where it lacks the signal.
pub(super) struct Outcome(Vec<Option<Rates>>);

/// Windows with a reference, and the rates of those that have one.
#[derive(Debug, Clone, Default)]
struct Rates {
    windows: usize,
    /// Found, reference, quality.
    found: Vec<(f64, f64, f64)>,
}

impl Task for Respiration {
    type Case = Place;
    type Outcome = Outcome;
    const NAME: &'static str = "respiration";
    const TITLE: &'static str = "Respiratory rate";
    const ABOUT: &'static str = "Respiratory rate of windows every 16 s against the breaths annotators marked, in windows \
        where these agree within 2 /min (after Charlton et al. 2016, doi:10.1088/0967-3334/37/4/610). Gated figures are \
        of the rates that the algorithm itself holds good enough to show.";
    const ALGORITHMS: &'static [Algorithm] = &[
        Algorithm { id: "respiratory rate", version: respiratory_rate::VERSION },
        Algorithm { id: "breaths (respiration)", version: breaths_of::VERSION },
        Algorithm { id: "pulses (ppg)", version: ppg::VERSION },
    ];

    fn recognise(context: &Context<'_>) -> Vec<Found<Place>> {
        let mut all = places(context, &["ppg"]);
        all.extend(places(context, &["respiration"]));
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all.dedup();
        let found = |place: Place| {
            let files = [Some(&place.signals), place.breaths.as_ref()].into_iter().flatten().cloned().collect();
            Found { record: place.name.clone(), files, case: place }
        };
        all.into_iter().filter(|place| place.breaths.is_some()).map(found).collect()
    }

    fn run(context: &Context<'_>, case: &Place) -> Result<Outcome, String> {
        let waves = Waves::read(context, case)?;
        let rate_hz = waves.ppg.as_ref().or(waves.respiration.as_ref()).map_or(1.0, |lead| lead.rate_hz);
        let marks = breaths(context, case, rate_hz)?;
        let pulses = waves.ppg.as_ref().map(|wave| Ok::<_, String>((wave, detect::pulses(wave)?))).transpose()?;
        let marked = waves.respiration.as_ref().map(|wave| Ok::<_, String>((wave, detect::breaths(wave)?)));
        let marked = marked.transpose()?;
        let way = |way: Way| match way {
            Way::Pulse(window_s) => {
                let (wave, pulses) = pulses.as_ref()?;
                Some(rates(wave, window_s, &marks, |from, to| from_wave(wave, pulses, from, to)))
            }
            Way::Wave(window_s) => {
                let (wave, breaths) = marked.as_ref()?;
                Some(rates(wave, window_s, &marks, |from, to| {
                    let inside = breaths.iter().filter(|b| (from..to).contains(&(b.sample / wave.rate_hz)));
                    from_breaths(&inside.copied().collect::<Vec<_>>(), wave.rate_hz)
                }))
            }
        };
        Ok(Outcome(WAYS.iter().map(|(w, _, _)| way(*w)).collect()))
    }

    fn report(judged: &[Judged<Outcome>]) -> Findings {
        let mut findings = Findings::default();
        for (at, (_, name, title)) in WAYS.iter().enumerate() {
            let total = sum(judged, at);
            if total.windows == 0 {
                continue;
            }
            findings.summary.extend(summary(at, &total));
            findings.tables.push(table(name, title, judged, at));
            let pairs: Vec<(f64, f64)> = total.found.iter().map(|(found, truth, _)| (*found, *truth)).collect();
            findings.charts.push(bland_altman(title, "respiratory rate", "/min", &pairs));
        }
        findings
    }
}

/// Pulses of a window, counted from its first sample.
fn from_wave(wave: &Lead, pulses: &[DetectedPulse], from: f64, to: f64) -> Option<RespiratoryRate> {
    let (first, last) = ((from * wave.rate_hz) as usize, (to * wave.rate_hz) as usize);
    let samples = wave.samples.get(first..last.min(wave.samples.len()))?;
    let shifted = |pulse: DetectedPulse| DetectedPulse { sample: pulse.sample - first as f64, ..pulse };
    let inside: Vec<DetectedPulse> = within(pulses, wave.rate_hz, from, to).into_iter().map(shifted).collect();
    from_pulse_wave(samples, wave.rate_hz, &inside)
}

fn rates(wave: &Lead, window_s: u32, marks: &[Vec<f64>], rate: impl Fn(f64, f64) -> Option<RespiratoryRate>) -> Rates {
    let window_s = f64::from(window_s);
    let mut all = Rates::default();
    for from in starts(wave.samples.len() as f64 / wave.rate_hz, window_s, HOP_S) {
        let Some(truth) = reference(marks, from, from + window_s) else { continue };
        all.windows += 1;
        all.found.extend(rate(from, from + window_s).map(|r| (r.per_minute, truth, r.quality)));
    }
    all
}

/// The mean of the annotators' rates, where all of them have one and they agree.
fn reference(marks: &[Vec<f64>], from: f64, to: f64) -> Option<f64> {
    let rates: Vec<f64> = marks.iter().map(|m| mean_rate(m, from, to, FEWEST_BREATHS)).collect::<Option<_>>()?;
    let lowest = rates.iter().copied().reduce(f64::min)?;
    let highest = rates.iter().copied().reduce(f64::max)?;
    (highest - lowest < AGREEMENT).then(|| mean(rates))
}

fn sum(judged: &[Judged<Outcome>], way: usize) -> Rates {
    total(judged.iter(), way)
}

fn total<'a>(judged: impl Iterator<Item = &'a Judged<Outcome>>, way: usize) -> Rates {
    let mut total = Rates::default();
    for rates in judged.filter_map(|j| j.outcome.0.get(way)?.as_ref()) {
        total.windows += rates.windows;
        total.found.extend(&rates.found);
    }
    total
}

impl Rates {
    fn errors(&self, gate: f64) -> Vec<f64> {
        self.found.iter().filter(|(_, _, quality)| *quality >= gate).map(|(found, truth, _)| found - truth).collect()
    }

    fn kept(&self, gate: f64) -> f64 {
        100.0 * self.errors(gate).len() as f64 / self.windows as f64
    }
}

fn summary(way: usize, total: &Rates) -> Vec<super::super::report::Figure> {
    const KEYS: [[Measure; 3]; 4] = [
        [
            measure("ppg_64_mae", "PPG, 64 s: MAE", "/min", 2),
            measure("ppg_64_mae_gated", "gated", "/min", 2),
            measure("ppg_64_kept", "kept", "%", 0),
        ],
        [
            measure("ppg_32_mae", "PPG, 32 s: MAE", "/min", 2),
            measure("ppg_32_mae_gated", "gated", "/min", 2),
            measure("ppg_32_kept", "kept", "%", 0),
        ],
        [
            measure("impedance_64_mae", "impedance, 64 s: MAE", "/min", 2),
            measure("impedance_64_mae_gated", "gated", "/min", 2),
            measure("impedance_64_kept", "kept", "%", 0),
        ],
        [
            measure("impedance_32_mae", "impedance, 32 s: MAE", "/min", 2),
            measure("impedance_32_mae_gated", "gated", "/min", 2),
            measure("impedance_32_kept", "kept", "%", 0),
        ],
    ];
    let values = [mean_absolute(&total.errors(0.0)), mean_absolute(&total.errors(GATE)), total.kept(GATE)];
    KEYS.get(way).into_iter().flatten().zip(values).map(|(measure, value)| measure.of(value)).collect()
}

fn table(name: &'static str, title: &str, judged: &[Judged<Outcome>], way: usize) -> Table {
    let columns = [
        measure("windows", "windows", "", 0),
        measure("answered", "with a rate", "%", 1),
        MEAN_ABSOLUTE_ERROR,
        ROOT_MEAN_SQUARE,
        BIAS,
        measure("kept", "kept by the gate", "%", 1),
        measure("mae_gated", "MAE of these", "/min", 2),
    ];
    let row = |rates: &Rates| -> [Cell; 7] {
        let errors = rates.errors(0.0);
        [
            rates.windows.into(),
            rates.kept(0.0).into(),
            mean_absolute(&errors).into(),
            root_mean_square(&errors).into(),
            mean(errors.iter().copied()).into(),
            rates.kept(GATE).into(),
            mean_absolute(&rates.errors(GATE)).into(),
        ]
    };
    let mut table = Table::new(name, title, &columns);
    for Judged { record, outcome } in judged {
        if let Some(Some(rates)) = outcome.0.get(way) {
            table.push(Kind::Record, record, row(rates));
        }
    }
    for (name, members) in groups(judged) {
        table.push(Kind::Gross, name, row(&total(members.into_iter(), way)));
    }
    table
}
