//! Stretches of signal as inline SVG: reference marks above the trace, detections below, errors in the colour of errors.

use std::fmt::Write;

use super::super::report::Strip;
use super::html::escaped;
use super::scale::Scale;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 190.0;
const LEFT: f64 = 46.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 44.0;
/// Half the width of a mark.
const MARK: f64 = 4.5;

/// The strip as a figure with a caption.
pub(super) fn strip(strip: &Strip) -> String {
    let title = escaped(&strip.title);
    let seconds = strip.samples.len() as f64 / strip.rate_hz;
    let x = Scale { from: (strip.from_s, strip.from_s + seconds), to: (LEFT, WIDTH) };
    let y = Scale { from: span(&strip.samples), to: (HEIGHT - BOTTOM, TOP) };
    let mut out = format!(
        "<figure class=\"strip\"><figcaption>{title}</figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">"
    );
    grid(&mut out, strip, &x, &y);
    let _ = write!(out, "<path class=\"trace\" d=\"{}\"/>", trace(strip, &x, &y));
    for (at, found) in &strip.reference {
        let (place, class) = (x.place(*at), if *found { "reference" } else { "wrong" });
        let (left, right, tip) = (place - MARK, place + MARK, TOP - 6.0);
        let _ =
            write!(out, "<path class=\"{class}\" d=\"M{left:.1} {:.1}H{right:.1}L{place:.1} {tip:.1}Z\"/>", tip - 9.0);
    }
    for (at, right_one) in &strip.detected {
        let (place, class) = (x.place(*at), if *right_one { "detected" } else { "wrong" });
        let (left, right, tip) = (place - MARK, place + MARK, HEIGHT - BOTTOM + 4.0);
        let _ =
            write!(out, "<path class=\"{class}\" d=\"M{left:.1} {:.1}H{right:.1}L{place:.1} {tip:.1}Z\"/>", tip + 9.0);
    }
    out.push_str("</svg></figure>\n");
    out
}

fn grid(out: &mut String, strip: &Strip, x: &Scale, y: &Scale) {
    let (top, bottom) = (TOP, HEIGHT - BOTTOM);
    let first = x.from.0.ceil() as i64;
    for second in first..=x.from.1.floor() as i64 {
        let at = x.place(second as f64);
        let clock = format!("{}:{:02}", second / 60, second % 60);
        let _ = write!(
            out,
            "<path class=\"grid\" d=\"M{at:.1} {top}V{bottom}\"/><text class=\"tick\" x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{clock}</text>",
            HEIGHT - 16.0
        );
    }
    let ticks = y.ticks();
    for value in &ticks {
        let at = y.place(*value);
        let _ = write!(
            out,
            "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{WIDTH}\"/><text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 5.0,
            at + 4.0,
            super::scale::tick(*value, &ticks)
        );
    }
    let _ = write!(
        out,
        "<text class=\"label\" transform=\"translate(11 {:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>\
         <text class=\"label\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">time [min:s]</text>",
        f64::midpoint(top, bottom),
        escaped(&strip.unit),
        f64::midpoint(LEFT, WIDTH),
        HEIGHT - 3.0
    );
}

/// What the trace spans: all of it, a hundredth of the samples at either end aside.
fn span(samples: &[f32]) -> (f64, f64) {
    let mut sorted: Vec<f32> = samples.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_by(f32::total_cmp);
    let at = |share: f64| sorted.get((share * sorted.len().saturating_sub(1) as f64) as usize).map(|v| f64::from(*v));
    let (Some(low), Some(high)) = (at(0.002), at(0.998)) else { return (-1.0, 1.0) };
    let margin = (0.05 * (high - low)).max(0.01);
    (low - margin, high + margin)
}

/// The samples as a path; it breaks where some are missing.
fn trace(strip: &Strip, x: &Scale, y: &Scale) -> String {
    let (mut path, mut pen_down) = (String::new(), false);
    for (index, sample) in strip.samples.iter().enumerate() {
        if !sample.is_finite() {
            pen_down = false;
            continue;
        }
        let at = x.place(strip.from_s + index as f64 / strip.rate_hz);
        let height = y.place(f64::from(*sample)).clamp(TOP - 2.0, HEIGHT - BOTTOM + 2.0);
        let _ = write!(path, "{}{at:.1} {height:.1}", if pen_down { 'L' } else { 'M' });
        pen_down = true;
    }
    path
}
