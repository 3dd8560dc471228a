//! What is written, what is read back, and what a crash leaves.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;

use super::*;
use crate::archive::home::{HomeError, Item, Removal};
use crate::archive::{ArchiveError, Period};

#[tokio::test]
async fn what_is_durable_is_archived_and_can_be_read_without_the_database() {
    let site = Site::new().await;
    let (one, two) = (chain("clinic", "chest:1"), chain("clinic", ".."));
    site.send(&one, "ecg", 0..30, JANUARY).await;
    site.send(&one, "ppg", 5..8, JANUARY).await;
    site.send(&two, "ecg", 1..3, JANUARY).await;
    site.send(&one, "ecg", 30..40, FEBRUARY).await;
    site.archive_all().await;
    let report = site.verify().await;
    assert_eq!(report.problems, []);
    assert_eq!(report.chains.iter().map(|c| c.packets).collect::<Vec<_>>(), [2, 43]);
    let packets = site.read(&one).await;
    assert!(packets.is_sorted_by(|a, b| a.position < b.position));
    let ecg: Vec<_> = packets.iter().filter(|p| p.stream.as_str() == "ecg").map(|p| p.json.clone()).collect();
    assert_eq!(ecg, (0..40).map(|n| body(&one, n)).collect::<Vec<_>>());
    assert!(site.blocks(&one).await.len() > 4, "blocks are of the size they should be");
    assert_eq!(site.store.archive_progress().await.unwrap(), site.store.last_position().await.unwrap());
    // Two months, two keys.
    let periods: Vec<_> = site.store.archive_keys().await.unwrap().into_iter().map(|key| key.period).collect();
    assert_eq!(periods, ["2026-01", "2026-02"]);
    // Again: there is nothing to do.
    let before = site.blocks(&one).await;
    site.archive_all().await;
    assert_eq!(site.blocks(&one).await, before);
}

/// A home that fails at one block: it writes so much of it and says it could not.
#[derive(Debug)]
struct Failing {
    home: LocalHome,
    fails_at: usize,
    created: AtomicUsize,
    /// Share of the bytes written, in percent.
    share: usize,
}

#[async_trait]
impl Home for Failing {
    async fn create(&self, path: &str, bytes: &[u8]) -> Result<(), HomeError> {
        if self.created.fetch_add(1, Ordering::Relaxed) != self.fails_at {
            return self.home.create(path, bytes).await;
        }
        if self.share > 0 {
            self.home.create(path, &bytes[..bytes.len() * self.share / 100]).await?;
        }
        Err(HomeError::Answer("the power failed".to_owned()))
    }
    async fn replace(&self, path: &str, bytes: &[u8]) -> Result<(), HomeError> {
        self.home.replace(path, bytes).await
    }
    async fn get(&self, path: &str) -> Result<Option<Vec<u8>>, HomeError> {
        self.home.get(path).await
    }
    async fn files(&self, folder: &str) -> Result<Vec<Item>, HomeError> {
        self.home.files(folder).await
    }
    async fn folders(&self, folder: &str) -> Result<Vec<String>, HomeError> {
        self.home.folders(folder).await
    }
    async fn remove(&self, path: &str) -> Result<Removal, HomeError> {
        self.home.remove(path).await
    }
}

#[tokio::test]
async fn a_block_that_was_cut_off_whole_or_never_written_is_there_once_after_a_restart() {
    for share in [0, 60, 100] {
        for fails_at in 0..4 {
            let site = Site::new().await;
            let one = chain("clinic", "a");
            site.send(&one, "ecg", 0..40, JANUARY).await;
            let home = LocalHome::new(site.place.path().join("archive"));
            let failing = Failing { home, fails_at, created: AtomicUsize::new(0), share };
            let failed = archivist::archive_all(&site.archive_in(Arc::new(failing)), &site.settings).await;
            assert!(matches!(failed, Err(ArchiveError::Home(_))));
            assert_eq!(site.verify().await.problems, [], "what is being written is no problem");
            site.archive_all().await;
            let report = site.verify().await;
            assert_eq!(report.problems, [], "{share} % of block {fails_at}");
            assert_eq!(
                (report.chains[0].packets, report.chains[0].left_over),
                (40, 0),
                "{share} % of block {fails_at}"
            );
            assert_eq!(site.read(&one).await.len(), 40);
        }
    }
}

#[tokio::test]
async fn a_master_key_is_rotated_without_touching_a_block() {
    let mut site = Site::new().await;
    let one = chain("clinic", "a");
    site.send(&one, "ecg", 0..20, JANUARY).await;
    site.archive_all().await;
    let before = contents(&site.blocks(&one).await);
    let new: Master = Arc::new(FileMaster::new([2; 32]));
    assert_eq!(site.archive().keyring().rewrap(&new, act("rotate-master-key", None)).await.unwrap(), 1);
    assert!(Reader::open(site.local(), &site.master, &one.tenant).await.is_err(), "the old key opens nothing");
    // Whoever still has the old one makes no new keys with it.
    let refused = site.archive().keyring().current(&one.tenant, Period::parse("2026-03").unwrap()).await;
    assert!(refused.unwrap_err().to_string().contains(new.id()));
    site.master = new;
    site.send(&one, "ecg", 20..30, JANUARY).await;
    site.archive_all().await;
    assert_eq!(site.verify().await.problems, []);
    assert_eq!(site.read(&one).await.len(), 30);
    assert_eq!(contents(&site.blocks(&one).await)[..before.len()], before);
}

#[tokio::test]
async fn a_data_key_is_rotated_and_both_stay_readable() {
    let site = Site::new().await;
    let one = chain("clinic", "a");
    site.send(&one, "ecg", 0..20, JANUARY).await;
    site.archive_all().await;
    let archive = site.archive();
    let period = Period::parse("2026-01").unwrap();
    let id = archive.keyring().rotate(&one.tenant, period, act("rotate-data-key", Some(&one.tenant))).await.unwrap();
    site.send(&one, "ecg", 20..30, JANUARY).await;
    site.archive_all().await;
    assert_eq!(site.verify().await.problems, []);
    assert_eq!(site.read(&one).await.len(), 30);
    let blocks = site.store.archive_blocks(&one.tenant, &one.device, 0, 100).await.unwrap();
    assert_ne!(blocks[0].key, id);
    assert_eq!(blocks.last().unwrap().key, id);
}

fn contents(paths: &[std::path::PathBuf]) -> Vec<Vec<u8>> {
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}
