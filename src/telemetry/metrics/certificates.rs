//! The validity of the certificates in use.

use super::{names, writer::MetricsWriter};
use crate::settings::Validity;
use arc_swap::ArcSwapOption;
use std::{fmt, sync::Arc};

/// The certificates in use.
#[derive(Default)]
pub struct CertificateMetrics {
    /// The certificate that identifies this service to its callers (`TLS_CERT`).
    pub service: CertificateValidity,
    /// The certificate that identifies this service to Redis (`client_cert`).
    pub redis_client: CertificateValidity,
}

/// The validity of one certificate; none where there is no certificate.
#[derive(Default)]
pub struct CertificateValidity(ArcSwapOption<Validity>);

impl CertificateValidity {
    /// Returns the end of the certificate's validity, in seconds since 1970.
    pub fn until_secs(&self) -> Option<i64> {
        self.0.load().as_ref().map(|validity| validity.until_secs)
    }

    /// Records the validity of the certificate that is in use from now on.
    pub fn set(&self, validity: Option<Validity>) {
        self.0.store(validity.map(Arc::new));
    }
}

impl CertificateMetrics {
    /// Writes the validity of each certificate.
    pub fn write(&self, writer: &mut MetricsWriter<'_>) -> fmt::Result {
        let in_use = [("service", &self.service), ("redis_client", &self.redis_client)];
        let in_use: Vec<(&str, Validity)> =
            in_use.into_iter().filter_map(|(name, validity)| Some((name, **validity.0.load().as_ref()?))).collect();
        let until = in_use.iter().map(|(name, validity)| ([*name], secs(validity.until_secs)));
        writer.gauge(&names::CERTIFICATE_EXPIRY, until)?;
        let from = in_use.iter().map(|(name, validity)| ([*name], secs(validity.from_secs)));
        writer.gauge(&names::CERTIFICATE_VALID_FROM, from)
    }
}

/// Returns a time as a number of a metric; times before 1970 are 0.
fn secs(time: i64) -> u64 {
    u64::try_from(time).unwrap_or(0)
}
