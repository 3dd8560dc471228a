//! The last write of the archive is cut off: the server is killed while it archives, and what it was writing is torn.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::{AnyConnection, Connection as _, Row as _};

use super::journal::Packets;
use super::outcome::{Fault, served, undisturbed};
use super::senders::{Senders, batches, pause};
use super::ward::{Ward, name_and_hash};
use super::{BATCH, rounds, seconds};
use crate::archive::{SMALL, admin, archived, verified};
use crate::support::{Random, Server, block_on};

#[test]
fn a_torn_last_write_of_the_archive_costs_nothing() {
    let ward = Ward::new(seconds());
    let senders: Vec<_> = ward.devices.iter().map(|packets| batches(packets, BATCH)).collect();
    let all: usize = senders.iter().map(Vec::len).sum();
    let mut server = Server::with_environment(&SMALL);
    let client = server.client();
    Ward::admit(&client);
    let sending = Senders::new(&client);
    let mut random = Random::new(1_611_202);
    let (server, torn) = sending.send(&senders, || {
        let mut torn = 0;
        for number in 0..rounds() {
            sending.wait_for(all * number / rounds());
            pause(&mut random, Duration::from_millis(15));
            server.kill();
            torn += tear(&server);
            server = server.restart_after_kill();
            sending.turn_to(server.client_again(&client));
        }
        (server, torn)
    });
    let client = server.client_again(&client);
    let found = served(&client);
    let acknowledged = sending.acknowledged();
    assert_eq!(acknowledged, ward.packets());
    assert!(torn > 0, "no block was being written when the server was killed");
    archived(&server);
    verified(&server);
    assert_eq!(in_archive(&server), acknowledged, "what was acknowledged is not what is archived");
    let rounds = format!("{} kills, {torn} blocks torn", rounds());
    Fault { name: "torn last write of the archive", rounds }.judge(&server.url(), &acknowledged, undisturbed(), &found);
}

/// Cuts off the blocks that were being written; gives their number.
fn tear(server: &Server) -> usize {
    let blocks = being_written(&server.url());
    for (path, bytes) in &blocks {
        let path = server.data().join("archive").join(path);
        let whole = fs::read(&path).unwrap_or_else(|_| vec![0; *bytes]);
        put(&path, &whole[..whole.len() / 2]);
    }
    blocks.len()
}

fn put(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    if path.exists() {
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o400)).unwrap();
}

/// Files and sizes of blocks that are announced and not part of their chain yet.
fn being_written(url: &str) -> Vec<(PathBuf, usize)> {
    let rows = block_on(async {
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(url).await.unwrap();
        let announced = "SELECT b.device, b.number, b.name, b.bytes FROM archive_block b LEFT JOIN archive_head h \
             ON h.tenant = b.tenant AND h.device = b.device WHERE b.tenant = 'default' AND b.number > COALESCE(h.number, 0)";
        sqlx::query(announced).fetch_all(&mut connection).await.unwrap()
    });
    let file = |row: &sqlx::any::AnyRow| {
        let (device, number, name): (String, i64, Vec<u8>) = (row.get(0), row.get(1), row.get(2));
        let path = format!("t-default/d-{device}/{number:010}-{}.block", hex::encode(name));
        (PathBuf::from(path), usize::try_from(row.get::<i64, _>(3)).unwrap())
    };
    rows.iter().map(file).collect()
}

/// Every packet in the archive.
fn in_archive(server: &Server) -> Packets {
    let mut packets = Packets::new();
    for device in ["patch-1", "clip-1", "patch-2", "clip-2"] {
        for line in admin(server, &["archive", "read", "--device", device]).lines() {
            let (name, sha256) = name_and_hash(&serde_json::from_str(line).unwrap());
            assert!(packets.insert(name.clone(), sha256).is_none(), "{name:?} is archived twice");
        }
    }
    packets
}
