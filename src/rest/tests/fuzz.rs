//! Seeds, changed at random: whatever comes, nobody is told of a failure inside, and what is refused leaves no trace.

use serde_json::json;

use super::write::{Writer, patient};
use super::*;

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}

/// Method, path, body, headers.
type Seed = (&'static str, &'static str, Value, &'static [(&'static str, &'static str)]);

fn seeds() -> Vec<Seed> {
    let observation = json!({"resourceType": "Observation", "id": "f", "status": "final", "meta": {"tag": [{"code": "x"}]},
        "contained": [{"resourceType": "Patient", "id": "c"}], "subject": {"reference": "#c"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}, "effectivePeriod": {"start": "2026-01-18"},
        "component": [{"code": {"text": "a"}, "valueQuantity": {"value": 1.50}}], "_status": {"extension": [{"url": "u", "valueInteger": 3}]},
        "extension": [{"url": "http://x", "valueCodeableConcept": {"text": "y"}}]});
    let operation = json!({"resourceType": "Parameters", "parameter": [{"name": "operation", "part": [
        {"name": "type", "valueCode": "add"}, {"name": "path", "valueString": "Patient.name.where(use = 'official')[0]"},
        {"name": "name", "valueString": "given"}, {"name": "value", "valueString": "x"}]}]});
    let mut conditional = json!({"fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000001", "resource": patient("f"),
        "request": {"method": "POST", "url": "Patient", "ifNoneExist": "identifier=urn:s|f"}});
    conditional["resource"]["link"] =
        json!([{"other": {"reference": "Patient?identifier=urn:s|f"}, "type": "seealso"}]);
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [conditional,
        {"resource": observation, "request": {"method": "PUT", "url": "Observation/f", "ifMatch": "W/\"1\""}},
        {"request": {"method": "DELETE", "url": "Patient?identifier=gone"}},
        {"resource": operation, "request": {"method": "PATCH", "url": "Patient/seed"}},
        {"request": {"method": "GET", "url": "Observation?subject=Patient/p0&_count=1", "ifNoneMatch": "W/\"1\""}}]});
    let mut batch = bundle.clone();
    batch["type"] = json!("batch");
    vec![
        ("POST", "/Observation", observation.clone(), &[]),
        ("PUT", "/Observation/f", observation, &[("if-match", "*")]),
        ("PATCH", "/Patient/seed", operation, &[]),
        (
            "PATCH",
            "/Patient/seed",
            json!([{"op": "add", "path": "/name/0/given/-", "value": "x"}, {"op": "move", "from": "/name/0", "path": "/name/1"}]),
            &[("content-type", "application/json-patch+json")],
        ),
        ("POST", "", bundle, &[]),
        ("POST", "", batch, &[]),
    ]
}

/// Changes one place somewhere below.
fn mutate(value: &mut Value, dice: &mut Dice) {
    let inner = dice.roll(4) > 0;
    match value {
        Value::Object(members) if inner && !members.is_empty() => {
            let at = dice.roll(members.len());
            let name = members.keys().nth(at).unwrap().clone();
            match dice.roll(12) {
                0 => drop(members.remove(&name)),
                1 => {
                    let moved = members.remove(&name).unwrap();
                    members.insert(format!("{name}x"), moved);
                }
                2 => {
                    let copy = members[&name].clone();
                    members.insert(format!("_{name}"), copy);
                }
                _ => mutate(members.get_mut(&name).unwrap(), dice),
            }
        }
        Value::Array(items) if inner && !items.is_empty() => {
            let at = dice.roll(items.len());
            match dice.roll(8) {
                0 => drop(items.remove(at)),
                1 => items.push(items[at].clone()),
                _ => mutate(&mut items[at], dice),
            }
        }
        Value::String(text) if inner => {
            let at = dice.roll(text.chars().count() + 1);
            let odd = [
                "",
                "\u{0}",
                "é",
                "\"",
                "\\",
                "?",
                "|",
                "/",
                "urn:uuid:",
                "$",
                "%",
                " ",
                "#",
                "_history/",
                ".",
                "(",
                "9",
            ];
            let mut changed: String = text.chars().take(at).collect();
            changed.push_str(odd[dice.roll(odd.len())]);
            changed.extend(text.chars().skip(at + dice.roll(2)));
            *text = changed;
        }
        _ => {
            let others = [
                json!(null),
                json!(""),
                json!("x"),
                json!(-1),
                json!(1e300),
                json!(true),
                json!([]),
                json!({}),
                json!([[]]),
                json!({"a": [{}]}),
                json!(i64::MAX),
                json!("x".repeat(5000)),
                json!({"$serde_json::private::Number": "1,x"}),
            ];
            *value = others[dice.roll(others.len())].clone();
        }
    }
}

#[tokio::test]
async fn nothing_that_is_sent_makes_the_server_fail() {
    let writer = Writer::new().await;
    let seed =
        json!({"resourceType": "Patient", "id": "seed", "name": [{"use": "official", "given": ["a"]}, {"text": "b"}]});
    super::write::is(&writer.send("PUT", "/Patient/seed", seed, &[]).await, 201);
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for round in 0..400 {
        for (method, path, seed, headers) in seeds() {
            let mut sent = seed.clone();
            for _ in 0..=dice.roll(3) {
                mutate(&mut sent, &mut dice);
            }
            let mut bytes = sent.to_string().into_bytes();
            if round % 4 == 0 {
                let at = dice.roll(bytes.len().max(1));
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = u8::try_from(dice.roll(256)).unwrap();
                }
            }
            let before = writer.server.get("/_history?_count=1").await.json()["entry"].clone();
            let answer = writer.send_bytes(method, path, bytes.clone(), headers).await;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            assert!(!answer.status.is_server_error(), "{method} {path} {text}");
            crate::fhir::json::parse(&answer.body).unwrap_or_else(|e| panic!("{e}: {text}"));
            let inner = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(!inner.contains("\"status\":\"5"), "{text}: {inner}");
            if answer.status.is_client_error() {
                assert_eq!(answer.json()["resourceType"], "OperationOutcome");
                let after = writer.server.get("/_history?_count=1").await.json()["entry"].clone();
                assert_eq!(before, after, "{text}");
            }
        }
    }
    // What was taken can be read.
    let mut path = "/_history?_count=200".to_owned();
    loop {
        let page = writer.server.get(&path).await;
        crate::fhir::json::parse(&page.body).unwrap();
        let Some(next) = page.link("next") else { break };
        path = next.strip_prefix(BASE).unwrap().to_owned();
    }
}

#[tokio::test]
async fn no_header_makes_the_server_fail() {
    let writer = Writer::new().await;
    let mut dice = Dice(7);
    let values = [
        "",
        "x",
        "*",
        "W/\"1\"",
        "W/",
        "é",
        "identifier=urn:s|f",
        "identifier",
        "&&&",
        "application/fhir+xml",
        "return=x",
        "q=",
        ";;;",
        "\"",
        "gzip",
        "{\"resourceType\":\"Provenance\"}",
        "Sun, 01 Feb 2026 00:00:00 GMT",
        "respond-async",
    ];
    let names = [
        "if-match",
        "if-none-match",
        "if-none-exist",
        "if-modified-since",
        "prefer",
        "accept",
        "content-type",
        "x-provenance",
        "content-encoding",
    ];
    for _ in 0..500 {
        let headers: Vec<(&str, &str)> =
            (0..=dice.roll(3)).map(|_| (names[dice.roll(names.len())], values[dice.roll(values.len())])).collect();
        let (method, path) = [
            ("POST", "/Patient"),
            ("PUT", "/Patient/f"),
            ("PATCH", "/Patient/f"),
            ("DELETE", "/Patient/f"),
            ("GET", "/Patient/f"),
            ("POST", ""),
        ][dice.roll(6)];
        let answer = writer.send(method, path, patient("f"), &headers).await;
        assert!(
            !answer.status.is_server_error(),
            "{method} {path} {headers:?}: {}",
            String::from_utf8_lossy(&answer.body)
        );
    }
}
