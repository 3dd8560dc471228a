//! What time it was when a packet was made, as the pipeline takes it.

use std::collections::BTreeMap;

use crate::id::{DeviceKey, TenantId};
use crate::registry::{ClockKind, Registry};
use crate::session::clock::{Clock, Discipline};
use crate::store::{Counted, Store, StoreError, StreamId};
use crate::time::Instant;

/// Clocks of streams, as far as they are known.
pub(super) struct Clocks<'a> {
    store: &'a Store,
    registry: &'a Registry,
    /// None: it is mapped to the server's, and the pipeline has not told how.
    streams: BTreeMap<StreamId, Option<Clock>>,
}

impl<'a> Clocks<'a> {
    pub(super) fn new(store: &'a Store, registry: &'a Registry) -> Self {
        Self { store, registry, streams: BTreeMap::new() }
    }

    /// When a packet was made; nothing while that is not known.
    pub(super) async fn time(
        &mut self,
        tenant: &TenantId,
        device: &DeviceKey,
        packet: &Counted,
    ) -> Result<Option<Instant>, StoreError> {
        if !self.streams.contains_key(&packet.stream) {
            let clock = self.clock(tenant, device, packet.stream).await?;
            self.streams.insert(packet.stream, clock);
        }
        let clock = self.streams.get(&packet.stream).and_then(Option::as_ref);
        Ok(clock.map(|clock| clock.read(packet.sequence, packet.device).at))
    }

    async fn clock(
        &self,
        tenant: &TenantId,
        device: &DeviceKey,
        stream: StreamId,
    ) -> Result<Option<Clock>, StoreError> {
        let known = self.store.clock(stream).await?.and_then(|state| postcard::from_bytes(&state).ok());
        if known.is_some() {
            return Ok(known);
        }
        let model = self.store.known_device(tenant, device).await?.flatten();
        let row = model.and_then(|model| self.registry.devices.get(&model));
        let is_free = row.is_some_and(|row| row.clock == ClockKind::Free);
        // Times of a clock somebody keeps are taken as they are, however far off.
        Ok((!is_free).then(|| Clock::new(Discipline::Kept { bound_us: i64::MAX })))
    }
}
