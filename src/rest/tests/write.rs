//! Creating, updating, patching and deleting.

use serde_json::json;

use super::*;

pub(super) struct Writer {
    pub(super) server: Server,
}

impl Writer {
    pub(super) async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    pub(super) async fn with(settings: Settings) -> Self {
        let mut server = server_with(settings).await;
        server.key = key(&server.store, "a", "system/*.cruds").await;
        Self { server }
    }

    pub(super) async fn send(&self, method: &str, path: &str, body: Value, headers: &[(&str, &str)]) -> Answer {
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        self.send_bytes(method, path, bytes, headers).await
    }

    pub(super) async fn send_bytes(&self, method: &str, path: &str, body: Vec<u8>, headers: &[(&str, &str)]) -> Answer {
        let mut all = headers.to_vec();
        if !body.is_empty() && !headers.iter().any(|(name, _)| *name == "content-type") {
            all.push(("content-type", "application/fhir+json"));
        }
        let mut request = self.server.request(method.parse().unwrap(), &format!("/fhir/R4{path}"), &all);
        *request.body_mut() = Body::from(body);
        self.server.send(request).await
    }

    pub(super) async fn total(&self, query: &str) -> u64 {
        let separator = if query.contains('?') { '&' } else { '?' };
        let answer = self.server.get(&format!("/{query}{separator}_summary=count")).await;
        answer.json()["total"].as_u64().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&answer.body)))
    }
}

pub(super) fn patient(identifier: &str) -> Value {
    json!({"resourceType": "Patient", "identifier": [{"system": "urn:s", "value": identifier}], "active": true})
}

#[track_caller]
pub(super) fn is(answer: &Answer, status: u16) {
    assert_eq!(answer.status.as_u16(), status, "{}", String::from_utf8_lossy(&answer.body));
}

#[tokio::test]
async fn a_resource_lives_and_dies() {
    let writer = Writer::new().await;
    let created = writer.send("POST", "/Patient", patient("1"), &[]).await;
    is(&created, 201);
    let id = created.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(created.header("location"), format!("{BASE}/Patient/{id}/_history/1"));
    assert_eq!((created.header("etag"), created.header("last-modified")), ("W/\"1\"", "Sun, 01 Feb 2026 00:00:00 GMT"));
    let source = created.json()["meta"]["source"].as_str().unwrap().to_owned();
    assert!(source.starts_with("https://afferent.dev/fhir/client/key_"), "{source}");
    assert_eq!(writer.total("Patient?identifier=urn:s|1").await, 1);

    let path = format!("/Patient/{id}");
    let mut changed = patient("2");
    changed["id"] = json!(id);
    let updated = writer.send("PUT", &path, changed.clone(), &[("if-match", "W/\"1\"")]).await;
    is(&updated, 200);
    assert_eq!(updated.header("etag"), "W/\"2\"");
    let again = writer.send("PUT", &path, changed.clone(), &[]).await;
    assert_eq!(again.header("etag"), "W/\"2\"", "the same content is no new version");
    Server::refused(&writer.send("PUT", &path, changed.clone(), &[("if-match", "W/\"1\"")]).await, 412, "conflict");
    Server::refused(&writer.send("PUT", &path, changed.clone(), &[("if-match", "two")]).await, 400, "value");
    assert_eq!((writer.total("Patient?identifier=1").await, writer.total("Patient?identifier=2").await), (0, 1));

    let patch = json!([{"op": "replace", "path": "/active", "value": false}]);
    let media = ("content-type", "application/json-patch+json");
    let patched = writer.send("PATCH", &path, patch.clone(), &[media, ("if-match", "W/\"2\"")]).await;
    is(&patched, 200);
    assert_eq!(patched.json()["active"], false);
    Server::refused(
        &writer.send("PATCH", &path, patch.clone(), &[media, ("if-match", "W/\"2\"")]).await,
        412,
        "conflict",
    );

    is(&writer.send("DELETE", &path, Value::Null, &[]).await, 204);
    is(&writer.send("DELETE", &path, Value::Null, &[]).await, 204);
    Server::refused(&writer.server.get(&path).await, 410, "deleted");
    Server::refused(&writer.send("PATCH", &path, patch, &[media]).await, 410, "deleted");
    Server::refused(&writer.server.get(&format!("{path}/_history/4")).await, 410, "deleted");
    assert_eq!(writer.server.get(&format!("{path}/_history/3")).await.json()["active"], false);
    assert_eq!(writer.total("Patient?identifier=2").await, 0);
    let revived = writer.send("PUT", &path, changed, &[]).await;
    is(&revived, 201);
    assert_eq!(revived.header("etag"), "W/\"5\"");
    let history = writer.server.get(&format!("{path}/_history")).await.json();
    let methods: Vec<&str> =
        history["entry"].as_array().unwrap().iter().map(|e| e["request"]["method"].as_str().unwrap()).collect();
    assert_eq!((history["total"].as_u64(), methods), (Some(5), vec!["PUT", "DELETE", "PUT", "PUT", "PUT"]));
    assert!(history["entry"][1].get("resource").is_none());
}

#[tokio::test]
async fn what_was_derived_is_read_only() {
    let writer = Writer::new().await;
    let mut observation = writer.server.get("/Observation/o01").await.json();
    observation["status"] = json!("amended");
    let patch = json!([{"op": "remove", "path": "/valueQuantity"}]);
    for answer in [
        writer.send("PUT", "/Observation/o01", observation.clone(), &[]).await,
        writer.send("PUT", "/Observation?identifier=m-o01", observation.clone(), &[]).await,
        writer.send("PATCH", "/Observation/o01", patch, &[("content-type", "application/json-patch+json")]).await,
        writer.send("DELETE", "/Observation/o01", Value::Null, &[]).await,
        writer.send("DELETE", "/Observation?identifier=m-o01", Value::Null, &[]).await,
    ] {
        let issue = Server::refused(&answer, 403, "forbidden");
        assert!(issue["details"]["text"].as_str().unwrap().contains("read-only"));
    }
    assert_eq!(writer.server.get("/Observation/o01").await.header("etag"), "W/\"1\"");
    // What a client wrote under an id that is computed later is history then, and nobody's to change any more.
    observation["id"] = json!("later");
    is(&writer.send("PUT", "/Observation/later", observation.clone(), &[]).await, 201);
    let computed = crate::store::fixture::observation("later", "p1", "2026-01-18T14:00:00.000Z", "70");
    writer.server.store.put(&tenant("a"), vec![computed]).await.unwrap();
    let now = writer.server.get("/Observation/later").await;
    assert_eq!((now.header("etag"), &now.json()["status"]), ("W/\"2\"", &json!("final")));
    Server::refused(&writer.send("PUT", "/Observation/later", observation, &[]).await, 403, "forbidden");
}

#[tokio::test]
async fn what_is_put_where_nothing_is_belongs_to_clients() {
    let writer = Writer::new().await;
    for example in
        crate::projection::examples().unwrap().into_iter().filter(|e| e.kind == "Patient" || e.kind == "Condition")
    {
        let path = format!("/{}", example.reference());
        writer.server.store.put_if_absent(&tenant("a"), example.clone()).await.unwrap();
        let mut changed = writer.server.get(&path).await.json();
        changed["language"] = json!("en");
        is(&writer.send("PUT", &path, changed, &[]).await, 200);
        writer.server.store.put_if_absent(&tenant("a"), example).await.unwrap();
        assert_eq!(writer.server.get(&path).await.json()["language"], "en", "{path}");
    }
}

#[tokio::test]
async fn conditions_decide() {
    let writer = Writer::new().await;
    let if_none = |criteria: &'static str| [("if-none-exist", criteria)];
    let first = writer.send("POST", "/Patient", patient("1"), &if_none("identifier=urn:s|1")).await;
    is(&first, 201);
    for criteria in [
        "identifier=urn:s|1",
        "Patient?identifier=urn%3As%7C1",
        "http://example.org/fhir/R4/Patient?identifier=urn%3As%7C1",
        "?identifier=1",
        "identifier=1&active=true",
    ] {
        let again = writer.send("POST", "/Patient", patient("1"), &[("if-none-exist", criteria)]).await;
        is(&again, 200);
        assert_eq!(again.json()["id"], first.json()["id"], "{criteria}");
    }
    is(&writer.send("POST", "/Patient?identifier=1&_format=json", patient("1"), &[]).await, 200);
    Server::refused(&writer.send("POST", "/Patient?colour=red", patient("1"), &[]).await, 400, "invalid");
    Server::refused(
        &writer.send("POST", "/Patient?identifier=1", patient("1"), &if_none("identifier=1")).await,
        400,
        "invalid",
    );
    let mut second = patient("1");
    is(&writer.send("POST", "/Patient", second.clone(), &[]).await, 201);
    Server::refused(
        &writer.send("POST", "/Patient", patient("1"), &if_none("identifier=1")).await,
        412,
        "multiple-matches",
    );
    Server::refused(&writer.send("PUT", "/Patient?identifier=1", patient("1"), &[]).await, 412, "multiple-matches");
    Server::refused(&writer.send("DELETE", "/Patient?identifier=1", Value::Null, &[]).await, 412, "multiple-matches");
    for bad in ["?", "colour=red", "_sort=birthdate", "identifier=", "identifier:foo=x"] {
        Server::refused(
            &writer.send("POST", "/Patient", patient("1"), &[("if-none-exist", bad)]).await,
            400,
            "invalid",
        );
        Server::refused(&writer.send("PUT", &format!("/Patient?{bad}"), patient("1"), &[]).await, 400, "invalid");
    }

    let made = writer.send("PUT", "/Patient?identifier=urn:s|7", patient("7"), &[]).await;
    is(&made, 201);
    second = patient("7");
    second["gender"] = json!("other");
    let updated = writer.send("PUT", "/Patient?identifier=urn:s|7", second.clone(), &[]).await;
    is(&updated, 200);
    assert_eq!((&updated.json()["id"], updated.header("etag")), (&made.json()["id"], "W/\"2\""));
    second["id"] = json!("mine");
    Server::refused(&writer.send("PUT", "/Patient?identifier=urn:s|7", second, &[]).await, 400, "invalid");
    let mut named = patient("8");
    named["id"] = json!("mine");
    is(&writer.send("PUT", "/Patient?identifier=urn:s|8", named, &[]).await, 201);
    assert_eq!(writer.server.get("/Patient/mine").await.status, StatusCode::OK);
    let patch = json!({"resourceType": "Parameters", "parameter": [{"name": "operation", "part": [
        {"name": "type", "valueCode": "delete"}, {"name": "path", "valueString": "Patient.active"}]}]});
    is(&writer.send("PATCH", "/Patient?identifier=8", patch.clone(), &[]).await, 200);
    Server::refused(&writer.send("PATCH", "/Patient?identifier=none", patch, &[]).await, 404, "not-found");
    assert_eq!(writer.server.get("/Patient/mine").await.json().get("active"), None);
    is(&writer.send("DELETE", "/Patient?identifier=8", Value::Null, &[]).await, 204);
    is(&writer.send("DELETE", "/Patient?identifier=8", Value::Null, &[]).await, 204);
    Server::refused(&writer.server.get("/Patient/mine").await, 410, "deleted");
    // What was created under a condition, deleted and created again has a history of its own.
    is(&writer.send("POST", "/Patient", patient("9"), &if_none("identifier=9")).await, 201);
    is(&writer.send("DELETE", "/Patient?identifier=9", Value::Null, &[]).await, 204);
    is(&writer.send("POST", "/Patient", patient("9"), &if_none("identifier=9")).await, 201);
    assert_eq!(writer.total("Patient?identifier=9").await, 1);
    // The id of the condition is taken by one that no longer matches.
    is(
        &writer
            .send(
                "PATCH",
                "/Patient?identifier=9",
                json!([{"op": "replace", "path": "/identifier/0/value", "value": "10"}]),
                &[("content-type", "application/json-patch+json")],
            )
            .await,
        200,
    );
    is(&writer.send("POST", "/Patient", patient("9"), &if_none("identifier=9")).await, 201);
    assert_eq!((writer.total("Patient?identifier=9").await, writer.total("Patient?identifier=10").await), (1, 1));
}

#[tokio::test]
async fn bad_bodies_are_refused_by_element() {
    let writer = Writer::new().await;
    for (body, path) in [
        (json!({"resourceType": "Device"}), Some("resourceType")),
        (json!({"resourceType": "Patient", "colour": "red"}), Some("Patient.colour")),
        (json!({"resourceType": "Patient", "active": "yes"}), None),
        (json!({"resourceType": "Patient", "name": []}), Some("Patient.name")),
        (json!({"resourceType": "Patient", "birthDate": "soon"}), Some("Patient.birthDate")),
        (
            json!({"resourceType": "Patient", "managingOrganization": {"reference": "x y"}}),
            Some("Patient.managingOrganization.reference"),
        ),
        (
            json!({"resourceType": "Patient", "managingOrganization": {"reference": "#x"}}),
            Some("Patient.managingOrganization.reference"),
        ),
        (
            json!({"resourceType": "Patient", "managingOrganization": {"reference": "Spaceship/1"}}),
            Some("Patient.managingOrganization.reference"),
        ),
        (
            json!({"resourceType": "Patient", "managingOrganization": {"reference": "Organization?identifier=none"}}),
            Some("Patient.managingOrganization"),
        ),
        (json!([]), None),
        (json!(5), None),
    ] {
        let answer = writer.send("POST", "/Patient", body.clone(), &[]).await;
        is(&answer, 400);
        let issue = &answer.json()["issue"][0];
        assert_eq!(issue["expression"][0].as_str(), path, "{body}: {issue}");
    }
    Server::refused(&writer.send("PUT", "/Patient/x", patient("1"), &[]).await, 400, "invalid");
    Server::refused(&writer.send("PUT", "/Patient/x%20y", patient("1"), &[]).await, 400, "value");
    let (media, text) = (("content-type", "text/plain"), json!("x"));
    for (method, path) in [("POST", "/Patient"), ("PUT", "/Patient/x"), ("PATCH", "/Patient/x"), ("POST", "")] {
        Server::refused(&writer.send(method, path, text.clone(), &[media]).await, 415, "not-supported");
    }
    Server::refused(
        &writer.send("POST", "/Patient", text.clone(), &[("content-encoding", "br")]).await,
        415,
        "not-supported",
    );
    let large = json!({"resourceType": "Patient", "name": [{"text": "x".repeat(17 * 1024 * 1024)}]});
    Server::refused(&writer.send("POST", "/Patient", large, &[]).await, 413, "too-long");
    assert_eq!(writer.total("Patient").await, 0);
}

#[tokio::test]
async fn references_must_lead_somewhere_where_that_is_wanted() {
    let writer = Writer::with(Settings { check_references: true, ..Settings::default() }).await;
    let observation = |subject: &str| {
        json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "subject": {"reference": subject},
            "performer": [{"reference": "http://elsewhere/Practitioner/1"}]})
    };
    let answer = writer.send("POST", "/Observation", observation("Patient/p"), &[]).await;
    let issue = Server::refused(&answer, 400, "invalid");
    assert_eq!(issue["expression"][0], "Observation.subject.reference");
    is(&writer.send("PUT", "/Patient/p", json!({"resourceType": "Patient", "id": "p"}), &[]).await, 201);
    is(&writer.send("POST", "/Observation", observation("Patient/p/_history/1"), &[]).await, 201);
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"resource": observation("Patient/q"), "request": {"method": "POST", "url": "Observation"}},
        {"resource": {"resourceType": "Patient", "id": "q"}, "request": {"method": "PUT", "url": "Patient/q"}}]});
    is(&writer.send("POST", "", bundle, &[]).await, 200);
    is(&writer.send("DELETE", "/Patient/p", Value::Null, &[]).await, 204);
    Server::refused(&writer.send("POST", "/Observation", observation("Patient/p"), &[]).await, 400, "invalid");
}

#[tokio::test]
async fn the_sender_says_what_to_answer() {
    let writer = Writer::new().await;
    let minimal = writer.send("POST", "/Patient", patient("1"), &[("prefer", "return=minimal")]).await;
    assert_eq!((minimal.status.as_u16(), minimal.body.len()), (201, 0));
    let outcome = writer.send("POST", "/Patient", patient("2"), &[("prefer", "return=OperationOutcome")]).await;
    assert_eq!((outcome.status.as_u16(), &outcome.json()["resourceType"]), (201, &json!("OperationOutcome")));

    let provenance = json!({"resourceType": "Provenance", "recorded": "2026-01-18T14:00:00Z",
        "agent": [{"who": {"display": "x"}}]})
    .to_string();
    let header = [("x-provenance", provenance.as_str())];
    let created = writer.send("POST", "/Patient", patient("3"), &header).await;
    is(&created, 201);
    let target = format!("Patient/{}", created.json()["id"].as_str().unwrap());
    assert_eq!(writer.total(&format!("Provenance?target={target}")).await, 1);
    let mut same = created.json();
    same["meta"].as_object_mut().unwrap().remove("versionId");
    is(&writer.send("PUT", &format!("/{target}"), same, &header).await, 200);
    assert_eq!(writer.total(&format!("Provenance?target={target}")).await, 1, "nothing was written");
    for bad in ["{", "{\"resourceType\":\"Patient\"}", "é"] {
        let answer = writer.send("POST", "/Patient", patient("4"), &[("x-provenance", bad)]).await;
        is(&answer, 400);
        assert!(
            answer.json()["issue"][0]["expression"][0].as_str().unwrap().to_lowercase().starts_with("x-provenance")
        );
    }
    assert_eq!(writer.total("Patient?identifier=4").await, 0);
}

#[tokio::test]
async fn scopes_allow_what_they_say() {
    let mut writer = Writer::new().await;
    is(&writer.send("PUT", "/Patient/p", json!({"resourceType": "Patient", "id": "p"}), &[]).await, 201);
    let paths = |letters: &str| {
        let all = [
            ("c", "POST", "/Patient"),
            ("u", "PUT", "/Patient/q"),
            ("u", "PATCH", "/Patient/p"),
            ("d", "DELETE", "/Patient/none"),
            ("s", "GET", "/Patient/_history"),
            ("r", "GET", "/Patient/p/_history"),
        ];
        all.map(|(letter, method, path)| (letters.contains(letter), method, path))
    };
    for letters in ["c", "u", "d", "rs"] {
        writer.server.key = key(&writer.server.store, "a", &format!("system/Patient.{letters}")).await;
        for (allowed, method, path) in paths(letters) {
            let body = match method {
                "POST" => patient("x"),
                "PUT" => json!({"resourceType": "Patient", "id": "q"}),
                "PATCH" => json!([{"op": "add", "path": "/active", "value": true}]),
                _ => Value::Null,
            };
            let media = if method == "PATCH" { "application/json-patch+json" } else { "application/fhir+json" };
            let answer = writer.send(method, path, body, &[("content-type", media)]).await;
            assert_eq!(answer.status != StatusCode::FORBIDDEN, allowed, "{letters} {method} {path}");
        }
    }
    writer.server.key = key(&writer.server.store, "a", "system/Patient.c").await;
    // A condition would tell what is there.
    Server::refused(
        &writer.send("POST", "/Patient", patient("x"), &[("if-none-exist", "identifier=x")]).await,
        403,
        "forbidden",
    );
}

#[tokio::test]
async fn a_binary_comes_as_it_is() {
    let writer = Writer::new().await;
    let answer = writer
        .send_bytes("POST", "/Binary?_filename=x", vec![0, 255, 1], &[("content-type", "application/octet-stream")])
        .await;
    is(&answer, 201);
    let path = format!("/Binary/{}", answer.json()["id"].as_str().unwrap());
    assert_eq!(writer.server.get_with(&path, &[("accept", "*/*")]).await.body, [0, 255, 1]);
    is(&writer.send_bytes("PUT", &path, b"text".to_vec(), &[("content-type", "text/plain")]).await, 200);
    let known = writer.server.get_with(&path, &[("if-none-match", "W/\"2\"")]).await;
    assert_eq!(known.status, StatusCode::NOT_MODIFIED);
    assert_eq!(writer.server.get(&path).await.header("content-type"), "text/plain");
}

#[tokio::test]
async fn histories_of_types_and_the_system() {
    let writer = Writer::new().await;
    for n in ["1", "2", "3"] {
        is(&writer.send("PUT", &format!("/Patient?identifier={n}"), patient(n), &[]).await, 201);
    }
    is(&writer.send("DELETE", "/Patient?identifier=2", Value::Null, &[]).await, 204);
    let (mut path, mut seen) = ("/Patient/_history?_count=2&_since=2026-01-01".to_owned(), 0);
    loop {
        let page = writer.server.get(&path).await;
        crate::fhir::json::parse(&page.body).unwrap();
        seen += page.json()["entry"].as_array().unwrap().len();
        let Some(next) = page.link("next") else { break };
        path = next.strip_prefix(BASE).unwrap().to_owned();
    }
    assert_eq!(seen, 4);
    let entries = async |path: &str| writer.server.get(path).await.json()["entry"].as_array().map_or(0, Vec::len);
    assert_eq!(entries("/_history?_count=1000").await, 4 + 26);
    assert_eq!(entries("/_history?_since=2027").await, 0);
    // The clock stands still: what was deleted was current for no time.
    assert_eq!(entries("/Patient/_history?_at=2026-02-01").await, 3);
    assert_eq!(entries("/Patient/_history?_at=2025").await, 0);
    for bad in ["_since=x", "_at=x", "_count=x", "_cursor=1.2.Patient"] {
        Server::refused(&writer.server.get(&format!("/Patient/_history?{bad}")).await, 400, "value");
    }
}

#[tokio::test]
async fn xml_and_compressed_bodies_are_taken() {
    use std::io::Write as _;
    let writer = Writer::new().await;
    let xml = br#"<Patient xmlns="http://hl7.org/fhir"><identifier><value value="x"/></identifier><birthDate value="1980"/></Patient>"#;
    let headers = [("content-type", "application/fhir+xml"), ("accept", "application/fhir+xml")];
    let answer = writer.send_bytes("POST", "/Patient", xml.to_vec(), &headers).await;
    is(&answer, 201);
    assert!(String::from_utf8_lossy(&answer.body).contains("<birthDate value=\"1980\"/>"));
    let bundle = format!(
        r#"<Bundle xmlns="http://hl7.org/fhir"><type value="transaction"/><entry><resource>{}</resource><request><method value="POST"/><url value="Patient"/></request></entry></Bundle>"#,
        std::str::from_utf8(xml).unwrap()
    );
    is(&writer.send_bytes("POST", "", bundle.into_bytes(), &headers).await, 200);
    assert_eq!(writer.total("Patient?identifier=x").await, 2);
    for bad in ["<Patient>", "<Patient xmlns=\"http://hl7.org/fhir\"><colour value=\"red\"/></Patient>", "{}"] {
        let answer = writer.send_bytes("POST", "/Patient", bad.as_bytes().to_vec(), &headers).await;
        is(&answer, 400);
        crate::fhir::xml::parse(&answer.body).unwrap();
    }

    let json = patient("z").to_string();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(json.as_bytes()).unwrap();
    let zstd = zstd::encode_all(json.as_bytes(), 1).unwrap();
    for (encoding, body) in [("gzip", gzip.finish().unwrap()), ("zstd", zstd)] {
        is(&writer.send_bytes("POST", "/Patient", body, &[("content-encoding", encoding)]).await, 201);
    }
    // A bomb: the limit is on what it unpacks to.
    let bomb = zstd::encode_all(std::io::Read::take(std::io::repeat(b' '), 200 * 1024 * 1024), 1).unwrap();
    Server::refused(
        &writer.send_bytes("POST", "/Patient", bomb, &[("content-encoding", "zstd")]).await,
        413,
        "too-long",
    );
    let garbage = writer.send_bytes("POST", "/Patient", b"garbage".to_vec(), &[("content-encoding", "gzip")]).await;
    Server::refused(&garbage, 400, "structure");
}

#[tokio::test]
async fn browsers_may_call() {
    let writer = Writer::new().await;
    let origin = ("origin", "https://app.example");
    let preflight = [
        origin,
        ("access-control-request-method", "PUT"),
        ("authorization", ""),
        ("access-control-request-headers", "authorization,if-match"),
    ];
    let answer = writer.send("OPTIONS", "/Patient/p", Value::Null, &preflight).await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert!(answer.header("access-control-allow-methods").contains("PUT"));
    let answer = writer.server.get_with("/Observation/o01", &[origin]).await;
    assert!(answer.header("access-control-expose-headers").to_lowercase().contains("etag"));
}
