//! Pulses of a photoplethysmogram against the beats of an ECG recorded with it.

mod figures;

use afferent_dsp::evaluate::Tally;
use afferent_dsp::ppg::{self, DetectedPulse};
use afferent_metrics::pulse_rate::{self, pulse_rate};

use super::super::matching::match_delayed;
use super::super::read::finder::best_lead;
use super::super::read::waves::{Place, Waves, places};
use super::super::report::{Algorithm, Findings, Strip};
use super::super::task::{Context, Found, Judged, Task};
use super::detect::pulses;

/// Pulses and pulse rate.
pub(super) struct Pulses;

/// One recording, judged.
pub(super) struct Outcome {
    lead: String,
    tally: Tally,
    delay_s: f64,
    /// Windows with a reference rate.
    windows: usize,
    rates: Vec<Rate>,
    strip: Option<Strip>,
}

/// Rates of one window, in /min.
#[derive(Debug, Clone, Copy)]
struct Rate {
    found: f64,
    reference: f64,
    quality: f64,
}

/// Length and step of the windows of pulse rate.
const WINDOW_S: f64 = 30.0;
const HOP_S: f64 = 15.0;
/// Beats a window needs for a reference rate.
const FEWEST_BEATS: usize = 4;

impl Task for Pulses {
    type Case = Place;
    type Outcome = Outcome;
    const NAME: &'static str = "pulses";
    const TITLE: &'static str = "Pulses and pulse rate from PPG";
    const ABOUT: &'static str = "Detected pulses against the R peaks of the ECG recorded with them, matched within 150 ms \
        at the recording's own transit delay (the one that matches most), and the pulse rate of 30 s windows every 15 s \
        against the mean interval of those R peaks. The R peaks are those of a plain search over the whole ECG, \
        in the lead that agrees best with the others; nobody checked them, and their errors count against the pulses.";
    const ALGORITHMS: &'static [Algorithm] = &[
        Algorithm { id: "pulses (ppg)", version: ppg::VERSION },
        Algorithm { id: "pulse rate", version: pulse_rate::VERSION },
    ];

    fn recognise(context: &Context<'_>) -> Vec<Found<Place>> {
        let found =
            |place: Place| Found { record: place.name.clone(), files: vec![place.signals.clone()], case: place };
        places(context, &["ppg", "ecg"]).into_iter().map(found).collect()
    }

    fn run(context: &Context<'_>, case: &Place) -> Result<Outcome, String> {
        let waves = Waves::read(context, case)?;
        let wave = waves.ppg.ok_or("has no pulse wave")?;
        let (lead, beats_s) = best_lead(&waves.ecg)?;
        let found = pulses(&wave)?;
        let pulses_s: Vec<f64> = found.iter().map(|p| p.sample / wave.rate_hz).collect();
        let matched = match_delayed(&beats_s, &pulses_s);
        let seconds = wave.samples.len() as f64 / wave.rate_hz;
        let mut rates = Vec::new();
        let mut windows = 0;
        for start in starts(seconds, WINDOW_S, HOP_S) {
            let Some(reference) = mean_rate(&beats_s, start, start + WINDOW_S, FEWEST_BEATS) else { continue };
            windows += 1;
            let inside = within(&found, wave.rate_hz, start, start + WINDOW_S);
            let rate = pulse_rate(&inside, wave.rate_hz);
            rates.extend(rate.map(|r| Rate { found: r.per_minute, reference, quality: r.quality }));
        }
        let strip = figures::strip(&case.name, &wave, &beats_s, &pulses_s, &matched);
        Ok(Outcome { lead, tally: matched.tally, delay_s: matched.delay_s, windows, rates, strip })
    }

    fn report(judged: &[Judged<Outcome>]) -> Findings {
        figures::findings(judged)
    }
}

/// Where windows begin that lie within a recording.
pub(super) fn starts(seconds: f64, window_s: f64, hop_s: f64) -> impl Iterator<Item = f64> {
    let last = ((seconds - window_s + 1e-9) / hop_s).floor();
    (0..=last.max(-1.0) as i64).map(move |n| n as f64 * hop_s).take_while(move |_| last >= 0.0)
}

/// Sixty over the mean interval of the marks in a window, if there are enough.
pub(super) fn mean_rate(marks_s: &[f64], from: f64, to: f64, fewest: usize) -> Option<f64> {
    let inside: Vec<f64> = marks_s.iter().copied().filter(|t| (from..to).contains(t)).collect();
    let (first, last) = (inside.first()?, inside.last()?);
    (inside.len() >= fewest).then(|| 60.0 * (inside.len() - 1) as f64 / (last - first))
}

/// Pulses of a window, still counted from the start of the recording.
pub(super) fn within(pulses: &[DetectedPulse], rate_hz: f64, from: f64, to: f64) -> Vec<DetectedPulse> {
    pulses.iter().copied().filter(|p| (from..to).contains(&(p.sample / rate_hz))).collect()
}
