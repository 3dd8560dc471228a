//! Websockets and mail.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio_tungstenite::tungstenite::Message;

use super::listener::{numbers, parameter};
use super::{BACKPORT, active, assert_valid, beat, becomes, extend, to_topic};
use crate::support::{Client, Server, block_on, eventually};

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

fn by_websocket() -> Value {
    let mut subscription = to_topic("observation", &["patient=p1"], "", "id-only");
    let channel = subscription["channel"].as_object_mut().unwrap();
    channel.insert("type".to_owned(), json!("websocket"));
    channel.remove("endpoint");
    subscription
}

/// A token for a subscription, and where to bind with it.
fn token(client: &Client, id: &str) -> (String, String) {
    let answer = client.fhir(&format!("Subscription/{id}/$get-ws-binding-token"));
    let value = |name: &str| {
        let all = answer["parameter"].as_array().unwrap();
        let found = all.iter().find(|parameter| parameter["name"] == name).unwrap();
        let members = found.as_object().unwrap();
        members.iter().find(|(name, _)| name.starts_with("value")).unwrap().1.as_str().unwrap().to_owned()
    };
    assert_eq!(value("subscription"), id);
    assert!(value("expiration").starts_with("20"));
    (value("token"), value("websocket-url"))
}

fn bind(client: &Client, id: &str, after: Option<i64>) -> Socket {
    let (token, url) = token(client, id);
    assert_eq!(url, format!("ws://{}/subscription/websocket", client.address));
    let mut socket = block_on(tokio_tungstenite::connect_async(url)).unwrap().0;
    let after = after.map(|after| format!(" {after}")).unwrap_or_default();
    block_on(socket.send(Message::Text(format!("bind-with-token {token}{after}").into()))).unwrap();
    let hello = next(&mut socket);
    assert_eq!(parameter(&hello, "type"), "handshake");
    assert!(parameter(&hello, "subscription")["reference"].as_str().unwrap().ends_with(id));
    socket
}

/// The next notification.
#[track_caller]
fn next(socket: &mut Socket) -> Value {
    let message = block_on(async {
        tokio::time::timeout(std::time::Duration::from_secs(60), socket.next()).await.expect("a notification")
    });
    serde_json::from_str(message.unwrap().unwrap().to_text().unwrap()).unwrap()
}

/// Numbers of events, until so many came.
fn take(socket: &mut Socket, count: usize) -> Vec<i64> {
    let mut found = Vec::new();
    while found.len() < count {
        found.extend(numbers(&next(socket)));
    }
    found
}

#[test]
fn a_websocket_client_binds_and_catches_up_through_a_restart_without_a_gap() {
    let mut server = Server::start();
    let mut client = server.client();
    let id = active(&client, &by_websocket());
    let mut socket = bind(&client, &id, None);
    for n in 0..3 {
        beat(&client, &format!("o{n}"), "p1", 60);
    }
    assert_eq!(take(&mut socket, 3), [1, 2, 3]);
    // Nobody is bound, and the server is killed.
    drop(socket);
    beat(&client, "o3", "p1", 60);
    server = server.restart_after_kill();
    client = server.client_again(&client);
    beat(&client, "o4", "p1", 60);
    let mut socket = bind(&client, &id, Some(3));
    assert_eq!(take(&mut socket, 2), [4, 5]);
    beat(&client, "o5", "p1", 60);
    assert_eq!(take(&mut socket, 1), [6]);
    // Somebody else who binds reads at a pace of their own.
    let mut other = bind(&client, &id, Some(0));
    assert_eq!(take(&mut other, 6), [1, 2, 3, 4, 5, 6]);
    // It is stopped: whoever is bound is told so.
    let mut off = client.fhir(&format!("Subscription/{id}"));
    off["status"] = json!("off");
    client.put(&format!("/fhir/R4/Subscription/{id}"), &off).expect(200);
    assert_eq!(parameter(&next(&mut socket), "status"), "off");
}

#[test]
fn who_binds_without_a_good_token_is_told_nothing() {
    let server = Server::shared();
    let client = server.tenant();
    active(&client, &by_websocket());
    for words in ["bind-with-token ws_0000", "bind-with-token", "hello", "bind-with-token x y"] {
        let url = format!("ws://{}/subscription/websocket", client.address);
        let mut socket = block_on(tokio_tungstenite::connect_async(url)).unwrap().0;
        block_on(socket.send(Message::Text(words.into()))).unwrap();
        assert_eq!(next(&mut socket)["resourceType"], "OperationOutcome", "{words}");
        let end = block_on(socket.next());
        assert!(!matches!(end, Some(Ok(Message::Text(_)))), "{words}");
    }
    let hook = super::listener::Listener::start();
    let id = active(&client, &to_topic("observation", &[], &hook.url, "empty"));
    client.get(&format!("/fhir/R4/Subscription/{id}/$get-ws-binding-token")).expect(400);
}

#[test]
fn a_subscription_by_criteria_is_told_by_the_same_bundles() {
    let server = Server::shared();
    let client = server.tenant();
    for (mut subscription, is_topic) in [
        (by_websocket(), true),
        (super::to_criteria("Observation?patient=p1", "", Some("application/fhir+json")), false),
    ] {
        let channel = subscription["channel"].as_object_mut().unwrap();
        channel.insert("type".to_owned(), json!("websocket"));
        channel.remove("endpoint");
        let id = active(&client, &subscription);
        let mut socket = bind(&client, &id, None);
        beat(&client, &format!("o-{is_topic}"), "p1", 60);
        let told = next(&mut socket);
        assert_eq!((numbers(&told), parameter(&told, "topic").is_string()), (vec![1], is_topic));
        assert_valid("websocket", &told.to_string());
        client.delete(&format!("/fhir/R4/Subscription/{id}")).expect(204);
    }
}

#[test]
fn heartbeats_come_over_a_websocket() {
    let server = Server::shared();
    let client = server.tenant();
    let mut subscription = by_websocket();
    extend(&mut subscription, &format!("{BACKPORT}backport-heartbeat-period"), "valueUnsignedInt", json!(1));
    let id = active(&client, &subscription);
    let mut socket = bind(&client, &id, None);
    assert_eq!(parameter(&next(&mut socket), "type"), "heartbeat");
}

/// A mail server that takes what it is sent.
fn mail_server() -> (String, std::sync::Arc<std::sync::Mutex<Vec<String>>>) {
    let mails = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let listener = block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let taken = std::sync::Arc::clone(&mails);
    let serve = async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let taken = std::sync::Arc::clone(&taken);
            tokio::spawn(async move {
                let (read, mut write) = socket.into_split();
                let mut lines = BufReader::new(read).lines();
                write.write_all(b"220 here\r\n").await.unwrap();
                let (mut mail, mut is_data) = (String::new(), false);
                while let Ok(Some(line)) = lines.next_line().await {
                    mail.push_str(&line);
                    mail.push('\n');
                    let answer: &[u8] = match line.as_str() {
                        "." => {
                            is_data = false;
                            taken.lock().unwrap().push(std::mem::take(&mut mail));
                            b"250 taken\r\n"
                        }
                        _ if is_data => continue,
                        "DATA" => {
                            is_data = true;
                            b"354 go on\r\n"
                        }
                        _ => b"250 yes\r\n",
                    };
                    if write.write_all(answer).await.is_err() {
                        break;
                    }
                }
            });
        }
    };
    block_on(async { drop(tokio::spawn(serve)) });
    (url, mails)
}

#[test]
fn mails_tell_that_something_happened_and_of_nobody() {
    let (smtp, mails) = mail_server();
    let server = Server::with_environment(&[
        ("AFFERENT_ALERTS_SMTP", &smtp),
        ("AFFERENT_ALERTS_FROM", "Afferent <a@example.org>"),
    ]);
    let client = server.client();
    let mut subscription = to_topic("vital-sign", &["patient=p1"], "mailto:desk@example.org", "empty");
    subscription["channel"]["type"] = json!("email");
    subscription["channel"]["payload"] = json!("text/plain");
    let id = super::subscribe(&client, &subscription);
    becomes(&client, &id, "active");
    beat(&client, "o1", "p1", 61);
    let mail = eventually("the mail", || {
        let mails = mails.lock().unwrap();
        // Long lines are folded.
        mails.iter().map(|mail| mail.replace("=\n", "")).find(|mail| mail.contains("Events 1 to 1"))
    });
    assert!(mail.contains("RCPT TO:<desk@example.org>") && mail.contains(&format!("Subscription/{id}")), "{mail}");
    assert!(!mail.contains("p1") && !mail.contains("61 ") && !mail.contains("Observation/o1"), "{mail}");
    subscription["channel"]["endpoint"] = json!("nobody");
    client.post("/fhir/R4/Subscription", &subscription).expect(400);
}
