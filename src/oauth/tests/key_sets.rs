//! Keys at the URLs clients registered.

use super::*;

/// A server of key sets: answers each request with the next of these, and counts.
async fn key_server(answers: Vec<(&'static str, String, String)>) -> (String, Arc<std::sync::atomic::AtomicUsize>) {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let number = counter.fetch_add(1, Ordering::SeqCst);
            let (status, headers, body) = answers.get(number).or(answers.last()).unwrap();
            let mut request = [0_u8; 4096];
            let _ = socket.read(&mut request).await;
            let head =
                format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = socket.write_all(format!("{head}{body}").as_bytes()).await;
        }
    });
    (url, asked)
}

#[tokio::test]
async fn key_sets_by_url_are_kept_no_longer_than_they_say() {
    let (_directory, store) = store().await;
    let (old, new) = (ClientKey::new(), ClientKey::new());
    for (headers, asked_for_two) in [("cache-control: max-age=300\r\n", 1), ("cache-control: no-store\r\n", 2), ("", 1)]
    {
        let (url, asked) =
            key_server(vec![("200 OK", headers.to_owned(), old.jwks()), ("200 OK", headers.to_owned(), new.jwks())])
                .await;
        let client = register(&store, "a", ClientKeys::Url(url.clone()), "system/Observation.rs").await;
        let (router, _) = node(&store, Some(ROOT), true);
        let mut header = head();
        header["jku"] = json!(url);
        let (status, answer) = ask(&router, &old.sign(&header, &claims(&client)), "system/Observation.rs").await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let second = if asked_for_two == 1 { &old } else { &new };
        let (status, answer) = ask(&router, &second.sign(&head(), &claims(&client)), "system/Observation.rs").await;
        assert_eq!(status, StatusCode::OK, "{headers}: {answer}");
        assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), asked_for_two, "{headers}");
    }
}

#[tokio::test]
async fn ssrf_through_a_key_set_url() {
    let (_directory, store) = store().await;
    let key = ClientKey::new();
    let (inside, asked) = key_server(vec![("200 OK", String::new(), key.jwks())]).await;
    let by_name = inside.replace("127.0.0.1", "localhost.localdomain");
    for url in [inside.clone(), inside.replace("http:", "https:"), by_name.replace("http:", "https:")] {
        // Registered when that was allowed, or by somebody who can write to the database.
        let client = register(&store, "a", ClientKeys::Url(url), "system/Observation.rs").await;
        let (router, _) = node(&store, Some(ROOT), false);
        Server::refused(
            ask(&router, &key.sign(&head(), &claims(&client)), "system/Observation.rs").await,
            "invalid_client",
        );
    }
    let refused = NewClient {
        tenant: tenant("a"),
        name: "x".to_owned(),
        scope: "system/*.rs".to_owned(),
        keys: ClientKeys::Url(inside.clone()),
        redirects: Vec::new(),
    };
    assert!(refused.register(&store, &Fetcher::new(false).unwrap()).await.is_err());
    // A public server that sends us on into the network, or never ends.
    let redirect = format!("location: {inside}\r\n");
    let endless = format!("{{\"keys\":[{}]}}", " ".repeat(300 * 1024));
    for answer in [
        ("302 Found", redirect, String::new()),
        ("200 OK", String::new(), endless),
        ("500 x", String::new(), key.jwks()),
    ] {
        let (outside, _) = key_server(vec![answer]).await;
        let client = register(&store, "a", ClientKeys::Url(outside), "system/Observation.rs").await;
        let (router, _) = node(&store, Some(ROOT), true);
        Server::refused(
            ask(&router, &key.sign(&head(), &claims(&client)), "system/Observation.rs").await,
            "invalid_client",
        );
    }
    assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 0);
}
