//! An HTTP server with threads of its own, which end with it: connections are cut, whatever is under way.

use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

/// Serves until it is dropped.
pub(crate) struct Listener {
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
    runtime: Option<Runtime>,
}

impl Listener {
    /// Serves at an address; with port 0 at a free one.
    pub(crate) fn start(address: &str, router: Router) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(async {
            // The port of one that was just ended may be busy for a moment.
            for _ in 0..200 {
                if let Ok(listener) = TcpListener::bind(address).await {
                    return listener;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            panic!("{address} is taken")
        });
        let address = listener.local_addr().unwrap().to_string();
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { address, runtime: Some(runtime) }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
