//! A backend service against a running server, and the commands an operator has for it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

use crate::support::{Client, Reply, Server, eventually};

/// A registered client with its ES384 key.
struct Backend {
    key: EcdsaKeyPair,
    id: String,
}

impl Backend {
    fn register(server: &Server, scope: &str) -> Self {
        let (of, random) = (&ECDSA_P384_SHA384_FIXED_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(of, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(of, document.as_ref(), &random).unwrap();
        let point = key.public_key().as_ref();
        let part = |range: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(&point[range]);
        let set = json!({"keys": [{"kty": "EC", "crv": "P-384", "kid": "1", "x": part(1..49), "y": part(49..97)}]});
        let file = server.data().join("jwks.json");
        std::fs::write(&file, set.to_string()).unwrap();
        let file = file.to_str().unwrap();
        let id = printed(&server.admin(&["client", "create", "--name", "Test", "--jwks", file, "--scope", scope]));
        Self { key, id }
    }

    fn assertion(&self, server: &Client, jti: &str) -> String {
        let now = jiff::Timestamp::now().as_second();
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let aud = server.url("/oauth2/token");
        let claims = json!({"iss": self.id, "sub": self.id, "aud": aud, "exp": now + 200, "jti": jti});
        let message = format!("{}.{}", part(json!({"alg": "ES384", "kid": "1", "typ": "JWT"})), part(claims));
        let signature = self.key.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Asks for a token, as a client without a key.
fn ask(server: &Client, assertion: &str, scope: &str) -> Reply {
    let pairs = [
        ("grant_type", "client_credentials"),
        ("scope", scope),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion),
    ];
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    server.post_form("/oauth2/token", body)
}

#[track_caller]
fn printed(output: &std::process::Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap().trim().to_owned()
}

#[test]
fn a_backend_service_reads_with_a_token_and_an_assertion_counts_once_also_after_a_restart() {
    let server = Server::start();
    let all = server.client();
    let body = json!({"resourceType": "Patient", "id": "p", "active": true});
    all.put("/fhir/R4/Patient/p", &body).expect(201);
    let backend = Backend::register(&server, "system/Patient.rs");
    let assertion = backend.assertion(&all, "one");
    let answer = ask(&all, &assertion, "system/*.cruds").expect(200).json();
    assert_eq!(answer["scope"], "system/Patient.rs");
    let token = answer["access_token"].as_str().unwrap().to_owned();
    let client = all.with_key(&token);
    client.get("/fhir/R4/Patient/p").expect(200);
    client.get("/t/default/fhir/R4/Patient/p").expect(200);
    client.get("/t/other/fhir/R4/Patient/p").expect(403);
    client.get("/fhir/R4/Observation").expect(403);
    client.put("/fhir/R4/Patient/p", &body).expect(403);
    client.get("/api/v1/programs").expect(403);
    client.ingest(&[]).expect(403);
    ask(&all, &assertion, "system/Patient.rs").expect(400);

    let server = server.restart_after_kill();
    let all = server.client_again(&all);
    // Made for this address, which is another now: what is refused is the use of its id.
    let again = backend.assertion(&all, "one");
    let refused = ask(&all, &again, "system/Patient.rs").expect(400).json();
    assert!(refused["error_description"].as_str().unwrap().contains("jti"), "{refused}");
    ask(&all, &backend.assertion(&all, "two"), "system/Patient.rs").expect(200);
    // Tokens outlive a restart: the keys are in the database.
    all.with_key(&token).get("/fhir/R4/Patient/p").expect(200);
}

#[test]
fn an_operator_registers_explains_rotates_and_takes_back() {
    let server = Server::start();
    let all = server.client();
    let backend = Backend::register(&server, "system/Patient.rs");
    assert!(printed(&server.admin(&["client", "list"])).contains(&backend.id));
    let explain = |who: &str, action: &str, kind: &str| {
        printed(&server.admin(&["explain-access", "--who", who, "--action", action, "--type", kind]))
    };
    assert!(explain(&backend.id, "search", "Patient").starts_with("allowed: scope"));
    assert!(explain(&backend.id, "search", "Observation").starts_with("refused: no scope"));
    let elsewhere = ["explain-access", "--who", &backend.id, "--action", "read", "--type", "Patient", "--tenant", "b"];
    assert!(printed(&server.admin(&elsewhere)).starts_with("refused: other tenant"));
    let keys = printed(&server.admin(&["key", "list"]));
    let id = keys.split('\t').next().unwrap();
    assert!(id.starts_with("key_") && !keys.contains("sk_"), "{keys}");

    let token = |jti: &str| {
        let answer = ask(&all, &backend.assertion(&all, jti), "system/Patient.rs").expect(200).json();
        answer["access_token"].as_str().unwrap().to_owned()
    };
    let first = token("1");
    let published = || all.get("/oauth2/jwks").expect(200).json()["keys"].as_array().unwrap().len();
    assert_eq!(published(), 1);
    let new = printed(&server.keys(&["rotate"]));
    assert_eq!(printed(&server.keys(&["list"])).lines().count(), 2);
    eventually("the new key to be published", || (published() == 2).then_some(()));
    assert!(printed(&server.keys(&["list"])).contains(&new));
    all.with_key(&first).get("/fhir/R4/Patient").expect(200);
    printed(&server.keys(&["rotate", "--at-once"]));
    eventually("the old keys to be refused", || {
        (all.with_key(&first).get("/fhir/R4/Patient").status == 401).then_some(())
    });
    let last = token("2");
    all.with_key(&last).get("/fhir/R4/Patient").expect(200);
    printed(&server.admin(&["client", "revoke", &backend.id]));
    eventually("the client's tokens to be refused", || {
        (all.with_key(&last).get("/fhir/R4/Patient").status == 401).then_some(())
    });
    printed(&server.admin(&["key", "revoke", id]));
    eventually("the key to be refused", || (all.get("/fhir/R4/Patient").status == 401).then_some(()));
    assert_eq!(server.admin(&["key", "revoke", id]).status.code(), Some(1));
}

#[test]
fn a_policy_of_the_operators_holds_everywhere() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("policy.cedar");
    let policy = r#"@id("nobody deletes") forbid (principal, action == Action::"delete", resource);
        @id("no packets") forbid (principal, action == Action::"ingest", resource);"#;
    std::fs::write(&file, policy).unwrap();
    let server = Server::with_environment(&[("AFFERENT_POLICY", file.to_str().unwrap())]);
    let all = server.client();
    let body = json!({"resourceType": "Patient", "id": "p"});
    all.put("/fhir/R4/Patient/p", &body).expect(201);
    all.delete("/fhir/R4/Patient/p").expect(403);
    let bundle = json!({"resourceType": "Bundle", "type": "transaction",
        "entry": [{"request": {"method": "DELETE", "url": "Patient/p"}}]});
    all.post("/fhir/R4", &bundle).expect(403);
    all.ingest(&[]).expect(403);
    all.get("/fhir/R4/Patient/p").expect(200);
    std::fs::write(&file, "permit (principal, action, resource);").unwrap();
    let told = server.refuses_to_start_with(&[]);
    assert!(told.contains("only forbid is of use"), "{told}");
}

#[test]
fn many_ask_at_once_and_each_assertion_counts_once() {
    let server = Server::start();
    let all = server.client();
    let backend = Backend::register(&server, "system/Patient.rs");
    let assertions: Vec<String> = (0..8).map(|n| backend.assertion(&all, &format!("{}", n / 2))).collect();
    let granted = std::thread::scope(|scope| {
        let asked = assertions.iter().map(|one| scope.spawn(|| ask(&all, one, "system/Patient.rs").status == 200));
        let asked: Vec<_> = asked.collect();
        asked.into_iter().map(|one| one.join().unwrap()).filter(|granted| *granted).count()
    });
    assert_eq!(granted, 4);
}
