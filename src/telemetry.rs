//! Operational counters, in the Prometheus text format at `/metrics`. No label ever holds a person's identifier.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Alert {
    severity: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Notification {
    channel: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Status {
    status: &'static str,
}

/// Handle to all counters; cheap to clone.
#[derive(Debug, Clone)]
pub struct Telemetry {
    registry: Arc<Registry>,
    stored: Counter,
    duplicates: Counter,
    conflicts: Counter,
    refused: Family<Reason, Counter>,
    quarantined: Counter,
    rewinds: Counter,
    orphans: Gauge,
    orphan_age: Gauge,
    pending: Gauge,
    created: Counter,
    updated: Counter,
    unchanged: Counter,
    held: Counter,
    archived_packets: Counter,
    archived_bytes: Counter,
    archive_backlog: Gauge,
    quarantine: Gauge,
    alerts: Family<Alert, Gauge>,
    delivered: Counter,
    delivery_refused: Counter,
    delivery_repaired: Counter,
    outbox: Gauge,
    outbox_age: Gauge,
    events_numbered: Counter,
    notifications: Family<Notification, Counter>,
    subscriptions: Family<Status, Gauge>,
    changes_waiting: Gauge,
    events_waiting: Gauge,
    events_age: Gauge,
}

impl Default for Telemetry {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("afferent");
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let stored = counter("packets_stored", "Packets made durable");
        let duplicates = counter("packets_duplicate", "Packets that were durable already");
        let conflicts = counter("packets_conflicting", "Packets whose sequence number was taken by other content");
        let quarantined = counter("packets_quarantined", "Durable packets the pipeline could not read");
        let rewinds = counter("stream_rewinds", "Streams taken back to a checkpoint for a late packet");
        let created = counter("resources_created", "Resources created");
        let updated = counter("resources_updated", "Resources given a new version");
        let unchanged = counter("resources_unchanged", "Resources written again with the same content");
        let held = counter("resources_held", "Resources that are not valid and were put into quarantine");
        let archived_packets = counter("archive_packets", "Packets brought into the archive");
        let archived_bytes = counter("archive_bytes", "Bytes of archived blocks");
        let delivered = counter("resources_delivered", "Resources receivers said they have");
        let delivery_refused =
            counter("resources_refused", "Resources refused by receivers, or not valid and not sent");
        let delivery_repaired = counter("resources_repaired", "Resources receivers had lost or changed, sent again");
        let events_numbered = counter("subscription_events", "Events of subscriptions that were numbered");
        let refused = Family::<Reason, Counter>::default();
        registry.register("requests_refused", "Ingest requests refused, by reason", refused.clone());
        let (orphans, orphan_age, pending) = (Gauge::default(), Gauge::default(), Gauge::default());
        let age = "Seconds the oldest packet of a device that was never with anybody has waited";
        registry.register("orphan_age_seconds", age, orphan_age.clone());
        registry.register("streams_orphaned", "Streams waiting for their device to be on a patient", orphans.clone());
        registry.register("packets_pending", "Durable packets not yet processed", pending.clone());
        let archive_backlog = Gauge::default();
        registry.register("archive_packets_waiting", "Durable packets not yet archived", archive_backlog.clone());
        let quarantine = Gauge::default();
        registry.register("quarantine_held", "Packets, resources and messages in quarantine", quarantine.clone());
        let alerts = Family::<Alert, Gauge>::default();
        registry.register("alerts_open", "Alerts that nobody has acknowledged, by severity", alerts.clone());
        let (outbox, outbox_age) = (Gauge::default(), Gauge::default());
        registry.register("outbox_operations", "Operations that are not delivered yet", outbox.clone());
        registry.register("outbox_age_seconds", "Seconds the oldest of them has waited", outbox_age.clone());
        let notifications = Family::<Notification, Counter>::default();
        let help = "Attempts to notify subscribers, by channel and outcome";
        registry.register("subscription_notifications", help, notifications.clone());
        let subscriptions = Family::<Status, Gauge>::default();
        registry.register("subscriptions", "Subscriptions, by status", subscriptions.clone());
        let (changes_waiting, events_waiting, events_age) = (Gauge::default(), Gauge::default(), Gauge::default());
        let help = "Changes somebody may have subscribed to that are not matched yet";
        registry.register("subscription_changes_waiting", help, changes_waiting.clone());
        let help = "Events of active subscriptions that have not arrived yet, websockets apart";
        registry.register("subscription_events_waiting", help, events_waiting.clone());
        registry.register("subscription_age_seconds", "Seconds the oldest of them has waited", events_age.clone());
        Self {
            registry: Arc::new(registry),
            stored,
            duplicates,
            conflicts,
            refused,
            quarantined,
            rewinds,
            orphans,
            orphan_age,
            pending,
            created,
            updated,
            unchanged,
            held,
            archived_packets,
            archived_bytes,
            archive_backlog,
            quarantine,
            alerts,
            delivered,
            delivery_refused,
            delivery_repaired,
            outbox,
            outbox_age,
            events_numbered,
            notifications,
            subscriptions,
            changes_waiting,
            events_waiting,
            events_age,
        }
    }
}

impl Telemetry {
    /// Packets taken in.
    pub fn accepted(&self, stored: usize, duplicates: usize, conflicts: usize) {
        self.stored.inc_by(stored as u64);
        self.duplicates.inc_by(duplicates as u64);
        self.conflicts.inc_by(conflicts as u64);
    }

    /// A request refused.
    pub fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&Reason { reason }).inc();
    }

    /// A packet put aside by the pipeline.
    pub fn quarantined(&self) {
        self.quarantined.inc();
    }

    /// A stream taken back.
    pub fn rewound(&self) {
        self.rewinds.inc();
    }

    /// Streams without a patient, more or fewer.
    pub fn orphans(&self, change: i64) {
        self.orphans.inc_by(change);
    }

    /// How many seconds the oldest packet without anybody to be of has waited.
    pub fn orphan_age(&self, seconds: i64) {
        self.orphan_age.set(seconds);
    }

    /// Packets waiting.
    pub fn pending(&self, count: i64) {
        self.pending.set(count);
    }

    /// Resources written.
    pub fn upserted(&self, created: usize, updated: usize, unchanged: usize, held: usize) {
        self.created.inc_by(created as u64);
        self.updated.inc_by(updated as u64);
        self.unchanged.inc_by(unchanged as u64);
        self.held.inc_by(held as u64);
    }

    /// A block brought into the archive.
    pub fn archived(&self, packets: u64, bytes: u64) {
        self.archived_packets.inc_by(packets);
        self.archived_bytes.inc_by(bytes);
    }

    /// Packets waiting for the archive.
    pub fn archive_backlog(&self, count: usize) {
        self.archive_backlog.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// How much is in quarantine, and how many alerts of each severity are open.
    pub fn open(&self, held: i64, alerts: [(&'static str, i64); 3]) {
        self.quarantine.set(held);
        for (severity, count) in alerts {
            self.alerts.get_or_create(&Alert { severity }).set(count);
        }
    }

    /// Resources delivered and refused.
    pub fn delivered(&self, delivered: usize, refused: usize) {
        self.delivered.inc_by(delivered as u64);
        self.delivery_refused.inc_by(refused as u64);
    }

    /// Resources sent again because the receiver had them no more, or not so.
    pub fn repaired(&self, count: usize) {
        self.delivery_repaired.inc_by(count as u64);
    }

    /// Operations that wait, and how many seconds the oldest has.
    pub fn outbox(&self, waiting: i64, age_s: i64) {
        self.outbox.set(waiting);
        self.outbox_age.set(age_s);
    }

    /// Events numbered.
    pub fn events_numbered(&self, count: usize) {
        self.events_numbered.inc_by(count as u64);
    }

    /// An attempt to notify a subscriber.
    pub fn notified(&self, channel: &'static str, is_sent: bool) {
        let outcome = if is_sent { "sent" } else { "failed" };
        self.notifications.get_or_create(&Notification { channel, outcome }).inc();
    }

    /// How many subscriptions have each status.
    pub fn subscriptions(&self, counts: impl IntoIterator<Item = (&'static str, i64)>) {
        for (status, count) in counts {
            self.subscriptions.get_or_create(&Status { status }).set(count);
        }
    }

    /// Changes that are not matched yet, events that have not arrived, and how many seconds the oldest of those has waited.
    pub fn subscription_backlog(&self, changes: i64, events: i64, age_s: i64) {
        self.changes_waiting.set(changes);
        self.events_waiting.set(events);
        self.events_age.set(age_s);
    }

    /// The Prometheus text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
