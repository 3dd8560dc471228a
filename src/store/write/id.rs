//! Logical ids of what clients create.

use uuid::Builder;

use crate::id::ResourceId;
use crate::store::StoreError;
use crate::time::Instant;

/// An id nobody has: a UUIDv7, so that what comes together stands together in the index.
///
/// # Errors
/// There is no randomness to be had.
pub fn new_id(now: Instant) -> Result<ResourceId, StoreError> {
    let mut random = [0_u8; 10];
    getrandom::fill(&mut random).map_err(|_| StoreError::Random)?;
    let millis = u64::try_from(now.0.div_euclid(1000)).unwrap_or_default();
    let id = Builder::from_unix_timestamp_millis(millis, &random).into_uuid().to_string();
    ResourceId::new(id).map_err(|_| StoreError::Random)
}
