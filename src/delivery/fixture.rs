//! Delivery to test with: nothing runs by itself, and nobody waits long.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::backoff::Patience;
use super::routes::Routes;
use super::{Delivery, Parts};
use crate::archive::Vault;
use crate::outward::{self, Reach};
use crate::registry::Registry;
use crate::store::Store;
use crate::telemetry::Telemetry;
use crate::time::{Clock, SystemClock};

pub(crate) fn delivery(store: &Store, vault: &Vault, registry: &Arc<Registry>, data: &Path) -> Delivery {
    crate::auth::install_tls();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let client = outward::client(Reach::Anywhere, Duration::from_secs(2)).unwrap();
    let parts = (store.clone(), vault.clone(), Arc::clone(registry));
    let routes = Routes::new(parts, Arc::clone(&clock), client, data.join("exports"));
    Delivery::new(Parts {
        store: store.clone(),
        routes,
        validator: Arc::new(crate::conformant::validator(registry, None).unwrap()),
        vault: vault.clone(),
        clock,
        telemetry: Telemetry::default(),
        patience: Patience { base: Duration::from_millis(1), cap: Duration::from_millis(20), attempts: 40 },
    })
}
