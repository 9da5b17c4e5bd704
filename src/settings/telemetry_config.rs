//! The settings of traces.

/// Traces.
#[derive(Debug)]
pub struct TelemetryConfig {
    /// The receiver of traces; `None` turns traces off.
    pub collector: Option<CollectorConfig>,
    /// Share of traced requests, from 0 to 1, where the caller does not decide.
    pub sample_ratio: f64,
}

/// The receiver of traces.
#[derive(Debug)]
pub struct CollectorConfig {
    /// `http://host:port` or `https://host:port`.
    pub endpoint: String,
    /// Trusted authorities in PEM; `None` for the public ones.
    pub ca_cert: Option<Vec<u8>>,
    /// Name of this service in traces.
    pub service_name: String,
}
