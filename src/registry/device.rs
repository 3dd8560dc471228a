//! `registry/device/*.toml`: device models, and how their wire fields map to signals.

use serde::Deserialize;

use crate::id::SignalCode;

/// A device model.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceModel {
    /// Version of the row format.
    pub format_version: u32,
    /// Stable name, such as `gatt-heart-rate` or `lumee`.
    pub model: String,
    /// What people read.
    pub display: String,
    /// `Device.manufacturer`, where the model is of one.
    #[serde(default)]
    pub manufacturer: Option<String>,
    /// `Device.type` in SNOMED CT (code, display), where one is known.
    #[serde(default)]
    pub snomed: Option<(String, String)>,
    /// Bluetooth characteristics the model sends.
    #[serde(default)]
    pub gatt: Vec<GattService>,
    /// Vendor JSON the model sends.
    #[serde(default)]
    pub vendor: Vec<VendorSchema>,
    /// How the clock behind `device_time` is taken.
    #[serde(default)]
    pub clock: ClockKind,
    /// What algorithms have to know about this model's sensors.
    #[serde(default)]
    pub calibration: Vec<Calibration>,
}

impl DeviceModel {
    /// The curve an algorithm needs for this model's sensor.
    pub fn calibration(&self, algorithm: &str) -> Option<&Calibration> {
        self.calibration.iter().find(|c| c.algorithm == algorithm)
    }
}

/// Who sees to it that a model's clock is right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockKind {
    /// Somebody does: a gateway or phone that is synchronized stamps the packets. Times are taken as they are.
    #[default]
    Kept,
    /// Nobody: the device counts by itself. Times are mapped to the server's by how packets come.
    Free,
}

/// A curve that belongs to a model's sensor: `constant + linear * x + quadratic * x^2`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// `id` of the algorithm that asks for it.
    pub algorithm: String,
    /// Value at zero.
    pub constant: f64,
    /// Per unit.
    pub linear: f64,
    /// Per unit squared.
    #[serde(default)]
    pub quadratic: f64,
    /// The study the curve comes from, for those who have to trust it.
    pub source: String,
}

/// A GATT characteristic, and the signals its fields are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GattService {
    /// 16-bit UUID in hex, lowercase, or a full UUID.
    pub characteristic: String,
    /// The layout: a name in `device::gatt`.
    pub decoder: String,
    /// Decoded field to signal.
    pub field: Vec<Field>,
}

/// A vendor payload schema, and the signals its fields are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VendorSchema {
    /// Name and version as packets state them: `lumee/1.3.0`.
    pub schema: String,
    /// Payload field (JSON Pointer) with the device's own quality index in [0, 1], where it sends one.
    #[serde(default)]
    pub quality: Option<String>,
    /// Payload field (JSON Pointer, RFC 6901) to signal.
    pub field: Vec<Field>,
}

/// One wire field.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Decoder field name or JSON Pointer.
    pub name: String,
    /// The signal it is.
    pub signal: SignalCode,
    /// The component of a panel it is.
    #[serde(default)]
    pub component: Option<String>,
    /// UCUM unit on the wire; the decoder's own where left out.
    #[serde(default)]
    pub unit: Option<String>,
    /// Payload field (JSON Pointer) that states the UCUM unit, for schemas where it can vary.
    #[serde(default)]
    pub unit_field: Option<String>,
    /// Sampling rate on the wire for arrays of samples.
    #[serde(default)]
    pub rate_hz: Option<f64>,
}
