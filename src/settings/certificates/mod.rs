//! Certificates and private keys in PEM: read, and checked for the mistakes that people make with them. Each mistake has a
//! sentence of its own. No message has a part of a file, which may be a key.

mod authorities;
mod identity;
mod pem;
mod pem_source;
mod problem;
#[cfg(test)]
mod tests;
mod x509;

pub use authorities::read_authorities;
pub use identity::{Identity, IdentityFiles, read_identity};
pub use pem_source::PemSource;
pub use problem::{PemFileError, PemProblem};
pub use x509::Validity;
