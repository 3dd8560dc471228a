//! `GET /ingest/stream`: packets in over a WebSocket, cumulative acknowledgements out.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::support::{Client, Server, block_on, scalar};

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

fn connect(client: &Client) -> Result<Socket, Error> {
    let mut request = format!("ws://{}/ingest/stream", client.address).into_client_request()?;
    if !client.key.is_empty() {
        request.headers_mut().insert("authorization", format!("Bearer {}", client.key).parse().unwrap());
    }
    block_on(tokio_tungstenite::connect_async(request)).map(|(socket, _)| socket)
}

/// Sends a message, gives the answer.
#[track_caller]
fn tell(socket: &mut Socket, message: impl Into<Message>) -> Value {
    let reply = block_on(async {
        socket.send(message.into()).await.unwrap();
        socket.next().await.unwrap().unwrap()
    });
    serde_json::from_str(reply.to_text().unwrap()).unwrap()
}

fn batch(sequences: &[u64]) -> String {
    let packets: Vec<Value> = sequences.iter().map(|n| scalar("d1", *n, "spo2", "%", 97.0)).collect();
    json!(packets).to_string()
}

#[test]
fn acknowledgements_are_cumulative() {
    let server = Server::shared();
    let client = server.tenant();
    client.link_device("d1", "p1").expect(201);
    let mut socket = connect(&client).unwrap();
    for (sequences, contiguous, gaps) in
        [(&[1][..], 1, json!([])), (&[2, 3], 3, json!([])), (&[6], 3, json!([[4, 5]])), (&[5, 4], 6, json!([]))]
    {
        let ack = tell(&mut socket, batch(sequences));
        let expected = json!([{"device": "d1", "stream": "spo2", "contiguous": contiguous, "gaps": gaps}]);
        assert_eq!(ack["streams"], expected, "{ack}");
    }
    client.settle();
    assert_eq!(client.observations(), 6);
}

#[test]
fn a_bad_message_is_answered_and_the_socket_goes_on() {
    let server = Server::shared();
    let client = server.tenant();
    let mut socket = connect(&client).unwrap();
    let refusal = tell(&mut socket, "{");
    assert_eq!(refusal["problem"]["status"], 422, "{refusal}");
    let refusal = tell(&mut socket, Message::Binary(vec![0xff].into()));
    assert_eq!(refusal["problem"]["status"], 400, "{refusal}");
    let good = scalar("d1", 1, "spo2", "%", 97.0);
    assert_eq!(tell(&mut socket, good.to_string())["accepted"], 1);
    let other = scalar("d1", 1, "spo2", "%", 96.0);
    let reply = tell(&mut socket, other.to_string());
    assert_eq!(reply["conflicts"], json!([{"device": "d1", "stream": "spo2", "sequence": 1}]), "{reply}");
}

#[test]
fn a_socket_needs_a_key() {
    let server = Server::shared();
    for key in ["", "sk_sandbox_wrong"] {
        let refused = connect(&server.tenant().with_key(key));
        let Err(Error::Http(answer)) = refused else { panic!("let in with {key:?}") };
        assert_eq!(answer.status(), 401);
    }
}
