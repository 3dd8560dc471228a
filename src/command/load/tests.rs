use clap::Parser;

use super::*;
use crate::command::fake::{Fault, server, stored};
use crate::device::accepts;
use crate::packet::{Format, Limits, parse_one};
use crate::registry::Registry;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn args(to: &str, more: &[&str]) -> Args {
    let fixed = ["load", "--to", to, "--key", "sk_sandbox_x", "--devices", "3", "--seconds", "2"];
    Line::try_parse_from(fixed.iter().copied().chain(more.iter().copied())).unwrap().args
}

#[test]
fn cbor_and_json_are_the_same_packet_and_a_second_is_small() {
    let began = time::Instant::parse("2026-01-18T14:32:12Z").unwrap();
    let packet = |json: bool, second: u32| Fleet::new(7, 2, 250, 3, json).packet(1, second, began).body;
    for second in 0..3 {
        let cbor = parse_one(Format::Cbor, &packet(false, second), Limits::default()).unwrap();
        assert_eq!(parse_one(Format::Json, &packet(true, second), Limits::default()).unwrap(), cbor);
        accepts(&cbor, &Registry::builtin().unwrap()).unwrap();
        assert_eq!((cbor.device.as_str(), cbor.sequence), ("load-0002-7", u64::from(second)));
        assert_eq!(cbor.device_time.0, began.0 + 500_000 + i64::from(second) * MICROS);
        assert_eq!(cbor.end_of_stream, second == 2);
    }
    assert!(packet(false, 0).len() < 700, "{} bytes", packet(false, 0).len());
}

#[tokio::test]
async fn every_device_is_counted_over_http() {
    let (fake, to) = server(&[(1, Fault::Busy), (3, Fault::LostAnswer)]).await;
    let pid = std::process::id().to_string();
    let report = load(&args(&to, &["--connections", "2", "--pid", &pid])).await.unwrap();
    assert_eq!((report.packets, report.packets_acked, report.packets_lost, report.retries), (6, 6, 0, 2));
    assert_eq!((report.ack_ms.count, report.observations, report.fhir_ms.count), (6, 3, 3));
    assert!(report.ack_ms.p50 > 0.0 && report.fhir_ms.p50 > 0.0 && report.fhir_ms.p99 < 60_000.0, "{report}");
    assert!(report.server.is_some_and(|used| used.rss_mb > 1.0));
    assert_eq!(stored(&fake), 6);
    assert!(report.to_string().contains("6 sent, 6 acknowledged, 0 lost, 2 retries"), "{report}");
}

#[tokio::test]
async fn every_device_is_counted_over_websockets_and_in_batches() {
    for more in [&["--transport", "websocket", "--json"][..], &["--transport", "websocket", "--batch"], &["--batch"]] {
        let (fake, to) = server(&[]).await;
        let more = [more, &["--connections", "1", "--rate", "100"]].concat();
        let report = load(&args(&to, &more)).await.unwrap();
        assert_eq!((report.packets_acked, report.packets_lost, report.observations), (6, 0, 3));
        assert_eq!(stored(&fake), 6);
    }
}

#[tokio::test]
async fn what_a_server_does_not_take_is_lost() {
    let (_fake, to) = server(&[(2, Fault::Down)]).await;
    let report = load(&args(&to, &["--timeout", "0.2"])).await.unwrap();
    assert_eq!((report.packets_acked, report.packets_lost, report.failed_requests), (2, 4, 4));
    assert!(report.last_failure.as_deref().is_some_and(|why| why.contains("503")), "{report}");
}
