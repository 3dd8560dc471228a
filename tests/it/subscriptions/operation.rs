//! What who runs the server sees: counters, and who did what.

use serde_json::{Value, json};

use super::listener::{Answer, Listener};
use super::{OWN, active, arrives, beat, becomes, extend, subscribe, to_topic};
use crate::support::{Client, Server, eventually};

/// The value of a line of `/metrics`.
#[track_caller]
fn metric(client: &Client, line: &str) -> i64 {
    let text = client.get("/metrics").expect(200).text();
    let found = text
        .lines()
        .find_map(|one| one.strip_prefix(line)?.strip_prefix(' '))
        .unwrap_or_else(|| panic!("{line}: {text}"));
    found.parse().unwrap()
}

#[test]
fn counters_tell_how_subscriptions_fare_and_of_nobody() {
    let server = Server::start();
    let client = server.client();
    let (good, bad) = (Listener::start(), Listener::start());
    let notified = |channel: &str, outcome: &str| {
        format!("afferent_subscription_notifications_total{{channel=\"{channel}\",outcome=\"{outcome}\"}}")
    };
    let with_status = |status: &str| metric(&client, &format!("afferent_subscriptions{{status=\"{status}\"}}"));
    let id = active(&client, &to_topic("observation", &[], &good.url, "id-only"));
    active(&client, &to_topic("observation", &[], &bad.url, "id-only"));
    assert_eq!(
        (with_status("active"), with_status("error"), metric(&client, &notified("rest-hook", "sent"))),
        (2, 0, 2)
    );
    bad.answer(&[Answer::Status(500); 10]);
    beat(&client, "o1", "p1", 60);
    beat(&client, "o2", "p1", 60);
    arrives(&good, 2);
    eventually("what has not arrived to be counted", || {
        (metric(&client, "afferent_subscription_events_waiting") == 2).then_some(())
    });
    assert_eq!(metric(&client, "afferent_subscription_events_total"), 4);
    assert_eq!(metric(&client, "afferent_subscription_changes_waiting"), 0);
    eventually("the oldest to be old", || (metric(&client, "afferent_subscription_age_seconds") >= 1).then_some(()));
    assert!(metric(&client, &notified("rest-hook", "failed")) >= 1);
    let mut off = client.fhir(&format!("Subscription/{id}"));
    off["status"] = json!("off");
    client.put(&format!("/fhir/R4/Subscription/{id}"), &off).expect(200);
    assert_eq!((with_status("active"), with_status("off")), (1, 1));
    let text = client.get("/metrics").expect(200).text();
    for named in [id.as_str(), "p1", "o1", "127.0.0.1", "default"] {
        let lines = text.lines().filter(|line| line.contains("subscription"));
        assert!(lines.clone().all(|line| !line.contains(named)), "{named} in {text}");
    }
    assert!(text.trim_end().ends_with("# EOF"));
}

/// What the audit says of a subscription: who, what, and the rest.
fn audit(server: &Server, id: &str) -> Vec<[String; 3]> {
    let out = String::from_utf8(server.admin(&["archive", "audit"]).stdout).unwrap();
    let records = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let text = |record: &Value, name: &str| record[name].as_str().unwrap_or_default().to_owned();
    let of = format!("Subscription/{id}");
    let own = records.filter(|record| record["tenant"] == "default" && text(record, "detail").starts_with(&of));
    own.map(|record| [text(&record, "who"), text(&record, "action"), text(&record, "detail").replace(&of, "")])
        .collect()
}

#[test]
fn the_audit_says_who_wrote_a_subscription_and_why_it_ended() {
    let server = Server::start();
    let client = server.client();
    let listener = Listener::start();
    let origin = listener.url.strip_suffix("/hook").unwrap();
    // It fails, is asked for again, and is deleted.
    listener.answer(&[Answer::Status(503)]);
    let mut subscription = to_topic("vital-sign", &["patient=p1"], &listener.url, "empty");
    extend(&mut subscription, &format!("{OWN}subscription-max-attempts"), "valuePositiveInt", json!(1));
    let id = subscribe(&client, &subscription);
    let mut again = becomes(&client, &id, "error");
    again["status"] = json!("requested");
    client.put(&format!("/fhir/R4/Subscription/{id}"), &again).expect(200);
    becomes(&client, &id, "active");
    client.delete(&format!("/fhir/R4/Subscription/{id}")).expect(204);
    let said = audit(&server, &id);
    let actions: Vec<&str> = said.iter().map(|[_, action, _]| action.as_str()).collect();
    assert_eq!(actions, ["create", "error", "update", "delete"].map(|action| format!("subscription-{action}")));
    assert!(said[0][0].starts_with("key/") && said[0][0] == said[2][0] && said[0][0] == said[3][0], "{said:?}");
    assert_eq!(
        (said[0][2].as_str(), said[1][0].as_str()),
        (format!(" vital-sign by rest-hook {origin}").as_str(), "server")
    );
    assert!(said[1][2].contains("503"), "{said:?}");
    assert!(said.iter().all(|record| !record[2].contains("p1")));
    // What it was asked for with expires.
    let created = server.admin(&["key", "create", "--sandbox", "--tenant", "default"]);
    let other = client.with_key(String::from_utf8(created.stdout).unwrap().trim());
    let id = active(&other, &subscription);
    let keys = String::from_utf8(server.admin(&["key", "list"]).stdout).unwrap();
    let key = keys.lines().last().unwrap().split('\t').next().unwrap();
    assert!(server.admin(&["key", "revoke", key]).status.success());
    eventually("the key to be refused", || (other.get("/fhir/R4/Patient").status == 401).then_some(()));
    std::thread::sleep(std::time::Duration::from_millis(1200));
    beat(&client, "o1", "p1", 60);
    becomes(&client, &id, "off");
    let said = audit(&server, &id);
    assert_eq!(said[0][0], format!("key/{key}"));
    assert_eq!((said[1][0].as_str(), said[1][1].as_str()), ("server", "subscription-off"));
    assert!(said[1][2].contains("expired or was taken back"), "{said:?}");
}
