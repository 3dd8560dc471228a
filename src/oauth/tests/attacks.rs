//! What attackers do at the endpoints, each test named after it.

use super::*;

#[tokio::test]
async fn algorithm_none() {
    let server = server().await;
    for alg in ["none", "None", "NONE", ""] {
        let header = json!({"alg": alg, "kid": "k1", "typ": "JWT"});
        let bare = unsigned(&header, &claims(&server.client));
        for assertion in [format!("{bare}."), bare.clone(), server.key.sign(&header, &claims(&server.client))] {
            Server::refused(server.ask(&assertion).await, "invalid_client");
        }
    }
    let (header, claims) =
        (json!({"alg": "none", "typ": "at+jwt"}), json!({"client_id": server.client, "scope": "system/*.rs"}));
    assert!(!server.is_good(&format!("{}.", unsigned(&header, &claims))).await);
}

#[tokio::test]
async fn key_confusion() {
    let server = server().await;
    // The public key everybody knows as the secret of an HMAC.
    for alg in ["HS256", "HS384", "HS512"] {
        let message = unsigned(&json!({"alg": alg, "kid": "k1"}), &claims(&server.client));
        for secret in [server.key.public().to_vec(), server.key.jwks().into_bytes()] {
            let mac = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &secret), message.as_bytes());
            let assertion = format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac));
            Server::refused(server.ask(&assertion).await, "invalid_client");
        }
    }
    // An algorithm that is weaker, or of another kind of key.
    for alg in ["RS384", "ES256", "RS256", "PS384", "EdDSA"] {
        let assertion = server.key.sign(&json!({"alg": alg, "kid": "k1"}), &claims(&server.client));
        Server::refused(server.ask(&assertion).await, "invalid_client");
    }
}

#[tokio::test]
async fn an_assertion_of_somebody_else() {
    let server = server().await;
    let other = ClientKey::new();
    Server::refused(server.ask(&other.sign(&head(), &claims(&server.client))).await, "invalid_client");
    let other_client = register(&server.store, "a", ClientKeys::Value(other.jwks()), "system/*.cruds").await;
    Server::refused(server.ask(&server.key.sign(&head(), &claims(&other_client))).await, "invalid_client");
    for (name, value) in [
        ("iss", json!(other_client)),
        ("sub", json!(other_client)),
        ("iss", Value::Null),
        ("sub", Value::Null),
        ("iss", json!("client_none")),
    ] {
        Server::refused(server.ask(&server.but(name, value)).await, "invalid_client");
    }
    for header in [
        json!({"alg": "ES384"}),
        json!({"alg": "ES384", "kid": "k2"}),
        json!({"alg": "ES384", "kid": "k1", "typ": "at+jwt"}),
        json!({"alg": "ES384", "kid": "k1", "crit": ["exp"], "exp": 1}),
    ] {
        Server::refused(server.ask(&server.key.sign(&header, &claims(&server.client))).await, "invalid_client");
    }
    // Keys from where the client did not register them, or brought along.
    for (name, value) in [("jku", json!("https://attacker.example/jwks"))] {
        let mut header = head();
        header[name] = value;
        Server::refused(server.ask(&other.sign(&header, &claims(&server.client))).await, "invalid_client");
        Server::refused(server.ask(&server.key.sign(&header, &claims(&server.client))).await, "invalid_client");
    }
    let mut tampered = server.assertion();
    let middle = tampered.find('.').unwrap() + 12;
    let changed = if &tampered[middle..=middle] == "A" { "B" } else { "A" };
    tampered.replace_range(middle..=middle, changed);
    Server::refused(server.ask(&tampered).await, "invalid_client");
    let body = form(&[
        ("grant_type", "client_credentials"),
        ("scope", "system/*.rs"),
        ASSERTION,
        ("client_assertion", &server.assertion()),
        ("client_id", &other_client),
    ]);
    Server::refused(post(&server.router, "/oauth2/token", body, &[]).await, "invalid_client");
}

#[tokio::test]
async fn an_assertion_of_another_time() {
    let server = server().await;
    for (name, value) in [
        ("exp", json!(now())),
        ("exp", json!(now() - 1)),
        ("exp", json!(now() + 306)),
        ("exp", json!(now() + 86_400)),
        ("exp", json!(1e300)),
        ("exp", json!("soon")),
        ("exp", Value::Null),
        ("iat", json!(now() + 60)),
        ("nbf", json!(now() + 60)),
        ("nbf", json!("later")),
        ("jti", Value::Null),
        ("jti", json!("")),
        ("jti", json!("x".repeat(257))),
    ] {
        Server::refused(server.ask(&server.but(name, value)).await, "invalid_client");
    }
    for (name, value) in
        [("exp", json!(now() + 300)), ("exp", json!(now() + 1)), ("nbf", json!(now() - 60)), ("iat", Value::Null)]
    {
        assert_eq!(server.ask(&server.but(name, value)).await.0, StatusCode::OK, "{name}");
    }
}

#[tokio::test]
async fn an_assertion_for_another_server() {
    let server = server().await;
    for aud in [
        json!("https://other.example/oauth2/token"),
        json!(ROOT),
        json!("https://example.org/fhir/R4"),
        json!([]),
        json!(["x"]),
        Value::Null,
        json!(7),
    ] {
        Server::refused(server.ask(&server.but("aud", aud)).await, "invalid_client");
    }
    for aud in [json!([TOKEN_URL]), json!("https://example.org/t/a/oauth2/token")] {
        assert_eq!(server.ask(&server.but("aud", aud)).await.0, StatusCode::OK);
    }
    // A server that does not know its URL does not take it from the request.
    let (router, _) = node(&server.store, None, false);
    for host in ["other.example", "127.0.0.1.other.example", "localhost@other.example", "0.0.0.0"] {
        let assertion = server.but("aud", json!(format!("http://{host}/oauth2/token")));
        let body = form(&[
            ("grant_type", "client_credentials"),
            ("scope", "system/Observation.rs"),
            ASSERTION,
            ("client_assertion", &assertion),
        ]);
        Server::refused(post(&router, "/oauth2/token", body, &[("host", host)]).await, "invalid_request");
    }
    let assertion = server.but("aud", json!("http://127.0.0.1:8080/oauth2/token"));
    let body = form(&[
        ("grant_type", "client_credentials"),
        ("scope", "system/Observation.rs"),
        ASSERTION,
        ("client_assertion", &assertion),
    ]);
    assert_eq!(post(&router, "/oauth2/token", body, &[("host", "127.0.0.1:8080")]).await.0, StatusCode::OK);
}

#[tokio::test]
async fn replay() {
    let server = server().await;
    let assertion = server.assertion();
    assert_eq!(server.ask(&assertion).await.0, StatusCode::OK);
    Server::refused(server.ask(&assertion).await, "invalid_client");
    // After a restart, or at another node: all that is left is the database.
    let (other, _) = node(&server.store, Some(ROOT), false);
    Server::refused(ask(&other, &assertion, "system/Observation.rs").await, "invalid_client");
    // The same id in another assertion, and the same assertion many times at once at both.
    let mut again = claims(&server.client);
    again["jti"] = json!("once");
    let (one, two) = (server.key.sign(&head(), &again), server.key.sign(&head(), &again));
    let tries = (0..16).map(|i| {
        let (router, assertion) =
            (if i % 2 == 0 { &server.router } else { &other }, if i % 3 == 0 { &one } else { &two });
        ask(router, assertion, "system/Observation.rs")
    });
    let answers = futures_util::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|(status, _)| *status == StatusCode::OK).count(), 1);
    // Another client may use the id.
    let key = ClientKey::new();
    let client = register(&server.store, "a", ClientKeys::Value(key.jwks()), "system/Observation.rs").await;
    let mut others = claims(&client);
    others["jti"] = json!("once");
    assert_eq!(server.ask(&key.sign(&head(), &others)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn scope_widening() {
    let server = server().await;
    for (asked, granted) in [
        ("system/Observation.cruds", "system/Observation.rs"),
        ("system/*.cruds", "system/Observation.rs system/Patient.r"),
        ("system/*.read", "system/Observation.read system/Patient.r"),
        ("system/Observation.rs?category=x ingest control", "system/Observation.rs?category=x"),
    ] {
        let (status, answer) = ask(&server.router, &server.assertion(), asked).await;
        assert_eq!((status, answer["scope"].as_str()), (StatusCode::OK, Some(granted)), "{asked}: {answer}");
    }
    for refused in [
        "system/Device.rs",
        "patient/Observation.rs",
        "user/*.*",
        "ingest",
        "control",
        "system/Observation.sr",
        "openid",
        "x",
    ] {
        Server::refused(ask(&server.router, &server.assertion(), refused).await, "invalid_scope");
    }
    // What a token says cannot be changed without the key.
    let token = server.token().await;
    let mut parts = token.split('.');
    let (header, claims, signature) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let mut wider: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    wider["scope"] = json!("system/*.cruds ingest control");
    let wider = URL_SAFE_NO_PAD.encode(wider.to_string());
    assert!(server.is_good(&token).await);
    assert!(!server.is_good(&format!("{header}.{wider}.{signature}")).await);
    // What clients sign themselves is no token, even with the id of a key of ours.
    let kid: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    let forged = server.key.sign(&json!({"alg": "ES256", "typ": "at+jwt", "kid": kid["kid"]}), &wider.clone().into());
    assert!(!server.is_good(&forged).await && !server.is_good(&server.assertion()).await);
}

#[tokio::test]
async fn a_token_that_was_taken_back() {
    let server = server().await;
    let token = server.token().await;
    assert!(server.is_good(&token).await);
    let body = form(&[("token", &token), ASSERTION, ("client_assertion", &server.assertion())]);
    assert_eq!(post(&server.router, "/oauth2/revoke", body, &[]).await.0, StatusCode::OK);
    assert!(!server.is_good(&token).await);
    assert!(server.is_good(&server.token().await).await);
    // With the registration go the tokens.
    let last = server.token().await;
    assert!(server.store.revoke_client(&server.client).await.unwrap());
    let (_, other) = node(&server.store, Some(ROOT), false);
    assert!(other.authenticate_token(&last).await.is_err());
    Server::refused(server.ask(&server.assertion()).await, "invalid_client");
}

#[tokio::test]
async fn asking_about_and_taking_back_tokens_of_others() {
    let server = server().await;
    let token = server.token().await;
    let about = form(&[("token", &token)]);
    for path in ["/oauth2/introspect", "/oauth2/revoke"] {
        assert_eq!(post(&server.router, path, about.clone(), &[]).await.0, StatusCode::UNAUTHORIZED, "{path}");
    }
    let bearer = |token: &str| format!("Bearer {token}");
    let own = bearer(&token);
    let (status, answer) = post(&server.router, "/oauth2/introspect", about.clone(), &[("authorization", &own)]).await;
    assert_eq!((status, &answer["active"]), (StatusCode::OK, &json!(true)));
    assert_eq!(
        (answer["client_id"].as_str(), answer["scope"].as_str()),
        (Some(server.client.as_str()), Some("system/Observation.rs"))
    );
    assert_eq!(answer["exp"], now() + 300);
    // Another client, an operator of another tenant, an operator of this one.
    let key = ClientKey::new();
    let client = register(&server.store, "a", ClientKeys::Value(key.jwks()), "system/Observation.rs").await;
    let sign = || key.sign(&head(), &claims(&client));
    let asking = form(&[("token", &token), ASSERTION, ("client_assertion", &sign())]);
    assert_eq!(post(&server.router, "/oauth2/introspect", asking, &[]).await.1, json!({"active": false}));
    let revoking = form(&[("token", &token), ASSERTION, ("client_assertion", &sign())]);
    Server::refused(post(&server.router, "/oauth2/revoke", revoking, &[]).await, "unauthorized_client");
    let mut operators = Vec::new();
    for name in ["b", "a"] {
        let new = NewKey::for_everything(TenantId::new(name).unwrap(), false);
        operators.push(bearer(new.create(&server.store).await.unwrap().expose()));
    }
    for (operator, active) in operators.iter().zip([false, true]) {
        let (_, answer) =
            post(&server.router, "/oauth2/introspect", about.clone(), &[("authorization", operator)]).await;
        assert_eq!(answer["active"], active);
    }
    let path = "/t/b/oauth2/introspect";
    assert_eq!(
        post(&server.router, path, about.clone(), &[("authorization", &operators[1])]).await.0,
        StatusCode::UNAUTHORIZED
    );
    assert!(server.is_good(&token).await);
    let (status, _) =
        post(&server.router, "/oauth2/introspect", form(&[("token", "nonsense")]), &[("authorization", &own)]).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn another_tenants_token_endpoint() {
    let server = server().await;
    let pairs = |assertion: &str| {
        form(&[
            ("grant_type", "client_credentials"),
            ("scope", "system/Observation.rs"),
            ASSERTION,
            ("client_assertion", assertion),
        ])
    };
    Server::refused(post(&server.router, "/t/b/oauth2/token", pairs(&server.assertion()), &[]).await, "invalid_client");
    let (status, answer) = post(&server.router, "/t/a/oauth2/token", pairs(&server.assertion()), &[]).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(
        post(&server.router, "/t/%20/oauth2/token", pairs(&server.assertion()), &[]).await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn malformed_requests() {
    let server = server().await;
    let assertion = server.assertion();
    let good = [
        ("grant_type", "client_credentials"),
        ("scope", "system/Observation.rs"),
        ASSERTION,
        ("client_assertion", &assertion),
    ];
    for missing in 0..good.len() {
        let pairs: Vec<_> = good.iter().enumerate().filter(|(i, _)| *i != missing).map(|(_, pair)| *pair).collect();
        Server::refused(post(&server.router, "/oauth2/token", form(&pairs), &[]).await, "invalid_request");
    }
    let twice = format!("{}&scope=system/*.cruds", form(&good));
    Server::refused(post(&server.router, "/oauth2/token", twice, &[]).await, "invalid_request");
    for grant in ["password", "authorization_code", "refresh_token"] {
        let mut pairs = good;
        pairs[0].1 = grant;
        Server::refused(post(&server.router, "/oauth2/token", form(&pairs), &[]).await, "unsupported_grant_type");
    }
    for assertion in ["", ".", "..", "a.b.c", "....", "eyJhbGciOiJFUzM4NCJ9..", &"x".repeat(20_000)] {
        let (status, _) = server.ask(assertion).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{assertion}");
    }
    let (status, _) = post(&server.router, "/oauth2/token", "x".repeat(70_000), &[]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(server.ask(&assertion).await.0, StatusCode::OK);
}
