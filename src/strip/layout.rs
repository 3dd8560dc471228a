//! Where everything on the paper goes, in millimetres from the page's upper left corner, y downwards.
//!
//! Speed, gain, grid and calibration pulse as in IEC 60601-2-25:2011 and the AHA/ACC/HRS recommendations of 2007.

use super::{Paper, SECONDS, Strip};

/// Time base of all papers.
const MM_PER_SECOND: f64 = 25.0;
/// Gain of ECG paper.
const MM_PER_MILLIVOLT: f64 = 10.0;
/// Blank border left and right.
const MARGIN: f64 = 5.0;
/// Above the paper: the header line.
const HEADER: f64 = 9.0;
/// Below the paper: seconds and notes.
const FOOTER: f64 = 10.0;
/// Paper before the first sample: calibration pulse or scale bar.
const LEAD_IN: f64 = 15.0;
/// Paper above and below the baseline at rest, and at most.
const HALF: f64 = 20.0;
const HALF_MAX: f64 = 50.0;
/// Height of the 1st to 99th percentile on amplitude paper.
const SPREAD: f64 = 25.0;
/// Buckets a second a dense trace is thinned to, keeping each one's extremes: one a pixel of the PNG.
const BUCKETS_PER_SECOND: f64 = 200.0;
/// Width of trace, calibration pulse and scale bar.
pub(super) const LINE_WIDTH: f64 = 0.3;

/// A point in millimetres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
}

/// An upright rectangle in millimetres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rect {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Which end of a text its position names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A line of text on its baseline.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Text {
    pub(super) at: Point,
    /// Font size in millimetres.
    pub(super) size: f64,
    pub(super) anchor: Anchor,
    pub(super) content: String,
}

/// Colours as 0xRRGGBB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Colours {
    pub(super) paper: u32,
    /// Every millimetre.
    pub(super) thin: u32,
    /// Every fifth.
    pub(super) bold: u32,
    /// Trace and text.
    pub(super) ink: u32,
    /// Where the trace leaves the paper.
    pub(super) mark: u32,
}

const PINK: Colours = Colours { paper: 0xff_ff_ff, thin: 0xfa_d7_d7, bold: 0xee_a0_a0, ink: 0, mark: 0x10_40_c0 };
const GREY: Colours = Colours { paper: 0xff_ff_ff, thin: 0xe6_ea_ed, bold: 0xbc_c5_cc, ink: 0, mark: 0x10_40_c0 };

/// A strip, laid out. The paper lies on whole millimetres and is a multiple of 5 mm wide and high.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scene {
    pub(super) title: &'static str,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) paper: Rect,
    pub(super) colours: Colours,
    pub(super) texts: Vec<Text>,
    /// Calibration pulse or scale bar.
    pub(super) reference: Vec<Vec<Point>>,
    /// Runs of samples without a gap; to be clipped to the paper.
    pub(super) trace: Vec<Vec<Point>>,
    /// Bars at the paper's edge where the trace is clipped.
    pub(super) marks: Vec<Rect>,
}

/// From a sample's value to its height above the baseline.
struct Scale {
    centre: f64,
    mm_per_unit: f64,
    /// Paper above and below the baseline.
    up: f64,
    down: f64,
}

impl Scene {
    /// Lays the strip out.
    pub(super) fn new(strip: &Strip<'_>) -> Self {
        // A rate no device has leaves no time axis to draw on.
        let rate = Some(strip.block.rate_hz).filter(|rate| (1e-6..1e9).contains(rate)).unwrap_or(0.0);
        let room = (SECONDS * rate).ceil() as usize;
        let samples = strip.block.values.get(..room).unwrap_or(&strip.block.values);
        let mut finite: Vec<f32> = samples.iter().copied().filter(|v| v.is_finite()).collect();
        let scale = match strip.paper {
            Paper::Ecg => Scale::ecg(&mut finite),
            Paper::Amplitude { .. } => Scale::percentiles(&mut finite),
        };

        let paper =
            Rect { x: MARGIN, y: HEADER, width: LEAD_IN + SECONDS * MM_PER_SECOND, height: scale.up + scale.down };
        let base = paper.y + scale.up;
        let origin = paper.x + LEAD_IN;
        let points = Points { origin, mm_per_sample: MM_PER_SECOND / rate, base, scale: &scale };
        let bucket = (rate / BUCKETS_PER_SECOND) as usize;

        let mut scene = Self {
            title: match strip.paper {
                Paper::Ecg => "ECG strip, 25 mm/s, 10 mm/mV",
                Paper::Amplitude { .. } => "Waveform strip, 25 mm/s",
            },
            width: paper.width + 2.0 * MARGIN,
            height: paper.height + HEADER + FOOTER,
            paper,
            colours: match strip.paper {
                Paper::Ecg => PINK,
                Paper::Amplitude { .. } => GREY,
            },
            texts: Vec::new(),
            reference: Vec::new(),
            trace: points.trace(samples, bucket),
            marks: points.marks(samples, paper),
        };
        match strip.paper {
            Paper::Ecg => scene.calibration_pulse(base),
            Paper::Amplitude { unit } => scene.scale_bar(base, &scale, &clean(unit, 12)),
        }
        scene.header(strip);
        scene.seconds(origin);
        scene.notes(strip, &scale, samples.len(), finite.len());
        scene
    }

    /// 1 mV for 200 ms, with 2.5 mm of baseline on either side.
    fn calibration_pulse(&mut self, base: f64) {
        let (x, top) = (self.paper.x, base - MM_PER_MILLIVOLT);
        let pulse = [(2.5, base), (5.0, base), (5.0, top), (10.0, top), (10.0, base), (12.5, base)];
        self.reference.push(pulse.map(|(dx, y)| Point { x: x + dx, y }).to_vec());
        self.texts.push(text(x + 7.5, base + 4.0, 2.5, Anchor::Middle, "1 mV".into()));
    }

    /// A bar of 1, 2 or 5 times a power of ten, 5 to 12.5 mm high.
    fn scale_bar(&mut self, base: f64, scale: &Scale, unit: &str) {
        let value = round_down(12.5 / scale.mm_per_unit);
        let half = value * scale.mm_per_unit / 2.0;
        let x = self.paper.x + 7.5;
        for (from, to) in [((0.0, -half), (0.0, half)), ((-1.0, -half), (1.0, -half)), ((-1.0, half), (1.0, half))] {
            let end = |(dx, dy): (f64, f64)| Point { x: x + dx, y: base + dy };
            self.reference.push(vec![end(from), end(to)]);
        }
        let label = format!("{} {unit}", number(value));
        let size = (14.0 / super::text::width(&label)).min(2.5);
        self.texts.push(text(x, base + half + 3.5, size, Anchor::Middle, label));
    }

    fn header(&mut self, strip: &Strip<'_>) {
        let y = HEADER - 3.0;
        let lead = clean(strip.lead, 24);
        let x = self.paper.x;
        let after = x + super::text::width(&lead) * 4.0 + 4.0;
        self.texts.push(text(x, y, 4.0, Anchor::Start, lead));

        let start = strip.block.start.to_fhir().replace('T', " ").replace('Z', " UTC");
        let gain = match strip.paper {
            Paper::Ecg => "  10 mm/mV",
            Paper::Amplitude { .. } => "",
        };
        let rate = number((strip.block.rate_hz * 100.0).round() / 100.0);
        let filter = strip.caption.filter.map_or_else(|| "unfiltered".into(), |filter| clean(filter, 40));
        let line = format!("{start}   25 mm/s{gain}   {rate} Hz  {filter}");
        self.texts.push(text(after, y, 3.0, Anchor::Start, line));

        let quality = strip.caption.quality.map_or_else(|| "SQI n/a".into(), |q| format!("SQI {:.2}", q.index()));
        self.texts.push(text(x + self.paper.width, y, 3.0, Anchor::End, quality));
    }

    fn seconds(&mut self, origin: f64) {
        let y = self.paper.y + self.paper.height + 3.5;
        for second in 0..=SECONDS as u32 {
            let x = origin + f64::from(second) * MM_PER_SECOND;
            let anchor = if f64::from(second) < SECONDS { Anchor::Middle } else { Anchor::End };
            self.texts.push(text(x, y, 2.5, anchor, format!("{second} s")));
        }
    }

    /// What was done to fit the signal on the paper, and what is not there.
    fn notes(&mut self, strip: &Strip<'_>, scale: &Scale, drawn: usize, finite: usize) {
        let mut notes = Vec::new();
        let centre = (scale.centre * 100.0).round() / 100.0 + 0.0; // never -0
        match strip.paper {
            _ if finite == 0 => notes.push("no signal".into()),
            Paper::Ecg => notes.push(format!("baseline at the median, {centre:+.2} mV")),
            Paper::Amplitude { .. } => notes.push("scaled to the 1st to 99th percentile".into()),
        }
        if finite < drawn {
            let percent = (drawn - finite) as f64 / drawn as f64 * 100.0;
            notes.push(format!("{:.1} % of samples missing", percent.max(0.1)));
        }
        if !self.marks.is_empty() {
            notes.push("clipped where the edge is marked".into());
        }
        let samples = strip.block.values.len();
        if drawn == 0 && samples > 0 {
            notes.push("no usable sample rate".into());
        } else if drawn < samples {
            let seconds = (samples as f64 / strip.block.rate_hz * 10.0).round() / 10.0;
            notes.push(format!("first {SECONDS} s of {} s", number(seconds)));
        }
        let at = self.paper.y + self.paper.height + 7.5;
        self.texts.push(text(self.paper.x, at, 2.5, Anchor::Start, notes.join("; ")));
    }
}

impl Scale {
    /// Fixed gain, centred on the median, with as much paper as the signal takes.
    fn ecg(finite: &mut [f32]) -> Self {
        let centre = percentile(finite, 0.5).unwrap_or(0.0);
        let (mut low, mut high) = (centre, centre);
        for &value in finite.iter() {
            low = low.min(f64::from(value));
            high = high.max(f64::from(value));
        }
        let half = |span: f64| ((span * MM_PER_MILLIVOLT / 5.0 - 1e-6).ceil() * 5.0).clamp(HALF, HALF_MAX);
        Self { centre, mm_per_unit: MM_PER_MILLIVOLT, up: half(high - centre), down: half(centre - low) }
    }

    /// Fixed paper, the signal fitted to it.
    fn percentiles(finite: &mut [f32]) -> Self {
        let low = percentile(finite, 0.01).unwrap_or(0.0);
        let high = percentile(finite, 0.99).unwrap_or(0.0);
        // A constant has no spread to show: a unit a centimetre is as good as any.
        let gain = SPREAD / (high - low);
        let mm_per_unit = if gain.is_normal() { gain } else { 10.0 };
        Self { centre: f64::midpoint(low, high), mm_per_unit, up: HALF, down: HALF }
    }

    /// Height above the baseline in millimetres, within a few papers so that no coordinate overflows.
    fn height(&self, value: f32) -> f64 {
        ((f64::from(value) - self.centre) * self.mm_per_unit).clamp(-4.0 * HALF_MAX, 4.0 * HALF_MAX)
    }
}

/// Places samples on the page.
struct Points<'a> {
    origin: f64,
    mm_per_sample: f64,
    base: f64,
    scale: &'a Scale,
}

impl Points<'_> {
    fn x(&self, index: usize) -> f64 {
        self.origin + index as f64 * self.mm_per_sample
    }

    fn at(&self, index: usize, value: f32) -> Point {
        Point { x: self.x(index), y: self.base - self.scale.height(value) }
    }

    /// The runs between gaps, each bucket of a dense one thinned to its lowest and highest sample.
    fn trace(&self, samples: &[f32], bucket: usize) -> Vec<Vec<Point>> {
        let mut trace = Vec::new();
        let mut start = 0;
        for run in samples.split(|v| !v.is_finite()) {
            if !run.is_empty() {
                trace.push(if bucket > 2 { self.thinned(start, run, bucket) } else { self.all(start, run) });
            }
            start += run.len() + 1;
        }
        trace
    }

    fn all(&self, start: usize, run: &[f32]) -> Vec<Point> {
        run.iter().enumerate().map(|(i, &value)| self.at(start + i, value)).collect()
    }

    fn thinned(&self, start: usize, run: &[f32], bucket: usize) -> Vec<Point> {
        let mut points = Vec::with_capacity(run.len() / bucket * 2 + 2);
        for (n, chunk) in run.chunks(bucket).enumerate() {
            let first = start + n * bucket;
            let numbered = || chunk.iter().copied().enumerate();
            let low = numbered().min_by(|a, b| a.1.total_cmp(&b.1));
            let high = numbered().max_by(|a, b| a.1.total_cmp(&b.1));
            if let (Some(low), Some(high)) = (low, high) {
                let (before, after) = if low.0 <= high.0 { (low, high) } else { (high, low) };
                points.push(self.at(first + before.0, before.1));
                if before.0 != after.0 {
                    points.push(self.at(first + after.0, after.1));
                }
            }
        }
        points
    }

    /// A bar of at least 2 mm at the edge over every run of samples beyond it; runs closer than that share one.
    fn marks(&self, samples: &[f32], paper: Rect) -> Vec<Rect> {
        let mut marks: Vec<Rect> = Vec::new();
        for above in [true, false] {
            let y = if above { paper.y } else { paper.y + paper.height - 1.0 };
            let mut open: Option<Rect> = None;
            for (i, &value) in samples.iter().enumerate().filter(|(_, v)| v.is_finite()) {
                let height = self.scale.height(value);
                if !(if above { height > self.scale.up } else { -height > self.scale.down }) {
                    continue;
                }
                let x = (self.x(i) - 1.0).clamp(paper.x, paper.x + paper.width - 2.0);
                match &mut open {
                    Some(mark) if x <= mark.x + mark.width + 1.0 => mark.width = x + 2.0 - mark.x,
                    _ => marks.extend(open.replace(Rect { x, y, width: 2.0, height: 1.0 })),
                }
            }
            marks.extend(open);
        }
        marks
    }
}

fn text(x: f64, y: f64, size: f64, anchor: Anchor, content: String) -> Text {
    Text { at: Point { x, y }, size, anchor, content }
}

/// The value that `fraction` of the others lie below; reorders them.
fn percentile(values: &mut [f32], fraction: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let (_, value, _) = values.select_nth_unstable_by((last as f64 * fraction).round() as usize, f32::total_cmp);
    Some(f64::from(*value))
}

/// The largest of 1, 2 and 5 times a power of ten that is not above `value`.
fn round_down(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    [5.0, 2.0].into_iter().find(|step| step * power <= value * (1.0 + 1e-9)).unwrap_or(1.0) * power
}

/// Shortest decimal form, with an exponent where it would be long.
fn number(value: f64) -> String {
    let magnitude = value.abs();
    if value != 0.0 && !(1e-3..1e6).contains(&magnitude) {
        format!("{value:.0e}")
    } else {
        // Six digits hide the binary remainder of 0.1 + 0.2.
        format!("{}", (value * 1e6).round() / 1e6)
    }
}

/// At most `max` characters, none of them a control character or barred from XML.
fn clean(text: &str, max: usize) -> String {
    let mut kept: String = text
        .chars()
        .map(|c| if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') { ' ' } else { c })
        .take(max + 1)
        .collect();
    if kept.chars().count() > max {
        kept = kept.chars().take(max.saturating_sub(1)).chain(['…']).collect();
    }
    kept
}
