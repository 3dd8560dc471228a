//! Two tenants with the same ids, and whatever one of them does, on every route there is: the other sees nothing of it, and
//! shows nothing.

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use super::*;

const QUERIES: [&str; 12] = [
    "",
    "_id=x",
    "_count=500",
    "_count=500&_include=*&_revinclude=*",
    "_type=Patient,Observation,Device",
    "_has:Observation:subject:_id=x",
    "subject=Patient/x",
    "subject:Patient._id=x",
    "patient=x&_revinclude=Provenance:target",
    "_sort=-_lastUpdated&_total=accurate",
    "_lastUpdated=ge2000",
    "_summary=true",
];

/// What a caller does: a route, a method, a query.
#[derive(Debug, Clone)]
struct Step {
    route: Index,
    method: Index,
    query: Index,
}

fn step() -> impl Strategy<Value = Step> {
    any::<(Index, Index, Index)>().prop_map(|(route, method, query)| Step { route, method, query })
}

/// A request as the other tests send it; what is written says whose it is.
fn marked(door: Door, method: &Method, path: &str, query: &str, own: &str) -> Request<Body> {
    let (mut parts, mut body) = request(door, method, path).into_parts();
    let of_type = kind(path);
    let writes = matches!(*method, Method::PUT | Method::POST) && !path.contains('$') && !path.ends_with("_search");
    let marker = format!("urn:marker:{own}");
    if door == Door::Fhir && writes && !of_type.is_empty() {
        body = Body::from(json!({"resourceType": of_type, "id": "x", "implicitRules": marker}).to_string());
    } else if path.ends_with("/programs/{program}") {
        body = Body::from(json!({"title": marker}).to_string());
    }
    if parts.uri.query().is_none() && !query.is_empty() {
        parts.uri = format!("{}?{query}", parts.uri.path()).parse().unwrap();
    }
    Request::from_parts(parts, body)
}

/// All that a tenant has, in every version.
async fn all(router: &Router, key: &str) -> Value {
    let mut entries = Vec::new();
    let mut next = Some("/fhir/R4/_history?_count=500".to_owned());
    while let Some(url) = next {
        let get = Request::get(&url).header("host", "127.0.0.1:1").header("accept", "application/fhir+json");
        let (status, body) = send(router, get.body(Body::empty()).unwrap(), Some(key)).await;
        assert_eq!(status, 200, "{body}");
        let bundle: Value = serde_json::from_str(&body).unwrap();
        entries.extend(bundle["entry"].as_array().cloned().unwrap_or_default());
        let links = bundle["link"].as_array().cloned().unwrap_or_default();
        let link = links.iter().find(|link| link["relation"] == "next").and_then(|link| link["url"].as_str());
        next = link.map(|url| url.trim_start_matches("http://127.0.0.1:1").to_owned());
    }
    let programs = Request::get("/api/v1/programs").body(Body::empty()).unwrap();
    json!({ "entries": entries, "programs": send(router, programs, Some(key)).await.1 })
}

#[test]
fn whatever_one_tenant_does_the_other_sees_and_loses_nothing() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(server());
    let router = &server.app.router;
    let routes: Vec<(String, Door)> =
        routed(router).into_iter().filter_map(|path| door(&path).map(|door| (path, door))).collect();
    let names = [("a", &server.keys[0]), ("b", &server.keys[2])];
    for (own, key) in names {
        let put = marked(Door::Control, &Method::PUT, "/api/v1/programs/{program}", "", own);
        assert_eq!(runtime.block_on(send(router, put, Some(key))).0, 201);
    }
    let answered = std::cell::Cell::new(0_usize);
    let config = Config { cases: 24, failure_persistence: None, max_shrink_iters: 64, ..Config::default() };
    let cases = (any::<bool>(), prop::collection::vec(step(), 40..80));
    let run = |(is_first, steps): (bool, Vec<Step>)| {
        let ((own, key), (other, other_key)) = if is_first { (names[0], names[1]) } else { (names[1], names[0]) };
        let before = runtime.block_on(all(router, other_key));
        for step in &steps {
            let (path, door) = &routes[step.route.index(routes.len())];
            let (method, query) = (step.method.get(&METHODS), step.query.get(&QUERIES));
            let request = marked(*door, method, path, query, own);
            let (status, body) = runtime.block_on(send(router, request, Some(key)));
            answered.set(answered.get() + usize::from(status < 300));
            let shown = body.contains(&format!("urn:marker:{other}"));
            prop_assert!(!shown, "{method} {path}?{query} as {own}: {body}");
        }
        let after = runtime.block_on(all(router, other_key));
        if before == after {
            return Ok(());
        }
        Err(TestCaseError::fail(format!("what is {other}'s has changed")))
    };
    TestRunner::new(config).run(&cases, run).unwrap();
    let answered = answered.get();
    assert!(answered > 40, "only {answered} answers were any: is the test still looking?");
}
