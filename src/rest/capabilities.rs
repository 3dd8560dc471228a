//! FHIR capabilities interaction: the CapabilityStatement, made from the table that routes.
//! <https://hl7.org/fhir/R4/http.html#capabilities>

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::extract::{Base, Format};
use super::respond::{self, Version};
use super::state::RestState;
use super::template::{AUTHORIZATION, PLACE, Template};
use crate::capability::{Capability, Interaction, Operation, Parameter, ResourceRow};
use crate::fhir::datatype::coded;
use crate::fhir::json::{self, WriteError};
use crate::fhir::make::{boolean, complex_extension, element, extension, list, object, one, text, texts};
use crate::fhir::{Element, FHIR_VERSION, Primitive, Value};

/// When what the statement says last changed.
const DATE: &str = "2026-11-21";

/// What it does all of.
const INSTANTIATES: [&str; 2] = [
    "http://hl7.org/fhir/us/core/CapabilityStatement/us-core-server",
    "http://hl7.org/fhir/uv/subscriptions-backport/CapabilityStatement/backport-subscription-server-r4",
];

/// <https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/StructureDefinition-capabilitystatement-subscriptiontopic-canonical.html>
const TOPIC: &str =
    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/capabilitystatement-subscriptiontopic-canonical";

/// <https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html>
const OAUTH_URIS: &str = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris";

/// The statement with gaps for the URLs.
///
/// # Errors
/// It cannot be written.
pub(super) fn template(capability: &Capability) -> Result<Template, WriteError> {
    Ok(Template::new(&String::from_utf8_lossy(&json::to_vec(&statement(capability))?)))
}

/// `GET [base]/metadata`
pub(super) async fn capabilities(
    State(state): State<RestState>,
    Base(base): Base,
    _: Format,
    headers: HeaderMap,
) -> Response {
    let statement = state.statement.at(&base);
    respond::versioned(&headers, &Version::of_bytes(&statement), || respond::json(StatusCode::OK, statement.clone()))
}

fn statement(capability: &Capability) -> Element {
    element([
        ("resourceType", Some(Value::Primitive(Primitive::String("CapabilityStatement".to_owned())))),
        ("status", text("active")),
        ("date", text(DATE)),
        ("publisher", text("Afferent")),
        ("kind", text("instance")),
        ("instantiates", texts(INSTANTIATES)),
        ("software", object([("name", text("Afferent")), ("version", text(env!("CARGO_PKG_VERSION")))])),
        ("implementation", object([("description", text("FHIR facade for biosignals")), ("url", text(PLACE))])),
        ("fhirVersion", text(FHIR_VERSION)),
        ("format", texts(["json", "application/fhir+json", "xml", "application/fhir+xml", "application/fhir+ndjson"])),
        ("patchFormat", texts(["application/json-patch+json", "application/fhir+json", "application/fhir+xml"])),
        ("rest", one(rest(capability))),
    ])
}

fn rest(capability: &Capability) -> Element {
    let service =
        coded("http://terminology.hl7.org/CodeSystem/restful-security-service", "SMART-on-FHIR", Some("SMART-on-FHIR"));
    let about = "A bearer token with SMART App Launch 2 scopes such as system/Observation.cruds. What this server derives is read-only.";
    let uri = |name: &str| extension(name, ("valueUri", text(format!("{AUTHORIZATION}/{name}"))));
    let uris = complex_extension(OAUTH_URIS, ["token", "introspect", "revoke"].map(uri).to_vec());
    element([
        ("mode", text("server")),
        (
            "security",
            object([
                ("extension", list(vec![uris])),
                ("cors", boolean(true)),
                ("service", one(service)),
                ("description", text(about)),
            ]),
        ),
        ("interaction", list(capability.system.iter().map(|i| element([("code", text(i.code()))])).collect())),
        ("resource", list(capability.resources().map(|row| resource(capability, row)).collect())),
    ])
}

fn resource(capability: &Capability, row: &ResourceRow) -> Element {
    let stored = row.supports(Interaction::Vread);
    let searched = row.supports(Interaction::SearchType);
    let conditional_delete = searched && row.supports(Interaction::Delete);
    let includes = row.references().map(|p| format!("{}:{}", row.resource, p.name));
    let revincludes = capability.references_to(&row.resource).map(|(from, p)| format!("{}:{}", from.resource, p.name));
    let topics = capability.topics().filter(|_| row.resource == "Subscription");
    let topics = topics.map(|topic| extension(TOPIC, ("valueCanonical", text(topic.url())))).collect();
    element([
        ("extension", list(topics)),
        ("type", text(&row.resource)),
        ("supportedProfile", texts(&row.profiles)),
        ("documentation", row.documentation.as_deref().and_then(text)),
        ("interaction", list(row.interactions.iter().map(|i| element([("code", text(i.code()))])).collect())),
        ("versioning", text(if stored { "versioned-update" } else { "no-version" })),
        ("readHistory", boolean(row.supports(Interaction::HistoryInstance))),
        ("updateCreate", boolean(row.supports(Interaction::Update))),
        ("conditionalCreate", boolean(searched && row.supports(Interaction::Create))),
        ("conditionalRead", text("full-support")),
        ("conditionalUpdate", boolean(searched && row.supports(Interaction::Update))),
        ("conditionalDelete", text(if conditional_delete { "single" } else { "not-supported" })),
        ("referencePolicy", texts(["literal", "logical", "local"].into_iter().filter(|_| stored))),
        ("searchInclude", texts(includes)),
        ("searchRevInclude", texts(revincludes.filter(|_| searched))),
        ("searchParam", list(row.parameters.iter().map(parameter).collect())),
        ("operation", list(row.operations.iter().map(operation).collect())),
    ])
}

fn operation(operation: &Operation) -> Element {
    element([("name", text(&operation.name)), ("definition", text(&operation.definition))])
}

fn parameter(parameter: &Parameter) -> Element {
    element([
        ("name", text(&parameter.name)),
        ("definition", text(&parameter.definition)),
        ("type", text(parameter.kind.code())),
    ])
}
