//! Connections: so many at a time, and each has so long to say what it wants. Who sends a byte now and then, to keep a
//! connection from others, loses it.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tower::ServiceExt as _;

/// Bounds of connections.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Connections at a time; those beyond wait to be accepted.
    pub(super) connections: usize,
    /// For the whole head of a request, and between one request and the next.
    pub(super) head: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { connections: 10_000, head: Duration::from_secs(30) }
    }
}

/// How long to wait when no connection can be accepted, as when there are no more file descriptors.
const AGAIN: Duration = Duration::from_millis(200);

/// Serves until `stop` is done, then finishes the requests that are under way.
pub(super) async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>, bounds: Bounds) {
    let room = Arc::new(Semaphore::new(bounds.connections));
    let (stopping, stopped) = watch::channel(());
    let (alive, mut gone) = mpsc::channel::<Infallible>(1);
    // Made ready once: else every connection would copy it, more than a megabyte with this many routes.
    let router: Router = router.with_state(());
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &room) => accepted,
        };
        let Some((stream, place)) = accepted else { continue };
        let (router, stopped, alive) = (router.clone(), stopped.clone(), alive.clone());
        tokio::spawn(async move {
            connection(stream, router, stopped, bounds.head).await;
            drop((place, alive));
        });
    }
    drop((listener, alive, stopped));
    let _ = stopping.send(());
    // Ends when the last connection has.
    let _ = gone.recv().await;
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, place)),
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(AGAIN).await;
            None
        }
    }
}

async fn connection(stream: TcpStream, router: Router, mut stopped: watch::Receiver<()>, head: Duration) {
    let service = router.map_request(|request: hyper::Request<Incoming>| request.map(Body::new));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(head);
    let served = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)).with_upgrades();
    let mut served = pin!(served);
    tokio::select! {
        // What goes wrong on a connection is the other side's.
        _ = served.as_mut() => return,
        _ = stopped.changed() => served.as_mut().graceful_shutdown(),
    }
    let _ = served.await;
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::oneshot;

    use super::*;

    async fn started(bounds: Bounds) -> (std::net::SocketAddr, oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", axum::routing::get(|| async { "here" }));
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async {
            let _ = stopped.await;
        };
        (address, stop, tokio::spawn(serve(listener, router, stopped, bounds)))
    }

    #[tokio::test]
    async fn who_does_not_say_what_it_wants_loses_the_connection() {
        let bounds = Bounds { connections: 1, head: Duration::from_millis(200) };
        let (address, stop, served) = started(bounds).await;
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nx-slow: ").await.unwrap();
        // The only place is taken; the next gets it when the slow one has lost it.
        let mut next = TcpStream::connect(address).await.unwrap();
        next.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        next.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("here"), "{answer}");
        let mut rest = Vec::new();
        let _ = slow.read_to_end(&mut rest).await;
        assert!(!String::from_utf8_lossy(&rest).contains("here"));
        stop.send(()).unwrap();
        served.await.unwrap();
    }
}
