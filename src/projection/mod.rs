//! Measurements to resources: a pure function of what was measured, the registry and the identity of the stream.

use crate::id::{DeviceKey, EpisodeId, ResourceId, StreamName, TenantId};
use crate::signal::{Measured, PacketRange};
use crate::time::Interval;

/// Where measurements come from: one stream of one device on one patient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Tenant.
    pub tenant: TenantId,
    /// Device.
    pub device: DeviceKey,
    /// Row in `registry/device`, where the device's model is known.
    pub model: Option<String>,
    /// Stream.
    pub stream: StreamName,
    /// Logical id of the Patient.
    pub patient: ResourceId,
    /// Recording session, where packets name one.
    pub episode: Option<EpisodeId>,
    /// Firmware of the device at the time.
    pub firmware: Option<String>,
    /// Software that sent the packets.
    pub sdk: Option<String>,
    /// Lead or channel, such as `MLII`.
    pub lead: Option<String>,
}

/// Everything one stream gave for one window (or one scalar packet): what is stored in one transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Where it comes from.
    pub origin: Origin,
    /// The window.
    pub window: Interval,
    /// The packets behind it.
    pub packets: PacketRange,
    /// What was measured.
    pub measured: Vec<Measured>,
}
/// x
#[derive(Debug, Clone)]
pub struct Organization { /// x
 pub id: ResourceId, /// x
 pub name: String }
/// x
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct ProjectionError;
/// x
pub fn project(_b: &Batch, _r: &crate::registry::Registry, _o: &Organization) -> Result<Vec<crate::resource::Resource>, ProjectionError> { Ok(vec![]) }
