//! The API as a client sees it, without a socket.

mod bad_input;
mod form;
mod openapi;
mod operation;
mod scopes;
mod search;
mod statement;
mod us_core;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode};
use proptest::prelude::*;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt as _;

use super::conformance::Definitions;
use super::parameters::{Context, SearchParameters, pairs};
use super::{RestState, Settings, check, routers};
use crate::auth::{Auth, Limits, NewKey, Policy};
use crate::capability::{Capability, Conformance, Interaction, Level, Source};
use crate::store::Store;
use crate::store::fixture::{Standing, observation, provenance, resource, store, tenant};

mod fuzz;
mod transaction;
mod validity;
mod write;

const BASE: &str = "http://example.org/fhir/R4";

struct Server {
    _directory: TempDir,
    store: Store,
    router: Router,
    key: String,
}

struct Answer {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&self.body)))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    fn references(&self, mode: &str) -> Vec<String> {
        let entries = self.json()["entry"].as_array().cloned().unwrap_or_default();
        let of_mode = entries.iter().filter(|e| e["search"]["mode"] == mode);
        of_mode.map(|e| format!("{}/{}", e["resource"]["resourceType"], e["resource"]["id"]).replace('"', "")).collect()
    }

    fn link(&self, relation: &str) -> Option<String> {
        let links = self.json()["link"].as_array().cloned().unwrap_or_default();
        links.iter().find(|l| l["relation"] == relation).map(|l| l["url"].as_str().unwrap().to_owned())
    }
}

async fn key(store: &Store, name: &str, scope: &str) -> String {
    NewKey { scope: scope.to_owned(), ..NewKey::for_everything(tenant(name), true) }
        .create(store)
        .await
        .unwrap()
        .expose()
        .to_owned()
}

async fn server() -> Server {
    server_with(Settings::default()).await
}

async fn server_with(settings: Settings) -> Server {
    let server = empty_with(settings).await;
    let mut resources = Vec::new();
    for i in 0..12 {
        let patient = if i % 3 == 0 { "p0" } else { "p1" };
        resources.push(observation(&format!("o{i:02}"), patient, &format!("2026-01-18T14:{i:02}:00.000Z"), "60"));
        resources.push(provenance(&format!("v{i:02}"), &format!("Observation/o{i:02}")));
    }
    resources.push(resource("Device", "d1", r#","status":"active""#));
    resources.push(resource("Binary", "b1", r#","contentType":"image/png","data":"iVBORw=="}"#.trim_end_matches('}')));
    server.store.put(&tenant("a"), resources).await.unwrap();
    server
}

async fn empty() -> Server {
    empty_with(Settings::default()).await
}

async fn empty_with(settings: Settings) -> Server {
    let (directory, store) = store().await;
    let definition = Conformance {
        kind: "CodeSystem".to_owned(),
        id: "biosignal".to_owned(),
        url: "https://afferent.dev/fhir/CodeSystem/biosignal".to_owned(),
        json:
            br#"{"resourceType":"CodeSystem","id":"biosignal","url":"https://afferent.dev/fhir/CodeSystem/biosignal","concept":[{"code":"ecg"}]}"#
                .to_vec(),
    };
    let set = Conformance {
        kind: "ValueSet".to_owned(),
        id: "biosignal".to_owned(),
        url: "https://afferent.dev/fhir/ValueSet/biosignal".to_owned(),
        json: br#"{"resourceType":"ValueSet","id":"biosignal","url":"https://afferent.dev/fhir/ValueSet/biosignal",
            "compose":{"include":[{"system":"https://afferent.dev/fhir/CodeSystem/biosignal"}]}}"#
            .to_vec(),
    };
    let key = key(&store, "a", "system/*.rs").await;
    let auth = Auth::new(
        store.clone(),
        Arc::new(Standing),
        Policy::new(None).unwrap(),
        crate::auth::fetcher(),
        Limits { requests_per_s: u32::MAX },
    );
    let definitions = vec![definition, set];
    let validator = Arc::new(crate::conformant::of(&definitions, None).unwrap());
    let state = RestState::new(store.clone(), auth, settings, definitions, validator).unwrap();
    let router = routers(&state).unwrap();
    Server { _directory: directory, store, router, key }
}

impl Server {
    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: to_bytes(body, usize::MAX).await.unwrap().to_vec(),
        }
    }

    fn request(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Request<Body> {
        let mut request = Request::builder().method(method).uri(path).header("host", "example.org");
        if !headers.iter().any(|(name, _)| *name == "authorization") {
            request = request.header("authorization", format!("Bearer {}", self.key));
        }
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(*name, *value);
        }
        request.body(Body::empty()).unwrap()
    }

    async fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[]).await
    }

    async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(self.request(Method::GET, &format!("/fhir/R4{path}"), headers)).await
    }

    #[track_caller]
    fn refused(answer: &Answer, status: u16, code: &str) -> Value {
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status.as_u16(), status, "{text}");
        assert!(answer.header("content-type").starts_with("application/fhir+json"));
        let outcome = answer.json();
        assert_eq!(outcome["resourceType"], "OperationOutcome");
        assert_eq!(outcome["issue"][0]["code"], code, "{text}");
        crate::fhir::json::parse(&answer.body).unwrap();
        outcome["issue"][0].clone()
    }
}

#[tokio::test]
async fn a_resource_is_read_with_its_version() {
    let server = server().await;
    let answer = server.get("/Observation/o01").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("etag"), "W/\"1\"");
    assert_eq!(answer.header("last-modified"), "Sun, 01 Feb 2026 00:00:00 GMT");
    assert!(answer.header("content-type").starts_with("application/fhir+json"));
    assert_eq!(answer.json()["meta"]["versionId"], "1");
    crate::fhir::json::parse(&answer.body).unwrap();

    for (name, value) in [
        ("if-none-match", "W/\"1\""),
        ("if-none-match", "\"1\""),
        ("if-none-match", "\"7\", *"),
        ("if-modified-since", "Sun, 01 Feb 2026 00:00:00 GMT"),
    ] {
        let answer = server.get_with("/Observation/o01", &[(name, value)]).await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::NOT_MODIFIED, 0), "{name}: {value}");
        assert_eq!(answer.header("etag"), "W/\"1\"");
    }
    for (name, value) in [
        ("if-none-match", "W/\"2\""),
        ("if-modified-since", "Sat, 31 Jan 2026 00:00:00 GMT"),
        ("if-modified-since", "x"),
    ] {
        assert_eq!(
            server.get_with("/Observation/o01", &[(name, value)]).await.status,
            StatusCode::OK,
            "{name}: {value}"
        );
    }
    let head = server.send(server.request(Method::HEAD, "/fhir/R4/Observation/o01", &[])).await;
    assert_eq!((head.status, head.body.len(), head.header("etag")), (StatusCode::OK, 0, "W/\"1\""));
}

#[tokio::test]
async fn versions_are_kept() {
    let server = server().await;
    server.store.put(&tenant("a"), vec![observation("o01", "p1", "2026-01-18T14:01:00.000Z", "61")]).await.unwrap();
    assert_eq!(server.get("/Observation/o01/_history/1").await.json()["valueQuantity"]["value"], 60);
    assert_eq!(server.get("/Observation/o01/_history/2").await.header("etag"), "W/\"2\"");
    for missing in ["3", "0", "01", "x", "-1", "99999999999999999999999"] {
        Server::refused(&server.get(&format!("/Observation/o01/_history/{missing}")).await, 404, "not-found");
    }
    let history = server.get("/Observation/o01/_history?_count=1").await;
    crate::fhir::json::parse(&history.body).unwrap();
    assert_eq!((history.json()["total"].as_i64(), history.json()["entry"].as_array().unwrap().len()), (Some(2), 1));
    let next = history.link("next").unwrap();
    let older = server.get(next.strip_prefix(BASE).unwrap()).await;
    assert_eq!(older.json()["entry"][0]["response"]["status"], "201");
    assert_eq!(older.link("next"), None);
    Server::refused(&server.get("/Observation/none/_history").await, 404, "not-found");
    Server::refused(&server.get("/Observation/o01/_history?_cursor=x").await, 400, "value");
    Server::refused(
        &server.get_with("/Observation/o01/_history?_list=2026", &[("prefer", "handling=strict")]).await,
        400,
        "not-supported",
    );
}

#[tokio::test]
async fn what_a_clinician_asks_comes_in_one_page() {
    let server = server().await;
    let answer = server
        .get("/Observation?patient=p0&code=http://loinc.org|8867-4&date=ge2026-01-01&_sort=-date&_count=50&_include=Observation:device&_revinclude=Provenance:target")
        .await;
    crate::fhir::json::parse(&answer.body).unwrap();
    assert_eq!(
        answer.references("match"),
        ["Observation/o09", "Observation/o06", "Observation/o03", "Observation/o00"]
    );
    let mut included = answer.references("include");
    included.sort();
    assert_eq!(included, ["Device/d1", "Provenance/v00", "Provenance/v03", "Provenance/v06", "Provenance/v09"]);
    assert_eq!(answer.json()["total"], 4);
    assert!(answer.link("self").unwrap().starts_with(&format!("{BASE}/Observation?patient=p0&code=http")));
    assert_eq!(answer.json()["entry"][0]["fullUrl"], format!("{BASE}/Observation/o09"));
    assert_eq!(answer.link("next"), None);
}

#[tokio::test]
async fn next_links_lead_through_everything_while_resources_arrive() {
    let server = server().await;
    let mut seen = Vec::new();
    let mut path = "/Observation?subject=Patient/p1&_count=3&_sort=date".to_owned();
    for i in 0.. {
        let answer = server.get(&path).await;
        seen.extend(answer.references("match"));
        server
            .store
            .put(&tenant("a"), vec![observation(&format!("n{i}"), "p1", "2026-01-18T13:00:00.000Z", "60")])
            .await
            .unwrap();
        let Some(next) = answer.link("next") else { break };
        path = next.strip_prefix(BASE).unwrap().to_owned();
    }
    assert_eq!(seen, ["o01", "o02", "o04", "o05", "o07", "o08", "o10", "o11"].map(|id| format!("Observation/{id}")));
}

#[tokio::test]
async fn every_parameter_finds_what_it_says() {
    let server = server().await;
    for (query, found) in [
        ("_id=o01,o02", 2),
        ("identifier=https://afferent.dev/fhir/identifier/measurement|m-o03", 1),
        ("identifier=m-o03", 1),
        ("identifier=other|m-o03", 0),
        ("patient=Patient/p0", 4),
        ("patient=http://example.org/fhir/R4/Patient/p0", 4),
        ("subject=p0", 4),
        ("subject:Patient=p0", 4),
        ("patient=p0,p1", 12),
        ("patient=p0&patient=p1", 0),
        ("code=8867-4,none", 12),
        ("category=vital-signs&status=final,amended", 12),
        ("status=amended", 0),
        ("date=2026-01-18", 12),
        ("date=eq2026-01-18T14:05", 1),
        ("date=ne2026-01-18T14:05", 11),
        ("date=gt2026-01-18T14:05", 6),
        ("date=ge2026-01-18T14:05", 7),
        ("date=lt2026-01-18T14:05", 5),
        ("date=le2026-01-18T14:05", 6),
        ("date=sa2026-01-18T14:05", 6),
        ("date=eb2026-01-18T14:05", 5),
        ("date=ap2026-01-18", 12),
        ("date=ge2026-01-18T14:02&date=lt2026-01-18T14:04", 2),
        ("date=2026-01-18T14:02,2026-01-18T14:03", 2),
        ("_lastUpdated=ge2026-02-01", 12),
        ("_lastUpdated=gt2026-02-01", 0),
        ("device=Device/d1", 12),
        ("derived-from=Observation/o01", 0),
        ("_format=json&_pretty=true", 12),
    ] {
        let answer = server.get(&format!("/Observation?{query}")).await;
        assert_eq!(answer.references("match").len(), found, "{query}: {}", String::from_utf8_lossy(&answer.body));
        assert!(answer.references("outcome").is_empty(), "{query}");
        let counted = server.get(&format!("/Observation?{query}&_summary=count")).await;
        assert_eq!(counted.json()["total"], found, "{query}");
        assert!(counted.json().get("entry").is_none());
    }
    assert_eq!(server.get("/Provenance?target=Observation/o05").await.references("match"), ["Provenance/v05"]);
    assert_eq!(
        server.get("/Device?_id=d1&_revinclude=Observation:device&_count=1").await.references("include").len(),
        12
    );
}

#[tokio::test]
async fn total_is_counted_when_asked_for() {
    let server = server().await;
    let total = |answer: Answer| answer.json().get("total").and_then(Value::as_i64);
    assert_eq!(total(server.get("/Observation?_count=5").await), None);
    assert_eq!(total(server.get("/Observation?_count=5&_total=accurate").await), Some(12));
    assert_eq!(total(server.get("/Observation?_count=0").await), Some(12));
    assert_eq!(total(server.get("/Observation").await), Some(12));
}

#[tokio::test]
async fn search_by_post_is_the_same() {
    let server = server().await;
    let post = |body: &str, content_type: &str| {
        let mut request =
            server.request(Method::POST, "/fhir/R4/Observation/_search?_count=2", &[("content-type", content_type)]);
        *request.body_mut() = Body::from(body.to_owned());
        request
    };
    let form = "application/x-www-form-urlencoded";
    let answer = server.send(post("patient=p0&_sort=date", form)).await;
    assert_eq!(answer.references("match"), ["Observation/o00", "Observation/o03"]);
    assert!(answer.link("next").unwrap().starts_with(&format!("{BASE}/Observation?_count=2&patient=p0")));
    Server::refused(&server.send(post("{}", "application/json")).await, 415, "not-supported");
    Server::refused(&server.send(post(&"x".repeat(70_000), form)).await, 413, "too-long");
    Server::refused(&server.send(post("_count=x", form)).await, 400, "value");
}

#[tokio::test]
async fn unknown_parameters_are_refused_or_reported_never_dropped() {
    let server = server().await;
    for name in ["colour", "patient.colour", "_content", "colour:exact"] {
        let path = format!("/Observation?{name}=x&patient=p0");
        let issue =
            Server::refused(&server.get_with(&path, &[("prefer", "handling=strict")]).await, 400, "not-supported");
        assert_eq!(issue["expression"][0], name);
        assert_eq!(issue["severity"], "error");
        let lenient = server.get(&path).await;
        crate::fhir::json::parse(&lenient.body).unwrap();
        assert_eq!(lenient.references("match").len(), 4);
        assert_eq!(lenient.references("outcome").len(), 1);
        assert_eq!(lenient.link("self").unwrap(), format!("{BASE}/Observation?patient=p0"));
    }
    for query in [
        "_sort=code",
        "_include=Device:patient",
        "_revinclude=Provenance:entity:Device",
        "_include=Observation:nothing",
        "_include:iterate=Nothing:nothing",
    ] {
        Server::refused(
            &server.get_with(&format!("/Observation?{query}"), &[("prefer", "respond-async, handling=strict")]).await,
            400,
            "not-supported",
        );
        assert_eq!(server.get(&format!("/Observation?{query}")).await.references("outcome").len(), 1, "{query}");
    }
}

#[tokio::test]
async fn malformed_values_are_refused_by_name() {
    let server = server().await;
    for (query, name) in [
        ("_count=x", "_count"),
        ("_count=-1", "_count"),
        ("_count=", "_count"),
        ("_cursor=x", "_cursor"),
        ("_cursor=AAAAAAAAAAAAAA", "_cursor"),
        ("_total=most", "_total"),
        ("_summary=yes", "_summary"),
        ("_sort=", "_sort"),
        ("_sort=-", "_sort"),
        ("_include=Observation", "_include"),
        ("_revinclude=a:b:c:d", "_revinclude"),
        ("date=yesterday", "date"),
        ("date=xx2026", "date"),
        ("date=ge", "date"),
        ("date=2026-02-30", "date"),
        ("_lastUpdated=2026-1", "_lastUpdated"),
        ("code=", "code"),
        ("code=a,,b", "code"),
        ("code=a|b|c", "code"),
        ("code:exact=a", "code:exact"),
        ("code:=a", "code:"),
        ("patient=Device/x", "patient"),
        ("patient=a%20b", "patient"),
        ("subject:Observation=x", "subject:Observation"),
        ("_id=a/b", "_id"),
        ("status=%F0%9F%92%A9,", "status"),
    ] {
        let issue = Server::refused(&server.get(&format!("/Observation?{query}")).await, 400, "value");
        assert_eq!(issue["expression"][0], name, "{query}");
    }
    let next = server.get("/Observation?_count=2").await.link("next").unwrap();
    let other = next.strip_prefix(BASE).unwrap().replace("/Observation?", "/Observation?code=1&");
    Server::refused(&server.get(&other).await, 400, "value");
    Server::refused(&server.get(&format!("/Observation?{}", "code=1&".repeat(100))).await, 400, "value");
    Server::refused(&server.get(&format!("/Observation?code={}", "1,".repeat(500) + "1")).await, 400, "value");
    assert_eq!(
        server
            .get(&format!("/Observation?code={}&patient=p0", "1,".repeat(99) + "8867-4"))
            .await
            .references("match")
            .len(),
        4
    );
    Server::refused(&server.get("/Observation/a%20b").await, 400, "value");
}

#[tokio::test]
async fn what_does_not_exist_is_said_in_an_outcome() {
    let server = server().await;
    let send =
        async |method: Method, path: &str| server.send(server.request(method, &format!("/fhir/R4{path}"), &[])).await;
    Server::refused(&send(Method::GET, "/Observation/none").await, 404, "not-found");
    Server::refused(&send(Method::GET, "/Spaceship").await, 404, "not-supported");
    Server::refused(&send(Method::GET, "/Spaceship/1").await, 404, "not-supported");
    Server::refused(&send(Method::GET, "/Patient/1/$apply").await, 404, "not-supported");
    Server::refused(&send(Method::GET, "/Observation/$evaluate").await, 404, "not-supported");
    Server::refused(&send(Method::GET, "/Observation/1/2/3/4/5").await, 404, "not-supported");
    Server::refused(&send(Method::GET, "/Binary").await, 405, "not-supported");
    assert_eq!(send(Method::GET, "").await.status, StatusCode::OK);
    assert_eq!(send(Method::POST, "/Observation/o01").await.header("allow"), "GET,HEAD,PUT,PATCH,DELETE");
    Server::refused(&send(Method::POST, "/Observation/o01").await, 405, "not-supported");
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        Server::refused(&send(method.clone(), "/CodeSystem").await, 405, "not-supported");
        Server::refused(&send(method.clone(), "/CodeSystem/biosignal").await, 405, "not-supported");
        Server::refused(&send(method, "/metadata").await, 405, "not-supported");
    }
    Server::refused(&server.send(server.request(Method::GET, "/t/%22x/fhir/R4/metadata", &[])).await, 404, "not-found");
    Server::refused(&send(Method::GET, "/Observation/_search").await, 405, "not-supported");
}

#[tokio::test]
async fn json_and_xml_are_answered() {
    let server = server().await;
    for format in [
        "json",
        "application/json",
        "application/fhir%2Bjson",
        "application/fhir+json",
        "application/fhir+json;fhirVersion=4.0",
    ] {
        assert_eq!(server.get(&format!("/Observation/o01?_format={format}")).await.status, StatusCode::OK, "{format}");
    }
    for (format, accept) in [
        ("xml", ""),
        ("application/fhir%2Bxml", ""),
        ("", "application/fhir+xml"),
        ("", "text/xml, application/json;q=0.5"),
    ] {
        for path in [
            "/Observation/o01",
            "/Observation",
            "/metadata",
            "/Observation/none",
            "/Binary/b1",
            "/Observation/o01/_history",
        ] {
            let path = if format.is_empty() { path.to_owned() } else { format!("{path}?_format={format}") };
            let answer = server.get_with(&path, &[("accept", accept)]).await;
            assert_eq!(answer.header("content-type"), "application/fhir+xml; charset=utf-8", "{path}");
            crate::fhir::xml::parse(&answer.body).unwrap();
        }
    }
    for format in ["ttl", "x", "application/fhir+json;fhirVersion=5.0", "application/fhir%2Bturtle"] {
        Server::refused(&server.get(&format!("/Observation?_format={format}")).await, 406, "not-supported");
        Server::refused(&server.get(&format!("/metadata?_format={format}")).await, 406, "not-supported");
    }
    for accept in [
        "application/fhir+json",
        "text/html, */*;q=0.1",
        "application/*",
        "application/fhir+json; fhirVersion=4.0",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "application/fhir+xml, application/fhir+json",
    ] {
        let answer = server.get_with("/Observation", &[("accept", accept)]).await;
        assert_eq!(answer.header("content-type"), "application/fhir+json; charset=utf-8", "{accept}");
    }
    Server::refused(&server.get_with("/Observation", &[("accept", "text/turtle")]).await, 406, "not-supported");
    assert_eq!(
        server.get_with("/Observation?_format=json", &[("accept", "application/fhir+xml")]).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_binary_is_its_content_unless_the_resource_is_asked_for() {
    let server = server().await;
    for accept in ["", "image/png", "*/*"] {
        let answer = server.get_with("/Binary/b1", &[("accept", accept)]).await;
        assert_eq!(
            (answer.header("content-type"), answer.body.as_slice()),
            ("image/png", [0x89, b'P', b'N', b'G'].as_slice()),
            "{accept}"
        );
        assert_eq!(answer.header("etag"), "W/\"1\"");
    }
    assert_eq!(
        server.get_with("/Binary/b1", &[("accept", "application/fhir+json")]).await.json()["contentType"],
        "image/png"
    );
    assert_eq!(server.get("/Binary/b1?_format=json").await.json()["contentType"], "image/png");
}

#[tokio::test]
async fn who_may_not_is_told_so_and_no_more() {
    let server = server().await;
    let paths = [
        "/Observation/o01",
        "/Observation",
        "/Observation/o01/_history",
        "/Observation/o01/_history/1",
        "/Binary/b1",
        "/CodeSystem/biosignal",
        "/CodeSystem",
    ];
    let narrow = format!("Bearer {}", key(&server.store, "a", "system/Device.rs ingest").await);
    let other = format!("Bearer {}", key(&server.store, "b", "system/*.rs").await);
    for path in paths {
        for bad in ["", "Bearer sk_live_0", "Basic eDp5", "Bearer"] {
            let answer = server.get_with(path, &[("authorization", bad)]).await;
            Server::refused(&answer, 401, "login");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
        Server::refused(&server.get_with(path, &[("authorization", &narrow)]).await, 403, "forbidden");
    }
    Server::refused(&server.get_with("/Observation/o01", &[("authorization", &other)]).await, 404, "not-found");
    assert!(server.get_with("/Observation", &[("authorization", &other)]).await.references("match").is_empty());
    assert_eq!(
        server
            .get_with("/Device?_revinclude=Observation:device", &[("authorization", &narrow)])
            .await
            .references("include")
            .len(),
        0
    );

    let elsewhere = |tenant: &str| server.request(Method::GET, &format!("/t/{tenant}/fhir/R4/Observation/o01"), &[]);
    assert_eq!(server.send(elsewhere("a")).await.status, StatusCode::OK);
    Server::refused(&server.send(elsewhere("b")).await, 403, "forbidden");
    let search = server.send(server.request(Method::GET, "/t/a/fhir/R4/Observation?_count=1", &[])).await;
    assert!(search.link("next").unwrap().starts_with("http://example.org/t/a/fhir/R4/Observation?"));
}

#[tokio::test]
async fn definitions_are_open_at_their_canonical_urls() {
    let server = server().await;
    let open = |path: &str| server.request(Method::GET, path, &[("authorization", "")]);
    let answer = server.send(open("/fhir/CodeSystem/biosignal")).await;
    assert_eq!((answer.status, &answer.json()["id"]), (StatusCode::OK, &Value::from("biosignal")));
    let known = server.get_with("/CodeSystem/biosignal", &[("if-none-match", answer.header("etag"))]).await;
    assert_eq!(known.status, StatusCode::NOT_MODIFIED);
    Server::refused(&server.send(open("/fhir/CodeSystem/none")).await, 404, "not-found");
    Server::refused(
        &server.send(server.request(Method::PUT, "/fhir/CodeSystem/biosignal", &[])).await,
        405,
        "not-supported",
    );
    for (query, found) in
        [("", 1), ("?url=https://afferent.dev/fhir/CodeSystem/biosignal", 1), ("?url=x", 0), ("?_id=biosignal", 1)]
    {
        let answer = server.get(&format!("/CodeSystem{query}")).await;
        assert_eq!(answer.json()["total"], found, "{query}");
        crate::fhir::json::parse(&answer.body).unwrap();
    }
    assert_eq!(server.get("/CodeSystem?name=x").await.references("outcome").len(), 1);
    Server::refused(
        &server.get_with("/CodeSystem?name=x", &[("prefer", "handling=strict")]).await,
        400,
        "not-supported",
    );
}

#[tokio::test]
async fn the_capability_statement_is_open_and_fhir() {
    let server = server().await;
    let answer = server.get_with("/metadata", &[("authorization", "")]).await;
    assert_eq!(answer.status, StatusCode::OK);
    crate::fhir::json::parse(&answer.body).unwrap();
    let statement = answer.json();
    assert_eq!(statement["implementation"]["url"], BASE);
    assert_eq!(statement["fhirVersion"], "4.0.1");
    let again = server.get_with("/metadata", &[("if-none-match", answer.header("etag"))]).await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
}

/// Whatever the statement lists is answered, and whatever it does not list is refused.
#[tokio::test]
async fn listed_and_handled_are_the_same() {
    check().unwrap();
    let server = server().await;
    let capability = Capability::builtin().unwrap();
    let strict = [("prefer", "handling=strict")];
    for row in capability.resources() {
        let kind = &row.resource;
        let known = if row.source == Source::Conformance { "biosignal" } else { "none" };
        for (interaction, path) in [
            (Interaction::Read, format!("/{kind}/{known}")),
            (Interaction::Vread, format!("/{kind}/{known}/_history/1")),
            (Interaction::HistoryInstance, format!("/{kind}/{known}/_history")),
            (Interaction::HistoryType, format!("/{kind}/_history")),
            (Interaction::SearchType, format!("/{kind}")),
            (Interaction::Create, format!("/{kind}")),
            (Interaction::Update, format!("/{kind}/{known}")),
            (Interaction::Patch, format!("/{kind}/{known}")),
            (Interaction::Delete, format!("/{kind}/{known}")),
        ] {
            let method = match interaction {
                Interaction::Create => Method::POST,
                Interaction::Update => Method::PUT,
                Interaction::Patch => Method::PATCH,
                Interaction::Delete => Method::DELETE,
                _ => Method::GET,
            };
            let answer = server.send(server.request(method, &format!("/fhir/R4{path}"), &[])).await;
            let unsupported = answer.status != StatusCode::OK && answer.json()["issue"][0]["code"] == "not-supported";
            assert_eq!(!unsupported, row.supports(interaction), "{path}: {}", String::from_utf8_lossy(&answer.body));
        }
        for parameter in &row.parameters {
            let value = match parameter.kind.code() {
                "date" => "ge2026",
                "quantity" => "5.4||mg",
                "composite" if parameter.name.ends_with("quantity") => "x$ge5.4",
                "composite" if parameter.name.ends_with("date") => "x$ge2026",
                "composite" => "x$x",
                _ => "x",
            };
            let answer = server.get_with(&format!("/{kind}?{}={value}", parameter.name), &strict).await;
            assert_eq!(answer.status, StatusCode::OK, "{kind}?{}", parameter.name);
        }
        for name in
            ["everything", "expand", "docref", "lastn", "lineage", "lookup", "meta", "series", "stats", "validate-code"]
        {
            let operation = row.operations.iter().find(|operation| operation.name == name);
            for (level, path) in
                [(Level::Type, format!("/{kind}/${name}")), (Level::Instance, format!("/{kind}/{known}/${name}"))]
            {
                let listed = operation.is_some_and(|operation| operation.on.contains(&level));
                let answer = server.get(&path).await;
                let unsupported =
                    answer.status != StatusCode::OK && answer.json()["issue"][0]["code"] == "not-supported";
                assert_eq!(!unsupported, listed, "{path}: {}", String::from_utf8_lossy(&answer.body));
            }
        }
        for parameter in row.references().filter(|_| row.source == Source::Store) {
            let answer = server.get_with(&format!("/{kind}?_include={kind}:{}", parameter.name), &strict).await;
            assert_eq!(answer.status, StatusCode::OK, "{kind}:{}", parameter.name);
        }
        for (from, parameter) in capability.references_to(kind).filter(|_| row.supports(Interaction::SearchType)) {
            let path = format!("/{kind}?_revinclude={}:{}", from.resource, parameter.name);
            assert_eq!(server.get_with(&path, &strict).await.status, StatusCode::OK, "{path}");
        }
    }
}

proptest! {
    #[test]
    fn reading_parameters_never_panics(query in "\\PC{0,80}", name in "(_sort|_count|_include|_revinclude|date|code|patient|subject:Patient|_id|_lastUpdated|_cursor|_total)", value in "[-a-z0-9|,:/\\\\ é]{0,30}") {
        let capability = Capability::builtin().unwrap();
        let context = Context { capability: &capability, definitions: &Definitions::default(), base: BASE };
        let row = capability.resource("Observation").unwrap();
        for text in [query.clone(), format!("{name}={value}"), format!("{name}={query}")] {
            if let Err(error) = SearchParameters::parse(&context, row, pairs(Some(&text))) {
                assert!(!error.to_string().is_empty());
            }
        }
    }
}
