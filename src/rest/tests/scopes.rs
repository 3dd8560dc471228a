//! Scopes about some resources of a type, and the ways around them. Each test is named after what an attacker tries.

use super::*;
use crate::auth::NewKey;
use crate::auth::app_fixture::app_token;

/// What the caller of these tests is about, and what it must never see: everything that is `p1`'s.
const OWN: &str = "p0";
const ALL: &str = "patient/*.cruds";

struct Attack {
    server: Server,
    /// Bearer of scopes about `p0`.
    key: String,
}

fn put_of(server: &Server, path: &str, headers: &[(&str, &str)], body: &str) -> Request<Body> {
    let mut request = server.request(Method::PUT, &format!("/fhir/R4{path}"), headers);
    *request.body_mut() = Body::from(body.to_owned());
    request
}

/// Two patients, each with Observations, their Provenance, a Device, a document and an Encounter.
async fn ward() -> Server {
    let server = server().await;
    let mut resources = vec![resource("Organization", "org", r#","name":"Clinic""#)];
    for (n, patient) in ["p0", "p1"].into_iter().enumerate() {
        let subject = format!(r#"{{"reference":"Patient/{patient}"}}"#);
        let document = format!(
            r#","status":"current","subject":{subject},"content":[{{"attachment":{{"contentType":"image/png","url":"Binary/b-{patient}"}}}}]"#
        );
        resources.extend([
            resource("Patient", patient, &format!(r#","name":[{{"family":"Family{n}"}}]"#)),
            resource("Device", &format!("d-{patient}"), &format!(r#","status":"active","patient":{subject}"#)),
            resource("DocumentReference", &format!("doc-{patient}"), &document),
            resource("Binary", &format!("b-{patient}"), r#","contentType":"image/png","data":"iVBORw==""#),
            resource(
                "Encounter",
                &format!("e-{patient}"),
                &format!(r#","status":"finished","class":{{"code":"HH"}},"subject":{subject}"#),
            ),
            resource(
                "Group",
                &format!("g-{patient}"),
                &format!(r#","type":"person","actual":true,"member":[{{"entity":{subject}}}]"#),
            ),
        ]);
    }
    server.store.put(&tenant("a"), resources).await.unwrap();
    server
}

/// With the token of an app that was opened for `p0`.
async fn attack() -> Attack {
    let server = ward().await;
    let key = app_token(&server.store, "a", "Practitioner/x", Some(OWN), ALL).await;
    Attack { server, key }
}

/// With a developer key about `p0`.
async fn attack_with(scope: &str) -> Attack {
    let server = ward().await;
    let patient = Some(crate::id::ResourceId::new(OWN).unwrap());
    let new = NewKey { scope: scope.to_owned(), patient, ..NewKey::for_everything(tenant("a"), true) };
    let key = new.create(&server.store).await.unwrap().expose().to_owned();
    Attack { server, key }
}

impl Attack {
    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let bearer = format!("Bearer {}", self.key);
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend_from_slice(headers);
        let mut request = self.server.request(method, &format!("/fhir/R4{path}"), &all);
        *request.body_mut() = Body::from(body.to_owned());
        self.server.send(request).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    /// The resources of a Bundle, and that none of them is the other patient's.
    #[track_caller]
    fn found(answer: &Answer) -> Vec<String> {
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, StatusCode::OK, "{text}");
        let entries = answer.json()["entry"].as_array().cloned().unwrap_or_default();
        for entry in &entries {
            let shown = entry["resource"].to_string();
            assert!(!shown.contains("Patient/p1") && !shown.contains("Family1"), "{shown}");
        }
        let of_entry =
            |e: &Value| format!("{}/{}", e["resource"]["resourceType"], e["resource"]["id"]).replace('"', "");
        let found: Vec<String> = entries.iter().filter(|e| e["search"]["mode"] != "outcome").map(of_entry).collect();
        for reference in &found {
            assert!(!reference.ends_with("p1"), "{reference}");
        }
        found
    }
}

#[tokio::test]
async fn another_patient_by_id_version_or_history() {
    let attack = attack().await;
    for own in [
        "/Patient/p0",
        "/Observation/o00",
        "/Observation/o00/_history/1",
        "/Observation/o00/_history",
        "/Encounter/e-p0",
        "/Device/d-p0",
        "/Device/d1",
        "/Organization/org",
        "/Provenance/v00",
        "/DocumentReference/doc-p0",
        "/Observation/o00/$meta",
        "/Patient/p0/$everything",
        "/Observation/o00/$lineage",
    ] {
        let answer = attack.get(own).await;
        assert_eq!(answer.status, StatusCode::OK, "{own}: {}", String::from_utf8_lossy(&answer.body));
    }
    for others in [
        "/Patient/p1",
        "/Patient/p1/_history",
        "/Patient/p1/_history/1",
        "/Patient/p1/$everything",
        "/Observation/o01",
        "/Observation/o01/_history/1",
        "/Observation/o01/_history",
        "/Observation/o01/$meta",
        "/Observation/o01/$lineage",
        "/Encounter/e-p1",
        "/Encounter/e-p1/$everything",
        "/Device/d-p1",
        "/Provenance/v01",
        "/Provenance/v01/_history/1",
        "/DocumentReference/doc-p1",
        "/Binary/b-p1",
    ] {
        let (there, nowhere) = (attack.get(others).await, attack.get(&others.replace('1', "77")).await);
        assert_eq!(there.status, StatusCode::NOT_FOUND, "{others}: {}", String::from_utf8_lossy(&there.body));
        // What may not be seen is answered as what is not there.
        assert_eq!(there.status, nowhere.status, "{others}");
    }
    for unknown in ["/Group/g-p0", "/Group/g-p1"] {
        assert_eq!(attack.get(unknown).await.status, StatusCode::FORBIDDEN, "{unknown}");
    }
}

#[tokio::test]
async fn another_patient_by_search() {
    let attack = attack().await;
    let own = ["Observation/o00", "Observation/o03", "Observation/o06", "Observation/o09"];
    for (path, expected) in [
        ("/Observation?_count=100", &own[..]),
        ("/Observation?patient=p0", &own),
        ("/Observation?patient=p1", &[]),
        ("/Observation?subject=Patient/p1,Patient/p0", &own),
        ("/Observation?_id=o01,o00", &own[..1]),
        ("/Observation?code:not=x&_count=100", &own),
        ("/Patient?_id=p1", &[]),
        ("/Patient?name=Family1", &[]),
        ("/Device?_id=d-p1,d1", &["Device/d1"]),
        ("/DocumentReference?location=Binary/b-p1", &[]),
    ] {
        let mut found = Attack::found(&attack.get(path).await);
        found.sort();
        assert_eq!(found, expected, "{path}");
    }
    let by_post = [("content-type", "application/x-www-form-urlencoded")];
    let answer = attack.send(Method::POST, "/Observation/_search", &by_post, "patient=p1").await;
    assert!(Attack::found(&answer).is_empty());
    assert_eq!(attack.get("/Observation?patient=p1&_summary=count").await.json()["total"], 0);
    assert_eq!(attack.get("/Observation?_summary=count").await.json()["total"], 4);
    Attack::found(&attack.get("/?_type=Observation,Patient,Device").await);
    assert_eq!(attack.get("/Group?_id=g-p1").await.status, StatusCode::FORBIDDEN);
    for path in ["/Observation?_count=2", "/Observation?_sort=date&_count=3"] {
        let (mut next, mut seen) = (Some(format!("/fhir/R4{path}")), 0);
        while let Some(url) = next {
            let answer = attack.get(url.split("/fhir/R4").nth(1).unwrap()).await;
            seen += Attack::found(&answer).len();
            next = answer.link("next");
        }
        assert_eq!(seen, 4, "{path}");
    }
}

#[tokio::test]
async fn another_patient_by_chain_and_has() {
    let attack = attack().await;
    for path in [
        "/Observation?subject:Patient.name=Family1",
        "/Observation?patient.name=Family1",
        "/Observation?device:Device.patient=Patient/p1",
        "/Patient?_has:Observation:patient:_id=o01",
        "/Organization?_has:Patient:organization:name=Family1",
        "/Device?_has:Observation:device:patient=p1",
        "/Device?_has:Observation:device:subject:Patient.name=Family1",
    ] {
        assert!(Attack::found(&attack.get(path).await).is_empty(), "{path}");
    }
    assert_eq!(Attack::found(&attack.get("/Device?_has:Observation:device:patient=p0").await), ["Device/d1"]);
    assert_eq!(Attack::found(&attack.get("/Observation?subject:Patient.name=Family0").await).len(), 4);
    // Whose a Provenance is, only its targets tell.
    for path in ["/Provenance", "/Provenance?_id=v01", "/Observation?_has:Provenance:target:_id=v01"] {
        assert_eq!(attack.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert!(Attack::found(&attack.get("/Provenance?target=Observation/o01").await).is_empty());
    assert!(Attack::found(&attack.get("/Provenance?target=Observation/o00,Observation/o01").await).is_empty());
    assert_eq!(Attack::found(&attack.get("/Provenance?target=Observation/o00").await), ["Provenance/v00"]);
}

#[tokio::test]
async fn another_patient_by_include_and_revinclude() {
    let attack = attack().await;
    // What an Observation refers to may be somebody else's.
    let link = r#","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p0"},"derivedFrom":[{"reference":"Observation/o01"},{"reference":"Observation/o03"}]"#;
    attack.server.store.put(&tenant("a"), vec![resource("Observation", "linked", link)]).await.unwrap();
    let mut found = Attack::found(
        &attack.get("/Observation?_id=linked&_include=*&_include:iterate=Observation:derived-from").await,
    );
    found.sort();
    assert_eq!(found, ["Observation/linked", "Observation/o03", "Patient/p0"]);
    let found = Attack::found(
        &attack.get("/Device?_id=d1&_revinclude=Observation:device&_revinclude:iterate=Provenance:target").await,
    );
    assert_eq!(found.iter().filter(|r| r.starts_with("Observation/")).count(), 4, "{found:?}");
    assert_eq!(found.iter().filter(|r| r.starts_with("Provenance/")).count(), 4, "{found:?}");
}

#[tokio::test]
async fn another_patient_by_operation() {
    let attack = attack().await;
    let everything = Attack::found(&attack.get("/Patient/p0/$everything?_count=100").await);
    assert!(everything.contains(&"Observation/o00".to_owned()) && everything.contains(&"Encounter/e-p0".to_owned()));
    for path in ["/Observation/$lastn?patient=p1", "/DocumentReference/$docref?patient=p1"] {
        assert!(Attack::found(&attack.get(path).await).is_empty(), "{path}");
    }
    let statistics = attack.get("/Observation/$stats?subject=Patient/p1&code=8867-4&statistic=count").await;
    assert!(statistics.json()["parameter"].as_array().is_none_or(Vec::is_empty));
    let series = "/Observation/$series?patient=p1&code=8867-4&start=2026-01-18T00:00:00Z&end=2026-01-19T00:00:00Z";
    assert_eq!(attack.get(series).await.status, StatusCode::NOT_FOUND);
    // The lineage of what is somebody's leads through somebody else's.
    let derived = r#","target":[{"reference":"Observation/o00"}],"recorded":"2026-01-18T14:00:00.000Z","agent":[{"who":{"reference":"Device/d1"}}],
        "entity":[{"role":"derivation","what":{"reference":"Observation/o01"}},{"role":"derivation","what":{"reference":"Observation/o03"}}]"#;
    attack.server.store.put(&tenant("a"), vec![resource("Provenance", "vd", derived)]).await.unwrap();
    let lineage = attack.get("/Observation/o00/$lineage").await;
    let text = String::from_utf8(lineage.body).unwrap();
    assert!(text.contains("Observation/o03") && text.contains("Provenance/v03"), "{text}");
    assert!(!text.contains("o01") && !text.contains("v01"), "{text}");
}

#[tokio::test]
async fn a_version_from_when_it_was_another_patients() {
    let attack = attack().await;
    // o01 was p1's and becomes p0's, o00 the other way round.
    let moved = ["o01", "o00"].into_iter().zip(["p0", "p1"]);
    let moved = moved.map(|(id, patient)| observation(id, patient, "2026-01-18T14:01:00.000Z", "61")).collect();
    attack.server.store.put(&tenant("a"), moved).await.unwrap();
    assert_eq!(attack.get("/Observation/o01/_history/2").await.status, StatusCode::OK);
    assert_eq!(attack.get("/Observation/o01/_history/1").await.status, StatusCode::NOT_FOUND);
    let history = attack.get("/Observation/o01/_history").await;
    assert_eq!(Attack::found(&history), ["Observation/o01"]);
    assert!(history.json().get("total").is_none());
    for path in ["/Observation/_history?_count=100", "/_history?_count=1000"] {
        Attack::found(&attack.get(path).await);
    }
    assert_eq!(attack.get("/Observation/o00/_history").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn another_patient_by_batch_and_transaction() {
    let attack = attack().await;
    for kind in ["batch", "transaction"] {
        let gets = ["Patient/p1", "Observation?patient=p1", "Observation/o01/_history/1", "Patient/p1/$everything"];
        let entries: Vec<Value> =
            gets.iter().map(|url| serde_json::json!({"request": {"method": "GET", "url": url}})).collect();
        let body = serde_json::json!({"resourceType": "Bundle", "type": kind, "entry": entries}).to_string();
        let answer = attack.send(Method::POST, "", &[("content-type", "application/fhir+json")], &body).await;
        assert_eq!(answer.status, StatusCode::OK);
        let text = String::from_utf8(answer.body).unwrap();
        assert!(!text.contains("Family1") && !text.contains("\"reference\":\"Patient/p1\""), "{text}");
    }
}

#[tokio::test]
async fn writing_what_is_another_patients() {
    let attack = attack().await;
    let json = [("content-type", "application/fhir+json")];
    let of = |id: &str, patient: &str| {
        format!(
            r#"{{"resourceType":"Observation"{id},"status":"final","code":{{"text":"x"}},"subject":{{"reference":"Patient/{patient}"}}}}"#
        )
    };
    let put = |id: &'static str, patient: &'static str| of(&format!(r#","id":"{id}""#), patient);
    // What was derived is nobody's to write; this was written by a client.
    let everything = format!("Bearer {}", key(&attack.server.store, "a", "system/*.cruds").await);
    let others = r#"{"resourceType":"Encounter","id":"others","status":"finished","class":{"code":"HH"},"subject":{"reference":"Patient/p1"}}"#;
    let with_everything = [("authorization", everything.as_str()), json[0]];
    let made = attack.server.send(put_of(&attack.server, "/Encounter/others", &with_everything, others)).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let nobodys = r#"{"resourceType":"Device","id":"nobodys"}"#;
    let made = attack.server.send(put_of(&attack.server, "/Device/nobodys", &with_everything, nobodys)).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let own = attack.send(Method::PUT, "/Observation/mine", &json, &put("mine", "p0")).await;
    assert_eq!(own.status, StatusCode::CREATED, "{}", String::from_utf8_lossy(&own.body));
    for (method, path, headers, body) in [
        (Method::POST, "/Observation", &json[..], of("", "p1")),
        (Method::PUT, "/Observation/new", &json, put("new", "p1")),
        (Method::PUT, "/Observation/mine", &json, put("mine", "p1")),
        (Method::PATCH, "/Observation/mine", &[("content-type", "application/json-patch+json")], r#"[{"op":"replace","path":"/subject/reference","value":"Patient/p1"}]"#.to_owned()),
        (Method::DELETE, "/Encounter/others", &[], String::new()),
        (Method::PUT, "/Patient/p1", &json, r#"{"resourceType":"Patient","id":"p1"}"#.to_owned()),
        (Method::PUT, "/Patient/p2", &json, r#"{"resourceType":"Patient","id":"p2"}"#.to_owned()),
        (Method::PUT, "/Device/nobodys", &json, r#"{"resourceType":"Device","id":"nobodys","patient":{"reference":"Patient/p0"}}"#.to_owned()),
        (Method::POST, "/Organization", &json, r#"{"resourceType":"Organization","name":"x"}"#.to_owned()),
        (Method::POST, "/Provenance", &json, r#"{"resourceType":"Provenance","target":[{"reference":"Observation/o01"}],"recorded":"2026-01-18T14:00:00Z","agent":[{"who":{"display":"x"}}]}"#.to_owned()),
    ] {
        let answer = attack.send(method.clone(), path, headers, &body).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}: {text}");
        assert!(text.contains("scopes") || path == "/Patient/p1", "{method} {path}: {text}");
    }
    // A condition that matches another patient's resource matches nothing.
    let conditional = attack.send(Method::DELETE, "/Encounter?_id=others", &[], "").await;
    assert_eq!(conditional.status, StatusCode::NO_CONTENT);
    assert_eq!(attack.server.get("/Encounter/others").await.status, StatusCode::OK);
    // An entry of a transaction takes the others with it.
    let body = serde_json::json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"resource": serde_json::from_str::<Value>(&put("fine", "p0")).unwrap(), "request": {"method": "PUT", "url": "Observation/fine"}},
        {"resource": serde_json::from_str::<Value>(&put("bad", "p1")).unwrap(), "request": {"method": "PUT", "url": "Observation/bad"}},
    ]});
    let answer = attack.send(Method::POST, "", &json, &body.to_string()).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(attack.get("/Observation/fine").await.status, StatusCode::NOT_FOUND);
    // A document of one's own about somebody else's content does not open it.
    let document = r#"{"resourceType":"DocumentReference","status":"current","subject":{"reference":"Patient/p0"},"content":[{"attachment":{"url":"Binary/b-p1"}}]}"#;
    assert_eq!(attack.send(Method::POST, "/DocumentReference", &json, document).await.status, StatusCode::CREATED);
    assert_eq!(attack.get("/Binary/b-p1").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_content_of_documents_is_read_with_them() {
    let attack = attack_with("patient/Binary.r patient/DocumentReference.rs").await;
    assert_eq!(attack.get("/Binary/b-p0").await.status, StatusCode::OK);
    for path in ["/Binary/b-p1", "/Binary/b1"] {
        assert_eq!(attack.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn more_than_a_query_grants() {
    let vital = "category=http://terminology.hl7.org/CodeSystem/observation-category|vital-signs";
    let server = ward().await;
    let survey = |id: &str| {
        resource(
            "Observation",
            id,
            r#","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"survey"}]}],"code":{"text":"x"},"subject":{"reference":"Patient/p0"},"derivedFrom":[{"reference":"Observation/o00"}]"#,
        )
    };
    server.store.put(&tenant("a"), vec![survey("s1")]).await.unwrap();
    let key =
        key(&server.store, "a", &format!("system/Observation.cruds?{vital} system/Patient.rs system/Provenance.rs"))
            .await;
    let attack = Attack { server, key };
    let get = |path: &'static str| attack.get(path);
    assert_eq!(get("/Observation/o00").await.status, StatusCode::OK);
    for path in [
        "/Observation/s1",
        "/Observation/s1/_history",
        "/Observation/s1/_history/1",
        "/Observation/s1/$meta",
        "/Observation/s1/$lineage",
    ] {
        assert_eq!(get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for path in [
        "/Observation?category=survey",
        "/Observation?_id=s1",
        "/Patient?_has:Observation:patient:_id=s1",
        "/Observation/$lastn?patient=p0&category=survey",
    ] {
        assert_eq!(get(path).await.json()["entry"].as_array().map_or(0, Vec::len), 0, "{path}");
    }
    for path in [
        "/Patient?_id=p0&_revinclude=Observation:patient",
        "/Observation?_id=o00&_revinclude=Observation:derived-from",
        "/Patient/p0/$everything?_count=500",
        "/Observation/_history?_count=500",
        "/_history?_count=500",
    ] {
        let answer = get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("survey"), "{path}");
    }
    let json = [("content-type", "application/fhir+json")];
    let plain = r#"{"resourceType":"Observation","status":"final","code":{"text":"x"}}"#;
    assert_eq!(attack.send(Method::POST, "/Observation", &json, plain).await.status, StatusCode::FORBIDDEN);
    assert_eq!(attack.send(Method::DELETE, "/Observation/s1", &[], "").await.status, StatusCode::FORBIDDEN);
    // Nor by a header that writes beside.
    let vital_sign = r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}]}"#;
    assert_eq!(attack.send(Method::POST, "/Observation", &json, vital_sign).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_query_that_is_not_understood_grants_nothing() {
    let server = ward().await;
    for query in [
        "unknown=1",
        "category=",
        "_sort=date",
        "_count=1",
        "subject.name=x",
        "category:not=survey",
        "_include=*",
        "date=gt2020",
        "category=a&unknown=1",
    ] {
        let key = key(&server.store, "a", &format!("system/Observation.rs?{query}")).await;
        let bearer = format!("Bearer {key}");
        let answer = server.get_with("/Observation", &[("authorization", &bearer)]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{query}");
    }
    // Two scopes grant what either does.
    let key = key(
        &server.store,
        "a",
        "system/Observation.rs?_id=o00 system/Observation.rs?_id=o01&patient=p1 system/Observation.r",
    )
    .await;
    let bearer = format!("Bearer {key}");
    let found = server.get_with("/Observation", &[("authorization", &bearer)]).await;
    let mut found = found.references("match");
    found.sort();
    assert_eq!(found, ["Observation/o00", "Observation/o01"]);
    assert_eq!(server.get_with("/Observation/o05", &[("authorization", &bearer)]).await.status, StatusCode::OK);
}

/// Every read of a handler passes the guard.
#[test]
fn no_other_file_reads_resources_from_the_store() {
    fn walk(directory: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("tests") && !path.ends_with("guard") {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text: String = std::fs::read_to_string(&path).unwrap().split_whitespace().collect();
                let reads = ["store.search(", "store.read(", "store.vread(", "store.history(", "store.deletion("];
                let used = reads.iter().filter(|read| text.contains(**read));
                found.extend(used.map(|read| format!("{}: {read}", path.display())));
            }
        }
    }
    let mut found = Vec::new();
    walk(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rest"), &mut found);
    // What was just written, or matched a condition that was confined.
    found.retain(|place| !place.ends_with("write/single.rs: store.read("));
    assert!(found.is_empty(), "{found:#?}");
}

/// `cargo test --release --lib -- --ignored --nocapture scope_check_costs`: the CPU time of a search, and how much of it is who
/// asks and what they may.
#[tokio::test]
#[ignore = "prints times"]
#[allow(clippy::print_stdout)]
async fn scope_check_costs() {
    const ROUNDS: u32 = 2_000;
    let server = ward().await;
    let auth = Auth::new(
        server.store.clone(),
        Arc::new(Standing),
        Policy::new(None).unwrap(),
        crate::auth::fetcher(),
        Limits { requests_per_s: u32::MAX },
    );
    let cpu = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
    };
    let header = format!("Bearer {}", server.key).parse().unwrap();
    let begin = cpu();
    for _ in 0..ROUNDS {
        let bearer = auth.authenticate(Some(&header)).await.unwrap();
        assert!(bearer.may("Observation", crate::auth::Access::Search));
        assert!(bearer.may("Observation", crate::auth::Access::Search));
    }
    let check = (cpu() - begin) / f64::from(ROUNDS);
    let begin = cpu();
    for _ in 0..ROUNDS {
        assert_eq!(server.get("/Observation?patient=p0&_count=10").await.status, StatusCode::OK);
    }
    let search = (cpu() - begin) / f64::from(ROUNDS);
    println!(
        "search {:.0} µs, of it {:.1} µs ({:.1} %) who and what",
        search * 1e6,
        check * 1e6,
        check / search * 100.0
    );
}

#[tokio::test]
async fn another_patient_by_a_patients_user_scopes_or_key() {
    // A patient is about themselves, whatever the scope says; so is a key with a patient.
    let server = ward().await;
    let token = app_token(&server.store, "a", "Patient/p0", None, "user/*.cruds").await;
    let by_token = Attack { server, key: token };
    for attack in [by_token, attack_with(ALL).await] {
        assert_eq!(attack.get("/Observation/o00").await.status, StatusCode::OK);
        assert_eq!(attack.get("/Observation/o01").await.status, StatusCode::NOT_FOUND);
        let found = Attack::found(&attack.get("/Observation?_count=100&_revinclude=Provenance:target").await);
        assert!(found.contains(&"Observation/o00".to_owned()));
        assert_eq!(Attack::found(&attack.get("/Patient").await), ["Patient/p0"]);
    }
}

#[tokio::test]
async fn what_a_practitioner_may_see_is_theirs_beside_what_the_patient_in_context_has() {
    let server = ward().await;
    let scope = "patient/Observation.rs user/Patient.r user/Observation.rs?code=http://loinc.org|0000-0";
    let key = app_token(&server.store, "a", "Practitioner/x", Some(OWN), scope).await;
    let attack = Attack { server, key };
    for (path, status) in [
        ("/Observation/o00", StatusCode::OK),
        ("/Observation/o01", StatusCode::NOT_FOUND),
        ("/Patient/p0", StatusCode::OK),
        // The practitioner's own right is about every patient.
        ("/Patient/p1", StatusCode::OK),
        ("/Encounter/e-p0", StatusCode::FORBIDDEN),
    ] {
        let answer = attack.get(path).await;
        assert_eq!(answer.status, status, "{path}: {}", String::from_utf8_lossy(&answer.body));
    }
    let found = Attack::found(&attack.get("/Observation?_count=100").await);
    assert_eq!(found.len(), 4, "{found:?}");
}
