//! Profiles and extensions: what their snapshots add to the type.

use std::borrow::Cow;
use std::collections::HashMap;

use super::Compiler;
use super::definition::{self, StructureDefinition};
use super::slicing;
use super::types::{binding, bound, short, types};
use crate::json::Json;
use crate::table::{Context, Element, Expected, Profile, Rule, Slice, Slicing, Strength, TypeId, UNBOUNDED};

/// Definitions by their short URL.
pub(super) type Definitions<'d> = HashMap<String, &'d StructureDefinition>;

pub(super) fn compile(compiler: &mut Compiler<'_>, definitions: &[StructureDefinition]) {
    let known: Definitions<'_> = definitions.iter().map(|definition| (short(&definition.url), definition)).collect();
    for definition in definitions {
        let constrains = definition.derivation.as_deref() == Some("constraint");
        let current = known.get(&short(&definition.url)).is_some_and(|last| std::ptr::eq(*last, definition));
        if constrains && current && definition.kind != "logical" {
            define(compiler, &known, definition);
        }
    }
}

fn define(compiler: &mut Compiler<'_>, known: &Definitions<'_>, definition: &StructureDefinition) {
    let Some(kind) = compiler.types.get(&definition.type_name).copied() else {
        return compiler.remark(format!("{}: no type {}", definition.url, definition.type_name));
    };
    let Some(view) = definition.snapshot.as_ref().or(definition.differential.as_ref()) else {
        return compiler.remark(format!("{}: has neither snapshot nor differential", definition.url));
    };
    let tree = Tree::new(&view.element);
    let rule = Delta { compiler, known, url: &definition.url }.root(&tree, kind);
    let base = definition.base_definition.as_deref().map(short).filter(|base| *base != definition.type_name);
    let context = |context: &definition::Context| match context.kind.as_str() {
        "element" => Context::Element(context.expression.clone()),
        "extension" => Context::Extension(context.expression.clone()),
        _ => Context::Path(context.expression.clone()),
    };
    let modifier = view.element.first().is_some_and(|root| root.is_modifier);
    let profile = Profile {
        version: definition.version.clone(),
        kind,
        base: base.filter(|_| definition.snapshot.is_none()),
        rule,
        contexts: definition.context.iter().map(context).collect(),
        context_invariants: definition.context_invariant.clone(),
        modifier,
    };
    compiler.tables.profiles.insert(short(&definition.url), profile);
}

/// The elements of a snapshot or differential by their ids.
#[derive(Default)]
pub(super) struct Tree<'d> {
    pub(super) element: Option<&'d definition::Element>,
    pub(super) children: Vec<(&'d str, Tree<'d>)>,
    pub(super) slices: Vec<(&'d str, Tree<'d>)>,
}

impl<'d> Tree<'d> {
    pub(super) fn new(elements: &'d [definition::Element]) -> Self {
        let mut root = Self::default();
        for element in elements {
            let id = if element.id.is_empty() { &element.path } else { &element.id };
            let mut at = &mut root;
            for segment in id.split('.').skip(1) {
                let (name, slice) =
                    segment.split_once(':').map_or((segment, None), |(name, slice)| (name, Some(slice)));
                at = entry(&mut at.children, name.trim_end_matches("[x]"));
                for part in slice.into_iter().flat_map(|slice| slice.split('/')) {
                    at = entry(&mut at.slices, part);
                }
            }
            at.element = Some(element);
        }
        root
    }

    pub(super) fn child(&self, name: &str) -> Option<&Tree<'d>> {
        self.children.iter().find(|(known, _)| *known == name).map(|(_, child)| child)
    }
}

fn entry<'t, 'd>(list: &'t mut Vec<(&'d str, Tree<'d>)>, name: &'d str) -> &'t mut Tree<'d> {
    let at = list.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
        list.push((name, Tree::default()));
        list.len() - 1
    });
    &mut list[at].1
}

/// Compares definitions with types.
struct Delta<'c, 't, 'd> {
    compiler: &'c mut Compiler<'t>,
    known: &'c Definitions<'d>,
    url: &'c str,
}

impl<'d> Delta<'_, '_, 'd> {
    fn root(&mut self, tree: &Tree<'d>, kind: TypeId) -> Rule {
        let inherited = self.compiler.tables.types[usize::from(kind)].constraints.clone();
        let mut rule = Rule { constraints: self.constraints(tree, &inherited), ..Rule::default() };
        rule.children = self.children(tree, &[kind]);
        rule
    }

    fn children(&mut self, tree: &Tree<'d>, kinds: &[TypeId]) -> Vec<(String, Rule)> {
        let mut rules = Vec::new();
        for (name, child) in &tree.children {
            let elements = kinds.iter().flat_map(|kind| &self.compiler.tables.types[usize::from(*kind)].elements);
            let Some(base) = elements.into_iter().find(|element| element.name == *name).cloned() else {
                // Several types may have elements of their own; of those of a profile on one of them there is no telling.
                if kinds.len() == 1 {
                    self.compiler.remark(format!("{}: no element {name}", self.url));
                }
                continue;
            };
            let rule = self.rule(child, &base, false);
            if !rule.is_empty() {
                rules.push(((*name).to_owned(), rule));
            }
        }
        rules
    }

    /// What a definition adds to an element of a type; of a slice its number always counts.
    fn rule(&mut self, tree: &Tree<'d>, base: &Element, slice: bool) -> Rule {
        let mut rule = Rule::default();
        let mut kinds: Vec<TypeId> = base.types.iter().map(|kind| kind.id).collect();
        if let Some(element) = tree.element {
            let floor = if slice { 0 } else { base.min };
            rule.min = element.min.filter(|min| *min > floor);
            let ceiling = if slice { UNBOUNDED } else { base.max };
            rule.max = bound(element.max.as_deref()).filter(|max| *max < ceiling);
            let narrowed = types(self.compiler, element);
            // What FHIRPath's own types stand for is the type's business.
            if !narrowed.is_empty() && !element.types.iter().any(|kind| kind.code.contains("/System.")) {
                kinds = narrowed.iter().map(|kind| kind.id).collect();
                rule.types = (narrowed != base.types).then_some(narrowed);
            }
            rule.expected = expected(element).map(Box::new);
            let bound = element.binding.as_ref().and_then(binding);
            let matters =
                |binding: &crate::table::Binding| binding.strength >= Strength::Extensible || binding.max.is_some();
            rule.binding =
                bound.filter(|binding| matters(binding) && Some(binding) != base.binding.as_deref()).map(Box::new);
            rule.max_length = element.max_length;
            rule.least = element.prefixed("minValue").and_then(serde_json::Value::as_f64);
            rule.greatest = element.prefixed("maxValue").and_then(serde_json::Value::as_f64);
            let mut inherited = base.constraints.clone();
            for kind in &kinds {
                inherited.extend(&self.compiler.tables.types[usize::from(*kind)].constraints);
            }
            rule.constraints = self.constraints(tree, &inherited);
        }
        rule.children = self.children(tree, &kinds);
        rule.slicing = self.slicing(tree, base).map(Box::new);
        rule
    }

    fn constraints(&mut self, tree: &Tree<'_>, inherited: &[u32]) -> Vec<u32> {
        let all = tree.element.iter().flat_map(|element| &element.constraint);
        let own = all.filter_map(|constraint| self.compiler.constraint(constraint));
        own.filter(|constraint| !inherited.contains(constraint)).collect()
    }

    fn slicing(&mut self, tree: &Tree<'d>, base: &Element) -> Option<Slicing> {
        if tree.slices.is_empty() {
            return None;
        }
        let by_url = definition::Slicing {
            discriminator: vec![definition::Discriminator { kind: "value".to_owned(), path: "url".to_owned() }],
            rules: "open".to_owned(),
            ordered: false,
        };
        let by_type = definition::Slicing {
            discriminator: vec![definition::Discriminator { kind: "type".to_owned(), path: "$this".to_owned() }],
            rules: "open".to_owned(),
            ordered: false,
        };
        let said = tree.element.and_then(|element| element.slicing.as_ref());
        let said = said.unwrap_or(if base.choice { &by_type } else { &by_url });
        let mut slices = Vec::new();
        for (name, slice) in &tree.slices {
            let tests = slicing::tests(self.compiler, self.known, said, slice);
            if tests.is_empty() && !said.discriminator.is_empty() {
                self.compiler.remark(format!("{}: nothing tells the slice {name}", self.url));
            }
            let mut rule = self.rule(slice, base, true);
            rule.max = rule.max.filter(|max| *max != UNBOUNDED);
            slices.push(Slice { name: (*name).to_owned(), tests, rule });
        }
        Some(Slicing { closed: said.rules == "closed", ordered: said.ordered, slices })
    }
}

/// The value that an element is to have.
pub(super) fn expected(element: &definition::Element) -> Option<Expected> {
    let fixed = element.prefixed("fixed").map(|value| Expected::Fixed(json(value)));
    fixed.or_else(|| element.prefixed("pattern").map(|value| Expected::Pattern(json(value))))
}

fn json(value: &serde_json::Value) -> Json<'static> {
    use serde_json::Value;
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Boolean(*value),
        Value::Number(number) => match number.as_i64() {
            Some(value) => Json::Integer(value),
            None => Json::Decimal(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Json::String(Cow::Owned(text.clone())),
        Value::Array(items) => Json::Array(items.iter().map(json).collect()),
        Value::Object(properties) => {
            Json::Object(properties.iter().map(|(key, value)| (Cow::Owned(key.clone()), json(value))).collect())
        }
    }
}
