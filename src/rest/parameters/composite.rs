//! Composite parameters: `code-value-quantity=8867-4$gt100`. <https://hl7.org/fhir/R4/search.html#combining>

use super::filter::Reader;
use super::value;
use crate::capability::{Parameter, ResourceRow};
use crate::rest::error::Error;
use crate::store::search::{Filter, TermMatch};

/// What a composite asks for.
///
/// Where its values stand in the resource itself, both must hold. Where they stand in a part that repeats, both must hold of
/// one and the same repetition.
pub(super) fn composite(
    reader: &Reader<'_>,
    row: &ResourceRow,
    parameter: &Parameter,
    text: &str,
) -> Result<Vec<Filter>, Error> {
    let mut any = Vec::new();
    for pair in value::alternatives(reader.name, text)? {
        let [left, right] = value::split(pair, '$')[..] else {
            return Err(reader.invalid("must be two values with a $ between them"));
        };
        for member in row.members(parameter) {
            let [first, second] = member.components.as_slice() else { continue };
            let (Some(first), Some(second)) = (row.parameter(first), row.parameter(second)) else { continue };
            let (code, value) = (reader.value(first, left)?, reader.value(second, right)?);
            if first.part.is_none() {
                any.push(vec![code, value]);
                continue;
            }
            for term in terms(&code) {
                let parameter = first.name.clone();
                let alone = Filter::Term { parameter: parameter.clone(), values: vec![term.clone()] };
                any.push(vec![alone, Filter::Together { parameter, code: term, value: Box::new(value.clone()) }]);
            }
        }
    }
    Ok(match <[Vec<Filter>; 1]>::try_from(any) {
        Ok([one]) => one,
        Err(several) => vec![Filter::Any(several)],
    })
}

fn terms(filter: &Filter) -> Vec<TermMatch> {
    match filter {
        Filter::Term { values, .. } => values.clone(),
        _ => Vec::new(),
    }
}
