//! Tokens from an OAuth server of others, npm's oidc-provider: for a client with a secret and for one that signs.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::process::ready;
use super::receiver::Receiver;
use super::{enrol, export, open};
use crate::support::{Client, Server, eventually, scalar};

/// With what an `application/x-www-form-urlencoded` Basic header has to escape.
const ID: &str = "afferent: ward & co";
const HIDDEN: &str = "p%2B+:/ =&?";

struct Provider {
    process: Child,
    url: String,
    control: Client,
}

impl Provider {
    /// Before a receiver. None without Node.
    fn start(receiver: &Receiver, jwks: &str, secret: &str, client: &Client) -> Option<Self> {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        let installed = Command::new(tests.join("apps/install")).stderr(Stdio::inherit()).output().unwrap();
        if installed.status.code() == Some(69) {
            return None;
        }
        assert!(installed.status.success());
        let place = PathBuf::from(String::from_utf8(installed.stdout).unwrap().trim());
        std::fs::copy(tests.join("delivery/oauth.mjs"), place.join("oauth.mjs")).unwrap();
        let mut command = Command::new("node");
        command.args(["oauth.mjs", &receiver.url(), jwks, ID, secret]).current_dir(place);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let url = ready(&mut process);
        Some(Self { process, url, control: client.with_key("") })
    }

    fn control(&self, what: &str) -> Value {
        self.control.post(&format!("{}/_control/{what}", self.url), &json!({})).expect(200).json()
    }

    fn count(&self, name: &str) -> u64 {
        self.control("counts")[name].as_u64().unwrap()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn tokens_of_an_oauth_server_of_others_are_good_and_are_renewed() {
    for secret in [HIDDEN, ""] {
        let (server, receiver) = (Server::shared(), Receiver::start());
        receiver.with(|store| store.tokens.is_open = true);
        let client = server.tenant();
        let document = |token_url: &str| {
            let proof =
                if secret.is_empty() { ("private_key_jwt", json!(true)) } else { ("client_secret", json!(secret)) };
            let mut document = json!({"name": "Provider", "token_url": token_url, "client_id": ID});
            document[proof.0] = proof.1;
            document
        };
        let path = "/api/v1/oauth-providers/receiver";
        let made = client.put(path, &document("http://127.0.0.1:1/token")).expect(201);
        let jwks = made.json()["jwks"].as_str().map(|jwks| client.url(jwks)).unwrap_or_default();
        let Some(provider) = Provider::start(&receiver, &jwks, secret, &client) else {
            println!("skipped: an OAuth server of others: Node and npm are not installed");
            return;
        };
        let document = document(&format!("{}/token", provider.url));
        client.put_over(path, made.etag.as_deref().unwrap(), &document).expect(200);
        export(&client, &format!("{}/fhir/R4", provider.url), "medplum_demo");
        enrol(&client, "on_measurement", &["p1".to_owned()]);
        open(&client, "e1", "p1", &["finger-1"]);
        let send = |number: u64| {
            client.ingest_all(&[scalar("finger-1", number, "spo2", "%", 90.0 + number as f64)]);
            client.settle();
        };
        let arrives = |number: usize| {
            eventually("the value", || (receiver.all("Observation").len() == number).then_some(()));
        };
        send(0);
        arrives(1);
        // Past the token's life.
        let before = provider.count("tokens");
        provider.control("life?3600");
        std::thread::sleep(Duration::from_millis(2_200));
        send(1);
        arrives(2);
        assert!(provider.count("tokens") > before);
        // A token the receiver does not know any more.
        provider.control("forget");
        send(2);
        arrives(3);
        assert!(provider.count("unknown") > 0);
        if secret.is_empty() {
            rotate(&client, &provider, (&send, &arrives));
        }
        assert!(!server.log().contains(HIDDEN));
    }
}

/// A new key is published before it signs; one that signs at once is good when the provider has seen it.
fn rotate(client: &Client, provider: &Provider, (send, arrives): (&dyn Fn(u64), &dyn Fn(usize))) {
    let rotate = |body: Value| {
        let kept = client.post("/api/v1/oauth-providers/receiver/rotate-key", &body).expect(200).json();
        kept["keys"].as_array().unwrap().len()
    };
    assert_eq!(rotate(json!({})), 2);
    provider.control("forget");
    send(3);
    arrives(4);
    assert_eq!(rotate(json!({"at_once": true})), 1);
    let refused = provider.count("refused");
    provider.control("forget");
    send(4);
    eventually("the unknown key to be refused", || (provider.count("refused") > refused).then_some(()));
    provider.control("look-again");
    arrives(5);
}
