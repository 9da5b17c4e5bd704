//! PEM (RFC 7468): a text is split into sections here, so that each mistake can be named; the `pki-types` crate decodes
//! them.

use super::problem::PemProblem;
use crate::settings::text_file::without_mark;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use zeroize::Zeroizing;

/// The beginning of every section.
pub const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";
/// The header of a key in the older form of encryption (RFC 1421).
const ENCRYPTED_HEADER: &str = "Proc-Type: 4,ENCRYPTED";

/// The labels that files of certificates and keys have, with the words for their sections.
const LABELS: [(&str, &str); 12] = [
    ("CERTIFICATE", "certificate"),
    ("PRIVATE KEY", "private key"),
    ("RSA PRIVATE KEY", "private key"),
    ("EC PRIVATE KEY", "private key"),
    ("ENCRYPTED PRIVATE KEY", ENCRYPTED),
    ("DSA PRIVATE KEY", "DSA key"),
    ("OPENSSH PRIVATE KEY", "private key for SSH"),
    ("PUBLIC KEY", "public key"),
    ("CERTIFICATE REQUEST", "certificate request"),
    ("NEW CERTIFICATE REQUEST", "certificate request"),
    ("TRUSTED CERTIFICATE", "certificate in OpenSSL's own form"),
    ("PKCS7", "PKCS#7 archive"),
];
const ENCRYPTED: &str = "encrypted private key";
/// The word for a section with another label, which may be garbage and is not repeated.
const UNKNOWN: &str = "section of another kind";

/// The sections of a PEM text.
pub struct PemText {
    sections: Vec<PemSection>,
    /// The whole text with clean lines, for libraries that parse it themselves.
    text: Zeroizing<String>,
}

/// One section, from its first to its last line.
struct PemSection {
    /// The word for its label.
    word: &'static str,
    text: Zeroizing<String>,
    /// False if the text ends within the section.
    complete: bool,
}

impl PemText {
    /// Splits the content of a file into sections. A byte order mark, quotes around the whole and blanks around lines are
    /// left out. `\n` is a line end, as environment variables have it.
    pub fn parse(bytes: &[u8]) -> Result<Self, PemProblem> {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(PemProblem::Empty);
        }
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            return Err(PemProblem::Utf16);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| PemProblem::Binary)?;
        if text.contains('\0') {
            return Err(PemProblem::Binary);
        }
        let text = clean(text);
        Ok(Self { sections: sections(&text)?, text })
    }

    /// Returns the whole text with clean lines.
    pub fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Returns all certificates in their order.
    pub fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, PemProblem> {
        let certificates = self.sections.iter().filter(|section| section.word == "certificate");
        let certificates: Vec<_> = certificates
            .map(|section| {
                let found = section.complete.then(|| CertificateDer::from_pem_slice(section.text.as_bytes()).ok());
                found.flatten().ok_or(PemProblem::Damaged(section.word))
            })
            .collect::<Result<_, _>>()?;
        match self.sections.first() {
            _ if !certificates.is_empty() => Ok(certificates),
            Some(other) => Err(PemProblem::NoCertificate(other.word)),
            None => Err(PemProblem::NoPem { wanted: "certificate", first_line: "-----BEGIN CERTIFICATE-----" }),
        }
    }

    /// Returns the first private key.
    pub fn private_key(&self) -> Result<PrivateKeyDer<'static>, PemProblem> {
        let key = self.sections.iter().find(|section| section.word == "private key" || section.word == ENCRYPTED);
        match (key, self.sections.first()) {
            (Some(key), _) if key.word == ENCRYPTED || key.text.contains(ENCRYPTED_HEADER) => {
                Err(PemProblem::EncryptedKey)
            }
            (Some(key), _) => {
                let found = key.complete.then(|| PrivateKeyDer::from_pem_slice(key.text.as_bytes()).ok());
                found.flatten().ok_or(PemProblem::Damaged(key.word))
            }
            (None, Some(other)) => Err(PemProblem::NoKey(other.word)),
            (None, None) => Err(PemProblem::NoPem { wanted: "private key", first_line: "-----BEGIN PRIVATE KEY-----" }),
        }
    }
}

/// Returns the text with `\n` as the end of every line, and nothing around the lines.
fn clean(text: &str) -> Zeroizing<String> {
    let text = without_mark(text).trim();
    let text = text.trim_matches(['"', '\'']);
    let text = Zeroizing::new(text.replace("\\r", "").replace("\\n", "\n"));
    let mut clean = Zeroizing::new(String::with_capacity(text.len() + 1));
    for line in text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty()) {
        clean.push_str(line);
        clean.push('\n');
    }
    clean
}

fn sections(text: &str) -> Result<Vec<PemSection>, PemProblem> {
    let mut sections: Vec<PemSection> = Vec::new();
    let mut is_open = false;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix(BEGIN) {
            let label = rest.strip_suffix(DASHES).filter(|label| !label.contains(DASHES));
            let label = label.ok_or(PemProblem::NoLineEnds)?;
            let word = LABELS.iter().find(|(known, _)| *known == label).map_or(UNKNOWN, |(_, word)| word);
            sections.push(PemSection { word, text: Zeroizing::default(), complete: false });
            is_open = true;
        }
        let Some(section) = sections.last_mut().filter(|_| is_open) else { continue };
        section.text.push_str(line);
        section.text.push('\n');
        if line.starts_with(END) {
            section.complete = true;
            is_open = false;
        }
    }
    Ok(sections)
}
