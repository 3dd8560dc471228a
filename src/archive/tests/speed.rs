//! What a block costs.

use std::time::Duration;

use super::chain;
use crate::archive::block::{self, Draft, Hash, Packet};
use crate::archive::key::DataKey;
use crate::id::StreamName;
use crate::time::{Instant, MICROS};

/// `AFFERENT_SHARED=… cargo test --release --lib -- --ignored --nocapture archive_speed`: CPU time and bytes of sealing one-second
/// packets of MIT-BIH record 101, in blocks of five minutes.
#[test]
#[ignore = "prints times, needs recordings"]
#[allow(clippy::print_stdout, clippy::disallowed_methods)]
fn archive_speed() {
    const ROUNDS: u32 = 20;
    const BLOCK: usize = 300;
    let shared = std::path::PathBuf::from(std::env::var_os("AFFERENT_SHARED").expect("AFFERENT_SHARED"));
    let packets = packets(&std::fs::read(shared.join("signals/dev/mitdb/101.dat")).unwrap());
    let whole = packets.len() / BLOCK * BLOCK;
    let key = DataKey::random().unwrap();
    let before = cpu();
    let mut sealed = 0;
    for round in 0..ROUNDS {
        for (number, some) in (1..).zip(packets[..whole].chunks(BLOCK)) {
            let salt = Hash::of(&[round as u8, number as u8]).0;
            let draft = Draft { chain: chain("clinic", "a"), previous: None, number, key: "k".repeat(32), salt };
            sealed += block::seal(draft, some, &key).unwrap().bytes.len();
        }
    }
    let spent = cpu().saturating_sub(before);
    let count = whole * ROUNDS as usize;
    let plain: usize = packets[..whole].iter().map(|packet| packet.json.len()).sum::<usize>() * ROUNDS as usize;
    println!("{:.0} bytes a packet, {:.0} sealed", plain as f64 / count as f64, sealed as f64 / count as f64);
    let ms = spent.as_secs_f64() * 1e3;
    println!("{:.2} ms of CPU a MB, {:.1} us a packet", ms / (plain as f64 / 1e6), ms * 1e3 / count as f64);
}

/// The first lead, a packet a second. <https://physionet.org/physiotools/wag/signal-5.htm> (format 212)
fn packets(file: &[u8]) -> Vec<Packet> {
    let count = |b: &[u8]| (i32::from(b[0]) | i32::from(b[1] & 0xf) << 8) << 20 >> 20;
    let volts: Vec<String> = file.chunks_exact(3).map(|b| (f64::from(count(b) - 1024) / 200.0).to_string()).collect();
    let packet = |(n, values): (usize, &[String])| {
        let json = format!(
            "{{\"device\":\"lumee-0001\",\"device_time\":\"2026-01-18T14:{:02}:{:02}.000000Z\",\"samples\":{{\"rate_hz\":360,\
             \"signal\":\"ecg\",\"unit\":\"mV\",\"values\":[{}]}},\"sequence\":{n},\"stream\":\"ecg\"}}",
            n / 60,
            n % 60,
            values.join(",")
        );
        Packet {
            stream: StreamName::new("ecg").unwrap(),
            sequence: n as u64,
            received: Instant(1_768_744_800_000_000 + n.cast_signed() as i64 * (MICROS + 3)),
            position: n.cast_signed() as i64 * 17,
            sha256: Hash::of(json.as_bytes()),
            json: json.into_bytes(),
        }
    };
    volts.chunks_exact(360).enumerate().map(packet).collect()
}

/// CPU time of this process, to 10 ms.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let ticks = stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2);
    Duration::from_millis(10 * ticks.map(|t| t.parse::<u64>().unwrap()).sum::<u64>())
}
