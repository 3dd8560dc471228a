//! FHIR packages: npm archives, or folders of conformance resources.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Why packages could not be compiled.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read.
    #[error("{path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A resource is no JSON, or not what its type has.
    #[error("a resource of a package cannot be read")]
    Json(#[from] serde_json::Error),
}

/// What a package has.
#[derive(Debug, Clone)]
pub struct Package {
    /// `name#version`, or a folder's path.
    pub name: String,
    /// Its conformance resources, examples left out.
    pub resources: Vec<Resource>,
}

/// A resource of a package.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Its file.
    pub name: String,
    /// Its type.
    pub kind: String,
    /// The file's content.
    pub json: Vec<u8>,
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "resourceType")]
    kind: String,
}

#[derive(Deserialize)]
struct Manifest {
    name: String,
    version: String,
}

impl Package {
    /// Reads an archive (`.tgz`) or a folder.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Read { path: path.to_owned(), source };
        let mut files = if path.is_dir() { folder(path) } else { archive(path) }.map_err(failed)?;
        files.sort();
        let manifest = files.iter().find(|(name, _)| name == "package.json");
        let name = match manifest.map(|(_, json)| serde_json::from_slice::<Manifest>(json)).transpose()? {
            Some(manifest) => format!("{}#{}", manifest.name, manifest.version),
            None => path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        };
        let resources = files.into_iter().filter_map(|(name, json)| {
            let kind = serde_json::from_slice::<Head>(&json).ok()?.kind;
            Some(Resource { name, kind, json })
        });
        Ok(Self { name, resources: resources.collect() })
    }
}

/// The JSON files of an archive's folder `package`, by their names.
fn archive(path: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(fs::File::open(path)?));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let inner = entry.path()?.into_owned();
        let Ok(name) = inner.strip_prefix("package") else { continue };
        if name.components().count() != 1 || name.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let name = name.to_string_lossy().into_owned();
        let mut json = Vec::new();
        entry.read_to_end(&mut json)?;
        files.push((name, json));
    }
    Ok(files)
}

/// The JSON files of a folder, or of the folder `package` in it.
fn folder(path: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    let inner = path.join("package");
    let mut files = Vec::new();
    for entry in fs::read_dir(if inner.is_dir() { &inner } else { path })? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            files.push((name, fs::read(path)?));
        }
    }
    Ok(files)
}
