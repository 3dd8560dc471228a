//! The implementation guide as this server serves it: the files of `ig/` compiled in, and what follows from the registry
//! it runs with, which may have more rows than the files know.

use std::collections::BTreeMap;

use include_dir::{Dir, include_dir};

use super::ig::{IgError, generate};
use crate::capability::Conformance;
use crate::fhir::{json, read};
use crate::registry::Registry;

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/ig");

/// Every definition of ours.
///
/// # Errors
/// A file is no FHIR resource; a test keeps that from being released.
pub fn served(registry: &Registry) -> Result<Vec<Conformance>, IgError> {
    let files = FILES.files().filter(|f| f.path().extension().is_some_and(|e| e == "json"));
    let mut definitions: BTreeMap<String, Vec<u8>> =
        files.map(|f| (f.path().to_string_lossy().into_owned(), f.contents().to_vec())).collect();
    definitions.extend(generate(registry)?.into_iter().map(|(name, text)| (name, text.into_bytes())));
    definitions.into_iter().map(|(name, text)| definition(name, &text)).collect()
}

/// What the profiles of the packages say, compiled; see `afferent ig compile`.
pub fn tables() -> &'static [u8] {
    FILES.get_file("tables/profiles.bin").map_or(&[], |file| file.contents())
}

fn definition(name: String, text: &[u8]) -> Result<Conformance, IgError> {
    let resource = json::parse(text).map_err(|source| IgError::Parse { path: name.clone().into(), source })?;
    let text = |path: &str| read::string(&resource, path).unwrap_or_default().to_owned();
    let kind = read::resource_type(&resource).unwrap_or_default().to_owned();
    let compact = json::to_vec(&resource).map_err(|source| IgError::Write { name, source })?;
    Ok(Conformance { kind, id: text("id"), url: text("url"), json: compact })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_definition_is_where_its_canonical_url_points() {
        let definitions = served(&Registry::builtin().unwrap()).unwrap();
        for definition in &definitions {
            let expected = format!("{}/{}/{}", crate::registry::CANONICAL_BASE, definition.kind, definition.id);
            assert_eq!(definition.url, expected);
        }
        assert!(definitions.iter().any(|d| d.kind == "CodeSystem" && d.id == "biosignal"));
    }
}
