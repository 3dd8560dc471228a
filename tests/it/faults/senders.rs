//! Devices that send until they are told that a packet is durable.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::journal::Packets;
use super::ward::name_and_hash;
use crate::support::{Client, Reply, eventually};

/// Senders that work at the same time, and what they were told.
pub(super) struct Senders {
    client: Mutex<Client>,
    acknowledged: Mutex<Packets>,
    delivered: AtomicUsize,
    refused: Mutex<Vec<u16>>,
    failed: AtomicBool,
}

/// Says so when its sender does not come to its end.
struct Watched<'a>(&'a AtomicBool);

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

impl Senders {
    pub(super) fn new(client: &Client) -> Self {
        Self {
            client: Mutex::new(client.clone()),
            acknowledged: Mutex::default(),
            delivered: AtomicUsize::new(0),
            refused: Mutex::default(),
            failed: AtomicBool::new(false),
        }
    }

    /// Sends every sender's batches in their order, all senders at once, while `trouble` is made.
    pub(super) fn send<T>(&self, senders: &[Vec<Vec<Value>>], trouble: impl FnOnce() -> T) -> T {
        std::thread::scope(|scope| {
            for batches in senders {
                scope.spawn(|| {
                    let _watched = Watched(&self.failed);
                    batches.iter().for_each(|batch| self.deliver(batch));
                });
            }
            trouble()
        })
    }

    /// Sends a batch until it is acknowledged.
    pub(super) fn deliver(&self, batch: &[Value]) {
        eventually("a batch to be taken", || (self.offer(batch)? == 202).then_some(()));
        self.delivered.fetch_add(1, Ordering::Relaxed);
    }

    /// Sends a batch once; gives the status of the answer. None when no whole answer came: the server went away, and
    /// whether it stored the packets is open.
    pub(super) fn offer(&self, batch: &[Value]) -> Option<u16> {
        let client = self.client.lock().unwrap().clone();
        let reply = client.try_ingest(batch).ok()?;
        if reply.status == 202 {
            let ack = reply.json();
            let durable = ack["accepted"].as_u64().unwrap() + ack["duplicates"].as_u64().unwrap();
            assert_eq!(durable, batch.len() as u64, "{ack}");
            self.acknowledged.lock().unwrap().extend(batch.iter().map(name_and_hash));
        } else {
            self.refused(&reply);
        }
        Some(reply.status)
    }

    /// A refusal is a clear one, and says when to come again.
    fn refused(&self, reply: &Reply) {
        assert!([429, 503, 507].contains(&reply.status), "{reply:?}");
        assert_eq!(reply.content_type, "application/problem+json", "{reply:?}");
        assert_eq!(reply.json()["status"], reply.status, "{reply:?}");
        assert!(reply.retry_after.is_some(), "{reply:?}");
        self.refused.lock().unwrap().push(reply.status);
    }

    /// How often a batch was refused with this status.
    pub(super) fn refusals(&self, status: u16) -> usize {
        self.refused.lock().unwrap().iter().filter(|found| **found == status).count()
    }

    /// Waits until so many batches are acknowledged.
    pub(super) fn wait_for(&self, batches: usize) {
        eventually("senders to go on", || {
            assert!(!self.failed.load(Ordering::Relaxed), "a sender failed");
            (self.delivered.load(Ordering::Relaxed) >= batches).then_some(())
        });
    }

    /// Where the server is now.
    pub(super) fn turn_to(&self, client: Client) {
        *self.client.lock().unwrap() = client;
    }

    /// What was acknowledged.
    pub(super) fn acknowledged(&self) -> Packets {
        self.acknowledged.lock().unwrap().clone()
    }
}

/// Packets in requests of `length`.
pub(super) fn batches(packets: &[Value], length: usize) -> Vec<Vec<Value>> {
    packets.chunks(length).map(<[Value]>::to_vec).collect()
}

/// A pause of up to `most`.
pub(super) fn pause(random: &mut crate::support::Random, most: Duration) {
    let micros = u64::try_from(most.as_micros()).unwrap();
    std::thread::sleep(Duration::from_micros(random.below(micros)));
}
