//! R4's own types.

use super::Compiler;
use super::definition::{self, StructureDefinition};
use super::profile::expected;
use crate::table::{Aggregation, Binding, Element, Kind, Strength, Type, TypeId, TypeUse, UNBOUNDED};

pub(super) fn compile(compiler: &mut Compiler<'_>, definitions: &[StructureDefinition]) {
    let own = |definition: &&StructureDefinition| {
        definition.derivation.as_deref() != Some("constraint") && definition.kind != "logical"
    };
    let types: Vec<&StructureDefinition> = definitions.iter().filter(own).collect();
    for definition in &types {
        declare(compiler, definition);
    }
    for definition in types {
        define(compiler, definition);
    }
}

/// Gives the type and its backbone elements their numbers.
fn declare(compiler: &mut Compiler<'_>, definition: &StructureDefinition) {
    let kind = match definition.kind.as_str() {
        "primitive-type" => Kind::Primitive,
        "resource" => Kind::Resource,
        _ => Kind::Complex,
    };
    add(compiler, &definition.type_name, kind, definition.is_abstract);
    for element in definition.snapshot.iter().flat_map(|view| &view.element).skip(1) {
        if element.types.iter().any(|kind| matches!(kind.code.as_str(), "BackboneElement" | "Element")) {
            add(compiler, &element.path, Kind::Backbone, false);
        }
    }
}

fn add(compiler: &mut Compiler<'_>, name: &str, kind: Kind, is_abstract: bool) {
    if compiler.types.contains_key(name) {
        return;
    }
    compiler.types.insert(name.to_owned(), compiler.tables.types.len() as TypeId);
    let (elements, constraints) = (Vec::new(), Vec::new());
    compiler.tables.types.push(Type { name: name.to_owned(), base: None, kind, is_abstract, elements, constraints });
}

fn define(compiler: &mut Compiler<'_>, definition: &StructureDefinition) {
    let base = definition.base_definition.as_deref().and_then(|url| url.rsplit('/').next());
    let base = base.and_then(|name| compiler.types.get(name).copied());
    for element in definition.snapshot.iter().flat_map(|view| &view.element) {
        if let Some(id) = compiler.types.get(&element.path).copied() {
            let constraints: Vec<u32> = element.constraint.iter().filter_map(|c| compiler.constraint(c)).collect();
            let backbone = element.types.first().and_then(|kind| compiler.types.get(&kind.code).copied());
            let kind = &mut compiler.tables.types[usize::from(id)];
            kind.base = if element.path.contains('.') { backbone } else { base };
            if !element.path.contains('.') {
                kind.constraints = constraints;
            }
        }
        let Some((parent, name)) = element.path.rsplit_once('.') else { continue };
        let Some(parent) = compiler.types.get(parent).copied() else { continue };
        let primitive = compiler.tables.types[usize::from(parent)].kind == Kind::Primitive;
        if primitive && name == "value" {
            continue;
        }
        let made = make(compiler, element, name);
        compiler.tables.types[usize::from(parent)].elements.push(made);
    }
}

fn make(compiler: &mut Compiler<'_>, element: &definition::Element, name: &str) -> Element {
    Element {
        name: name.trim_end_matches("[x]").to_owned(),
        choice: name.ends_with("[x]"),
        min: element.min.unwrap_or(0),
        max: bound(element.max.as_deref()).unwrap_or(UNBOUNDED),
        types: if name == "id" { identity(compiler, element) } else { types(compiler, element) },
        binding: element.binding.as_ref().and_then(binding).map(Box::new),
        constraints: element.constraint.iter().filter_map(|constraint| compiler.constraint(constraint)).collect(),
        fixed: expected(element).map(Box::new),
    }
}

/// What an element may be: of a backbone element and of one that refers to such, its own type.
pub(super) fn types(compiler: &Compiler<'_>, element: &definition::Element) -> Vec<TypeUse> {
    let named = element.content_reference.as_deref().and_then(|reference| reference.rsplit('#').next());
    if let Some(id) = named
        .or(Some(&element.path))
        .and_then(|path| compiler.types.get(path))
        .filter(|_| named.is_some() || element.path.contains('.'))
    {
        let (profiles, targets, aggregation) = (Vec::new(), Vec::new(), Vec::new());
        return vec![TypeUse { id: *id, profiles, targets, aggregation }];
    }
    let known = element.types.iter().filter_map(|kind| {
        if matches!(kind.code.as_str(), "BackboneElement" | "Element") && element.path.contains('.') {
            return None;
        }
        let id = *compiler.types.get(kind.name())?;
        let targets = kind.target_profile.iter().map(|url| short(url)).collect();
        let profiles = kind.profile.iter().map(|url| short(url)).collect();
        let place = |text: &String| match text.as_str() {
            "contained" => Aggregation::Contained,
            "bundled" => Aggregation::Bundled,
            _ => Aggregation::Referenced,
        };
        Some(TypeUse { id, profiles, targets, aggregation: kind.aggregation.iter().map(place).collect() })
    });
    known.collect()
}

/// The type of an `id`: resources have ids, other elements any text.
fn identity(compiler: &Compiler<'_>, element: &definition::Element) -> Vec<TypeUse> {
    let of_resource = element.base.as_ref().is_some_and(|base| base.path == "Resource.id");
    let id = compiler.types.get(if of_resource { "id" } else { "string" });
    id.map(|id| TypeUse { id: *id, profiles: Vec::new(), targets: Vec::new(), aggregation: Vec::new() })
        .into_iter()
        .collect()
}

const CORE: &str = "http://hl7.org/fhir/StructureDefinition/";

/// A profile's URL without its version; of those that R4 itself defines the last part.
pub(super) fn short(url: &str) -> String {
    let url = url.split('|').next().unwrap_or(url);
    url.strip_prefix(CORE).unwrap_or(url).to_owned()
}

/// An upper bound.
pub(super) fn bound(max: Option<&str>) -> Option<u32> {
    max.map(|max| max.parse().unwrap_or(UNBOUNDED))
}

const MAX: &str = "http://hl7.org/fhir/StructureDefinition/elementdefinition-maxValueSet";

pub(super) fn binding(binding: &definition::Binding) -> Option<Binding> {
    let strength = match binding.strength.as_str() {
        "required" => Strength::Required,
        "extensible" => Strength::Extensible,
        "preferred" => Strength::Preferred,
        _ => Strength::Example,
    };
    let max = binding.extension.iter().find(|extension| extension["url"] == MAX);
    let max = max.and_then(|extension| extension["valueCanonical"].as_str().or(extension["valueUri"].as_str()));
    let plain = |url: &str| url.split('|').next().unwrap_or(url).to_owned();
    Some(Binding { strength, value_set: plain(binding.value_set.as_deref()?), max: max.map(plain) })
}
