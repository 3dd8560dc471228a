//! Every dependency may be used and shipped: licences, bans and sources against `.deny.toml`, without a network.

use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

static RULES: LazyLock<toml::Table> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/.deny.toml");
    std::fs::read_to_string(path).unwrap().parse().unwrap()
});

static PACKAGES: LazyLock<Vec<Value>> = LazyLock::new(packages);

#[test]
fn every_licence_is_one_we_allow() {
    let refused: Vec<String> = PACKAGES.iter().filter(|package| !licence_allowed(package)).map(describe).collect();
    assert!(refused.is_empty(), "not satisfiable from .deny.toml:\n{}", refused.join("\n"));
}

#[test]
fn no_banned_crate_is_used() {
    let rules = RULES["bans"]["deny"].as_array().unwrap();
    let found: Vec<String> =
        PACKAGES.iter().filter(|p| rules.iter().any(|rule| is_banned(rule, p))).map(describe).collect();
    assert!(found.is_empty(), "banned in .deny.toml:\n{}", found.join("\n"));
}

#[test]
fn every_dependency_comes_from_the_registry_or_from_here() {
    let elsewhere: Vec<String> = PACKAGES.iter().filter(|p| !source_allowed(p)).map(describe).collect();
    assert!(elsewhere.is_empty(), "from elsewhere:\n{}", elsewhere.join("\n"));
}

#[test]
fn expressions_are_read_as_spdx_means_them() {
    let allow = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
    for good in
        ["MIT", "GPL-3.0 OR MIT", "MIT/Apache-2.0", "(MIT OR GPL-3.0) AND Apache-2.0", "Apache-2.0 WITH LLVM-exception"]
    {
        assert!(satisfied(good, &allow), "{good}");
    }
    for bad in ["GPL-3.0", "MIT AND GPL-3.0", "(MIT AND GPL-3.0) OR GPL-3.0", "MIT WITH LLVM-exception", ""] {
        assert!(!satisfied(bad, &allow), "{bad}");
    }
}

fn packages() -> Vec<Value> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform", &target])
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let used: Vec<&str> = nodes.iter().map(|node| node["id"].as_str().unwrap()).collect();
    let all = metadata["packages"].as_array().unwrap().iter();
    all.filter(|package| used.contains(&package["id"].as_str().unwrap())).cloned().collect()
}

fn licence_allowed(package: &Value) -> bool {
    let mut allow = strings(&RULES["licenses"]["allow"], "");
    let exceptions = RULES["licenses"].get("exceptions").and_then(toml::Value::as_array).into_iter().flatten();
    for exception in exceptions.filter(|e| e["crate"].as_str() == package["name"].as_str()) {
        allow.extend(strings(&exception["allow"], ""));
    }
    satisfied(package["license"].as_str().unwrap_or_default(), &allow)
}

fn source_allowed(package: &Value) -> bool {
    let Some(source) = package["source"].as_str() else {
        return text(package, "manifest_path").starts_with(env!("CARGO_MANIFEST_DIR"));
    };
    source.starts_with("registry+") && source.ends_with("/crates.io-index")
}

/// Whether a rule bans a package: it is named, and some package that is none of the rule's wrappers depends on it.
fn is_banned(rule: &toml::Value, package: &Value) -> bool {
    let name = text(package, "name");
    let wrappers = rule.get("wrappers").map(|wrappers| strings(wrappers, "")).unwrap_or_default();
    rule["crate"].as_str() == Some(&name)
        && (wrappers.is_empty() || dependents(&name).iter().any(|dependent| !wrappers.contains(dependent)))
}

/// The packages that name it as a dependency of theirs, but for tests and optional ones.
fn dependents(name: &str) -> Vec<String> {
    let needs = |package: &&Value| {
        let dependencies = package["dependencies"].as_array().unwrap();
        dependencies.iter().any(|d| d["name"] == name && d["kind"] != "dev" && d["optional"] != true)
    };
    PACKAGES.iter().filter(needs).map(|package| text(package, "name")).collect()
}

fn describe(package: &Value) -> String {
    let license = package["license"].as_str().unwrap_or("no licence stated");
    format!("  {} {}: {license} ({})", text(package, "name"), text(package, "version"), package["source"])
}

fn text(package: &Value, field: &str) -> String {
    package[field].as_str().unwrap().to_owned()
}

/// The strings of an array, or the strings in `field` of its tables.
fn strings(array: &toml::Value, field: &str) -> Vec<String> {
    let items = array.as_array().unwrap().iter();
    items.map(|item| item.as_str().unwrap_or_else(|| item[field].as_str().unwrap()).to_owned()).collect()
}

/// Whether an SPDX expression can be met with these licences. `AND` binds closer than `OR`; `/` is the old `OR`.
fn satisfied(expression: &str, allow: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut tokens = spaced.split_whitespace().peekable();
    let met = alternatives(&mut tokens, allow);
    met && tokens.next().is_none()
}

type Tokens<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn alternatives(tokens: &mut Tokens<'_>, allow: &[String]) -> bool {
    let mut met = all(tokens, allow);
    while tokens.next_if_eq(&"OR").is_some() {
        met |= all(tokens, allow);
    }
    met
}

fn all(tokens: &mut Tokens<'_>, allow: &[String]) -> bool {
    let mut met = one(tokens, allow);
    while tokens.next_if_eq(&"AND").is_some() {
        met &= one(tokens, allow);
    }
    met
}

fn one(tokens: &mut Tokens<'_>, allow: &[String]) -> bool {
    let Some(name) = tokens.next() else { return false };
    if name == "(" {
        let met = alternatives(tokens, allow);
        return tokens.next() == Some(")") && met;
    }
    let full = match tokens.next_if_eq(&"WITH") {
        Some(_) => format!("{name} WITH {}", tokens.next().unwrap_or_default()),
        None => name.to_owned(),
    };
    allow.contains(&full)
}
