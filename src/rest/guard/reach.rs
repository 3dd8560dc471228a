//! What of a type a caller's scopes reach.

use crate::auth::Access;
use crate::capability::{Column, ResourceRow, Source};
use crate::id::ResourceId;
use crate::rest::error::Error;
use crate::rest::extract::Caller;
use crate::rest::parameters::SearchParameters;
use crate::rest::state::RestState;
use crate::rest::write::is_result_parameter;
use crate::store::search::Filter;

/// Types that are nobody's: what is a patient's refers to them.
const NOBODYS: [&str; 7] =
    ["Practitioner", "PractitionerRole", "Organization", "Location", "Medication", "Endpoint", "DeviceMetric"];

/// What of a type a caller may touch: that for which all filters hold.
#[derive(Debug, Clone, Default)]
pub(in crate::rest) struct Reach {
    pub(super) filters: Vec<Filter>,
    /// What else must be seen for it to be.
    pub(super) with: Option<With>,
}

/// What a resource without a patient of its own is seen with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum With {
    /// Everything it is about.
    Targets,
    /// A document it is the content of.
    Documents,
}

impl Reach {
    /// Whether it can be told of a single resource by itself.
    pub(in crate::rest) fn is_told_of_one(&self) -> bool {
        self.with.is_none()
    }

    /// What must hold.
    pub(in crate::rest) fn into_filters(self) -> Vec<Filter> {
        self.filters
    }

    pub(super) fn is_everything(&self) -> bool {
        self.filters.is_empty() && self.with.is_none()
    }
}

impl Caller {
    /// Whether some of its scopes are about less than whole types.
    pub(in crate::rest) fn is_bounded(&self) -> bool {
        let grant = self.grant();
        grant.patient.is_some() || grant.scope.resources().iter().any(|scope| !scope.query.is_empty())
    }

    /// The patient all scopes of a type and access are about, if they are about one alone.
    pub(in crate::rest) fn patient_alone(&self, kind: &str, access: Access) -> Option<&ResourceId> {
        let grant = self.grant();
        let patient = grant.patient.as_ref()?;
        grant.scopes_of(kind, access).all(|scope| grant.is_about_patient(scope)).then_some(patient)
    }

    /// What of a type may be accessed so.
    pub(in crate::rest) fn reach(&self, state: &RestState, kind: &str, access: Access) -> Result<Reach, Error> {
        self.require(kind, access)?;
        let mut reach = Reach::default();
        if !self.is_bounded() {
            return Ok(reach);
        }
        let forbidden = || Error::Forbidden { access: access.word(), kind: kind.to_owned() };
        let row = state.capability.resource(kind).ok_or_else(forbidden)?;
        let grant = self.grant();
        let (of_patient, of_all): (Vec<_>, Vec<_>) =
            grant.scopes_of(kind, access).partition(|scope| grant.is_about_patient(scope));
        if of_all.iter().any(|scope| scope.query.is_empty()) {
            return Ok(reach);
        }
        let mut ways = of_all.iter().filter_map(|scope| filters(state, row, &scope.query)).collect::<Vec<_>>();
        let compartment = grant.patient.as_ref().and_then(|patient| compartment(row, patient, access));
        if let Some(compartment) = compartment.filter(|_| !of_patient.is_empty()) {
            let own = match &compartment {
                Compartment::Of(filter) => Some(filter.clone()),
                Compartment::With(_) | Compartment::Nobodys => None,
            };
            // One without a query needs no others.
            let every = of_patient.iter().any(|scope| scope.query.is_empty());
            let queries: Vec<Vec<Filter>> = if every {
                vec![Vec::new()]
            } else {
                of_patient.iter().filter_map(|scope| filters(state, row, &scope.query)).collect()
            };
            let own_ways = queries.into_iter().map(|query| query.into_iter().chain(own.clone()).collect::<Vec<_>>());
            match compartment {
                // What else must be seen cannot stand beside other ways: those are enough by themselves, or there are none.
                Compartment::With(_) if !ways.is_empty() => {}
                Compartment::With(with) => {
                    reach.with = Some(with);
                    ways.extend(own_ways);
                }
                Compartment::Of(_) | Compartment::Nobodys => ways.extend(own_ways),
            }
        }
        if ways.is_empty() {
            return Err(forbidden());
        }
        match ways.len() {
            _ if ways.iter().any(Vec::is_empty) => {}
            1 => reach.filters = ways.concat(),
            _ => reach.filters.push(Filter::Any(ways)),
        }
        Ok(reach)
    }
}

/// What the query of a scope asks for; nothing where not all of it is understood, or cannot be told of a single resource.
fn filters(state: &RestState, row: &ResourceRow, query: &[(String, String)]) -> Option<Vec<Filter>> {
    if query.iter().any(|(name, _)| is_result_parameter(name)) {
        return None;
    }
    let parsed = SearchParameters::parse(&state.context(""), row, query.to_vec()).ok()?;
    let filters = parsed.search.filters;
    (parsed.ignored.is_empty() && !filters.is_empty() && filters.iter().all(Filter::is_plain)).then_some(filters)
}

/// What of a type is one patient's.
enum Compartment {
    /// That for which this holds.
    Of(Filter),
    /// What is seen with something else.
    With(With),
    /// All of it is nobody's.
    Nobodys,
}

/// What of a type one patient's caller may access so; nothing where whose it is cannot be told. Narrower than FHIR's: what a
/// patient is the subject of, not what a patient wrote about others. What is nobody's is not written by one patient's.
/// <https://hl7.org/fhir/R4/compartmentdefinition-patient.html>
fn compartment(row: &ResourceRow, patient: &ResourceId, access: Access) -> Option<Compartment> {
    let looks = matches!(access, Access::Read | Access::Search);
    let whose = row.by_column(Column::Subject).filter(|p| p.target.iter().any(|target| target == "Patient"));
    let own = || Filter::Subject(vec![format!("Patient/{patient}")]);
    Some(match (row.resource.as_str(), whose) {
        ("Patient", _) => Compartment::Of(Filter::Id(vec![patient.as_str().to_owned()])),
        ("Provenance", _) if looks => Compartment::With(With::Targets),
        ("Binary", _) if looks => Compartment::With(With::Documents),
        // One that is nobody's made what is the patient's.
        ("Device", Some(p)) if looks => {
            let nobodys = Filter::Missing { parameter: p.name.clone(), missing: true };
            Compartment::Of(Filter::Any(vec![vec![own()], vec![nobodys]]))
        }
        (_, Some(_)) => Compartment::Of(own()),
        (kind, None) if looks && (row.source == Source::Conformance || NOBODYS.contains(&kind)) => Compartment::Nobodys,
        (_, None) => return None,
    })
}
