//! The disk is full, and later it is not.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::outcome::{Fault, served, undisturbed};
use super::senders::{Senders, batches};
use super::ward::Ward;
use super::{BATCH, seconds};
use crate::support::{Server, eventually, time};

/// How large the disk is.
const SIZE: &str = "size=192m";
/// How often it fills up.
const ROUNDS: usize = 3;

/// A small disk of its own.
struct Disk(TempDir);

impl Disk {
    /// None where the test may not mount one.
    fn mount() -> Option<Self> {
        let disk = Self(tempfile::tempdir().unwrap());
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(disk.0.path()).output().ok()?;
        mount.status.success().then_some(disk)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the space there is.
    fn fill(&self) {
        let mut ballast = File::options().create(true).append(true).open(self.path().join("ballast")).unwrap();
        for length in [1 << 20, 1 << 12] {
            while ballast.write_all(&vec![0; length]).is_ok() {}
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.path().join("ballast")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).output();
    }
}

/// A large packet of a device nobody knows: it takes space and nothing comes of it.
fn stray(sequence: &mut u64) -> Value {
    *sequence += 1;
    let values: Vec<f64> = (0..40_000).map(|n| f64::from(n % 977) / 1000.0).collect();
    json!({
        "device": "stray-1", "stream": "ecg", "sequence": *sequence, "device_time": time(0),
        "samples": {"signal": "ecg", "rate_hz": 1000, "unit": "mV", "values": values},
    })
}

#[test]
fn a_full_disk_refuses_clearly_and_goes_on_when_there_is_space() {
    let Some(disk) = Disk::mount() else {
        println!("skipped: a full disk, since this user may not mount one");
        return;
    };
    let url = format!("sqlite:{}", disk.path().join("afferent.db").display());
    let server = Server::on(&url);
    let client = server.client();
    Ward::admit(&client);
    let ward = Ward::new(seconds());
    let senders: Vec<_> = ward.devices.iter().map(|packets| batches(packets, BATCH)).collect();
    let all: usize = senders.iter().map(Vec::len).sum();
    let sending = Senders::new(&client);
    let mut strays = 0;
    sending.send(&senders, || {
        for round in 0..ROUNDS {
            sending.wait_for(all * (round + 1) / (ROUNDS + 2));
            let refused = sending.refusals(507);
            eventually("the disk to be full", || {
                disk.fill();
                // The database has a log of some megabytes it can still write to.
                sending.offer(&[stray(&mut strays)]);
                (sending.refusals(507) > refused + 4).then_some(())
            });
            // What is there can be read all the time.
            client.get("/fhir/R4/Device?_count=1").expect(200);
            client.get("/readyz").expect(200);
            std::thread::sleep(Duration::from_millis(200));
            disk.free();
        }
    });
    let found = served(&client);
    assert!(server.is_alive() && !server.log().contains("panicked"), "{}", server.log());
    let acknowledged = sending.acknowledged();
    assert!(ward.packets().iter().all(|(name, sha256)| acknowledged.get(name) == Some(sha256)));
    let rounds = format!("{ROUNDS} times full, {} refused", sending.refusals(507));
    Fault { name: "disk full", rounds }.judge(&url, &acknowledged, undisturbed(), &found);
}
