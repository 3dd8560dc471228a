//! Alerts are sent at least once, by every way and to nowhere else.

use std::collections::BTreeSet;
use std::sync::Mutex;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Json, Router, routing::post};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use super::*;
use crate::id::ChannelId;
use crate::store::fixture::{database, tenant};
use crate::store::{AlertKind, AlertState, Channel, NewAlert, Severity};

/// A clock that is set.
#[derive(Default)]
struct Hand(Mutex<i64>);

impl Clock for Hand {
    fn now(&self) -> Instant {
        Instant(*self.0.lock().unwrap())
    }
}

impl Hand {
    fn later(&self, micros: i64) {
        *self.0.lock().unwrap() += micros;
    }
}

struct Bench {
    _directory: tempfile::TempDir,
    store: Store,
    clock: Arc<Hand>,
    vault: Vault,
}

async fn bench() -> Bench {
    crate::auth::install_tls();
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(Hand(Mutex::new(1_768_744_800_000_000)));
    let url = database(&directory).await;
    let store = Store::open(&url, Arc::<Hand>::clone(&clock) as Arc<dyn Clock>).await.unwrap();
    let archive = crate::archive::Given::default().build(directory.path()).unwrap();
    let vault = Vault::new(archive, store.clone(), Arc::<Hand>::clone(&clock) as Arc<dyn Clock>);
    Bench { _directory: directory, store, clock, vault }
}

impl Bench {
    fn sender(&self, given: Given, reach: Reach) -> Sender {
        let ways = Ways::new(&given.build().unwrap(), reach).unwrap();
        let clock = Arc::<Hand>::clone(&self.clock) as Arc<dyn Clock>;
        Sender::new(self.store.clone(), clock, self.vault.clone(), ways)
    }

    async fn channel(&self, id: &str, kind: ChannelKind, address: String, least: Severity) {
        let secret = (id == "ops").then(|| Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned()));
        let (id, is_signed) = (ChannelId::new(id).unwrap(), secret.is_some());
        let mut channel = Channel { id, kind, address, least, is_signed, sealed: None };
        if kind == ChannelKind::Webhook {
            let sealed = Sealed { url: Secret::new(channel.address), secret };
            channel.address = origin(sealed.url.expose());
            channel.sealed = Some(sealed.seal(&self.vault, &tenant("a"), &channel.id).await.unwrap());
        }
        self.store.put_channel(&tenant("a"), &channel).await.unwrap();
    }

    async fn raise(&self, severity: Severity) -> crate::id::AlertId {
        let alert = NewAlert {
            kind: AlertKind::PacketConflict,
            severity,
            cause: "lumee-1".to_owned(),
            about: "device lumee-1".to_owned(),
            detail: "Something happened",
        };
        self.store.raise(&tenant("a"), &alert).await.unwrap()
    }

    async fn states(&self, alert: &crate::id::AlertId) -> Vec<(String, DispatchState, i64)> {
        let dispatches = self.store.dispatches(&tenant("a"), alert).await.unwrap();
        dispatches.into_iter().map(|d| (d.channel.as_str().to_owned(), d.state, d.attempts)).collect()
    }
}

type Hook = Arc<Mutex<(Vec<StatusCode>, Vec<(String, Value)>)>>;

/// A receiver that answers as it is told, and then well.
async fn hook(answers: &[StatusCode]) -> (String, Hook) {
    let hook: Hook = Arc::new(Mutex::new((answers.to_vec(), Vec::new())));
    let take = |State(hook): State<Hook>, headers: HeaderMap, Json(body): Json<Value>| async move {
        let mut hook = hook.lock().unwrap();
        hook.1.push((headers["webhook-id"].to_str().unwrap().to_owned(), body));
        let answer = if hook.0.is_empty() { StatusCode::OK } else { hook.0.remove(0) };
        (answer, [("location", "http://127.0.0.1:1/elsewhere")])
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook?token=secret", listener.local_addr().unwrap());
    let router = Router::new().route("/hook", post(take)).with_state(Arc::clone(&hook));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, hook)
}

#[tokio::test]
async fn an_alert_is_sent_until_it_has_arrived_and_then_no_more() {
    let bench = bench().await;
    let (url, hook) = hook(&[StatusCode::SERVICE_UNAVAILABLE, StatusCode::FOUND]).await;
    bench.channel("ops", ChannelKind::Webhook, url, Severity::Error).await;
    bench.channel("night", ChannelKind::Webhook, "http://127.0.0.1:9/".to_owned(), Severity::Critical).await;
    let sender = bench.sender(Given::default(), Reach::Loopback);
    let alert = bench.raise(Severity::Error).await;
    assert_eq!(bench.raise(Severity::Error).await, alert, "the same cause is the same alert");
    assert_eq!(sender.round().await.unwrap(), 2);
    let pending = [("log".to_owned(), DispatchState::Sent, 1), ("ops".to_owned(), DispatchState::Pending, 1)];
    assert_eq!(bench.states(&alert).await, pending);
    assert_eq!(sender.round().await.unwrap(), 0, "not at once again");
    for _ in 0..2 {
        bench.clock.later(LEASE_US);
        assert_eq!(sender.round().await.unwrap(), 1);
    }
    bench.clock.later(LONGEST_US);
    assert_eq!(sender.round().await.unwrap(), 0);
    assert_eq!(bench.states(&alert).await[1], ("ops".to_owned(), DispatchState::Sent, 3));
    let sent = hook.lock().unwrap().1.clone();
    assert_eq!(sent.len(), 3);
    assert_eq!(sent.iter().map(|(id, _)| id).collect::<BTreeSet<_>>().len(), 1);
    assert_eq!((&sent[0].1["kind"], &sent[0].1["occurrences"]), (&"packet-conflict".into(), &2.into()));
    assert!(!sent[0].1.to_string().contains("lumee"), "{}", sent[0].1);

    // Open, it only counts; acknowledged, it is opened and sent anew.
    bench.raise(Severity::Error).await;
    assert_eq!(sender.round().await.unwrap(), 0);
    bench.store.acknowledge(&tenant("a"), &alert, "k").await.unwrap();
    let seen = bench.store.alert(&tenant("a"), &alert).await.unwrap().unwrap();
    assert_eq!((seen.state, seen.occurrences), (AlertState::Acknowledged, 3));
    bench.raise(Severity::Error).await;
    assert_eq!(sender.round().await.unwrap(), 2);
    let ids: BTreeSet<String> = hook.lock().unwrap().1.iter().map(|(id, _)| id.clone()).collect();
    assert_eq!(ids.len(), 2);
}

#[tokio::test]
async fn what_cannot_be_sent_is_given_up_in_the_end_and_says_why() {
    let bench = bench().await;
    bench.channel("ops", ChannelKind::Webhook, "http://127.0.0.1:9/?token=secret".to_owned(), Severity::Warning).await;
    bench.channel("lan", ChannelKind::Webhook, "http://10.0.0.1/".to_owned(), Severity::Warning).await;
    let sender = bench.sender(Given::default(), Reach::Loopback);
    let alert = bench.raise(Severity::Warning).await;
    for _ in 0..ATTEMPTS {
        sender.round().await.unwrap();
        bench.clock.later(LONGEST_US);
    }
    assert_eq!(sender.round().await.unwrap(), 0);
    for dispatch in bench.store.dispatches(&tenant("a"), &alert).await.unwrap() {
        if dispatch.channel.is_log() {
            continue;
        }
        assert_eq!((dispatch.state, dispatch.attempts), (DispatchState::Failed, ATTEMPTS), "{dispatch:?}");
        let problem = dispatch.problem.unwrap();
        assert!(!problem.is_empty() && !problem.contains("secret"), "{problem}");
    }
}

#[tokio::test]
async fn of_two_that_send_one_does() {
    let bench = bench().await;
    let (url, hook) = hook(&[]).await;
    bench.channel("ops", ChannelKind::Webhook, url, Severity::Warning).await;
    let senders = [Given::default(), Given::default()].map(|given| bench.sender(given, Reach::Loopback));
    for _ in 0..10 {
        let alert = bench.raise(Severity::Warning).await;
        let (one, other) = tokio::join!(senders[0].round(), senders[1].round());
        assert_eq!(one.unwrap() + other.unwrap(), 2);
        bench.store.acknowledge(&tenant("a"), &alert, "k").await.unwrap();
    }
    assert_eq!(hook.lock().unwrap().1.len(), 10);
}

#[tokio::test]
async fn what_was_not_sealed_is_when_the_server_starts() {
    let bench = bench().await;
    let (url, hook) = hook(&[]).await;
    // As it was stored before there was a vault.
    let id = ChannelId::new("ops").unwrap();
    let (kind, least) = (ChannelKind::Webhook, Severity::Warning);
    let plain = Channel { id: id.clone(), kind, address: url.clone(), least, is_signed: false, sealed: None };
    bench.store.put_channel(&tenant("a"), &plain).await.unwrap();
    let sender = bench.sender(Given::default(), Reach::Loopback);
    sender.seal().await.unwrap();
    let channel = bench.store.channel(&tenant("a"), &id).await.unwrap().unwrap();
    assert_eq!(channel.address, url.split("/hook").next().unwrap());
    let sealed = channel.sealed.unwrap();
    assert!(!String::from_utf8_lossy(&sealed).contains("token"));
    let elsewhere = Sealed::open(&bench.vault, &tenant("b"), &id, &sealed).await;
    assert!(elsewhere.is_err(), "it is its tenant's");
    assert!(bench.store.unsealed_channels().await.unwrap().is_empty());
    bench.raise(Severity::Warning).await;
    assert_eq!(sender.round().await.unwrap(), 2);
    assert_eq!(hook.lock().unwrap().1.len(), 1);
}

#[tokio::test]
async fn a_channel_that_is_gone_is_sent_nothing() {
    let bench = bench().await;
    let (url, hook) = hook(&[]).await;
    bench.channel("ops", ChannelKind::Webhook, url, Severity::Warning).await;
    bench.raise(Severity::Warning).await;
    let ops = ChannelId::new("ops").unwrap();
    assert!(!bench.store.delete_channel(&tenant("b"), &ops).await.unwrap());
    assert!(bench.store.delete_channel(&tenant("a"), &ops).await.unwrap());
    assert_eq!(bench.sender(Given::default(), Reach::Loopback).round().await.unwrap(), 1);
    assert!(hook.lock().unwrap().1.is_empty());
}

/// A mail server of a few lines: what it was sent.
async fn mail_server() -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let (read, mut write) = socket.into_split();
        let mut lines = BufReader::new(read).lines();
        write.write_all(b"220 here\r\n").await.unwrap();
        let (mut mail, mut is_data) = (String::new(), false);
        while let Some(line) = lines.next_line().await.unwrap() {
            mail.push_str(&line);
            mail.push('\n');
            let answer: &[u8] = match line.as_str() {
                "." => {
                    is_data = false;
                    b"250 taken\r\n"
                }
                _ if is_data => continue,
                "DATA" => {
                    is_data = true;
                    b"354 go on\r\n"
                }
                "QUIT" => b"221 bye\r\n",
                _ => b"250 yes\r\n",
            };
            write.write_all(answer).await.unwrap();
            if line == "QUIT" {
                break;
            }
        }
        mail
    });
    (url, served)
}

#[tokio::test]
async fn an_alert_is_sent_as_a_mail() {
    let bench = bench().await;
    let (smtp, served) = mail_server().await;
    bench.channel("desk", ChannelKind::Email, "desk@example.org".to_owned(), Severity::Warning).await;
    let given = Given { smtp: Some(smtp), from: Some("Afferent <alerts@example.org>".to_owned()) };
    let sender = bench.sender(given, Reach::Public);
    let alert = bench.raise(Severity::Error).await;
    assert_eq!(sender.round().await.unwrap(), 2);
    assert_eq!(bench.states(&alert).await[0], ("desk".to_owned(), DispatchState::Sent, 1));
    let mail = tokio::time::timeout(Duration::from_secs(10), served).await.unwrap().unwrap();
    assert!(mail.contains("RCPT TO:<desk@example.org>"), "{mail}");
    assert!(mail.contains("Subject: [error] Something happened") && mail.contains(alert.as_str()), "{mail}");
    assert!(mail.contains(&format!("Message-ID: <{alert}-1.desk@example.org>")), "{mail}");
    assert!(!mail.contains("lumee"), "{mail}");
}

#[test]
fn addresses_are_checked_where_they_are_given() {
    crate::auth::install_tls();
    let given = |smtp: &str| Given { smtp: Some(smtp.to_owned()), from: Some("a@example.org".to_owned()) };
    let none = Ways::new(&Settings::default(), Reach::Public).unwrap();
    assert_eq!(none.check(ChannelKind::Email, "a@example.org"), Err(Unusable::NoMail));
    assert_eq!(none.check(ChannelKind::Webhook, "http://127.0.0.1/"), Err(Unusable::Url));
    assert_eq!(none.check(ChannelKind::Webhook, "https://example.org/x"), Ok(()));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _guard = runtime.enter();
    let mails = Ways::new(&given("smtps://u:p@example.org").build().unwrap(), Reach::Public).unwrap();
    assert_eq!(mails.check(ChannelKind::Email, "a@example.org"), Ok(()));
    for bad in ["", "a", "a@", "a@b@c", "a@example.org\r\nBcc: b@example.org"] {
        assert_eq!(mails.check(ChannelKind::Email, bad), Err(Unusable::Address), "{bad:?}");
    }
    assert!(Given { smtp: None, ..given("x") }.build().is_err());
    let error = Ways::new(&given("http://u:secret@h").build().unwrap(), Reach::Public).unwrap_err();
    assert!(!format!("{error:?}").contains("secret"));
}

#[test]
fn waiting_doubles_up_to_an_hour() {
    assert_eq!([0, 1, 2, 30, i64::MAX].map(wait), [FIRST_US, 2 * FIRST_US, 4 * FIRST_US, LONGEST_US, LONGEST_US]);
}
