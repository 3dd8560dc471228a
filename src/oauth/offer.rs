//! What somebody can say yes to: each scope an app asks for, whole or in part.
//! <https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html#finer-grained-resource-constraints-using-search-parameters>

use super::page::escaped;
use super::request::Form;
use crate::auth::{Access, Context, Mark, ResourceScope, ScopeSet};

const SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/observation-category";

/// A scope to say yes to, with the categories it may be confined to.
#[derive(Debug)]
pub(super) struct Offer {
    number: usize,
    words: String,
    scope: String,
    parts: Vec<(&'static str, &'static str)>,
}

impl Offer {
    /// As part of a form.
    pub(super) fn html(&self) -> String {
        let part = |(code, display): &(&str, &str)| {
            format!(
                "<label><input type=\"checkbox\" name=\"part.{}.{code}\" value=\"1\"> only {}</label>",
                self.number,
                escaped(display)
            )
        };
        let parts: String = self.parts.iter().map(part).collect();
        let parts = if parts.is_empty() { parts } else { format!("<fieldset>{parts}</fieldset>") };
        format!(
            "<fieldset><label><input type=\"checkbox\" name=\"scope.{}\" value=\"1\" checked> {} <code>{}</code></label>{parts}</fieldset>",
            self.number,
            escaped(&self.words),
            escaped(&self.scope),
        )
    }
}

/// What may be said yes to. `categories` are those Observations here are of.
pub(super) fn offers(asked: &ScopeSet, categories: &[(&'static str, &'static str)]) -> Vec<Offer> {
    let of_resource = |(number, scope): (usize, &ResourceScope)| Offer {
        number,
        words: words(scope),
        scope: scope.to_string(),
        parts: if scope.is_of("Observation") && scope.query.is_empty() { categories.to_vec() } else { Vec::new() },
    };
    let resources = asked.resources().iter().enumerate().map(of_resource);
    let first = asked.resources().len();
    let marks = marks(asked).into_iter().enumerate();
    let of_mark = |(n, mark): (usize, Mark)| Offer {
        number: first + n,
        words: mark_words(mark).to_owned(),
        scope: mark.word().to_owned(),
        parts: Vec::new(),
    };
    resources.chain(marks.map(of_mark)).collect()
}

/// Those of the asked scopes a form says yes to.
pub(super) fn chosen(asked: &ScopeSet, form: &Form) -> ScopeSet {
    let is_checked = |number: usize| form.get(&format!("scope.{number}")).is_some();
    let mut scopes: Vec<String> = Vec::new();
    for (number, scope) in asked.resources().iter().enumerate().filter(|(number, _)| is_checked(*number)) {
        let start = format!("part.{number}.");
        let parts: Vec<&str> = form.names().filter_map(|name| name.strip_prefix(&start)).collect();
        if parts.is_empty() {
            scopes.push(scope.to_string());
        }
        let part = |code: &&str| scope.of_part("category", &format!("{SYSTEM}|{code}")).to_string();
        scopes.extend(parts.iter().map(part));
    }
    let first = asked.resources().len();
    let marks = marks(asked).into_iter().enumerate().filter(|(n, _)| is_checked(first + n));
    scopes.extend(marks.map(|(_, mark)| mark.word().to_owned()));
    // What a form says beyond what was asked for is nothing.
    ScopeSet::parse(&scopes.join(" ")).and(asked)
}

fn marks(asked: &ScopeSet) -> Vec<Mark> {
    Mark::ALL.into_iter().filter(|mark| asked.is_marked(*mark)).collect()
}

/// A scope in words.
fn words(scope: &ResourceScope) -> String {
    let all = [
        (Access::Read, "read"),
        (Access::Search, "search"),
        (Access::Create, "create"),
        (Access::Update, "change"),
        (Access::Delete, "delete"),
    ];
    let may: Vec<&str> = all.into_iter().filter(|(access, _)| scope.grants(*access)).map(|(_, word)| word).collect();
    let what = scope.kind().map_or_else(|| "everything".to_owned(), str::to_owned);
    let whose = match scope.context {
        Context::Patient => "of this patient",
        Context::User => "you may see",
        Context::System => "of everybody",
    };
    let part = if scope.query.is_empty() { "" } else { ", in part" };
    format!("{} {what} {whose}{part}", may.join(", "))
}

fn mark_words(mark: Mark) -> &'static str {
    match mark {
        Mark::OpenId => "know that it is you",
        Mark::FhirUser => "know who you are here",
        Mark::Launch => "know what it was opened for",
        Mark::LaunchPatient => "know which patient you chose",
        Mark::OnlineAccess => "come back while you are signed in",
        Mark::OfflineAccess => "come back when you are gone",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_can_say_less_than_was_asked_for_and_never_more() {
        let asked = ScopeSet::parse("patient/Observation.rs patient/Patient.r openid offline_access");
        let offers = offers(&asked, &[("vital-signs", "Vital Signs"), ("laboratory", "Laboratory")]);
        assert_eq!(offers.iter().map(|offer| offer.parts.len()).collect::<Vec<_>>(), [2, 0, 0, 0]);
        assert!(offers[0].html().contains("part.0.laboratory"));
        for (form, granted) in [
            ("scope.0=1&scope.1=1&scope.2=1&scope.3=1", asked.to_string()),
            ("scope.1=1", "patient/Patient.r".to_owned()),
            ("part.0.vital-signs=1", String::new()),
            ("scope.3=1&scope.4=1&scope.9=1", "offline_access".to_owned()),
            (
                "scope.0=1&part.0.vital-signs=1&part.0.laboratory=1",
                format!(
                    "patient/Observation.rs?category={0}%7Claboratory patient/Observation.rs?category={0}%7Cvital-signs",
                    "http%3A%2F%2Fterminology.hl7.org%2FCodeSystem%2Fobservation-category"
                ),
            ),
        ] {
            assert_eq!(chosen(&asked, &Form::parse(form.as_bytes()).unwrap()).to_string(), granted, "{form}");
        }
    }
}
