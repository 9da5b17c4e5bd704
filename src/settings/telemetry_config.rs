//! The settings of traces.

/// Traces, and the inspection of answers.
#[derive(Debug)]
pub struct TelemetryConfig {
    /// The receiver of traces; `None` turns traces off.
    pub collector: Option<CollectorConfig>,
    /// Share of traced requests, from 0 to 1, where the caller does not decide.
    pub sample_ratio: f64,
    /// The inspection of answers.
    pub inspection: InspectionConfig,
}

/// The inspection of answers: some are compared with the master.
#[derive(Clone, Copy, Debug, Default)]
pub struct InspectionConfig {
    /// The number of answers, and of changes, of which one is inspected; 0 turns the inspection off.
    pub one_in: u32,
    /// Maximum number of commands per second that the inspection sends to Redis.
    pub per_second: u32,
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
