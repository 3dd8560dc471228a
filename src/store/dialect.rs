//! What differs between the databases and is not in `migrations/`.

use sqlx::migrate::Migrator;

use super::StoreError;

/// A database this server has code for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Dialect {
    /// A file, written by one process.
    Sqlite,
    /// A server, shared by any number of processes.
    Postgres,
}

/// What a pool of connections is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Role {
    Write,
    Read,
}

const SQLITE_SETTINGS: &str = "PRAGMA journal_mode=WAL; PRAGMA busy_timeout=10000; PRAGMA foreign_keys=ON; \
    PRAGMA mmap_size=33554432; PRAGMA temp_store=MEMORY;";

/// Every statement here is a few look-ups in indexes made for it. So it takes longer to compile than to run; and a plan made
/// and kept while a table was almost empty must not be to read it from end to end.
const POSTGRES_SETTINGS: &str = "SET jit = off; SET enable_seqscan = off; SET random_page_cost = 1.1";

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

impl Dialect {
    /// The database of a URL.
    pub(in crate::store) fn of(url: &str) -> Result<Self, StoreError> {
        match url.split_once(':') {
            Some(("sqlite", _)) => Ok(Self::Sqlite),
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres),
            // What follows the scheme may hold a password.
            scheme => Err(StoreError::UnknownDatabase(scheme.map_or("it", |(scheme, _)| scheme).to_owned())),
        }
    }

    pub(in crate::store) fn migrator(self) -> &'static Migrator {
        match self {
            Self::Sqlite => &SQLITE,
            Self::Postgres => &POSTGRES,
        }
    }

    /// Table, table or index of it, and the bytes it takes, of each.
    pub(in crate::store) fn sizes(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "SELECT m.tbl_name, m.name, s.pgsize FROM sqlite_master m JOIN dbstat s ON s.name = m.name \
                 WHERE s.aggregate = TRUE"
            }
            // What is stored beside a table because its values are long counts as the table's.
            Self::Postgres => {
                "SELECT CAST(t.relname AS TEXT), CAST(c.relname AS TEXT), CASE c.relkind WHEN 'i' THEN \
                 pg_relation_size(c.oid) ELSE pg_table_size(c.oid) END FROM pg_class c LEFT JOIN pg_index x \
                 ON x.indexrelid = c.oid JOIN pg_class t ON t.oid = COALESCE(x.indrelid, c.oid) \
                 WHERE c.relkind IN ('r', 'i') AND c.relnamespace = CAST(current_schema() AS regnamespace)"
            }
        }
    }

    /// The URL the driver opens.
    pub(in crate::store) fn address(self, url: &str) -> String {
        match self {
            Self::Sqlite => format!("{url}?mode=rwc"),
            Self::Postgres => url.to_owned(),
        }
    }

    /// Connections, and the seconds a caller waits for one.
    ///
    /// SQLite has one writer, and whoever waits for it waits for a transaction. A PostgreSQL that is away is waited for
    /// only so long that a sender is soon told to come back.
    pub(in crate::store) fn pool(self, role: Role) -> (u32, u64) {
        match (self, role) {
            (Self::Sqlite, Role::Write) => (1, 30),
            (Self::Sqlite, Role::Read) => (4, 30),
            (Self::Postgres, Role::Write) => (4, 4),
            (Self::Postgres, Role::Read) => (8, 4),
        }
    }

    /// Clients that may write at the same time; the pipeline always has a connection left.
    pub(in crate::store) fn client_writers(self) -> usize {
        match self {
            Self::Sqlite => 1,
            Self::Postgres => 3,
        }
    }

    /// Whether a connection may have died while nobody used it.
    pub(in crate::store) fn may_be_away(self) -> bool {
        self == Self::Postgres
    }

    /// What every new connection is told.
    ///
    /// Both write what was committed to the disk before they say so: an acknowledged packet is never lost.
    pub(in crate::store) fn settings(self, role: Role) -> &'static [&'static str] {
        match (self, role) {
            (Self::Sqlite, Role::Write) => &[
                SQLITE_SETTINGS,
                // 128 MB of log: `tend_log` is there before.
                "PRAGMA cache_size=-16384; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=32768",
            ],
            (Self::Sqlite, Role::Read) => &[SQLITE_SETTINGS, "PRAGMA cache_size=-4096; PRAGMA query_only=ON"],
            // A process that hangs in a transaction must not keep others from its streams for long.
            (Self::Postgres, Role::Write) => {
                &[POSTGRES_SETTINGS, "SET synchronous_commit = on", "SET idle_in_transaction_session_timeout = '30s'"]
            }
            (Self::Postgres, Role::Read) => &[POSTGRES_SETTINGS, "SET default_transaction_read_only = on"],
        }
    }

    /// How a transaction that writes starts.
    ///
    /// In SQLite it takes the write lock at once and waits for it: `admin` may be writing to the same file. A transaction
    /// that reads first and asks for the lock later is refused when somebody wrote in between.
    pub(in crate::store) fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }

    /// Moves what is in the database's log to where it belongs, and waits for nobody; nothing where the database does that itself.
    pub(in crate::store) fn tend_log(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => Some("PRAGMA wal_checkpoint(PASSIVE)"),
            Self::Postgres => None,
        }
    }

    /// How a transaction starts in which a client writes.
    ///
    /// Everything it reads is of one moment. A condition that matched nothing and an id found taken a statement later
    /// would else look like an id taken by something that does not match, when it is just what somebody else created
    /// in between. Who writes what others have changed since loses the race.
    pub(in crate::store) fn begin_of_client(self) -> &'static str {
        match self {
            Self::Sqlite => self.begin(),
            Self::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ",
        }
    }

    /// What makes a transaction the only one that numbers rows; nothing where only one writes anyway.
    ///
    /// Positions in the journal and streams are numbered `MAX + 1` under this lock, not by a sequence. Sequences hand
    /// numbers out before the commit, so a reader could see 8 while 7 is still being written, go on from 8, and never see
    /// 7. PostgreSQL makes a commit visible before it releases the transaction's locks, so here every lower number is
    /// visible before a higher one exists: reading on from the last position skips nothing. It costs little, because one
    /// transaction carries what many senders sent meanwhile. An advisory lock rather than a counter row: nothing is
    /// written for it, and readers and `VACUUM` have no dead rows to pass by.
    pub(in crate::store) fn numbering(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("SELECT pg_advisory_xact_lock(7018409655200476788)"),
        }
    }

    /// What makes a transaction the only one that brings together what streams of a patient or device (`$1`) offer; nothing
    /// where only one writes anyway. Of two that did not see each other's, neither would give what both give together.
    pub(in crate::store) fn meeting(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("SELECT pg_advisory_xact_lock(hashtext($1))"),
        }
    }

    /// What makes a connection the one that adds to the archive, until it is closed, and tells whether it did; nothing where
    /// only one process writes anyway.
    pub(in crate::store) fn archive_lock(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => {
                Some("SELECT pg_try_advisory_lock(hashtext('afferent archive'), hashtext(current_schema()::text))")
            }
        }
    }

    /// What makes a connection overwrite what it deletes.
    pub(in crate::store) fn overwrite_deleted(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => Some("PRAGMA secure_delete = ON"),
            Self::Postgres => None,
        }
    }

    /// What overwrites what was deleted: the log of changes in SQLite, the space of destroyed keys in PostgreSQL, whose
    /// autovacuum sees to the journal in its time.
    pub(in crate::store) fn erase_deleted(self) -> &'static str {
        match self {
            Self::Sqlite => "PRAGMA wal_checkpoint(TRUNCATE)",
            Self::Postgres => "VACUUM archive_key",
        }
    }

    /// Whether other processes may be at work on it.
    pub(in crate::store) fn is_shared(self) -> bool {
        self == Self::Postgres
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_its_database_and_is_not_repeated() {
        assert_eq!(Dialect::of("sqlite:/a/b.db").unwrap(), Dialect::Sqlite);
        for url in ["postgres://u:secret@h/d", "postgresql://h/d"] {
            assert_eq!(Dialect::of(url).unwrap(), Dialect::Postgres);
        }
        for url in ["mysql://u:secret@h/d", "u=secret", ""] {
            assert!(!Dialect::of(url).unwrap_err().to_string().contains("secret"), "{url}");
        }
    }
}
