//! Tables as Markdown, CSV or HTML.

use std::fmt::Write as _;

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// Tables of Markdown.
    Markdown,
    /// Comma-separated values; several tables with an empty line between them.
    Csv,
    /// A page of its own.
    Html,
}

/// A table with what it is about.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) title: String,
    pub(super) header: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
}

/// A report: a title, a line about it, tables.
pub(super) fn write(format: Format, title: &str, about: &str, sheets: &[Sheet]) -> String {
    match format {
        Format::Markdown => markdown(title, about, sheets),
        Format::Csv => sheets.iter().map(csv).collect::<Vec<_>>().join("\r\n"),
        Format::Html => html(title, about, sheets),
    }
}

fn markdown(title: &str, about: &str, sheets: &[Sheet]) -> String {
    let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    let mut out = format!("# {title}\n\n{about}\n");
    for Sheet { title, header, rows } in sheets {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let _ = write!(out, "\n## {title}\n\n{}|", line(header.iter().map(|name| cell(name)).collect()));
        out.push_str(&"---|".repeat(header.len()));
        out.push('\n');
        rows.iter().for_each(|row| out.push_str(&line(row.iter().map(|text| cell(text)).collect())));
    }
    out
}

/// <https://www.rfc-editor.org/rfc/rfc4180>
fn csv(sheet: &Sheet) -> String {
    let cell = |text: &str| {
        // What a spreadsheet would take for a formula is text.
        let text = if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.to_owned() };
        if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
    };
    let line = |cells: Vec<String>| cells.join(",") + "\r\n";
    let header = line(sheet.header.iter().map(|name| cell(name)).collect());
    let rows = sheet.rows.iter().map(|row| line(row.iter().map(|text| cell(text)).collect()));
    std::iter::once(header).chain(rows).collect()
}

fn html(title: &str, about: &str, sheets: &[Sheet]) -> String {
    let text = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{0}</title>\n<style>\n\
         body {{ font: 15px/1.4 system-ui, sans-serif; margin: 2rem; }}\n\
         table {{ border-collapse: collapse; }}\nth, td {{ border: 1px solid #bbb; padding: .3rem .5rem; \
         text-align: left; vertical-align: top; }}\nth {{ background: #eee; }}\n</style>\n<h1>{0}</h1>\n<p>{1}</p>\n",
        text(title),
        text(about)
    );
    for Sheet { title, header, rows } in sheets {
        let _ = write!(out, "<h2>{}</h2>\n<table>\n<tr>", text(title));
        out.extend(header.iter().map(|name| format!("<th>{}", text(name))));
        for row in rows {
            out.push_str("\n<tr>");
            out.extend(row.iter().map(|cell| format!("<td>{}", text(cell))));
        }
        out.push_str("\n</table>\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_format_gives_a_meaning_is_written_as_text() {
        let row = vec!["a|b, \"c\"".to_owned(), "<d> & =e".to_owned()];
        let sheets = || vec![Sheet { title: "T".to_owned(), header: vec!["one", "two"], rows: vec![row.clone()] }];
        let markdown = write(Format::Markdown, "R", "About.", &sheets());
        assert_eq!(markdown, "# R\n\nAbout.\n\n## T\n\n| one | two |\n|---|---|\n| a\\|b, \"c\" | <d> & =e |\n");
        assert_eq!(write(Format::Csv, "R", "", &sheets()), "one,two\r\n\"a|b, \"\"c\"\"\",<d> & =e\r\n");
        let html = write(Format::Html, "R", "About.", &sheets());
        assert!(html.contains("<td>a|b, \"c\"<td>&lt;d&gt; &amp; =e") && !html.contains("<d>"), "{html}");
        let formula = Sheet { title: String::new(), header: vec!["x"], rows: vec![vec!["=1+1".to_owned()]] };
        assert_eq!(csv(&formula), "x\r\n'=1+1\r\n");
    }
}
