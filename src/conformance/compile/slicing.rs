//! What members of a slice are known by: the discriminators, followed into the slice's definition.

use std::borrow::Cow;

use super::Compiler;
use super::definition::{Discriminator, Element, Slicing};
use super::profile::{Definitions, Tree, expected};
use super::types::{binding, short};
use crate::json::Json;
use crate::table::{Expected, Strength, Test, TypeId};

pub(super) fn tests(
    compiler: &Compiler<'_>,
    known: &Definitions<'_>,
    slicing: &Slicing,
    slice: &Tree<'_>,
) -> Vec<Test> {
    let test = |discriminator| test(compiler, known, discriminator, slice);
    slicing.discriminator.iter().filter_map(test).collect()
}

fn test(
    compiler: &Compiler<'_>,
    known: &Definitions<'_>,
    discriminator: &Discriminator,
    slice: &Tree<'_>,
) -> Option<Test> {
    let path = discriminator.path.replace("[x]", "");
    let steps = steps(&path);
    let resolves = steps.last() == Some(&"resolve()");
    let within: &[&str] = if resolves { steps.get(..steps.len() - 1)? } else { &steps };
    if discriminator.kind == "type" || discriminator.kind == "profile" {
        return find(known, slice, within, &mut |element| {
            if element.max.as_deref() == Some("0") {
                return Some(Test::Exists(path.clone(), false));
            }
            typed(compiler, known, discriminator, element, resolves, &path)
        });
    }
    let mut url = None;
    let found = find(known, slice, &steps, &mut |element| {
        if element.max.as_deref() == Some("0") {
            return Some(Test::Exists(path.clone(), false));
        }
        if discriminator.kind == "exists" {
            return element.min.is_some_and(|min| min > 0).then(|| Test::Exists(path.clone(), true));
        }
        let value = expected(element).map(|expected| Test::Value(path.clone(), expected));
        value.or_else(|| {
            let binding = element.binding.as_ref().and_then(binding)?;
            (binding.strength == Strength::Required).then(|| Test::Member(path.clone(), binding.value_set))
        })
    });
    if found.is_none() && path == "url" {
        url = slice.element.and_then(|element| element.types.first()?.profile.first().cloned());
    }
    found.or_else(|| {
        let url = url?.split('|').next()?.to_owned();
        Some(Test::Value(path.clone(), Expected::Fixed(Json::String(Cow::Owned(url)))))
    })
}

fn typed(
    compiler: &Compiler<'_>,
    known: &Definitions<'_>,
    discriminator: &Discriminator,
    element: &Element,
    resolves: bool,
    path: &str,
) -> Option<Test> {
    let profiles = element.types.iter().flat_map(|kind| if resolves { &kind.target_profile } else { &kind.profile });
    if discriminator.kind == "profile" {
        let profiles: Vec<String> = profiles.map(|url| short(url)).collect();
        return (!profiles.is_empty()).then(|| Test::Profile(path.to_owned(), profiles));
    }
    let type_of = |url: &String| {
        let url = short(url);
        let name = known.get(&url).map_or(url.as_str(), |definition| definition.type_name.as_str());
        compiler.types.get(name).copied()
    };
    let kinds: Vec<TypeId> = if resolves {
        profiles.filter_map(type_of).collect()
    } else if element.types.is_empty() {
        compiler.types.get(&element.path).copied().into_iter().collect()
    } else {
        element.types.iter().filter_map(|kind| compiler.types.get(kind.name()).copied()).collect()
    };
    (!kinds.is_empty()).then(|| Test::Type(path.to_owned(), kinds))
}

/// What `ask` says of the element that steps lead to: in the slice's own definition, or in the profiles that it follows.
fn find<T>(
    known: &Definitions<'_>,
    tree: &Tree<'_>,
    steps: &[&str],
    ask: &mut dyn FnMut(&Element) -> Option<T>,
) -> Option<T> {
    let Some((step, rest)) = steps.split_first() else {
        return tree.element.and_then(ask);
    };
    let own = match *step {
        "$this" => find(known, tree, rest, ask),
        "resolve()" => None,
        step if step.starts_with("ofType(") => {
            let slices = tree.slices.iter().find_map(|(_, slice)| find(known, slice, rest, ask));
            slices.or_else(|| find(known, tree, rest, ask))
        }
        step if step.starts_with("extension(") => {
            let url = step.trim_start_matches("extension(").trim_end_matches(')').trim_matches(['\'', '"']);
            let slices = &tree.child("extension")?.slices;
            let of_url = |slice: &Tree<'_>| {
                let profiles = slice.element.iter().flat_map(|element| &element.types).flat_map(|kind| &kind.profile);
                let fixed = slice.child("url").and_then(|child| child.element?.prefixed("fixed"));
                fixed.is_some_and(|fixed| fixed == url)
                    || profiles.into_iter().any(|profile| short(profile) == short(url))
            };
            slices.iter().filter(|(_, slice)| of_url(slice)).find_map(|(_, slice)| find(known, slice, rest, ask))
        }
        step => tree.child(step).and_then(|child| {
            let slices = child.slices.iter();
            find(known, child, rest, ask)
                .or_else(|| slices.into_iter().find_map(|(_, slice)| find(known, slice, rest, ask)))
        }),
    };
    own.or_else(|| {
        let types = tree.element.iter().flat_map(|element| &element.types);
        let followed = if *step == "resolve()" {
            types.flat_map(|kind| &kind.target_profile).collect::<Vec<_>>()
        } else {
            types.flat_map(|kind| &kind.profile).collect()
        };
        let rest = if *step == "resolve()" { rest } else { steps };
        followed.into_iter().find_map(|url| {
            let definition = known.get(&short(url))?;
            find(known, &Tree::new(&definition.snapshot.as_ref()?.element), rest, ask)
        })
    })
}

/// A discriminator's path in steps; points within brackets do not count.
fn steps(path: &str) -> Vec<&str> {
    let mut steps = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, letter) in path.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '.' if depth == 0 => {
                steps.extend(path.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    steps.extend(path.get(start..));
    steps
}
