//! Charts as inline SVG; colours come from the page, so they follow light and dark.

use std::fmt::Write;

use super::super::report::{Chart, Mark};
use super::html::escaped;
use super::scale::{Scale, bounds, tick};

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 46.0;
/// Colours of series there are.
const COLOURS: usize = 6;
/// Dots drawn at most: more are a blot.
const MOST_DOTS: usize = 3000;

/// The chart as a figure with a caption.
pub(super) fn chart(chart: &Chart) -> String {
    let [x_bounds, y_bounds] = chart.bounds.unwrap_or_else(|| of_marks(chart));
    let x = Scale { from: x_bounds, to: (LEFT, WIDTH - RIGHT) };
    let y = Scale { from: y_bounds, to: (HEIGHT - BOTTOM, TOP) };
    let mut out = format!(
        "<figure><figcaption>{title}</figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">",
        title = escaped(&chart.title)
    );
    axes(&mut out, chart, &x, &y);
    // What lies outside the axes is cut off.
    let (wide, high) = (WIDTH - RIGHT - LEFT, HEIGHT - BOTTOM - TOP);
    let _ = write!(
        out,
        "<svg x=\"{LEFT}\" y=\"{TOP}\" width=\"{wide}\" height=\"{high}\" viewBox=\"{LEFT} {TOP} {wide} {high}\">"
    );
    let mut series = 0;
    for mark in &chart.marks {
        draw(&mut out, mark, &x, &y, series % COLOURS);
        series += usize::from(matches!(mark, Mark::Line { .. } | Mark::Dots { .. } | Mark::Bars { .. }));
    }
    out.push_str("</svg></svg>");
    legend(&mut out, chart);
    out.push_str("</figure>\n");
    out
}

fn of_marks(chart: &Chart) -> [(f64, f64); 2] {
    let mut points: Vec<(f64, f64)> = Vec::new();
    let mut levels = Vec::new();
    let mut is_bars = false;
    for mark in &chart.marks {
        match mark {
            Mark::Line { points: p, .. } | Mark::Dots { points: p, .. } | Mark::Guide { points: p } => points.extend(p),
            Mark::Bars { bars, width } => {
                is_bars = true;
                points.extend(bars.iter().flat_map(|(from, height)| [(*from, 0.0), (from + width, *height)]));
            }
            Mark::Level { at, .. } => levels.push(*at),
        }
    }
    let mut x = bounds(points.iter().map(|p| p.0));
    let mut y = bounds(points.iter().map(|p| p.1).chain(levels));
    if is_bars {
        y.0 = 0.0;
        x = points.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), p| (l.min(p.0), h.max(p.0)));
    }
    [x, y]
}

fn axes(out: &mut String, chart: &Chart, x: &Scale, y: &Scale) {
    let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
    let ticks = x.ticks();
    for value in &ticks {
        let at = x.place(*value);
        let _ = write!(
            out,
            "<path class=\"grid\" d=\"M{at:.1} {TOP}V{bottom}\"/><text class=\"tick\" x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            bottom + 15.0,
            tick(*value, &ticks)
        );
    }
    let ticks = y.ticks();
    for value in &ticks {
        let at = y.place(*value);
        let _ = write!(
            out,
            "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{right}\"/><text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 6.0,
            at + 4.0,
            tick(*value, &ticks)
        );
    }
    let _ = write!(
        out,
        "<path class=\"axis\" d=\"M{LEFT} {TOP}V{bottom}H{right}\"/>\
         <text class=\"label\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
         <text class=\"label\" transform=\"translate(15 {:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
        f64::midpoint(LEFT, right),
        HEIGHT - 8.0,
        escaped(&chart.x),
        f64::midpoint(TOP, bottom),
        escaped(&chart.y)
    );
}

fn draw(out: &mut String, mark: &Mark, x: &Scale, y: &Scale, colour: usize) {
    let inside = |p: &&(f64, f64)| p.0.is_finite() && p.1.is_finite();
    let path = |points: &[(f64, f64)]| {
        let mut path = String::new();
        for (index, point) in points.iter().filter(inside).enumerate() {
            let _ =
                write!(path, "{}{:.1} {:.1}", if index == 0 { 'M' } else { 'L' }, x.place(point.0), y.place(point.1));
        }
        path
    };
    let _ = match mark {
        Mark::Line { points, .. } => write!(out, "<path class=\"line c{colour}\" d=\"{}\"/>", path(points)),
        Mark::Guide { points } => write!(out, "<path class=\"guide\" d=\"{}\"/>", path(points)),
        Mark::Dots { points, .. } => {
            let every = points.len().div_ceil(MOST_DOTS).max(1);
            points.iter().filter(inside).step_by(every).try_for_each(|p| {
                let (cx, cy) = (x.place(p.0), y.place(p.1));
                write!(out, "<circle class=\"dot c{colour}\" cx=\"{cx:.1}\" cy=\"{cy:.1}\" r=\"2.4\"/>")
            })
        }
        Mark::Bars { bars, width } => bars.iter().filter(inside).try_for_each(|(from, height)| {
            let (left, top) = (x.place(*from), y.place(*height));
            let (wide, high) = (x.place(from + width) - left - 0.6, y.place(0.0) - top);
            write!(out, "<rect class=\"bar c{colour}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{wide:.1}\" height=\"{high:.1}\"/>")
        }),
        Mark::Level { at, name } => {
            let (level, right) = (y.place(*at), WIDTH - RIGHT);
            let (text, place) = (escaped(name), level - 4.0);
            write!(
                out,
                "<path class=\"level\" d=\"M{LEFT} {level:.1}H{right}\"/>\
                 <text class=\"tick over\" x=\"{right}\" y=\"{place:.1}\" text-anchor=\"end\">{text}</text>"
            )
        }
    };
}

/// Names of the series, where there are several.
fn legend(out: &mut String, chart: &Chart) {
    let mut names = Vec::new();
    for mark in &chart.marks {
        match mark {
            Mark::Line { name, .. } | Mark::Dots { name, .. } => names.push(name.as_str()),
            Mark::Bars { .. } => names.push(""),
            Mark::Level { .. } | Mark::Guide { .. } => {}
        }
    }
    if names.len() < 2 {
        return;
    }
    out.push_str("<div class=\"legend\">");
    for (index, name) in names.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
        let _ = write!(out, "<span><i class=\"c{}\"></i>{}</span>", index % COLOURS, escaped(name));
    }
    out.push_str("</div>");
}
