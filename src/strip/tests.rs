//! What can be measured on the paper: scale, calibration, gaps, resolution (IEC 60601-2-25:2011, AHA/ACC/HRS 2007).

use super::raster::PX_PER_MM;
use super::*;
use crate::id::SignalCode;
use crate::time::Instant;

/// Columns and rows of ECG paper at rest, in pixels.
const ORIGIN: usize = 20 * PX_PER_MM as usize;
const BASE: f64 = 29.0 * PX_PER_MM as f64;
const PAPER_TOP: usize = 9 * PX_PER_MM as usize;

fn block(rate_hz: f64, values: Vec<f32>) -> SampleBlock {
    let start = Instant::parse("2026-01-18T14:32:12.345Z").unwrap();
    SampleBlock { signal: SignalCode::new("ecg").unwrap(), start, rate_hz, dimensions: 1, values }
}

fn sine(rate_hz: f64, seconds: f64, amplitude: f64, frequency_hz: f64) -> SampleBlock {
    let value = |i: u32| (f64::from(i) / rate_hz * frequency_hz * std::f64::consts::TAU).sin() * amplitude;
    block(rate_hz, (0..(rate_hz * seconds) as u32).map(|i| value(i) as f32).collect())
}

fn ecg(block: &SampleBlock) -> Strip<'_> {
    Strip { block, paper: Paper::Ecg, lead: "MLII", caption: Caption::default() }
}

fn amplitude(block: &SampleBlock) -> Strip<'_> {
    Strip { paper: Paper::Amplitude { unit: "a.u." }, lead: "PPG", ..ecg(block) }
}

/// A PNG's pixels as steps of ink, 0 to 4; 5 where a clipping mark is.
struct Picture {
    width: usize,
    steps: Vec<u8>,
    info: png::Info<'static>,
}

impl Picture {
    #[track_caller]
    fn of(strip: &Strip<'_>) -> Self {
        let bytes = png(strip).unwrap();
        let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
        decoder.set_transformations(png::Transformations::IDENTITY);
        let mut reader = decoder.read_info().unwrap();
        let mut packed = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut packed).unwrap();
        let steps = packed.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let steps = steps.map(|index| if index < 12 { index % 4 } else { index - 8 }).collect();
        Self { width: reader.info().width as usize, steps, info: reader.info().clone() }
    }

    /// Rows of the paper with ink in this column, with how much.
    fn inked(&self, column: usize) -> Vec<(usize, u8)> {
        let paper_height = self.info.height as usize - 19 * PX_PER_MM as usize;
        let rows = PAPER_TOP..PAPER_TOP + paper_height;
        rows.map(|row| (row, self.steps[row * self.width + column])).filter(|&(_, step)| step > 0).collect()
    }

    /// Middle of the ink in this column.
    #[track_caller]
    fn centre(&self, column: usize) -> f64 {
        let inked = self.inked(column);
        assert!(!inked.is_empty(), "no ink in column {column}");
        Self::middle(&inked)
    }

    fn middle(inked: &[(usize, u8)]) -> f64 {
        let weight: f64 = inked.iter().map(|&(_, step)| f64::from(step)).sum();
        inked.iter().map(|&(row, step)| (row as f64 + 0.5) * f64::from(step)).sum::<f64>() / weight
    }
}

#[test]
fn the_same_strip_gives_the_same_bytes() {
    let block = sine(360.0, 10.0, 1.3, 1.7);
    for strip in [ecg(&block), amplitude(&block)] {
        assert_eq!(png(&strip).unwrap(), png(&strip).unwrap());
        assert_eq!(svg(&strip), svg(&strip));
    }
}

#[test]
fn ten_seconds_are_250_mm_at_every_rate() {
    for rate in [128.0, 250.0, 360.0, 500.0] {
        let picture = Picture::of(&ecg(&sine(rate, 10.0, 1.0, 1.0)));
        assert_eq!((picture.info.width, picture.info.height), (275 * PX_PER_MM, 59 * PX_PER_MM), "{rate} Hz");
        assert!(picture.inked(ORIGIN - 4).is_empty(), "{rate} Hz starts early");
        for second in 0..10 {
            // Each cycle of 1 Hz crosses the baseline half a second in.
            let crossing = picture.centre(ORIGIN + second * 200 + 100);
            assert!((crossing - BASE).abs() <= 1.5, "{rate} Hz, second {second}: {crossing}");
        }
        let end = ORIGIN + (10.0 * 200.0 - 200.0 / rate) as usize;
        assert!(!picture.inked(end - 1).is_empty(), "{rate} Hz ends early");
    }
}

#[test]
fn a_millimetre_prints_as_a_millimetre_and_nothing_else_is_in_the_file() {
    let picture = Picture::of(&ecg(&sine(250.0, 10.0, 1.0, 1.0)));
    let dims = picture.info.pixel_dims.unwrap();
    assert_eq!((dims.xppu, dims.yppu, dims.unit), (8000, 8000, png::Unit::Meter));
    let texts: Vec<_> = picture.info.uncompressed_latin1_text.iter().map(|t| t.text.as_str()).collect();
    assert_eq!(texts, ["ECG strip, 25 mm/s, 10 mm/mV"]);
}

#[test]
fn a_millivolt_of_calibration_is_ten_millimetres_for_200_ms() {
    let picture = Picture::of(&ecg(&block(250.0, vec![0.0; 2500])));
    let column = |mm: f64| ((5.0 + mm) * f64::from(PX_PER_MM)) as usize;
    assert_eq!(picture.centre(column(3.5)), BASE);
    assert_eq!(picture.centre(column(11.5)), BASE);
    for mm in [5.5, 6.0, 9.5] {
        // Without the label below the baseline.
        let plateau: Vec<_> = picture.inked(column(mm)).into_iter().filter(|&(row, _)| (row as f64) < BASE).collect();
        assert!(plateau.len() <= 4, "{plateau:?}");
        assert_eq!(Picture::middle(&plateau), BASE - 80.0);
    }
    // The edges, half way up: 5 mm apart.
    let row = (BASE - 40.0) as usize;
    let edges: Vec<usize> =
        (0..ORIGIN).filter(|x| picture.steps[row * picture.width + x] >= 4).map(|x| x + 1).collect();
    assert_eq!(edges, [column(5.0), column(5.0) + 1, column(10.0), column(10.0) + 1]);
}

#[test]
fn a_sine_of_a_millivolt_reaches_ten_millimetres() {
    for rate in [250.0, 360.0, 500.0, 2000.0] {
        let picture = Picture::of(&ecg(&sine(rate, 10.0, 1.0, 1.0)));
        for cycle in 0..10 {
            let high = picture.centre(ORIGIN + cycle * 200 + 50);
            let low = picture.centre(ORIGIN + cycle * 200 + 150);
            assert!((BASE - 80.0 - high).abs() <= 1.0, "{rate} Hz: {high}");
            assert!((BASE + 80.0 - low).abs() <= 1.0, "{rate} Hz: {low}");
        }
    }
}

#[test]
fn a_lone_peak_keeps_its_height_at_any_rate() {
    for rate in [250.0, 1000.0, 8000.0] {
        let mut block = block(rate, vec![0.0; (rate * 10.0) as usize]);
        let peak = (rate * 5.0) as usize + 3;
        block.values[peak] = 1.5;
        let picture = Picture::of(&ecg(&block));
        let column = ORIGIN + (peak as f64 / rate * 200.0) as usize;
        let top = (column - 1..=column + 1).filter_map(|x| picture.inked(x).first().copied()).min().unwrap();
        // Half a line above the peak itself.
        assert!((top.0 as f64 - (BASE - 120.0 - 1.2)).abs() <= 1.0, "{rate} Hz: {top:?}");
    }
}

#[test]
fn an_offset_does_not_push_the_trace_off_the_paper() {
    let mut block = sine(250.0, 10.0, 1.0, 1.0);
    block.values.iter_mut().for_each(|v| *v -= 7.0);
    let strip = ecg(&block);
    let picture = Picture::of(&strip);
    assert_eq!(picture.info.height, 59 * PX_PER_MM);
    assert!((picture.centre(ORIGIN + 100) - BASE).abs() <= 1.5);
    assert!(svg(&strip).contains("baseline at the median, -7.00 mV"));
}

#[test]
fn paper_grows_in_steps_of_5_mm_and_marks_what_is_beyond_50() {
    let height = |peak: f32| {
        let mut block = block(250.0, vec![0.0; 2500]);
        block.values[1000] = peak;
        let picture = Picture::of(&ecg(&block));
        (picture.info.height / PX_PER_MM, picture.steps.contains(&5))
    };
    assert_eq!(height(2.0), (59, false));
    assert_eq!(height(2.1), (64, false));
    assert_eq!(height(-3.2), (74, false));
    assert_eq!(height(5.0), (89, false));
    assert_eq!(height(5.1), (89, true));
    assert_eq!(height(f32::MAX), (89, true));
}

#[test]
fn the_trace_breaks_where_samples_are_missing() {
    let mut block = sine(250.0, 10.0, 1.0, 1.0);
    block.values[1000..1250].fill(f32::NAN); // the fifth second
    block.values[1125] = 0.0; // but one
    let strip = ecg(&block);
    let picture = Picture::of(&strip);
    let gap = (ORIGIN + 803..ORIGIN + 997).filter(|&x| !picture.inked(x).is_empty());
    let dot: Vec<usize> = gap.collect();
    assert!((2..=4).contains(&dot.len()) && dot.contains(&(ORIGIN + 900)), "{dot:?}");
    assert!(!picture.inked(ORIGIN + 798).is_empty() && !picture.inked(ORIGIN + 1002).is_empty());
    assert!(svg(&strip).contains("10.0 % of samples missing"));
}

#[test]
fn amplitude_paper_fits_the_percentiles_and_labels_its_bar() {
    let block = sine(125.0, 10.0, 4000.0, 1.0);
    let strip = amplitude(&block);
    let picture = Picture::of(&strip);
    let swing = picture.centre(ORIGIN + 150) - picture.centre(ORIGIN + 50);
    assert!((swing - 200.0).abs() <= 2.0, "{swing}");
    let svg = svg(&strip);
    assert!(svg.contains(">2000 a.u.<") && svg.contains("1st to 99th percentile"), "{svg}");
    assert!(!svg.contains("mm/mV"));
}

#[test]
fn later_samples_are_left_out_and_the_strip_says_so() {
    let (long, short) = (sine(250.0, 12.0, 1.0, 1.0), sine(250.0, 4.0, 1.0, 1.0));
    assert!(svg(&ecg(&long)).contains("first 10 s of 12 s"));
    assert_eq!(Picture::of(&ecg(&long)).info.width, Picture::of(&ecg(&short)).info.width);
    assert!(Picture::of(&ecg(&short)).inked(ORIGIN + 4 * 200 + 3).is_empty());
}

#[test]
fn anything_makes_a_strip() {
    let values: [Vec<f32>; 8] = [
        vec![],
        vec![0.3],
        vec![f32::NAN; 500],
        vec![f32::INFINITY, f32::NEG_INFINITY, 1.0],
        vec![-1.0; 5000],
        vec![f32::MAX, f32::MIN, 0.0, f32::NAN, f32::MIN_POSITIVE],
        [f32::MAX, f32::MIN].repeat(1000),
        vec![1e-45, 0.0, 1e-45],
    ];
    for rate in [250.0, 0.0, -1.0, f64::NAN, f64::INFINITY, 1e-310, 1e-3, 1e8, 1e300] {
        for values in &values {
            let block = block(rate, values.clone());
            for strip in [ecg(&block), amplitude(&block)] {
                assert!(png(&strip).is_ok());
                well_formed(&svg(&strip));
            }
        }
    }
    assert!(svg(&ecg(&block(250.0, vec![]))).contains("no signal"));
    assert!(svg(&ecg(&block(0.0, vec![1.0]))).contains("no usable sample rate"));
}

#[test]
fn texts_are_bounded_and_escaped() {
    let block = sine(250.0, 10.0, 1.0, 1.0);
    let lead = "<b>&\u{0}\"'\u{ffff}é 心電図".repeat(9);
    let caption = Caption { filter: Some(&lead), quality: Some(Quality::new(0.876)) };
    for paper in [Paper::Ecg, Paper::Amplitude { unit: &lead }] {
        let strip = Strip { block: &block, paper, lead: &lead, caption };
        assert!(png(&strip).is_ok());
        let svg = svg(&strip);
        well_formed(&svg);
        assert!(svg.contains("SQI 0.88") && svg.contains('…') && !svg.contains("unfiltered"), "{svg}");
    }
    let header = svg(&ecg(&block));
    assert!(header.contains("2026-01-18 14:32:12.345 UTC   25 mm/s  10 mm/mV   250 Hz  unfiltered"), "{header}");
}

#[test]
fn a_strip_is_small() {
    let block = sine(500.0, 10.0, 1.5, 1.3);
    for strip in [ecg(&block), amplitude(&block)] {
        assert!(png(&strip).unwrap().len() <= 40 * 1024);
        assert!(svg(&strip).len() <= 64 * 1024);
    }
}

/// Tags nest, attributes are quoted, character data is escaped.
#[track_caller]
fn well_formed(svg: &str) {
    let mut open = Vec::new();
    let mut rest = svg;
    while let Some((data, tail)) = rest.split_once('<') {
        assert!(!open.is_empty() || data.is_empty(), "text outside: {data}");
        for entity in data.split('&').skip(1) {
            assert!(["amp;", "lt;", "gt;"].iter().any(|e| entity.starts_with(e)), "bare &: {data}");
        }
        assert!(!data.chars().any(|c| c.is_control() || c == '\u{ffff}'), "not XML: {data:?}");
        let (tag, tail) = tail.split_once('>').unwrap();
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        assert!(!tag.contains("NaN") && !tag.contains("inf"), "{tag}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().unwrap());
        }
        rest = tail;
    }
    assert!(open.is_empty() && rest.is_empty(), "{open:?} left open");
}
