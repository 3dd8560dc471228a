//! What attackers try with apps that people use. Tests are named after the threat.

use super::browser::{Browser, SCOPE, Ward, ward};
use super::*;
use crate::auth::LaunchContext;
use crate::auth::app_fixture::REDIRECT;
use crate::id::ResourceId;

#[track_caller]
fn invalid_grant((status, answer): (StatusCode, Value)) {
    Server::refused((status, answer), "invalid_grant");
}

#[tokio::test]
async fn open_redirect() {
    let ward = ward().await;
    for url in [
        "https://evil.example/cb",
        "https://app.example/cb/",
        "https://app.example/cb/../evil",
        "https://app.example/cb?x=1",
        "https://app.example/CB",
        "https://app.example@evil.example/cb",
        "https://app.example/cb#x",
        "http://app.example/cb",
        "//evil.example",
        "javascript:alert(1)",
        "",
    ] {
        // Also where something else is wrong that apps are told of.
        for other in ["code", "token"] {
            let mut pairs = ward.but("redirect_uri", Some(url));
            pairs[0].1 = other;
            let answer = Browser::default().get(&ward, &super::browser::authorize_url(&pairs)).await;
            assert_eq!((answer.status, answer.location()), (StatusCode::BAD_REQUEST, None), "{url}");
            assert!(!answer.body.contains("evil"), "{}", answer.body);
        }
    }
    let answer = Browser::default().get(&ward, "/oauth2/authorize?client_id=%00&redirect_uri=%00").await;
    assert_eq!((answer.status, answer.location()), (StatusCode::BAD_REQUEST, None));
    let twice = format!("{}&redirect_uri=https://evil.example", super::browser::authorize_url(&ward.asks(SCOPE)));
    let answer = Browser::default().get(&ward, &twice).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::BAD_REQUEST, None));
}

#[tokio::test]
async fn csrf_on_consent() {
    let ward = ward().await;
    let mut browser = Browser::default();
    let page = browser.asked(&ward, &ward.asks(SCOPE), &ward.people[0]).await;
    let (request, csrf) = (page.field("request"), page.field("csrf"));
    let say = |csrf: Option<&'static str>| {
        let mut pairs = vec![("request", request.clone()), ("decision", "allow".to_owned())];
        pairs.extend([("scope.0", "1".to_owned()), ("patient", "p0".to_owned())]);
        pairs.extend(csrf.map(|csrf| ("csrf", csrf.to_owned())));
        pairs
    };
    let send = async |browser: &mut Browser, pairs: Vec<(&str, String)>| {
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        browser.post(&ward, "/oauth2/consent", &pairs).await
    };
    for csrf in [None, Some(""), Some("form_0")] {
        let answer = send(&mut browser, say(csrf)).await;
        assert_eq!((answer.status, answer.location()), (StatusCode::BAD_REQUEST, None), "{csrf:?}");
    }
    // The right fields from another browser, from one where nobody has signed in, and from another site.
    let right = || {
        let mut pairs = say(None);
        pairs.push(("csrf", csrf.clone()));
        pairs
    };
    let mut other = Browser::default();
    other.asked(&ward, &ward.asks(SCOPE), &ward.people[1]).await;
    for browser in [&mut other, &mut Browser::default()] {
        assert_eq!(send(browser, right()).await.status, StatusCode::BAD_REQUEST);
    }
    for site in ["cross-site", "same-site", "none"] {
        let pairs = right();
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let from = Request::post("/oauth2/consent")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", site);
        let answer = browser.send(&ward, from.body(Body::from(form(&pairs))).unwrap()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{site}");
    }
    assert_eq!(send(&mut browser, right()).await.status, StatusCode::SEE_OTHER);
    // Nobody says yes twice.
    assert_eq!(send(&mut browser, right()).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn csrf_on_sign_in_and_session_fixation() {
    let ward = ward().await;
    let mut browser = Browser::default();
    let first = browser.get(&ward, &super::browser::authorize_url(&ward.asks(SCOPE))).await;
    let cookie = first.headers[header::SET_COOKIE].to_str().unwrap();
    for part in ["__Host-afferent=", "; Path=/", "; HttpOnly", "; SameSite=Lax", "; Secure"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Domain"));
    let url = first.location().unwrap().to_owned();
    let before = browser.cookie.clone();
    let page = browser.get(&ward, &url).await;
    let (request, csrf) = (page.field("request"), page.field("csrf"));
    let pairs = [("request", request.as_str()), ("csrf", &csrf), ("person", &ward.people[0])];
    // Somebody else's browser cannot be made to sign in to what an attacker has begun.
    for cookie in [None, Some("__Host-afferent=browser_0".to_owned())] {
        let mut victim = Browser { cookie };
        assert_eq!(victim.get(&ward, &url).await.status, StatusCode::BAD_REQUEST);
        assert_eq!(victim.post(&ward, "/oauth2/sign-in", &pairs).await.status, StatusCode::BAD_REQUEST);
    }
    let wrong = [pairs[0], ("csrf", "form_0"), pairs[2]];
    assert_eq!(browser.post(&ward, "/oauth2/sign-in", &wrong).await.status, StatusCode::BAD_REQUEST);
    // The cookie from before is nobody's after.
    let answer = browser.post(&ward, "/oauth2/sign-in", &pairs).await;
    assert!(browser.cookie != before && browser.cookie.is_some());
    let consent = answer.location().unwrap().to_owned();
    let mut attacker = Browser { cookie: before.clone() };
    assert_eq!(attacker.get(&ward, &consent).await.status, StatusCode::BAD_REQUEST);
    // Nor are two cookies.
    let mut twice = Browser { cookie: Some(format!("{}; {}", before.unwrap(), browser.cookie.clone().unwrap())) };
    assert_eq!(twice.get(&ward, &consent).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(browser.get(&ward, &consent).await.status, StatusCode::OK);
}

#[tokio::test]
async fn code_interception() {
    let ward = ward().await;
    // Who has a code alone has nothing: each of these is what an interceptor could try.
    for (name, value) in [
        ("code_verifier", "b-verifier-of-at-least-forty-three-characters"),
        ("code_verifier", "short"),
        ("redirect_uri", "https://evil.example/cb"),
    ] {
        let code = Browser::default().code(&ward).await;
        let mut pairs = ward.shows(&code);
        pairs.iter_mut().find(|(n, _)| *n == name).unwrap().1 = value;
        invalid_grant(ward.token(&pairs).await);
        // It is used up by that.
        invalid_grant(ward.redeem(&code).await);
    }
    let code = Browser::default().code(&ward).await;
    let mut pairs = ward.shows(&code);
    pairs.retain(|(name, _)| *name != "code_verifier");
    Server::refused(ward.token(&pairs).await, "invalid_request");
    // Another app that can keep no secret.
    let other = super::browser::app(&ward.store, ClientKeys::Nothing).await;
    let mut pairs = ward.shows(&code);
    pairs[3].1 = &other;
    invalid_grant(ward.token(&pairs).await);
    assert_eq!(ward.redeem(&code).await.0, StatusCode::OK);
    // One that should prove itself.
    let mut pairs = ward.shows(&code);
    pairs[3].1 = &ward.other;
    assert_eq!(ward.token(&pairs).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn pkce_downgrade() {
    let ward = ward().await;
    for (name, value) in [
        ("code_challenge", None),
        ("code_challenge", Some("short")),
        ("code_challenge", Some(crate::auth::app_fixture::VERIFIER)),
        ("code_challenge_method", None),
        ("code_challenge_method", Some("plain")),
        ("code_challenge_method", Some("s256")),
    ] {
        let pairs = ward.but(name, value);
        let answer = Browser::default().get(&ward, &super::browser::authorize_url(&pairs)).await;
        assert_eq!(answer.sent("error").as_deref(), Some("invalid_request"), "{name} {value:?}");
        assert!(answer.sent("code").is_none() && answer.location().unwrap().starts_with(REDIRECT));
    }
}

#[tokio::test]
async fn requests_that_are_not_whole_or_for_another_server() {
    let ward = ward().await;
    for (name, value, error) in [
        ("response_type", Some("token"), "unsupported_response_type"),
        ("response_type", None, "invalid_request"),
        ("state", None, "invalid_request"),
        ("aud", None, "invalid_request"),
        ("aud", Some("https://other.example/fhir/R4"), "invalid_request"),
        ("aud", Some("https://example.org"), "invalid_request"),
        ("scope", None, "invalid_request"),
        ("scope", Some("system/*.rs ingest control"), "invalid_scope"),
        ("scope", Some("launch patient/*.rs"), "invalid_request"),
        ("launch", Some("launch_x"), "invalid_request"),
    ] {
        let answer = Browser::default().get(&ward, &super::browser::authorize_url(&ward.but(name, value))).await;
        assert_eq!(answer.sent("error").as_deref(), Some(error), "{name} {value:?}");
        assert_eq!(answer.sent("iss").as_deref(), Some(ROOT));
    }
    // Paths of another tenant.
    let url = super::browser::authorize_url(&ward.asks(SCOPE));
    let answer = Browser::default().get(&ward, &format!("/t/b{url}")).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::BAD_REQUEST, None));
}

#[tokio::test]
async fn code_replay() {
    let ward = ward().await;
    let code = Browser::default().code(&ward).await;
    let (status, tokens) = ward.redeem(&code).await;
    assert_eq!(status, StatusCode::OK);
    let access = tokens["access_token"].as_str().unwrap();
    assert!(ward.is_good(access).await);
    invalid_grant(ward.redeem(&code).await);
    // One of the two who had it is a thief, so neither keeps anything.
    assert!(!ward.is_good(access).await);
    invalid_grant(ward.refresh(tokens["refresh_token"].as_str().unwrap()).await);
    // Many at once: at most one gets anything.
    let code = Browser::default().code(&ward).await;
    let answers = futures_util::future::join_all((0..8).map(|_| ward.redeem(&code))).await;
    assert_eq!(answers.iter().filter(|(status, _)| *status == StatusCode::OK).count(), 1);
    for guess in ["", "code_", "code_0000", "x"] {
        let (status, _) = ward.redeem(guess).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn refresh_replay() {
    let ward = ward().await;
    let (_, first) = ward.redeem(&Browser::default().code(&ward).await).await;
    let stolen = first["refresh_token"].as_str().unwrap();
    let (status, second) = ward.refresh(stolen).await;
    assert_eq!(status, StatusCode::OK);
    invalid_grant(ward.refresh(stolen).await);
    invalid_grant(ward.refresh(second["refresh_token"].as_str().unwrap()).await);
    for tokens in [&first, &second] {
        assert!(!ward.is_good(tokens["access_token"].as_str().unwrap()).await);
    }
    // Another app's, and one that is a code.
    let (_, tokens) = ward.redeem(&Browser::default().code(&ward).await).await;
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let other = super::browser::app(&ward.store, ClientKeys::Nothing).await;
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", refresh), ("client_id", other.as_str())];
    invalid_grant(ward.token(&pairs).await);
    invalid_grant(ward.refresh(&Browser::default().code(&ward).await).await);
    // More than was granted.
    let wider = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh),
        ("client_id", &ward.app),
        ("scope", "patient/Patient.cruds user/*.cruds"),
    ];
    let (status, answer) = ward.token(&wider).await;
    assert_eq!((status, &answer["scope"]), (StatusCode::OK, &json!("patient/Patient.r")), "{answer}");
}

#[tokio::test]
async fn tokens_of_what_was_taken_back() {
    let ward = ward().await;
    let tokens = async || {
        let (_, tokens) = ward.redeem(&Browser::default().code(&ward).await).await;
        let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
        (text("access_token"), text("refresh_token"))
    };
    let (access, refresh) = tokens().await;
    let pairs = [("token", refresh.as_str()), ("client_id", ward.app.as_str())];
    assert_eq!(post(&ward.router, "/oauth2/revoke", form(&pairs), &[]).await.0, StatusCode::OK);
    assert!(!ward.is_good(&access).await);
    invalid_grant(ward.refresh(&refresh).await);
    // Another app takes nothing back.
    let (access, refresh) = tokens().await;
    let other = super::browser::app(&ward.store, ClientKeys::Nothing).await;
    let pairs = [("token", refresh.as_str()), ("client_id", other.as_str())];
    assert_eq!(post(&ward.router, "/oauth2/revoke", form(&pairs), &[]).await.0, StatusCode::OK);
    assert!(ward.is_good(&access).await);
    // With the person go their grants.
    assert!(ward.store.revoke_person(&tenant("a"), &ward.people[0]).await.unwrap());
    let (_, other_node) = node(&ward.store, Some(ROOT), false);
    assert!(other_node.authenticate_token(&access).await.is_err());
    invalid_grant(ward.refresh(&refresh).await);
}

#[tokio::test]
async fn mix_up() {
    let ward = ward().await;
    // Whatever is answered says who answers, so an app that talks to several servers can tell.
    let mut browser = Browser::default();
    let page = browser.asked(&ward, &ward.asks(SCOPE), &ward.people[0]).await;
    let answer = browser.yes(&ward, &page, &[("patient", "p0")]).await;
    assert_eq!(answer.sent("iss").as_deref(), Some(ROOT));
    let refusal = Browser::default().get(&ward, &super::browser::authorize_url(&ward.but("aud", None))).await;
    assert_eq!(refusal.sent("iss").as_deref(), Some(ROOT));
}

#[tokio::test]
async fn a_launch_of_another_app_of_another_person_or_used_before() {
    let ward = ward().await;
    let patient = |id: &str| Some(ResourceId::new(id).unwrap());
    let launch = async |app: &str, context: LaunchContext| {
        ward.auth.launch(&tenant("a"), app, &context).await.unwrap().0.expose().to_owned()
    };
    let ask = async |ward: &Ward, launch: &str, person: usize| {
        let mut pairs = ward.asks("launch patient/*.rs");
        pairs.push(("launch", launch));
        Browser::default().asked(ward, &pairs, &ward.people[person]).await
    };
    let context = || LaunchContext { patient: patient("p1"), ..LaunchContext::default() };
    let others = launch(&ward.other, context()).await;
    assert_eq!(ask(&ward, &others, 0).await.sent("error").as_deref(), Some("invalid_request"));
    let once = launch(&ward.app, context()).await;
    assert_eq!(ask(&ward, &once, 0).await.status, StatusCode::OK);
    assert_eq!(ask(&ward, &once, 0).await.sent("error").as_deref(), Some("invalid_request"));
    // A patient who is not the one it is about, and somebody it was not made for.
    let about_another = launch(&ward.app, context()).await;
    assert_eq!(ask(&ward, &about_another, 1).await.sent("error").as_deref(), Some("access_denied"));
    let person = Some(ward.people[1].clone());
    let for_another = launch(&ward.app, LaunchContext { patient: patient("p0"), person, ..context() }).await;
    assert_eq!(ask(&ward, &for_another, 0).await.sent("error").as_deref(), Some("access_denied"));
    assert!(ward.auth.launch(&tenant("b"), &ward.app, &context()).await.is_err());
}
