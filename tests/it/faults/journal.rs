//! What is durable, read from the database itself.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use sqlx::{AnyConnection, Connection as _, Row as _};

use crate::support::block_on;

/// (device, stream, sequence) of packets, with the SHA-256 of their canonical form.
pub(super) type Packets = BTreeMap<(String, String, u64), [u8; 32]>;

/// Every packet in the journal; each is what its hash says.
pub(super) fn journal(url: &str) -> Packets {
    let rows = block_on(async {
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(url).await.unwrap();
        let all =
            "SELECT s.device, s.name, j.sequence, j.sha256, j.packet FROM journal j JOIN stream s ON s.id = j.stream";
        sqlx::query(all).fetch_all(&mut connection).await.unwrap()
    });
    let mut packets = Packets::new();
    for row in rows {
        let name = (row.get::<String, _>(0), row.get::<String, _>(1), row.get::<i64, _>(2).cast_unsigned());
        let sha256: [u8; 32] = row.get::<Vec<u8>, _>(3).try_into().unwrap();
        assert_eq!(<[u8; 32]>::from(Sha256::digest(row.get::<Vec<u8>, _>(4))), sha256, "{name:?} is damaged");
        assert!(packets.insert(name.clone(), sha256).is_none(), "{name:?} is there twice");
    }
    packets
}
