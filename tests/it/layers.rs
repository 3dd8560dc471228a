//! The layering test.
//!
//! `src/lib.rs` lists the modules in the order data flows: vocabulary, stages, shell, wiring. That list is the order, and
//! the only place it is written down. A module may use what stands above it in the list, never what stands below, so
//! vocabulary knows no stage, a stage knows no database, and nothing but the wiring knows everything:
//!
//! ```text
//! vocabulary   id time signal packet fhir registry program resource capability
//! stages       session device dsp metrics algorithm strip projection conformance recording synthetic
//! shell        store archive outward auth oauth alert problem telemetry ingest pipeline episode rest subscription delivery control console
//! wiring       config app command
//! ```
//! (`algorithm` reads `session`'s timeline, `auth` looks keys up in the `store`, `pipeline` answers to
//! `ingest::Backlog`: that is why they stand where they stand.) A new module gets one line in `src/lib.rs`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A use of one module by another.
#[derive(Debug, PartialEq, Eq)]
struct Edge {
    from: String,
    to: String,
    place: String,
}

#[test]
fn modules_use_only_what_stands_above_them() {
    let order = order();
    assert!(order.len() > 10, "src/lib.rs lists {order:?}");
    let edges: Vec<Edge> = sources().iter().flat_map(|file| edges(file, &order)).collect();
    assert!(edges.len() > 50, "only {} uses found: is the test still looking?", edges.len());
    let downward: Vec<String> = edges.iter().filter(|edge| order[&edge.from] < order[&edge.to]).map(describe).collect();
    assert!(downward.is_empty(), "modules use what stands below them in src/lib.rs:\n{}", downward.join("\n"));
}

#[test]
fn every_module_is_in_the_list() {
    let order = order();
    let files = fs::read_dir(root().join("src")).unwrap().map(|entry| entry.unwrap().path());
    for path in files {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let is_entry = matches!(name.as_str(), "lib" | "main");
        assert!(is_entry || order.contains_key(&name) || is_package(&path), "src/lib.rs does not list {name}");
    }
}

#[test]
fn uses_are_found_however_they_are_written() {
    let text = "//! [`crate::nowhere`]\nuse crate::store::Store;\nuse crate::{id::{A, B}, rest, time};\nlet x = crate::ingest::f();\n";
    assert_eq!(used(text), [("store", 2), ("id", 3), ("rest", 3), ("time", 3), ("ingest", 4)].map(owned));
    assert_eq!(
        used("use afferent_dsp::x;\nuse {\n crate::{\n  a,\n  b::C\n }\n};"),
        [("dsp", 1), ("a", 3), ("b", 3)].map(owned)
    );
}

fn owned((name, line): (&str, usize)) -> (String, usize) {
    (name.to_owned(), line)
}

fn describe(edge: &Edge) -> String {
    format!("  {}: {} uses {}", edge.place, edge.from, edge.to)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Place of each module in the list of `src/lib.rs`; nested packages count where they are listed.
fn order() -> BTreeMap<String, usize> {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    text.lines().filter_map(listed).enumerate().map(|(place, name)| (name.to_owned(), place)).collect()
}

fn listed(line: &str) -> Option<&str> {
    let item = line.trim().trim_start_matches("pub ").strip_suffix(';')?;
    item.strip_prefix("mod ").or_else(|| item.strip_prefix("use afferent_")?.split(" as ").nth(1))
}

/// Files of the root package: a nested package has its dependencies in its own Cargo.toml.
fn sources() -> Vec<PathBuf> {
    let mut files = Vec::new();
    collect(&root().join("src"), &mut files);
    files.sort();
    files
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !is_package(&path) {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

fn is_package(path: &Path) -> bool {
    path.join("Cargo.toml").exists()
}

fn edges(file: &Path, order: &BTreeMap<String, usize>) -> Vec<Edge> {
    let path = file.strip_prefix(root().join("src")).unwrap();
    let from = path.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned();
    if !order.contains_key(&from) {
        return Vec::new(); // lib.rs and main.rs stand below everything
    }
    let text = fs::read_to_string(file).unwrap();
    let known = used(&text).into_iter().filter(|(to, _)| order.contains_key(to) && *to != from);
    known.map(|(to, line)| Edge { from: from.clone(), to, place: format!("src/{}:{line}", path.display()) }).collect()
}

/// Modules named by `crate::x`, `crate::{x, y::z}` and `afferent_x::`, with the line of the path.
fn used(text: &str) -> Vec<(String, usize)> {
    let code: Vec<&str> =
        text.lines().map(|line| if line.trim_start().starts_with("//") { "" } else { line }).collect();
    let code = code.join("\n");
    let mut found = Vec::new();
    for (at, prefix) in code.match_indices("crate::").chain(code.match_indices("afferent_")) {
        let line = code[..at].matches('\n').count() + 1;
        let rest = &code[at + prefix.len()..];
        let names = rest.strip_prefix('{').map_or_else(|| vec![identifier(rest)], first_level);
        found.extend(names.into_iter().filter(|name| !name.is_empty()).map(|name| (name.to_owned(), line)));
    }
    found.sort_by_key(|(_, line)| *line);
    found
}

/// The identifiers right inside a brace that was opened just before `group`.
fn first_level(group: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut depth = 1;
    let mut start = Some(0);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => start = Some(at + 1),
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if let Some(from) = start
            && at >= from
            && !character.is_whitespace()
            && character != ','
        {
            names.push(identifier(&group[at..]));
            start = None;
        }
    }
    names
}

fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    &text[..end]
}
