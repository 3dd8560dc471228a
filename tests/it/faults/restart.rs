//! The database is restarted while the server works.

use std::time::Duration;

use super::outcome::{Fault, served, undisturbed};
use super::senders::{Senders, batches, pause};
use super::ward::Ward;
use super::{BATCH, rounds, seconds};
use crate::support::database::{self, Cluster};
use crate::support::{Random, Server};

#[test]
#[ignore = "needs AFFERENT_TEST_POSTGRES"]
fn a_database_restarted_in_any_way_costs_nothing_but_time() {
    let cluster = Cluster::start();
    let url = database::fresh_on(&cluster.url);
    let server = Server::on(&url);
    let client = server.client();
    Ward::admit(&client);
    let ward = Ward::new(seconds());
    let senders: Vec<_> = ward.devices.iter().map(|packets| batches(packets, BATCH)).collect();
    let all: usize = senders.iter().map(Vec::len).sum();
    let restarts = (rounds() / 4).max(2);
    let sending = Senders::new(&client);
    let mut random = Random::new(15);
    sending.send(&senders, || {
        for number in 0..restarts {
            sending.wait_for(all * number / restarts);
            pause(&mut random, Duration::from_millis(30));
            cluster.stop(if number % 2 == 0 { "fast" } else { "immediate" });
            // While it is away, whoever reads is told to come again.
            let reply = client.get("/fhir/R4/Observation?_count=1");
            assert_eq!(reply.status, 503, "{}", reply.text());
            assert!(reply.retry_after.is_some_and(|seconds| seconds > 0), "{reply:?}");
            assert_eq!(reply.json()["resourceType"], "OperationOutcome");
            cluster.start_again();
        }
    });
    let found = served(&client);
    assert!(server.is_alive() && !server.log().contains("panicked"), "{}", server.log());
    assert_eq!(sending.acknowledged(), ward.packets());
    let rounds = format!("{restarts} restarts, {} refused", sending.refusals(503));
    let fault = Fault { name: "PostgreSQL restarted, fast and immediate", rounds };
    fault.judge(&url, &sending.acknowledged(), undisturbed(), &found);
}
