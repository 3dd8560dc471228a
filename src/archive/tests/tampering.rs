//! Whatever is done to the archive, `verify` names it.

use std::fs;

use super::*;

/// A device with five blocks and more, and another.
async fn site() -> (Site, ChainKey, Vec<std::path::PathBuf>) {
    let site = Site::new().await;
    let (one, two) = (chain("clinic", "a"), chain("clinic", "b"));
    site.send(&one, "ecg", 0..60, JANUARY).await;
    site.send(&two, "ecg", 0..60, JANUARY).await;
    site.archive_all().await;
    assert_eq!(site.verify().await.problems, []);
    let blocks = site.blocks(&one).await;
    assert!(blocks.len() >= 5);
    (site, one, blocks)
}

/// The one problem there is: its block and its text.
#[track_caller]
fn only(report: &Report) -> (Option<u64>, &str) {
    assert_eq!(report.problems.len(), 1, "{report}");
    assert_eq!(report.problems[0].device.as_str(), "a");
    (report.problems[0].block, &report.problems[0].problem)
}

#[tokio::test]
async fn a_block_that_is_deleted() {
    for at in [0, 2] {
        let (site, _, blocks) = site().await;
        fs::remove_file(&blocks[at]).unwrap();
        assert_eq!(only(&site.verify().await), (Some(at as u64 + 1), "it is missing"));
    }
}

#[tokio::test]
async fn the_newest_blocks() {
    let (site, _, blocks) = site().await;
    let [.., _, newest] = &blocks[..] else { panic!() };
    fs::remove_file(newest).unwrap();
    assert_eq!(only(&site.verify().await), (Some(blocks.len() as u64), "it is missing"));
}

#[tokio::test]
async fn a_byte_that_is_changed() {
    let (site, _, blocks) = site().await;
    let mut bytes = fs::read(&blocks[1]).unwrap();
    let last = bytes.len() - 20;
    for at in [0, 8, 40, last] {
        bytes[at] ^= 1;
        writable(&blocks[1]);
        fs::write(&blocks[1], &bytes).unwrap();
        bytes[at] ^= 1;
        let report = site.verify().await;
        assert_eq!(only(&report).0, Some(2), "byte {at}");
        assert!(only(&report).1.contains("changed"), "{report}");
    }
}

#[tokio::test]
async fn a_block_that_is_cut_off() {
    let (site, _, blocks) = site().await;
    let bytes = fs::read(&blocks[3]).unwrap();
    writable(&blocks[3]);
    fs::write(&blocks[3], &bytes[..bytes.len() - 1]).unwrap();
    let cut = format!("it is cut off: {} of {} bytes", bytes.len() - 1, bytes.len());
    assert_eq!(only(&site.verify().await), (Some(4), cut.as_str()));
}

#[tokio::test]
async fn blocks_that_change_places() {
    let (site, _, blocks) = site().await;
    let (first, second) = (fs::read(&blocks[1]).unwrap(), fs::read(&blocks[2]).unwrap());
    for (path, bytes) in [(&blocks[1], &second), (&blocks[2], &first)] {
        writable(path);
        fs::write(path, bytes).unwrap();
    }
    let report = site.verify().await;
    assert_eq!(report.problems.iter().map(|p| p.block).collect::<Vec<_>>(), [Some(2), Some(3)], "{report}");
}

#[tokio::test]
async fn another_devices_block() {
    let (site, _, blocks) = site().await;
    let theirs = site.blocks(&chain("clinic", "b")).await;
    writable(&blocks[1]);
    fs::write(&blocks[1], [fs::read(&theirs[1]).unwrap(), vec![0; 64]].concat()).unwrap();
    let report = site.verify().await;
    assert!(only(&report).1.contains("another device's block"), "{report}");
}

#[tokio::test]
async fn a_block_that_was_never_written() {
    let (site, _, blocks) = site().await;
    let folder = blocks[0].parent().unwrap();
    fs::write(folder.join(format!("0000000099-{}.block", Hash::of(b""))), b"").unwrap();
    fs::write(folder.join("notes.txt"), b"").unwrap();
    let report = site.verify().await;
    assert_eq!(report.problems.len(), 2, "{report}");
    assert_eq!(report.problems[0].block, Some(99));
}

#[tokio::test]
async fn the_journal() {
    let (site, one, _) = site().await;
    site.store
        .tamper("UPDATE journal SET sha256 = (SELECT sha256 FROM journal WHERE position = 2) WHERE position = 1")
        .await;
    let report = site.verify().await;
    assert_eq!(only(&report), (Some(1), "packet 0 of stream ecg is another in the journal"));
    site.store.tamper("DELETE FROM journal WHERE position = 1").await;
    assert!(only(&site.verify().await).1.contains("not in the journal any more"));
    // A packet nobody archived, at a position that is behind.
    site.store
        .tamper(
            "INSERT INTO journal (position, stream, sequence, received_us, sha256, packet) \
        SELECT 1, stream, 1000, received_us, sha256, packet FROM journal WHERE position = 2",
        )
        .await;
    let report = site.verify().await;
    assert!(report.problems.iter().any(|p| p.device == one.device), "{report}");
}

#[tokio::test]
async fn the_records_in_the_database() {
    let (site, _, blocks) = site().await;
    // The newest block and every trace of it in the chain: only the head still knows.
    fs::remove_file(blocks.last().unwrap()).unwrap();
    site.store
        .tamper(
            "DELETE FROM archive_block WHERE device = 'a' AND number = \
        (SELECT MAX(number) FROM archive_block WHERE device = 'a')",
        )
        .await;
    let report = site.verify().await;
    assert!(report.problems.iter().any(|p| p.problem.starts_with("the chain ends with block")), "{report}");
    assert!(report.problems.iter().any(|p| p.problem.contains("of the journal are in no block")), "{report}");
    // A deletion nobody decided.
    let (site, _, blocks) = super::tampering::site().await;
    fs::remove_file(&blocks[1]).unwrap();
    site.store.tamper("UPDATE archive_block SET audit = 1 WHERE device = 'a' AND number = 2").await;
    assert!(only(&site.verify().await).1.contains("the audit knows of no such deletion"));
}
