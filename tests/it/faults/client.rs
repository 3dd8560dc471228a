//! Senders and networks at fault.

use serde_json::Value;

use super::outcome::{Fault, served, undisturbed};
use super::senders::{Senders, batches};
use super::ward::Ward;
use super::{BATCH, seconds};
use crate::support::{Random, Server};

/// Sends what each sender has, in its order; compares with the undisturbed run.
fn run(fault: Fault, ward: &Ward, senders: &[Vec<Vec<Value>>]) {
    let server = Server::start();
    let client = server.client();
    Ward::admit(&client);
    let sending = Senders::new(&client);
    sending.send(senders, || ());
    let found = served(&client);
    assert_eq!(sending.acknowledged(), ward.packets());
    fault.judge(&server.url(), &sending.acknowledged(), undisturbed(), &found);
}

#[test]
fn a_client_that_sends_everything_three_times_changes_nothing() {
    let ward = Ward::new(seconds());
    // Each request three times at once, and then everything twice more.
    let thrice = |packets: &Vec<Value>| {
        let once = batches(packets, BATCH);
        let mut all: Vec<_> = once.iter().flat_map(|batch| [batch.clone(), batch.clone(), batch.clone()]).collect();
        all.extend(once.iter().cloned().cycle().take(2 * once.len()));
        all
    };
    // And two senders a device, as when an answer is waited for too impatiently.
    let senders: Vec<_> = ward.devices.iter().flat_map(|packets| [thrice(packets), batches(packets, BATCH)]).collect();
    let fault = Fault { name: "everything sent three times and more", rounds: "6 times".to_owned() };
    run(fault, &ward, &senders);
}

#[test]
fn thirty_percent_lost_and_the_rest_in_disorder_end_in_the_same() {
    let ward = Ward::new(seconds());
    let mut random = Random::new(30);
    let mut lost = 0;
    let mut disturb = |packets: &Vec<Value>| {
        let mut arriving: Vec<(usize, &Value)> = Vec::new();
        for (place, packet) in packets.iter().enumerate() {
            // What is lost comes again after a while, some of it after minutes.
            let is_lost = random.below(100) < 30;
            lost += usize::from(is_lost);
            let late = if is_lost { 10 + random.below(180) as usize } else { random.below(6) as usize };
            arriving.push((place + late, packet));
        }
        arriving.sort_by_key(|(place, _)| *place);
        let arriving: Vec<Value> = arriving.into_iter().map(|(_, packet)| packet.clone()).collect();
        batches(&arriving, BATCH)
    };
    let senders: Vec<_> = ward.devices.iter().map(&mut disturb).collect();
    let fault = Fault { name: "30 % loss with reordering", rounds: format!("{lost} lost") };
    run(fault, &ward, &senders);
}
