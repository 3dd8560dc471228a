//! Resources to look at: a patient nobody is, with everything US Core knows of one. `src/projection/example/` has them as files.

use include_dir::{Dir, include_dir};

use super::ig::IgError;
use crate::fhir::{json, read};
use crate::id::ResourceId;
use crate::resource::Resource;

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/projection/example");

/// Every example.
///
/// # Errors
/// A file is no FHIR resource; a test keeps that from being released.
pub fn examples() -> Result<Vec<Resource>, IgError> {
    FILES
        .files()
        .map(|file| {
            let parse = |source| IgError::Parse { path: file.path().to_owned(), source };
            let element = json::parse(file.contents()).map_err(parse)?;
            let kind = read::resource_type(&element).unwrap_or_default().to_owned();
            let id = read::string(&element, "id").unwrap_or_default().to_owned();
            let id = ResourceId::new(id).map_err(|_| IgError::Identity(file.path().to_owned()))?;
            Ok(Resource { kind, id, element })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_has_the_name_of_its_file_and_can_be_stored() {
        let examples = examples().unwrap();
        assert!(examples.len() > 50);
        for example in examples {
            let name = format!("{}-{}.json", example.kind, example.id);
            assert!(FILES.get_file(&name).is_some(), "{name}");
            crate::fhir::stored::tail(example.element).unwrap();
        }
    }
}
