//! Archiving, verifying, rotating, deleting; on SQLite, and on PostgreSQL where `AFFERENT_TEST_POSTGRES` names one.

mod deletion;
mod speed;
mod tampering;
mod writing;

use std::sync::Arc;

use tempfile::TempDir;

use super::block::{Hash, Packet};
use super::home::{Home, LocalHome};
use super::master::{FileMaster, Master};
use super::read::Reader;
use super::verify::{Report, Scope, verify};
use super::{Archive, ChainKey, Given, Settings, archivist};
use crate::id::{DeviceKey, StreamName, TenantId};
use crate::store::{Act, Appended, NewEntry, Store, StreamKey, fixture};
use crate::time::{DeviceTime, Instant};

/// When packets come: five weeks apart from month to month.
const JANUARY: &str = "2026-01-18T14:00:00Z";
const FEBRUARY: &str = "2026-02-01T00:00:00Z";

/// A database, an archive, and a master key.
struct Site {
    store: Store,
    place: TempDir,
    settings: Settings,
    master: Master,
    _database: TempDir,
}

impl Site {
    async fn new() -> Self {
        let (database, store) = fixture::store().await;
        let place = TempDir::new().unwrap();
        let given = Given { block_bytes: Some(400), block_seconds: Some(0), ..Given::default() };
        let settings = given.build(place.path()).unwrap();
        let master: Master = Arc::new(FileMaster::new([1; 32]));
        store.adopt_archive_master(master.id()).await.unwrap();
        Self { store, place, settings, master, _database: database }
    }

    fn local(&self) -> Arc<LocalHome> {
        Arc::new(LocalHome::new(self.place.path().join("archive")))
    }

    fn archive(&self) -> Archive {
        self.archive_in(self.local())
    }

    fn archive_in(&self, home: Arc<dyn Home>) -> Archive {
        Archive::new(self.store.clone(), home, Arc::clone(&self.master))
    }

    /// Makes packets `numbers` of a device's stream durable.
    async fn send(&self, chain: &ChainKey, stream: &str, numbers: std::ops::Range<u64>, at: &str) -> Vec<Appended> {
        let name = StreamName::new(stream).unwrap();
        let key = StreamKey { tenant: chain.tenant.clone(), device: chain.device.clone(), name };
        let stream = self.store.stream_id(&key).await.unwrap();
        let entry = |sequence| {
            let packet = body(chain, sequence);
            let received = Instant::parse(at).unwrap().plus(sequence.cast_signed());
            NewEntry { stream, sequence, received, device: DeviceTime(received.0), sha256: Hash::of(&packet).0, packet }
        };
        self.store.append(&numbers.map(entry).collect::<Vec<_>>()).await.unwrap().1
    }

    async fn archive_all(&self) {
        archivist::archive_all(&self.archive(), &self.settings).await.unwrap();
    }

    async fn verify(&self) -> Report {
        verify(&self.archive(), &Scope::default()).await.unwrap()
    }

    /// Everything a device has in the archive, without the database.
    async fn read(&self, chain: &ChainKey) -> Vec<Packet> {
        let reader = Reader::open(self.local(), &self.master, &chain.tenant).await.unwrap();
        let mut packets = Vec::new();
        for block in reader.blocks(chain).await.unwrap() {
            packets.extend(reader.packets(&block).await.unwrap().unwrap());
        }
        packets
    }

    /// The files of a device's blocks.
    async fn blocks(&self, chain: &ChainKey) -> Vec<std::path::PathBuf> {
        let files = self.local().files(&super::home::chain_folder(chain)).await.unwrap();
        files.into_iter().map(|item| self.place.path().join("archive").join(item.path)).collect()
    }
}

fn chain(tenant: &str, device: &str) -> ChainKey {
    ChainKey { tenant: TenantId::new(tenant).unwrap(), device: DeviceKey::new(device).unwrap() }
}

fn body(chain: &ChainKey, sequence: u64) -> Vec<u8> {
    format!("{{\"device\":\"{}\",\"values\":[{sequence},0.5,0.25]}}", chain.device).into_bytes()
}

fn act<'a>(action: &'a str, tenant: Option<&'a TenantId>) -> Act<'a> {
    Act { who: "tester", action, tenant, device: None, period: None, detail: "" }
}

/// Lets a test write to a file of the archive.
fn writable(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
