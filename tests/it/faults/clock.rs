//! Clocks that are set back.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use afferent::app::App;
use afferent::config::Given;
use afferent::time::{Clock, Instant, SystemClock};
use serde_json::json;

use super::outcome::{Fault, Resources, on_file, served, undisturbed};
use super::senders::{Senders, batches};
use super::ward::Ward;
use super::{BATCH, seconds};
use crate::support::{Client, Server, block_on, database, time};

const HOUR_US: i64 = 3_600_000_000;

/// The system's clock, set by somebody.
#[derive(Default)]
struct SetClock {
    by_us: AtomicI64,
}

impl Clock for SetClock {
    fn now(&self) -> Instant {
        SystemClock.now().plus(self.by_us.load(Ordering::Relaxed))
    }
}

#[test]
fn the_servers_clock_set_back_an_hour_changes_nothing() {
    let data = tempfile::tempdir().unwrap();
    let clock = Arc::new(SetClock::default());
    let database = database::fresh().unwrap_or_else(|| format!("sqlite:{}", data.path().join("afferent.db").display()));
    let given = Given {
        listen: Some("127.0.0.1:0".parse().unwrap()),
        data: Some(data.path().to_owned()),
        database: Some(database.clone()),
        ..Given::default()
    };
    // The server runs within this process, since that is where its clock can be set.
    let app = block_on(App::build(given.build().unwrap(), clock.clone())).unwrap();
    let client = Client::new(&app.address().unwrap().to_string(), &Server::key(data.path(), &database));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = std::thread::spawn(|| block_on(app.serve(async { drop(stopped.await) })));

    Ward::admit(&client);
    let ward = Ward::new(seconds());
    let senders: Vec<_> = ward.devices.iter().map(|packets| batches(packets, BATCH)).collect();
    let all: usize = senders.iter().map(Vec::len).sum();
    let sending = Senders::new(&client);
    sending.send(&senders, || {
        for (round, by_us) in (1..).zip([-HOUR_US, HOUR_US, -HOUR_US, 0]) {
            sending.wait_for(all * round / 6);
            clock.by_us.store(by_us, Ordering::Relaxed);
        }
    });
    let found = served(&client);
    drop(stop);
    running.join().unwrap().unwrap();
    assert_eq!(sending.acknowledged(), ward.packets());
    let fault = Fault { name: "server's clock set back an hour", rounds: "twice".to_owned() };
    fault.judge(&database, &sending.acknowledged(), undisturbed(), &found);
}

/// Without lineage, which names the packets as they were sent.
fn values(resources: Resources) -> Resources {
    resources.into_iter().filter(|(reference, _)| !reference.starts_with("Provenance/")).collect()
}

#[test]
fn a_devices_clock_set_back_an_hour_moves_no_wave() {
    let right = Ward::new(seconds()).waves_alone();
    let mut wrong = Ward::new(seconds()).waves_alone();
    for packets in &mut wrong.devices {
        for (second, packet) in (0..).zip(packets.iter_mut()).skip(seconds() as usize / 2) {
            packet["device_time"] = json!(time(second * 1_000_000 - HOUR_US));
        }
    }
    let server = Server::start();
    let client = server.client();
    Ward::admit(&client);
    let sending = Senders::new(&client);
    let senders: Vec<_> = wrong.devices.iter().map(|packets| batches(packets, BATCH)).collect();
    sending.send(&senders, || ());
    let found = served(&client);
    assert_eq!(sending.acknowledged(), wrong.packets());
    let fault = Fault { name: "devices' clocks set back an hour", rounds: format!("{} devices", wrong.devices.len()) };
    fault.judge(&server.url(), &sending.acknowledged(), &values(on_file(&right)), &values(found));
}
