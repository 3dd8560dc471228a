//! Versions of algorithms, where their module states none.

/// `afferent_metrics::atrial_fibrillation`.
pub(super) const ATRIAL_FIBRILLATION: &str = "1.0.0";
