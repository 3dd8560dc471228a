//! A browser for tests, in which somebody signs in as in a demonstration and says what an app is granted.

use axum::http::HeaderMap;

use super::*;
use crate::auth::app_fixture::{REDIRECT, VERIFIER, challenge};
use crate::auth::{NewPerson, SignIn, app_secret};
use crate::store::fixture::resource;

pub(super) const SCOPE: &str = "launch/patient openid fhirUser offline_access patient/Observation.rs patient/Patient.r";
const REGISTERED: &str =
    "launch launch/patient openid fhirUser offline_access online_access patient/*.cruds user/*.cruds";

/// A server where people sign in, and two apps.
pub(super) struct Ward {
    pub(super) _directory: TempDir,
    pub(super) store: Store,
    pub(super) router: Router,
    pub(super) auth: Auth,
    /// One that can keep no secret, and another one.
    pub(super) app: String,
    pub(super) other: String,
    /// A practitioner, and the patient `p0`.
    pub(super) people: [String; 2],
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn location(&self) -> Option<&str> {
        self.headers.get(header::LOCATION).map(|location| location.to_str().unwrap())
    }

    /// A parameter of where it sends people.
    pub(super) fn sent(&self, name: &str) -> Option<String> {
        let query = self.location()?.split_once('?')?.1;
        form_urlencoded::parse(query.as_bytes()).find(|(n, _)| n == name).map(|(_, value)| value.into_owned())
    }

    /// The value of a field of the form in it.
    #[track_caller]
    pub(super) fn field(&self, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        let at = self.body.find(&start).unwrap_or_else(|| panic!("no {name} in {}", self.body)) + start.len();
        self.body[at..].split('"').next().unwrap().to_owned()
    }
}

/// With the cookie it was given last.
#[derive(Default)]
pub(super) struct Browser {
    pub(super) cookie: Option<String>,
}

impl Browser {
    pub(super) async fn send(&mut self, ward: &Ward, request: Request<Body>) -> Answer {
        let (mut parts, body) = request.into_parts();
        parts.headers.insert("host", "example.org".parse().unwrap());
        if let Some(cookie) = &self.cookie {
            parts.headers.insert("cookie", cookie.parse().unwrap());
        }
        let response = ward.router.clone().oneshot(Request::from_parts(parts, body)).await.unwrap();
        if let Some(cookie) = response.headers().get(header::SET_COOKIE) {
            self.cookie = Some(cookie.to_str().unwrap().split(';').next().unwrap().to_owned());
        }
        let (status, headers) = (response.status(), response.headers().clone());
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        Answer { status, headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    pub(super) async fn get(&mut self, ward: &Ward, url: &str) -> Answer {
        let path = url.strip_prefix(ROOT).unwrap_or(url);
        self.send(ward, Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(super) async fn post(&mut self, ward: &Ward, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        self.send(ward, request.body(Body::from(form(pairs))).unwrap()).await
    }

    /// Goes to the authorization endpoint, and signs in where asked to: the page that asks for consent.
    pub(super) async fn asked(&mut self, ward: &Ward, pairs: &[(&str, &str)], person: &str) -> Answer {
        let mut answer = self.get(ward, &authorize_url(pairs)).await;
        if answer.location().is_some_and(|url| url.contains("/oauth2/sign-in?")) {
            let page = self.get(ward, answer.location().unwrap()).await;
            let fields = [("request", page.field("request")), ("csrf", page.field("csrf"))];
            let pairs = [("request", fields[0].1.as_str()), ("csrf", &fields[1].1), ("person", person)];
            answer = self.post(ward, "/oauth2/sign-in", &pairs).await;
        }
        match answer.location().map(str::to_owned) {
            Some(url) if url.starts_with(ROOT) => self.get(ward, &url).await,
            _ => answer,
        }
    }

    /// Says yes to all of it.
    pub(super) async fn yes(&mut self, ward: &Ward, page: &Answer, more: &[(&str, &str)]) -> Answer {
        let (request, csrf) = (page.field("request"), page.field("csrf"));
        let mut pairs = vec![("request", request.as_str()), ("csrf", &csrf), ("decision", "allow")];
        let names: Vec<String> = (0..20).map(|n| format!("scope.{n}")).collect();
        pairs.extend(names.iter().map(|name| (name.as_str(), "1")));
        pairs.extend(more);
        self.post(ward, "/oauth2/consent", &pairs).await
    }

    /// A code of all that is asked for, about `p0`.
    pub(super) async fn code(&mut self, ward: &Ward) -> String {
        let page = self.asked(ward, &ward.asks(SCOPE), &ward.people[0]).await;
        let answer = self.yes(ward, &page, &[("patient", "p0")]).await;
        answer.sent("code").unwrap_or_else(|| panic!("{} {}", answer.status, answer.body))
    }
}

pub(super) fn authorize_url(pairs: &[(&str, &str)]) -> String {
    format!("/oauth2/authorize?{}", form(pairs))
}

pub(super) async fn ward() -> Ward {
    let (directory, store) = store().await;
    // The tenant's first key tells that its patients are synthetic.
    NewKey::for_everything(tenant("a"), true).create(&store).await.unwrap();
    let patients =
        ["p0", "p1"].map(|id| resource("Patient", id, &format!(r#","name":[{{"family":"Family-{id}<b>"}}]"#)));
    store.put(&tenant("a"), patients.to_vec()).await.unwrap();
    let mut people = Vec::new();
    for resource in ["Practitioner/d", "Patient/p0"] {
        let issuer = SignIn::DEMO_ISSUER.to_owned();
        let new =
            NewPerson { tenant: tenant("a"), issuer, subject: resource.to_owned(), resource: resource.to_owned() };
        people.push(new.register(&store).await.unwrap().id);
    }
    let (_, auth) = node(&store, Some(ROOT), false);
    let state = OauthState {
        auth: auth.clone(),
        capability: Arc::new(Capability::builtin().unwrap()),
        public_url: Some(ROOT.into()),
        tenant: tenant("a"),
        sign_in: Some(SignIn::Demo),
        store: store.clone(),
        categories: Arc::new([("vital-signs", "Vital Signs"), ("laboratory", "Laboratory")]),
    };
    let router = router(state.clone()).merge(pages(state));
    let app = app(&store, ClientKeys::Nothing).await;
    let other = self::app(&store, app_secret().unwrap().1).await;
    Ward { _directory: directory, store, router, auth, app, other, people: people.try_into().unwrap() }
}

pub(super) async fn app(store: &Store, keys: ClientKeys) -> String {
    let new = NewClient {
        tenant: tenant("a"),
        name: "App <script>".to_owned(),
        scope: REGISTERED.to_owned(),
        keys,
        redirects: vec![REDIRECT.to_owned()],
    };
    new.register(store, &Fetcher::new(false).unwrap()).await.unwrap().id
}

impl Ward {
    /// What the app asks for.
    pub(super) fn asks<'a>(&'a self, scope: &'a str) -> Vec<(&'a str, &'a str)> {
        // Made once: it is always the same.
        static CHALLENGE: std::sync::LazyLock<String> = std::sync::LazyLock::new(challenge);
        vec![
            ("response_type", "code"),
            ("client_id", &self.app),
            ("redirect_uri", REDIRECT),
            ("scope", scope),
            ("state", "the app's state"),
            ("aud", "https://example.org/fhir/R4"),
            ("code_challenge", CHALLENGE.as_str()),
            ("code_challenge_method", "S256"),
            ("nonce", "n-1"),
        ]
    }

    /// The same with one of them another, or left out.
    pub(super) fn but<'a>(&'a self, name: &'a str, value: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
        let mut pairs = self.asks(SCOPE);
        pairs.retain(|(n, _)| *n != name);
        pairs.extend(value.map(|value| (name, value)));
        pairs
    }

    pub(super) async fn token(&self, pairs: &[(&str, &str)]) -> (StatusCode, Value) {
        post(&self.router, "/oauth2/token", form(pairs), &[]).await
    }

    pub(super) async fn redeem(&self, code: &str) -> (StatusCode, Value) {
        self.token(&self.shows(code)).await
    }

    pub(super) fn shows<'a>(&'a self, code: &'a str) -> Vec<(&'a str, &'a str)> {
        vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("client_id", &self.app),
            ("code_verifier", VERIFIER),
        ]
    }

    pub(super) async fn refresh(&self, token: &str) -> (StatusCode, Value) {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", &self.app)]).await
    }

    pub(super) async fn is_good(&self, token: &str) -> bool {
        self.auth.authenticate_token(token).await.is_ok()
    }
}
