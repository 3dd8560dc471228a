//! An app and somebody who uses it, for tests: the token it gets when they said yes to all it asked for.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::{AppRequest, CodeUse, Consent, LaunchContext, NewPerson};
use crate::auth::{Auth, Fetcher, Limits, NewClient, Policy, install_tls};
use crate::id::ResourceId;
use crate::store::fixture::{Standing, tenant};
use crate::store::{ClientKeys, Store};

pub(crate) const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters";
pub(crate) const REDIRECT: &str = "https://app.example/cb";

/// What [`VERIFIER`] is the verifier of.
pub(crate) fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER.as_bytes()))
}

/// The access token of an app that `resource` uses, opened for `patient`.
pub(crate) async fn app_token(store: &Store, name: &str, resource: &str, patient: Option<&str>, scope: &str) -> String {
    install_tls();
    let fetcher = Fetcher::new(false).unwrap();
    let auth =
        Auth::new(store.clone(), Arc::new(Standing), Policy::new(None).unwrap(), fetcher.clone(), Limits::default());
    let new = NewClient {
        tenant: tenant(name),
        name: "App".to_owned(),
        scope: scope.to_owned(),
        keys: ClientKeys::Nothing,
        redirects: vec![REDIRECT.to_owned()],
    };
    let client = new.register(store, &fetcher).await.unwrap();
    let subject = format!("{resource} at {}", client.id);
    let new = NewPerson { tenant: tenant(name), issuer: "test".to_owned(), subject, resource: resource.to_owned() };
    let person = new.register(store).await.unwrap();
    let cookie = auth.sign_in(&person).await.unwrap();
    let session = auth.session(&tenant(name), cookie.expose()).await.unwrap().unwrap();
    let patient = patient.map(|id| ResourceId::new(id).unwrap());
    let request = AppRequest {
        base: "https://example.org".to_owned(),
        client: client.id.clone(),
        redirect_uri: REDIRECT.to_owned(),
        scope: scope.to_owned(),
        state: "s".to_owned(),
        challenge: challenge(),
        nonce: None,
        launch: patient.map(|patient| LaunchContext { patient: Some(patient), ..LaunchContext::default() }),
        csrf: String::new(),
    };
    let consent = Consent { scope: request.scopes(), patient: None };
    let code = auth.grant(&request, &session, consent).await.unwrap();
    let shown = CodeUse { code: code.expose(), redirect_uri: REDIRECT, verifier: VERIFIER };
    auth.redeem(&client, shown, &request.base).await.unwrap().access.token.expose().to_owned()
}
