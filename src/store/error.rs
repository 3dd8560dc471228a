//! What can go wrong in the store.

/// A failed store call.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database URL has a scheme this server has no code for.
    #[error("no database driver for {0}: use sqlite:PATH")]
    UnknownDatabase(String),
    /// The database refused or could not be reached.
    #[error("database failed")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("migration failed")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A resource could not be written as FHIR.
    #[error("resource cannot be stored")]
    Resource(#[from] crate::fhir::json::WriteError),
    /// The table of search parameters is at fault.
    #[error("search parameters cannot be indexed")]
    Capability(#[from] crate::capability::CapabilityError),
    /// A page would bring too much along.
    #[error("the page would include more than {most} resources")]
    TooMany {
        /// Most it may include.
        most: usize,
    },
    /// A stored value is not what this version wrote.
    #[error("stored {what} is damaged")]
    Damaged {
        /// Which value.
        what: &'static str,
    },
}
