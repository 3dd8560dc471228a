//! What the store costs.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::Row as _;

use super::{entry, key};
use crate::capability::Column;
use crate::id::ResourceId;
use crate::store::Store;
use crate::store::date::DateMatch;
use crate::store::fixture::{observation, provenance, store, tenant};
use crate::store::search::{Filter, Include, Search, Sort, SortKey, TermMatch};

/// `cargo test --release --lib -- --ignored --nocapture store_speed`: per operation the CPU time of this process and of the
/// database's, where that is another, and the time that passed. With `AFFERENT_TEST_POSTGRES` for PostgreSQL.
#[tokio::test]
#[ignore = "prints times"]
#[allow(clippy::print_stdout)]
async fn store_speed() {
    const ROUNDS: i64 = 20;
    let (directory, store) = store().await;
    let tenant = tenant("a");
    let minute = |i: i64| crate::time::Instant(1_700_000_000_000_000 + i * 60_000_000).to_fhir();
    let mut spent = [Spent::default(); 3];
    for round in 0..ROUNDS {
        let observations: Vec<_> = (0..1000)
            .map(|i| observation(&format!("o{round}-{i}"), &format!("p{}", i % 10), &minute(round * 1000 + i), "60"))
            .collect();
        let provenances: Vec<_> =
            (0..1000).map(|i| provenance(&format!("v{round}-{i}"), &format!("Observation/o{round}-{i}"))).collect();
        for (spent, resources) in spent.iter_mut().zip([observations.clone(), observations, provenances]) {
            let meter = Meter::start(&store).await;
            store.put(&tenant, resources).await.unwrap();
            spent.add(meter.stop(&store).await);
        }
    }
    let rows = u32::try_from(ROUNDS * 1000).unwrap();
    for (name, spent) in ["Observation, new", "Observation, again", "Provenance, new"].iter().zip(spent) {
        println!("{name}: {}", spent.per(rows));
    }
    println!("{} bytes per Observation with Provenance", size(&store, directory.path()).await / i64::from(rows));
    appends(&store).await;

    let term = |parameter: &str, system: Option<&str>, value: &str| Filter::Term {
        parameter: parameter.to_owned(),
        values: vec![TermMatch { system: system.map(str::to_owned), value: value.to_owned() }],
    };
    let subject = || Filter::Subject(vec!["Patient/p3".to_owned()]);
    let search = |filters| Search { kind: "Observation".to_owned(), filters, count: 50, ..Search::default() };
    let of_code = || vec![subject(), term("code", Some("http://loinc.org"), "8867-4")];
    let mut filters = of_code();
    filters.push(Filter::Date(vec![DateMatch::parse("ge2023-11-15").unwrap()]));
    let trend = Search { sort: vec![Sort { key: SortKey::Column(Column::Date), descending: true }], ..search(filters) };
    let include = |kind: &str, parameter: &str| Include {
        kind: kind.to_owned(),
        parameter: parameter.to_owned(),
        target: None,
        iterate: false,
    };
    let with = Search {
        includes: vec![include("Observation", "device")],
        revincludes: vec![include("Provenance", "target")],
        ..trend.clone()
    };
    let id = ResourceId::new("o7-500").unwrap();
    let meter = Meter::start(&store).await;
    for _ in 0..2000 {
        store.read(&tenant, "Observation", &id).await.unwrap().unwrap().json();
    }
    println!("read: {}", meter.stop(&store).await.per(2000));
    for (name, query) in [
        ("identifier", search(vec![term("identifier", None, "m-o7-500")])),
        ("trend of 50", trend),
        ("with Device and Provenance", with),
        ("count of 2,000", Search { count: 0, total: true, ..search(of_code()) }),
    ] {
        let meter = Meter::start(&store).await;
        for _ in 0..500 {
            let page = store.search(&tenant, &query).await.unwrap();
            page.matches.iter().for_each(|m| drop(m.json()));
        }
        println!("{name}: {}", meter.stop(&store).await.per(500));
    }
}

/// Packets of 2 KB, one and a thousand in a transaction.
#[allow(clippy::print_stdout)]
async fn appends(store: &Store) {
    let stream = store.stream_id(&key("d", "s")).await.unwrap();
    let mut sequence = 0;
    for (at_once, times) in [(1_u32, 200_u32), (1000, 10)] {
        let meter = Meter::start(store).await;
        for _ in 0..times {
            let entries: Vec<_> = (0..u64::from(at_once)).map(|i| entry(stream, sequence + i, &[7; 2000])).collect();
            sequence += u64::from(at_once);
            store.append(&entries).await.unwrap();
        }
        println!("packet, {at_once} at once: {}", meter.stop(store).await.per(at_once * times));
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Spent {
    own: Duration,
    database: Duration,
    passed: Duration,
}

impl Spent {
    fn add(&mut self, other: Self) {
        self.own += other.own;
        self.database += other.database;
        self.passed += other.passed;
    }

    fn per(self, count: u32) -> String {
        let Self { own, database, passed } = self;
        format!("{:?} here, {:?} in the database, {:?} passed", own / count, database / count, passed / count)
    }
}

struct Meter {
    own: Duration,
    database: Duration,
    begin: Instant,
}

impl Meter {
    async fn start(store: &Store) -> Self {
        let (own, database) = cpu(store).await;
        Self { own, database, begin: Instant::now() }
    }

    async fn stop(self, store: &Store) -> Spent {
        let passed = self.begin.elapsed();
        let (own, database) = cpu(store).await;
        Spent { own: own.saturating_sub(self.own), database: database.saturating_sub(self.database), passed }
    }
}

/// CPU time of this process and of the database's processes that serve it.
async fn cpu(store: &Store) -> (Duration, Duration) {
    let mut backends = BTreeSet::new();
    if store.is_shared() {
        let sql = "SELECT pid FROM pg_stat_activity";
        let rows = sqlx::query(sql).fetch_all(&store.readers).await.unwrap();
        backends.extend(rows.iter().map(|row| row.try_get::<i32, _>(0).unwrap().to_string()));
    }
    (cpu_of("self"), backends.iter().map(|pid| cpu_of(pid)).sum())
}

fn cpu_of(process: &str) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let ticks = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    Duration::from_millis(10 * ticks.filter_map(|t| t.parse::<u64>().ok()).sum::<u64>())
}

/// Bytes on the disk.
async fn size(store: &Store, directory: &Path) -> i64 {
    if !store.is_shared() {
        return std::fs::metadata(directory.join("test.db")).unwrap().len().cast_signed();
    }
    let sql = "SELECT SUM(pg_total_relation_size(oid))::BIGINT FROM pg_class \
        WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace";
    sqlx::query(sql).fetch_one(&store.readers).await.unwrap().try_get(0).unwrap()
}
