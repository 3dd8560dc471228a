//! A scene as SVG 1.1, in millimetres, so that printing at 100 % keeps the 25 mm/s and 10 mm/mV of IEC 60601-2-25:2011.
//!
//! Text stays text, for search and screen readers. There are no ids, so several strips can share a page: the trace is clipped
//! by a nested viewport instead of a `clipPath`.

use std::fmt::{self, Write};

use super::layout::{Anchor, LINE_WIDTH, Point, Rect, Scene};

/// Steps a millimetre the trace is rounded to.
const STEPS_PER_MM: f64 = 100.0;

/// Writes the element.
pub(super) fn encode(scene: &Scene) -> String {
    let mut svg = String::with_capacity(48 * 1024);
    // Writing to a string does not fail.
    let _ = write(scene, &mut svg);
    svg
}

fn write(scene: &Scene, svg: &mut String) -> fmt::Result {
    let Scene { width, height, paper, colours, .. } = scene;
    write!(
        svg,
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}mm" height="{height}mm" viewBox="0 0 {width} {height}" role="img"><title>{}</title><rect width="{width}" height="{height}" fill="#{:06x}"/>"##,
        scene.title, colours.paper
    )?;
    grid(paper, 1, 0.1, colours.thin, svg)?;
    grid(paper, 5, 0.25, colours.bold, svg)?;
    for Rect { x, y, width, height } in &scene.marks {
        write!(
            svg,
            r##"<rect x="{x:.2}" y="{y}" width="{width:.2}" height="{height}" fill="#{:06x}"/>"##,
            colours.mark
        )?;
    }

    let (w, h) = (paper.width * STEPS_PER_MM, paper.height * STEPS_PER_MM);
    write!(
        svg,
        r#"<svg x="{}" y="{}" width="{}" height="{}" viewBox="0 0 {w} {h}" overflow="hidden">"#,
        paper.x, paper.y, paper.width, paper.height
    )?;
    for lines in [&scene.reference, &scene.trace] {
        if lines.is_empty() {
            continue;
        }
        write!(
            svg,
            r##"<path fill="none" stroke="#{:06x}" stroke-width="{}" stroke-linejoin="round" stroke-linecap="round" d=""##,
            colours.ink,
            LINE_WIDTH * STEPS_PER_MM
        )?;
        for line in lines {
            polyline(line, paper, svg)?;
        }
        svg.push_str(r#""/>"#);
    }
    svg.push_str("</svg>");

    write!(svg, r##"<g fill="#{:06x}" font-family="Hack, ui-monospace, monospace">"##, colours.ink)?;
    for text in &scene.texts {
        let anchor = match text.anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        // The width of the font the layout was made for, whichever one the viewer has.
        let width = super::text::width(&text.content) * text.size;
        write!(
            svg,
            r#"<text x="{:.2}" y="{:.2}" font-size="{:.2}" text-anchor="{anchor}" textLength="{width:.2}" lengthAdjust="spacingAndGlyphs" xml:space="preserve">{}</text>"#,
            text.at.x,
            text.at.y,
            text.size,
            Escaped(&text.content)
        )?;
    }
    svg.push_str("</g></svg>");
    Ok(())
}

/// Lines every `step` millimetres over the paper.
fn grid(paper: &Rect, step: u32, line: f64, colour: u32, svg: &mut String) -> fmt::Result {
    let Rect { x, y, width, height } = paper;
    write!(svg, r##"<path fill="none" stroke="#{colour:06x}" stroke-width="{line}" d=""##)?;
    for n in (0..=*width as u32).step_by(step as usize) {
        write!(svg, "M{} {y}v{height}", x + f64::from(n))?;
    }
    for n in (0..=*height as u32).step_by(step as usize) {
        write!(svg, "M{x} {}h{width}", y + f64::from(n))?;
    }
    svg.push_str(r#""/>"#);
    Ok(())
}

/// A line in steps from point to point: whole positions subtracted, so that rounding does not add up.
fn polyline(line: &[Point], paper: &Rect, svg: &mut String) -> fmt::Result {
    let step = |mm: f64| (mm * STEPS_PER_MM).round() as i64;
    let mut last = None;
    for point in line {
        let (x, y) = (step(point.x - paper.x), step(point.y - paper.y));
        match last.replace((x, y)) {
            None => write!(svg, "M{x} {y}l0 0")?,
            Some((from_x, from_y)) => write!(svg, " {} {}", x - from_x, y - from_y)?,
        }
    }
    Ok(())
}

/// Character data of XML.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            c => f.write_char(c),
        })
    }
}
