//! The facts of one X.509 certificate (RFC 5280).

use super::problem::PemProblem;
use rustls::pki_types::CertificateDer;
use std::time::{SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;
use x509_parser::{certificate::X509Certificate, parse_x509_certificate, public_key::PublicKey, x509::X509Version};

/// Shortest RSA key that TLS libraries accept.
const RSA_BITS_MIN: usize = 2048;

/// The time in which a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second, since 1970.
    pub from_secs: i64,
    /// The last second, since 1970.
    pub until_secs: i64,
}

/// The facts of a certificate.
pub struct CertificateFacts {
    /// The subject, in DER.
    pub subject: Vec<u8>,
    /// The issuer, in DER.
    pub issuer: Vec<u8>,
    /// The public key with its algorithm, in DER.
    pub public_key: Vec<u8>,
    /// The certificate is that of an authority.
    pub is_authority: bool,
    /// The time of its validity.
    pub validity: Validity,
}

impl CertificateFacts {
    /// Parses a certificate; `number` is its position in the file, from 1.
    pub fn parse(der: &CertificateDer<'_>, number: usize) -> Result<Self, PemProblem> {
        let (_, certificate) = parse_x509_certificate(der).map_err(|_| PemProblem::NotX509(number))?;
        let validity = certificate.validity();
        Ok(Self {
            subject: certificate.subject().as_raw().to_vec(),
            issuer: certificate.issuer().as_raw().to_vec(),
            public_key: certificate.public_key().raw.to_vec(),
            is_authority: certificate.is_ca(),
            validity: Validity {
                from_secs: validity.not_before.timestamp(),
                until_secs: validity.not_after.timestamp(),
            },
        })
    }
}

/// Returns the mistake of a certificate that TLS libraries do not accept in a handshake.
pub fn refusal(der: &CertificateDer<'_>, number: usize) -> Option<PemProblem> {
    let Ok((_, certificate)) = parse_x509_certificate(der) else { return Some(PemProblem::NotX509(number)) };
    if certificate.version() != X509Version::V3 {
        let version = certificate.version().0 + 1;
        return Some(PemProblem::OldVersion { number, version });
    }
    let bits = rsa_bits(&certificate).filter(|bits| *bits < RSA_BITS_MIN)?;
    Some(PemProblem::ShortKey { number, bits })
}

/// Returns the length of an RSA key; `None` for other keys.
fn rsa_bits(certificate: &X509Certificate<'_>) -> Option<usize> {
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => Some(key.key_size()),
        _ => None,
    }
}

impl Validity {
    /// Returns a sentence without its subject where the certificate is not valid now.
    pub fn warning(&self) -> Option<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        if now > self.until_secs {
            Some(format!("has expired: it was valid until {}", date(self.until_secs)))
        } else if now < self.from_secs {
            Some(format!(
                "is not valid yet: its validity begins {}; is the clock of this machine right?",
                date(self.from_secs)
            ))
        } else {
            None
        }
    }
}

fn date(secs: i64) -> String {
    let Ok(time) = OffsetDateTime::from_unix_timestamp(secs) else { return "at an unknown time".to_owned() };
    let (year, month, day) = time.to_calendar_date();
    format!("{year:04}-{:02}-{day:02} {:02}:{:02} UTC", u8::from(month), time.hour(), time.minute())
}
