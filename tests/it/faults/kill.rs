//! `kill -9` of the server: under load, while it starts, and while only the pipeline is at work.

use std::time::Duration;

use super::outcome::{Fault, served, undisturbed};
use super::senders::{Senders, batches, pause};
use super::ward::Ward;
use super::{BATCH, rounds, seconds};
use crate::support::{Random, Server};

#[test]
fn killed_anywhere_a_server_goes_on_where_it_was() {
    let ward = Ward::new(seconds());
    let senders: Vec<_> = ward.devices.iter().map(|packets| batches(packets, BATCH)).collect();
    let all: usize = senders.iter().map(Vec::len).sum();
    let mut server = Server::start();
    let client = server.client();
    Ward::admit(&client);
    let sending = Senders::new(&client);
    let mut random = Random::new(20_261_121);
    let server = sending.send(&senders, || {
        for number in 0..rounds() {
            // The last ones come when everything is delivered or about to be.
            sending.wait_for(all * number / rounds());
            pause(&mut random, Duration::from_millis(15));
            server.kill();
            if random.below(5) == 0 {
                server.start_and_kill(Duration::from_micros(random.below(150_000)));
            }
            server = server.restart_after_kill();
            sending.turn_to(server.client_again(&client));
        }
        server
    });
    let found = served(&server.client_again(&client));
    let fault = Fault { name: "kill -9 of the server", rounds: format!("{} kills", rounds()) };
    assert_eq!(sending.acknowledged(), ward.packets());
    fault.judge(&server.url(), &sending.acknowledged(), undisturbed(), &found);
}
