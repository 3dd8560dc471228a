//! Whatever is wrong with a request is said by name.

use serde_json::json;

use super::write::{Writer, is, patient};
use super::*;

/// Method, path, headers, body; status, code of the issue, what it names.
type Bad<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], Value, u16, &'a str, Option<&'a str>);

#[tokio::test]
async fn what_is_wrong_is_named() {
    let writer = Writer::new().await;
    let deep = "Observation?subject:Patient.organization:Organization.partof:Organization.partof:Organization.name=x";
    let has =
        "Patient?_has:Observation:patient:_has:Provenance:target:_has:Observation:patient:_has:Provenance:target:x=1";
    let own = "Patient?link:Patient.link:Patient.link:Patient.link:Patient.name=x";
    let long = format!("Observation?{}", "code=a&".repeat(65));
    let alternatives = format!("Observation?code={}a", "a,".repeat(200));
    let entry = |request: Value, resource: Value| json!({"resourceType": "Bundle", "type": "transaction", "entry": [{"request": request, "resource": resource}]});
    let post = |url: &str| json!({"method": "POST", "url": url});
    let table: Vec<Bad<'_>> = vec![
        // search: dates, numbers, references, modifiers
        ("GET", "Observation?date=2026-13", &[], Value::Null, 400, "value", Some("date")),
        ("GET", "Observation?date=ge2026-01-01T25:00:00Z", &[], Value::Null, 400, "value", Some("date")),
        ("GET", "Observation?value-quantity=fast", &[], Value::Null, 400, "value", Some("value-quantity")),
        ("GET", "Observation?value-quantity=1|2|3|4", &[], Value::Null, 400, "value", Some("value-quantity")),
        ("GET", "Observation?code-value-quantity=8867-4", &[], Value::Null, 400, "value", Some("code-value-quantity")),
        ("GET", "Observation?subject=Spaceship/1", &[], Value::Null, 400, "value", Some("subject")),
        ("GET", "Observation?code:below=x", &[], Value::Null, 400, "value", Some("code:below")),
        ("GET", "Observation?code:in=http://nowhere/ValueSet/x", &[], Value::Null, 400, "value", Some("code:in")),
        ("GET", "Observation?code:missing=perhaps", &[], Value::Null, 400, "value", Some("code:missing")),
        ("GET", "Observation?code.text=x", &[], Value::Null, 400, "value", Some("code.text")),
        // chains that are too deep, lead nowhere or in a circle
        ("GET", deep, &[], Value::Null, 400, "value", Some(deep.split_once('?').unwrap().1.split('=').next().unwrap())),
        ("GET", has, &[], Value::Null, 400, "value", Some(has.split_once('?').unwrap().1.split('=').next().unwrap())),
        ("GET", own, &[], Value::Null, 400, "value", Some(own.split_once('?').unwrap().1.split('=').next().unwrap())),
        (
            "GET",
            "Patient?_has:Spaceship:patient:code=x",
            &[],
            Value::Null,
            400,
            "value",
            Some("_has:Spaceship:patient:code"),
        ),
        ("GET", "Patient?_has:Observation", &[], Value::Null, 400, "value", Some("_has:Observation")),
        // pages and how they are answered
        ("GET", "Observation?_count=99999999999", &[], Value::Null, 400, "value", Some("_count")),
        ("GET", "Observation?_count=1e3", &[], Value::Null, 400, "value", Some("_count")),
        ("GET", "Observation?_cursor=%00", &[], Value::Null, 400, "value", Some("_cursor")),
        ("GET", "?_type=Patient&_cursor=Observation.x", &[], Value::Null, 400, "value", Some("_cursor")),
        ("GET", "?_type=Patient&_cursor=Patient.x", &[], Value::Null, 400, "value", Some("_cursor")),
        ("GET", "?_type=Spaceship", &[], Value::Null, 400, "value", Some("_type")),
        ("GET", "Patient/_history?_since=soon", &[], Value::Null, 400, "value", Some("_since")),
        ("GET", "Patient/_history?_at=soon", &[], Value::Null, 400, "value", Some("_at")),
        ("GET", "Observation?_elements=a.b", &[], Value::Null, 400, "value", Some("_elements")),
        ("GET", "Observation?_include=Observation:", &[], Value::Null, 400, "value", Some("_include")),
        (
            "GET",
            "Observation?_include:sometimes=Observation:device",
            &[],
            Value::Null,
            400,
            "value",
            Some("_include:sometimes"),
        ),
        ("GET", &long, &[], Value::Null, 400, "value", Some("query")),
        ("GET", &alternatives, &[], Value::Null, 400, "value", Some("code")),
        // headers
        ("PUT", "Patient/h", &[("if-match", "now")], patient("h"), 400, "value", Some("If-Match")),
        ("PUT", "Patient/h", &[("if-none-match", "W/\"1\"")], patient("h"), 400, "value", Some("If-None-Match")),
        ("POST", "Patient", &[("if-none-exist", "identifier=")], patient("h"), 400, "invalid", Some("If-None-Exist")),
        ("POST", "Patient", &[("if-none-exist", "_count=1")], patient("h"), 400, "invalid", Some("If-None-Exist")),
        ("POST", "Patient", &[("content-type", "text/csv")], patient("h"), 415, "not-supported", None),
        ("POST", "Patient", &[("content-encoding", "br")], patient("h"), 415, "not-supported", None),
        ("GET", "Patient/p0", &[("accept", "text/turtle")], Value::Null, 406, "not-supported", None),
        // operations
        ("GET", "Observation/$lastn?patient=p&max=0", &[], Value::Null, 400, "value", Some("max")),
        ("GET", "Observation/$lastn?patient=p&colour=red", &[], Value::Null, 400, "value", Some("colour")),
        ("GET", "Observation/$stats?patient=p&statistic=luck", &[], Value::Null, 400, "value", Some("statistic")),
        ("POST", "Observation/$lastn", &[], json!({"resourceType": "Patient"}), 400, "value", Some("resourceType")),
        // what every resource of a type has
        ("POST", "Binary", &[], json!({"resourceType": "Binary"}), 400, "invalid", Some("Binary.contentType")),
        (
            "PUT",
            "Observation/m",
            &[],
            json!({"resourceType": "Observation", "id": "m", "status": "final"}),
            400,
            "invalid",
            Some("Observation.code"),
        ),
        // bundles
        ("POST", "", &[], entry(post("Spaceship"), patient("x")), 400, "invalid", Some("Bundle.entry[0].request.url")),
        (
            "POST",
            "",
            &[],
            entry(json!({"method": "BREW", "url": "Patient"}), patient("x")),
            400,
            "invalid",
            Some("Bundle.entry[0].request.method"),
        ),
        (
            "POST",
            "",
            &[],
            entry(post("Patient"), json!({"resourceType": "Patient", "colour": 1})),
            400,
            "structure",
            Some("Bundle.entry[0].resource.Patient.colour"),
        ),
    ];
    let before = writer.server.get("/_history?_count=1").await.json()["entry"].clone();
    for (method, path, headers, body, status, code, name) in table {
        let path = if path.is_empty() || path.starts_with('?') { path.to_owned() } else { format!("/{path}") };
        let answer = writer.send(method, &path, body, headers).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}: {}", String::from_utf8_lossy(&answer.body));
        let issue = Server::refused(&answer, status, code);
        if let Some(name) = name {
            assert_eq!(issue["expression"][0], name, "{method} {path}");
        }
    }
    assert_eq!(before, writer.server.get("/_history?_count=1").await.json()["entry"], "nothing was stored");
}

/// References in a circle are followed until nothing new comes; a page is cut to the most there may be.
#[tokio::test]
async fn circles_end_and_pages_are_bounded() {
    let writer = Writer::new().await;
    for (id, next) in [("c1", "c2"), ("c2", "c3"), ("c3", "c1")] {
        let observation = json!({"resourceType": "Observation", "id": id, "status": "final", "code": {"text": "x"},
            "hasMember": [{"reference": format!("Observation/{next}")}, {"reference": format!("Observation/{id}")}]});
        is(&writer.send("PUT", &format!("/Observation/{id}"), observation, &[]).await, 201);
    }
    for way in ["_include", "_include:iterate", "_revinclude", "_revinclude:iterate"] {
        let answer = writer.server.get(&format!("/Observation?_id=c1&{way}=Observation:has-member")).await;
        let mut found = [answer.references("match"), answer.references("include")].concat();
        found.sort();
        found.dedup();
        assert_eq!(found.len(), answer.json()["entry"].as_array().unwrap().len(), "{way}");
        assert_eq!(found.len(), if way.ends_with("iterate") { 3 } else { 2 }, "{way}");
    }
    let page = writer.server.get("/Observation?_count=999999999").await;
    assert_eq!((page.status, page.references("match").len()), (StatusCode::OK, 15));
}
