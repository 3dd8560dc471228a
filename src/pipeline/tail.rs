//! Reads the journal in the order it became durable and hands each packet to its stream's worker.

use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::{Parts, Work, shard};
use crate::store::{Entry, Store};

/// Packets in one read.
const PAGE: i64 = 1024;
/// How long a failed read waits.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) fn start(parts: &Parts, workers: Vec<mpsc::Sender<Work>>, position: i64, appended: watch::Receiver<u64>) {
    tokio::spawn(run(parts.store.clone(), workers, position, appended));
}

async fn run(store: Store, workers: Vec<mpsc::Sender<Work>>, mut position: i64, mut appended: watch::Receiver<u64>) {
    loop {
        appended.borrow_and_update();
        let page = match store.read_after(position, PAGE).await {
            Ok(page) => page,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "journal cannot be read");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        if let Some(last) = page.last() {
            position = last.position;
            if hand_out(page, &workers).await.is_err() {
                return;
            }
        } else if appended.changed().await.is_err() {
            return;
        }
    }
}

async fn hand_out(page: Vec<Entry>, workers: &[mpsc::Sender<Work>]) -> Result<(), mpsc::error::SendError<Work>> {
    let mut shares: Vec<Vec<Entry>> = workers.iter().map(|_| Vec::new()).collect();
    for entry in page {
        if let Some(share) = shares.get_mut(shard(entry.stream, workers.len())) {
            share.push(entry);
        }
    }
    for (worker, share) in workers.iter().zip(shares) {
        if !share.is_empty() {
            worker.send(Work::Entries(share)).await?;
        }
    }
    Ok(())
}
