//! In which form resources are answered: some of their elements, lines.

use serde_json::json;

use super::write::{Writer, is, patient};
use super::*;

#[tokio::test]
async fn a_read_answers_as_much_as_is_asked_for() {
    let server = server().await;
    for path in ["/Observation/o01", "/Observation/o01/_history/1"] {
        let whole = server.get(path).await.json();
        let some = server.get(&format!("{path}?_elements=effective")).await;
        assert_eq!(some.header("etag"), "W/\"1\"");
        let some = some.json();
        assert_eq!(some["meta"]["tag"][0]["code"], "SUBSETTED");
        assert_eq!(some["effectiveDateTime"], whole["effectiveDateTime"]);
        assert!(some["subject"].is_null() && !some["code"].is_null(), "{some}");
        let summary = server.get(&format!("{path}?_summary=true")).await.json();
        assert_eq!(summary["subject"], whole["subject"]);
        assert_eq!(server.get(&format!("{path}?_summary=false")).await.json(), whole);
        for (query, name) in
            [("_summary=count", "_summary"), ("_summary=x", "_summary"), ("_elements=a%20b", "_elements")]
        {
            let issue = Server::refused(&server.get(&format!("{path}?{query}")).await, 400, "value");
            assert_eq!(issue["expression"][0], name);
        }
    }
}

#[tokio::test]
async fn a_search_is_answered_in_lines() {
    let server = server().await;
    let page =
        server.get("/Observation?patient=p1&_sort=date&_count=3&_include=Observation:device&_format=ndjson").await;
    assert_eq!(page.header("content-type"), "application/fhir+ndjson");
    let text = String::from_utf8(page.body.clone()).unwrap();
    let found: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = found.iter().map(|resource| resource["id"].as_str().unwrap()).collect();
    assert_eq!(names, ["o01", "o02", "o04", "d1"]);
    assert_eq!(found[0], server.get("/Observation/o01").await.json());
    let next = page.header("link").strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned();
    let second = server.get(next.strip_prefix(BASE).unwrap()).await;
    assert!(second.body.starts_with(found_first("o05").as_bytes()), "{}", String::from_utf8_lossy(&second.body));

    let by_accept = server.get_with("/Observation/o01", &[("accept", "application/fhir+ndjson")]).await;
    assert_eq!(String::from_utf8_lossy(&by_accept.body).lines().count(), 1);
    let refused = server.get("/Observation?date=x&_format=ndjson").await;
    assert_eq!(Server::refused(&refused, 400, "value")["expression"][0], "date");
    let none = server.get("/Observation?patient=nobody&_format=ndjson").await;
    assert_eq!((none.status, none.body.len()), (StatusCode::OK, 0));
}

fn found_first(id: &str) -> String {
    format!(r#"{{"resourceType":"Observation","id":"{id}""#)
}

#[tokio::test]
async fn an_update_may_ask_that_nothing_is_there() {
    let writer = Writer::new().await;
    let named =
        |id: &str| json!({"resourceType": "Patient", "id": id, "identifier": [{"system": "urn:s", "value": "n"}]});
    let nothing = [("if-none-match", "*")];
    is(&writer.send("PUT", "/Patient/n1", named("n1"), &nothing).await, 201);
    Server::refused(&writer.send("PUT", "/Patient/n1", named("n1"), &nothing).await, 412, "conflict");
    Server::refused(&writer.send("PUT", "/Patient?identifier=urn:s|n", patient("n"), &nothing).await, 412, "conflict");
    is(&writer.send("PUT", "/Patient?identifier=urn:s|new", patient("new"), &nothing).await, 201);
    is(&writer.send("DELETE", "/Patient/n1", Value::Null, &[]).await, 204);
    is(&writer.send("PUT", "/Patient/n1", named("n1"), &nothing).await, 201);
    for headers in [[("if-none-match", "W/\"1\""), ("prefer", "x")], [("if-none-match", "*"), ("if-match", "W/\"1\"")]]
    {
        let issue = Server::refused(&writer.send("PUT", "/Patient/n1", named("n1"), &headers).await, 400, "value");
        assert_eq!(issue["expression"][0], "If-None-Match");
    }
    let entry = |tag: &str| {
        json!({"resourceType": "Bundle", "type": "transaction", "entry": [
            {"resource": named("n2"), "request": {"method": "PUT", "url": "Patient/n2", "ifNoneMatch": tag}}]})
    };
    is(&writer.send("POST", "", entry("*"), &[]).await, 200);
    let again = writer.send("POST", "", entry("*"), &[]).await;
    assert_eq!(Server::refused(&again, 412, "conflict")["expression"][0], "Bundle.entry[0]");
}

#[tokio::test]
async fn who_performed_how_and_when_is_found() {
    let writer = Writer::new().await;
    let observation = json!({"resourceType": "Observation", "id": "by", "status": "final", "code": {"text": "x"},
        "performer": [{"reference": "Practitioner/x"}], "method": {"coding": [{"system": "urn:m", "code": "cuff"}]}});
    is(&writer.send("PUT", "/Observation/by", observation, &[]).await, 201);
    let provenance = json!({"resourceType": "Provenance", "id": "when", "target": [{"reference": "Observation/by"}],
        "recorded": "2026-03-01T00:00:00Z", "occurredPeriod": {"start": "2026-02-01", "end": "2026-02-02"},
        "agent": [{"who": {"reference": "Practitioner/x"}}]});
    is(&writer.send("PUT", "/Provenance/when", provenance, &[]).await, 201);
    for (query, found) in [
        ("Observation?performer=Practitioner/x", 1),
        ("Observation?performer=Practitioner/y", 0),
        ("Observation?method=urn:m|cuff", 1),
        ("Observation?method=urn:m|palpation", 0),
        ("Provenance?when=ge2026-02-01&when=lt2026-02-03", 1),
        ("Provenance?when=gt2026-02-10", 0),
    ] {
        assert_eq!(writer.total(query).await, found, "{query}");
    }
}
