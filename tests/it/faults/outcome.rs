//! What came of a fault: a line of the matrix, and the judgement.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::journal::{Packets, journal};
use super::senders::batches;
use super::ward::Ward;
use super::{BATCH, seconds};
use crate::support::{Client, Server, everything};

/// A fault, where, and how often.
pub(super) struct Fault {
    pub(super) name: &'static str,
    pub(super) rounds: String,
}

/// Everything served, by reference.
pub(super) type Resources = BTreeMap<String, String>;

/// What a server makes of the ward that nothing happens to.
pub(super) fn undisturbed() -> &'static Resources {
    static RESOURCES: OnceLock<Resources> = OnceLock::new();
    RESOURCES.get_or_init(|| on_file(&Ward::new(seconds())))
}

/// What an undisturbed server on a file makes of a ward.
pub(super) fn on_file(ward: &Ward) -> Resources {
    let server = Server::on_file();
    let client = server.client();
    Ward::admit(&client);
    let senders: Vec<_> = ward.devices.iter().map(|packets| batches(packets, BATCH)).collect();
    senders.iter().flatten().for_each(|batch| client.ingest_all(batch));
    served(&client)
}

/// Everything a server serves when it has processed all it has.
pub(super) fn served(client: &Client) -> Resources {
    client.settle();
    everything(client).into_iter().map(|(reference, text)| (reference, comparable(&text))).collect()
}

/// A resource without the number of its version. How it came to be as it is does not matter, so what was amended is final,
/// and why is left out.
fn comparable(text: &str) -> String {
    const MEMBER: &str = "\"versionId\":\"";
    let (before, rest) = text.split_once(MEMBER).unwrap_or_else(|| panic!("no versionId in {text}"));
    let (_, after) = rest.split_once('"').unwrap();
    let text = format!("{before}{}", after.strip_prefix(',').unwrap_or(after));
    if text.starts_with("{\"resourceType\":\"Provenance\"") {
        let (before, rest) = text.split_once(",\"reason\":").or_else(|| text.split_once(",\"activity\":")).unwrap();
        let (_, after) = rest.split_once(",\"agent\":").unwrap();
        return format!("{before},\"agent\":{after}");
    }
    if !text.starts_with("{\"resourceType\":\"Observation\"") {
        return text;
    }
    text.replacen("\"status\":\"amended\"", "\"status\":\"final\"", 1)
}

/// Where servers of this run keep their data.
pub(super) fn home() -> &'static str {
    if std::env::var_os("AFFERENT_TEST_POSTGRES").is_some() { "PostgreSQL" } else { "SQLite" }
}

impl Fault {
    /// Prints the line of the matrix, and fails unless what was acknowledged is durable, nothing else is, and all that is
    /// served is what should be.
    #[track_caller]
    pub(super) fn judge(self, url: &str, acknowledged: &Packets, expected: &Resources, found: &Resources) {
        let durable = journal(url);
        let differences = differences(expected, found);
        let (name, rounds, home) = (self.name, self.rounds, home());
        let (packets, kept, compared) = (acknowledged.len(), durable.len(), expected.len());
        println!("fault | {name} | {home} | {rounds} | {packets} | {kept} | {compared} | {}", differences.len());
        assert_eq!(&durable, acknowledged, "what was acknowledged is not what is durable");
        assert!(compared > 100, "only {compared} resources");
        let Some(first) = differences.first() else { return };
        panic!(
            "{} differences: {differences:?}\n was {:?}\n now {:?}",
            differences.len(),
            expected.get(first),
            found.get(first)
        );
    }
}

/// References of what is missing, extra, or not the same.
fn differences(expected: &Resources, found: &Resources) -> Vec<String> {
    let lost = expected.iter().filter(|(reference, text)| found.get(*reference) != Some(*text));
    let extra = found.keys().filter(|reference| !expected.contains_key(*reference));
    lost.map(|(reference, _)| reference).chain(extra).cloned().collect()
}
