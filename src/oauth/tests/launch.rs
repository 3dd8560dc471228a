//! Apps that people use, opened by themselves and by an EHR.

use super::browser::{Browser, SCOPE, app, ward};
use super::*;
use crate::auth::app_fixture::REDIRECT;
use crate::auth::{LaunchContext, app_secret};
use crate::id::ResourceId;

fn id(text: &str) -> ResourceId {
    ResourceId::new(text).unwrap()
}

#[tokio::test]
async fn an_app_opened_by_itself_gets_what_somebody_says_yes_to() {
    let ward = ward().await;
    let mut browser = Browser::default();
    let page = browser.asked(&ward, &ward.asks(SCOPE), &ward.people[0]).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    assert!(page.body.contains("Family-p0&lt;b&gt;") && page.body.contains("App &lt;script&gt;"), "{}", page.body);
    assert!(page.body.contains("only Vital Signs"));
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'") && policy.contains("form-action 'self' https://app.example;"));
    assert!(page.headers["x-frame-options"] == "DENY" && page.headers["cache-control"] == "no-store");
    // Nobody has chosen a patient.
    let again = browser.yes(&ward, &page, &[]).await;
    assert!(again.status == StatusCode::OK && again.body.contains("Choose a patient."), "{}", again.body);
    let answer = browser.yes(&ward, &page, &[("patient", "p1"), ("part.0.vital-signs", "1")]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    assert!(answer.location().unwrap().starts_with(&format!("{REDIRECT}?code=")));
    assert_eq!((answer.sent("state").as_deref(), answer.sent("iss").as_deref()), (Some("the app's state"), Some(ROOT)));
    let (status, tokens) = ward.redeem(&answer.sent("code").unwrap()).await;
    assert_eq!(status, StatusCode::OK, "{tokens}");
    assert_eq!((&tokens["patient"], &tokens["token_type"]), (&json!("p1"), &json!("Bearer")));
    assert_eq!((&tokens["need_patient_banner"], &tokens["expires_in"]), (&json!(true), &json!(3600)));
    let scope = tokens["scope"].as_str().unwrap();
    assert!(scope.contains("patient/Observation.rs?category=") && scope.contains("offline_access"), "{scope}");
    let bearer = ward.auth.authenticate_token(tokens["access_token"].as_str().unwrap()).await.unwrap();
    assert_eq!((bearer.patient.clone(), bearer.key_id.as_str()), (Some(id("p1")), ward.app.as_str()));
    assert_eq!(bearer.user.as_ref().unwrap().resource, "Practitioner/d");
    // Another one for the refresh token, and it does not say more than was granted.
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let (status, next) = ward.refresh(refresh).await;
    assert_eq!((status, &next["scope"], &next["patient"]), (StatusCode::OK, &tokens["scope"], &tokens["patient"]));
    assert_ne!(next["refresh_token"], tokens["refresh_token"]);
    assert!(ward.is_good(next["access_token"].as_str().unwrap()).await);
}

#[tokio::test]
async fn the_id_token_says_who_signed_in_and_is_signed_with_rsa() {
    let ward = ward().await;
    let (_, tokens) = ward.redeem(&Browser::default().code(&ward).await).await;
    let token = tokens["id_token"].as_str().unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let read = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    let (header, claims) = (read(parts[0]), read(parts[1]));
    assert_eq!(header["alg"], "RS256");
    assert_eq!((&claims["iss"], &claims["aud"], &claims["nonce"]), (&json!(ROOT), &json!(ward.app), &json!("n-1")));
    assert_eq!((&claims["sub"], &claims["exp"]), (&json!(ward.people[0]), &json!(now() + 3600)));
    assert_eq!(claims["fhirUser"], "https://example.org/fhir/R4/Practitioner/d");
    let answer = Browser::default().get(&ward, "/oauth2/jwks").await;
    let keys: Value = serde_json::from_str(&answer.body).unwrap();
    let jwk = keys["keys"].as_array().unwrap().iter().find(|jwk| jwk["kid"] == header["kid"]).unwrap();
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    let key = ring::signature::RsaPublicKeyComponents { n: bytes("n"), e: bytes("e") };
    let message = format!("{}.{}", parts[0], parts[1]);
    let signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
    key.verify(&ring::signature::RSA_PKCS1_2048_8192_SHA256, message.as_bytes(), &signature).unwrap();
    // It is no access token.
    assert!(!ward.is_good(token).await);
    let answer = Browser::default().get(&ward, "/.well-known/openid-configuration").await;
    let document: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((&document["issuer"], &document["jwks_uri"]), (&json!(ROOT), &json!(format!("{ROOT}/oauth2/jwks"))));
}

#[tokio::test]
async fn an_app_opened_by_an_ehr_gets_what_it_was_opened_for() {
    let ward = ward().await;
    let context = LaunchContext { patient: Some(id("p1")), encounter: Some(id("e1")), ..LaunchContext::default() };
    let (launch, _) = ward.auth.launch(&tenant("a"), &ward.app, &context).await.unwrap();
    let mut pairs = ward.asks("launch openid patient/*.rs online_access");
    pairs.push(("launch", launch.expose()));
    let mut browser = Browser::default();
    let page = browser.asked(&ward, &pairs, &ward.people[0]).await;
    assert!(page.body.contains("Family-p1") && !page.body.contains("Family-p0"), "{}", page.body);
    // What a form says of another patient is nothing.
    let answer = browser.yes(&ward, &page, &[("patient", "p0")]).await;
    let (_, tokens) = ward.redeem(&answer.sent("code").unwrap()).await;
    assert_eq!((&tokens["patient"], &tokens["encounter"]), (&json!("p1"), &json!("e1")));
    assert_eq!(tokens["need_patient_banner"], json!(false));
    assert!(tokens["smart_style_url"].as_str().unwrap().ends_with("/oauth2/style.json"));
    // Whoever has signed in is not asked to again.
    let page = browser.get(&ward, &super::browser::authorize_url(&ward.asks("patient/*.rs"))).await;
    assert!(page.location().unwrap().contains("/oauth2/consent?"));
}

#[tokio::test]
async fn a_patient_is_asked_about_themselves_alone() {
    let ward = ward().await;
    let mut browser = Browser::default();
    let page = browser.asked(&ward, &ward.asks(SCOPE), &ward.people[1]).await;
    assert!(page.body.contains("Family-p0") && !page.body.contains("Family-p1"), "{}", page.body);
    let answer = browser.yes(&ward, &page, &[("patient", "p1")]).await;
    let (_, tokens) = ward.redeem(&answer.sent("code").unwrap()).await;
    assert_eq!(tokens["patient"], json!("p0"));
}

#[tokio::test]
async fn somebody_can_look_for_a_patient_by_name_say_no_or_sign_in_as_somebody_else() {
    let ward = ward().await;
    let mut browser = Browser::default();
    let page = browser.asked(&ward, &ward.asks(SCOPE), &ward.people[0]).await;
    let (request, csrf) = (page.field("request"), page.field("csrf"));
    let ours = [("request", request.as_str()), ("csrf", csrf.as_str())];
    let say = |more: &[(&'static str, &'static str)]| [&ours, more].concat();
    let answer = browser.post(&ward, "/oauth2/consent", &say(&[("decision", "search"), ("name", "family-p1")])).await;
    assert!(answer.body.contains("Family-p1") && !answer.body.contains("Family-p0"), "{}", answer.body);
    let answer = browser.post(&ward, "/oauth2/consent", &say(&[("decision", "deny")])).await;
    assert_eq!(answer.sent("error").as_deref(), Some("access_denied"));
    assert_eq!((answer.sent("state").as_deref(), answer.sent("iss").as_deref()), (Some("the app's state"), Some(ROOT)));
    let page = browser.asked(&ward, &ward.asks(SCOPE), &ward.people[0]).await;
    let (request, csrf) = (page.field("request"), page.field("csrf"));
    let pairs = [("request", request.as_str()), ("csrf", csrf.as_str()), ("decision", "other")];
    let before = browser.cookie.clone();
    let answer = browser.post(&ward, "/oauth2/consent", &pairs).await;
    assert!(answer.location().unwrap().contains("/oauth2/sign-in?"), "{}", answer.body);
    browser.cookie = before;
    let page = browser.get(&ward, &super::browser::authorize_url(&ward.asks(SCOPE))).await;
    assert!(page.location().unwrap().contains("/oauth2/sign-in?"));
}

#[tokio::test]
async fn apps_prove_themselves_with_a_secret_or_a_key_where_they_have_one() {
    let ward = ward().await;
    let (secret, keys) = app_secret().unwrap();
    let with_secret = app(&ward.store, keys).await;
    let key = ClientKey::new();
    let with_key = app(&ward.store, ClientKeys::Value(key.jwks())).await;
    let basic = |id: &str, secret: &str| {
        use base64::engine::general_purpose::STANDARD;
        format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
    };
    for (app, good) in [(&with_secret, "secret"), (&with_key, "key")] {
        let mut browser = Browser::default();
        let code = async |browser: &mut Browser| {
            let mut pairs = ward.asks("patient/Patient.r");
            pairs[1].1 = app;
            let page = browser.asked(&ward, &pairs, &ward.people[1]).await;
            browser.yes(&ward, &page, &[]).await.sent("code").unwrap()
        };
        // Without, with the wrong one, and with another's.
        for header in
            [None, Some(basic(app, "wrong")), Some(basic(&ward.app, secret.expose())), Some("Basic !".to_owned())]
        {
            let code = code(&mut browser).await;
            let mut pairs = ward.shows(&code);
            pairs.retain(|(name, _)| *name != "client_id");
            pairs.extend(header.is_none().then_some(("client_id", app.as_str())));
            let headers: Vec<(&str, &str)> = header.iter().map(|header| ("authorization", header.as_str())).collect();
            let (status, answer) = post(&ward.router, "/oauth2/token", form(&pairs), &headers).await;
            assert_eq!((status, &answer["error"]), (StatusCode::UNAUTHORIZED, &json!("invalid_client")), "{answer}");
        }
        let code = code(&mut browser).await;
        let mut pairs = ward.shows(&code);
        pairs.retain(|(name, _)| *name != "client_id");
        let header = basic(app, secret.expose());
        let assertion = key.sign(&head(), &claims(app));
        let (status, answer) = if good == "secret" {
            post(&ward.router, "/oauth2/token", form(&pairs), &[("authorization", &header)]).await
        } else {
            pairs.extend([ASSERTION, ("client_assertion", &assertion)]);
            ward.token(&pairs).await
        };
        assert_eq!(status, StatusCode::OK, "{good}: {answer}");
    }
    // What is for people is not for the app itself.
    let assertion = key.sign(&head(), &claims(&with_key));
    let (status, answer) = ask(&ward.router, &assertion, "patient/*.rs").await;
    assert_eq!((status, &answer["error"]), (StatusCode::BAD_REQUEST, &json!("unauthorized_client")));
}

#[tokio::test]
async fn what_there_is_for_apps_is_named_and_nothing_where_nobody_can_sign_in() {
    let ward = ward().await;
    let smart = "/fhir/R4/.well-known/smart-configuration";
    let document: Value = serde_json::from_str(&Browser::default().get(&ward, smart).await.body).unwrap();
    let has = |name: &str, value: &str| document[name].as_array().unwrap().contains(&json!(value));
    assert!(has("capabilities", "launch-standalone") && has("grant_types_supported", "authorization_code"));
    assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
    for scope in document["scopes_supported"].as_array().unwrap() {
        crate::auth::ScopeSet::parse_all(scope.as_str().unwrap()).unwrap();
    }
    let (without, _) = node(&ward.store, Some(ROOT), false);
    let ward = super::browser::Ward { router: without, ..ward };
    let answer = Browser::default().get(&ward, smart).await;
    assert!(!answer.body.contains("authoriz") && !answer.body.contains("openid") && !answer.body.contains("patient/"));
    assert_eq!(Browser::default().get(&ward, "/.well-known/openid-configuration").await.status, StatusCode::NOT_FOUND);
    let code = ward.redeem("code_x").await;
    Server::refused(code, "unsupported_grant_type");
}
