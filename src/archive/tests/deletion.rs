//! What is deleted is gone for everybody, what is under hold is not, and the audit says so.

use super::*;
use crate::archive::Period;
use crate::archive::home::S3Home;
use crate::archive::home::tests::{bucket, server, settings};
use crate::archive::retention::{Outcome, Run, run};
use crate::time::SystemClock;

const APRIL: &str = "2026-04-02T00:00:00Z";

impl Site {
    async fn keep(&self, tenant: &TenantId, days: i64) {
        self.store.set_retention(tenant, Some(days), act("retention", Some(tenant))).await.unwrap();
    }

    async fn hold(&self, chain: &ChainKey, reason: Option<&str>) -> bool {
        let act = act("hold", Some(&chain.tenant));
        self.store.set_legal_hold(&chain.tenant, Some(&chain.device), reason, act).await.unwrap()
    }

    async fn delete(&self, now: &str) -> Run {
        run(&self.archive(), Instant::parse(now).unwrap(), "tester", false).await.unwrap()
    }

    async fn rows(&self, chain: &ChainKey) -> u64 {
        self.store.journal_count(&chain.tenant, &chain.device, i64::MAX).await.unwrap()
    }
}

#[tokio::test]
async fn an_expired_month_is_gone_and_stays_lawful() {
    let site = Site::new().await;
    let (one, other) = (chain("clinic", "a"), chain("ward", "a"));
    site.send(&one, "ecg", 0..30, JANUARY).await;
    site.send(&one, "ecg", 30..40, FEBRUARY).await;
    site.send(&other, "ecg", 0..5, JANUARY).await;
    site.send(&other, "ecg", 5..6, FEBRUARY).await;
    site.archive_all().await;
    site.keep(&one.tenant, 30).await;
    assert_eq!(site.delete("2026-03-02T00:00:00Z").await.months, [], "29 days are not 30");
    let before = site.blocks(&one).await;
    let copy = std::fs::read(&before[0]).unwrap();

    let done = site.delete("2026-03-03T00:00:00Z").await;
    let [(tenant, period, Outcome::Deleted(deletion))] = &done.months[..] else { panic!("{done:?}") };
    assert_eq!((tenant, *period, deletion.packets), (&one.tenant, Period::parse("2026-01").unwrap(), 30));
    assert!(deletion.destroyed);
    assert_eq!((done.locked, done.locked_keys.len()), (0, 0));

    // Nobody can read it any more, also not from a copy of a block.
    let id = crate::archive::block::header(&copy).unwrap().key;
    assert!(site.archive().keyring().get(&id).await.unwrap().is_none());
    assert!(site.local().get(&crate::archive::home::key_path(&one.tenant, &id)).await.unwrap().is_none());
    assert_eq!((site.rows(&one).await, site.rows(&other).await), (10, 6));
    assert_eq!(site.read(&one).await.len(), 10);
    let report = site.verify().await;
    assert_eq!(report.problems, []);
    assert_eq!(report.chains[0].deleted, deletion.blocks as u64);
    assert!(report.to_string().contains("were deleted, as the audit says"), "{report}");

    // Sent again, it is known; its numbers and positions are never given again.
    let again = site.send(&one, "ecg", 29..32, JANUARY).await;
    assert_eq!(again, [Appended::Duplicate; 3]);
    let stream = site.store.streams_of(&one.tenant, &one.device).await.unwrap()[0];
    assert_eq!(site.store.sequences(stream).await.unwrap(), [(0, 39)]);
    assert_eq!(site.delete("2026-03-03T00:00:00Z").await, Run::default(), "there is nothing left to do");

    // Everything deleted: the journal goes on where it was.
    let last = site.store.last_position().await.unwrap();
    site.keep(&other.tenant, 0).await;
    site.delete(APRIL).await;
    assert_eq!((site.rows(&one).await, site.rows(&other).await), (0, 0));
    assert_eq!(site.store.last_position().await.unwrap(), last);
    site.send(&one, "ecg", 40..45, FEBRUARY).await;
    assert_eq!(site.store.last_position().await.unwrap(), last + 5);
    assert_eq!(site.verify().await.problems, []);
}

#[tokio::test]
async fn nothing_under_hold_is_deleted() {
    let site = Site::new().await;
    let (one, two) = (chain("clinic", "a"), chain("clinic", "b"));
    site.send(&one, "ecg", 0..30, JANUARY).await;
    site.send(&two, "ecg", 0..30, JANUARY).await;
    site.archive_all().await;
    site.keep(&one.tenant, 0).await;
    assert!(site.hold(&one, Some("case 1")).await);
    assert!(!site.hold(&one, Some("case 1")).await, "once is enough");
    let done = site.delete(APRIL).await;
    assert!(matches!(&done.months[..], [(_, _, Outcome::Deleted(deletion))] if !deletion.destroyed));
    assert_eq!((site.rows(&one).await, site.rows(&two).await), (30, 0));
    assert_eq!((site.read(&one).await.len(), site.blocks(&two).await.len()), (30, 0));
    assert_eq!(site.verify().await.problems, []);
    assert!(matches!(&site.delete(APRIL).await.months[..], [(_, _, Outcome::Held)]));
    assert!(site.hold(&one, None).await);
    assert!(matches!(&site.delete(APRIL).await.months[..], [(_, _, Outcome::Deleted(deletion))] if deletion.destroyed));
    assert_eq!(site.rows(&one).await, 0);
    assert_eq!(site.verify().await.problems, []);

    // A hold on a tenant is one on all its devices.
    site.send(&one, "ecg", 30..40, FEBRUARY).await;
    site.archive_all().await;
    let hold = act("hold", Some(&one.tenant));
    site.store.set_legal_hold(&one.tenant, None, Some("case 2"), hold).await.unwrap();
    assert!(matches!(&site.delete(APRIL).await.months[..], [(_, _, Outcome::Held)]));
    assert_eq!(site.rows(&one).await, 10);
}

#[tokio::test]
async fn a_block_that_is_locked_cannot_be_read_before_it_can_be_removed() {
    let Some(server) = server() else { return };
    let settings = settings(&server, bucket(&server, "lock"), "raw/");
    let home: Arc<dyn Home> = Arc::new(S3Home::open(settings, Arc::new(SystemClock)).await.unwrap());
    let site = Site::new().await;
    let archive = site.archive_in(Arc::clone(&home));
    let one = chain("clinic", "a");
    site.send(&one, "ecg", 0..30, JANUARY).await;
    archivist::archive_all(&archive, &site.settings).await.unwrap();
    site.keep(&one.tenant, 0).await;
    let done = run(&archive, Instant::parse(APRIL).unwrap(), "tester", false).await.unwrap();
    let [(_, _, Outcome::Deleted(deletion))] = &done.months[..] else { panic!("{done:?}") };
    assert!(deletion.destroyed && deletion.blocks > 0);
    assert_eq!((done.locked, done.locked_keys.len()), (deletion.blocks.unsigned_abs(), 0));
    assert_eq!(site.rows(&one).await, 0);
    // The blocks are there, the key is not, and that is lawful.
    let reader = Reader::open(Arc::clone(&home), &site.master, &one.tenant).await.unwrap();
    let blocks = reader.blocks(&one).await.unwrap();
    assert_eq!(blocks.len() as u64, done.locked);
    for block in &blocks {
        assert!(reader.packets(block).await.unwrap().unwrap_err().why.contains("its data key is destroyed"));
    }
    let report = verify(&archive, &Scope::default()).await.unwrap();
    assert_eq!((report.problems.len(), report.chains[0].deleted), (0, done.locked));
}

#[tokio::test]
async fn what_is_not_archived_yet_is_not_deleted() {
    let site = Site::new().await;
    let one = chain("clinic", "a");
    site.send(&one, "ecg", 0..10, JANUARY).await;
    site.archive_all().await;
    site.send(&one, "ecg", 10..12, JANUARY).await;
    site.keep(&one.tenant, 0).await;
    let done = site.delete(APRIL).await;
    assert!(matches!(done.months[..], [(_, _, Outcome::Unarchived(2))]), "{done:?}");
    assert_eq!(site.rows(&one).await, 12);
}

#[tokio::test]
async fn the_audit_cannot_be_changed() {
    let site = Site::new().await;
    let one = chain("clinic", "a");
    site.keep(&one.tenant, 7).await;
    for statement in ["UPDATE archive_audit SET who = 'nobody'", "DELETE FROM archive_audit"] {
        assert!(site.store.try_tamper(statement).await.is_err(), "{statement}");
    }
    let audit = site.store.archive_audit().await.unwrap();
    assert_eq!((audit.len(), audit[0].who.as_str(), audit[0].action.as_str()), (1, "tester", "retention"));
}
