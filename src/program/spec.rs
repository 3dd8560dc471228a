//! What a profile version says.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{DeviceKey, ExportName, SignalCode};

/// A profile version: what is expected of an episode, when it ends, and what is exported of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Signals an episode is expected to give; at least one.
    pub signals: Vec<ExpectedSignal>,
    /// Models of the devices that give them: rows in `registry/device`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub device_models: Vec<String>,
    /// When an episode ends by itself; the first condition that comes true ends it.
    #[serde(default, skip_serializing_if = "EndConditions::is_empty")]
    pub end_conditions: EndConditions,
    /// What is exported, where to, and when.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exports: Vec<Export>,
}

/// A signal an episode is expected to give.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedSignal {
    /// Row in `registry/signal`.
    pub signal: SignalCode,
    /// Length of the windows it is wanted over, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 86_400)]
    pub window_s: Option<u32>,
    /// How often a value is wanted, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 86_400)]
    pub cadence_s: Option<u32>,
    /// Whose values count where several sources give the signal at once, the most wanted first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
    /// Values that call for attention.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<Threshold>,
}

/// A source of a signal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Any device of a model: a row in `registry/device`.
    Model(String),
    /// One device.
    Device(DeviceKey),
}

/// A value below `low` or above `high` calls for attention; in the unit of the signal's row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// Component of a panel, such as `systolic`; none for a single value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// Lowest value that is all right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Highest value that is all right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}

/// When an episode ends by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndConditions {
    /// Seconds after its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 315_360_000)]
    pub max_duration_s: Option<u64>,
    /// Seconds, by the server's clock, since a packet of one of its devices was last received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 315_360_000)]
    pub inactivity_s: Option<u64>,
    /// Samples its devices have sent: values of a `samples` packet; a panel, a GATT notification or a vendor's packet is
    /// one sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub sample_count: Option<u64>,
}

impl EndConditions {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Something that is exported of every episode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// Its name, unique in the profile.
    pub name: ExportName,
    /// When.
    pub trigger: Trigger,
    /// For `on_schedule`: seconds of event time between two of them, counted from the start of the episode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 315_360_000)]
    pub interval_s: Option<u64>,
    /// Name of the target it goes to.
    pub target: String,
}

/// When an export happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// Once, when the episode is opened.
    OnEpisodeStart,
    /// Once, when the episode has ended and all that its devices gave is in the store.
    OnEpisodeEnd,
    /// Whenever measurements of the episode were stored, new or amended.
    OnMeasurement,
    /// Whenever the episode's measurements have passed another interval.
    OnSchedule,
}

impl Trigger {
    /// Its name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::OnEpisodeStart => "on_episode_start",
            Self::OnEpisodeEnd => "on_episode_end",
            Self::OnMeasurement => "on_measurement",
            Self::OnSchedule => "on_schedule",
        }
    }
}
