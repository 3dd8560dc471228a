//! The Device of a sensor, from what each of its streams says about it.
//!
//! Some streams name the firmware and others do not, and streams are processed in no certain order. So none of them may
//! write the Device by itself: it carries what was stated last, whichever stream is processed last.

use super::track::{Stated, Track};
use crate::id::TenantId;
use crate::projection::{self, Organization, Sensor};
use crate::registry::Registry;
use crate::resource::Resource;
use crate::store::Statement;

/// What a stream says now.
pub(super) fn statement(track: &Track) -> Statement {
    let key = track.key();
    // Plain data always serializes.
    let body = postcard::to_stdvec(&track.stated()).unwrap_or_default();
    Statement { device: key.device.clone(), stream: key.name.clone(), body }
}

/// The Device, from `statement`, which is the newest to arrive, and those of all streams, itself among them.
pub(super) fn resource(
    registry: &Registry,
    organization: &str,
    tenant: &TenantId,
    statement: &Statement,
    all: &[Vec<u8>],
) -> Resource {
    // What another version of the server kept in another form is of no use to this one; its stream's next run replaces it.
    let mut stated: Vec<Stated> = all.iter().filter_map(|body| postcard::from_bytes(body).ok()).collect();
    // Stable: of two at the same time it is the stream that counts.
    stated.sort_by_key(|stated| stated.since);
    let own: Option<Stated> = postcard::from_bytes(&statement.body).ok();
    let sensor = Sensor {
        tenant,
        device: &statement.device,
        // Not a device's own word: who made it known says so, to all streams alike.
        model: own.as_ref().and_then(|own| registry.devices.get(own.model.as_ref()?)),
        firmware: stated.iter().rev().find_map(|stated| stated.firmware.as_deref()),
        sdk: stated.iter().rev().find_map(|stated| stated.sdk.as_deref()),
    };
    projection::sensor(&sensor, &Organization::of(tenant, organization))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::read;
    use crate::id::{DeviceKey, StreamName};
    use crate::time::Instant;

    fn body(firmware: Option<&str>, since: i64) -> Vec<u8> {
        let firmware = firmware.map(str::to_owned);
        postcard::to_stdvec(&Stated { model: None, firmware, sdk: None, since: Some(Instant(since)) }).unwrap()
    }

    fn firmware(own: &[u8], all: &[Vec<u8>]) -> Vec<String> {
        let statement = Statement {
            device: DeviceKey::new("d").unwrap(),
            stream: StreamName::new("ecg").unwrap(),
            body: own.to_vec(),
        };
        let registry = Registry::builtin().unwrap();
        let device = resource(&registry, "Clinic", &TenantId::new("t").unwrap(), &statement, all);
        read::strings(&device.element, "version.value").into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn the_device_has_what_was_stated_last_whoever_comes_last() {
        let all = [body(Some("2.0"), 20), body(None, 30), body(Some("1.0"), 10)];
        for own in &all {
            assert_eq!(firmware(own, &all), ["2.0"]);
        }
        assert!(firmware(&all[1], &all[1..2]).is_empty());
        let together = [body(Some("2.0"), 20), body(Some("2.1"), 20)];
        assert_eq!(firmware(&together[0], &together), ["2.1"]);
    }
}
