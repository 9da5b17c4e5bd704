//! Tests of the mistakes in certificates and keys.

use super::*;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::{fs, path::Path};
use time::{Duration, OffsetDateTime};

const SHORT_KEY: &str = include_str!("fixtures/short_key.pem");
const VERSION_1: &str = include_str!("fixtures/version_1.pem");
const ENCRYPTED: [&str; 2] =
    [include_str!("fixtures/encrypted_key.pem"), include_str!("fixtures/encrypted_key_rfc1421.pem")];

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

/// A root, an authority that it certified, and a server that the authority certified.
struct Issued {
    root: String,
    middle: String,
    leaf: String,
    key: String,
}

impl Issued {
    fn new() -> Self {
        Self::valid_within(Duration::days(-1), Duration::days(1))
    }

    /// Issues a leaf whose validity begins and ends at these distances from now.
    fn valid_within(from: Duration, until: Duration) -> Self {
        let authority = |name: &str| {
            let mut params = params(name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params
        };
        let root = CertifiedIssuer::self_signed(authority("root"), key()).expect("a root");
        let middle = CertifiedIssuer::signed_by(authority("middle"), key(), &root).expect("an authority");
        let mut params = params("localhost");
        let now = OffsetDateTime::now_utc();
        (params.not_before, params.not_after) = (now + from, now + until);
        let key = key();
        let leaf = params.signed_by(&key, &middle).expect("a certificate").pem();
        Self { root: root.pem(), middle: middle.pem(), leaf, key: key.serialize_pem() }
    }
}

/// Reads a chain and a key from files with these contents in a folder.
fn read(folder: &Path, chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Result<Identity, Vec<PemFileError>> {
    let paths = [folder.join("cert.pem"), folder.join("key.pem")];
    fs::write(&paths[0], chain).expect("it is written");
    fs::write(&paths[1], key).expect("it is written");
    let [certificate, key] = paths.map(PemSource::File);
    read_identity(&IdentityFiles {
        section: "service",
        certificate: ("TLS_CERT", &certificate),
        key: ("TLS_KEY", &key),
    })
}

#[track_caller]
fn expect_problem(chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>, expected: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let errors = read(folder.path(), chain, key).err().expect("a problem");
    let sentences: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let problem = sentences.join("; ").replace(&format!("{}/", folder.path().display()), "");
    assert!(problem.starts_with(expected), "{problem}");
    // DER in base64 begins with MI. Some parsers show the bytes of a line as numbers.
    let is_silent = !problem.contains('\n') && !problem.contains("MI") && !problem.contains("45, 45");
    assert!(is_silent, "a part of the file is shown: {problem}");
}

#[track_caller]
fn expect_usable(chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Identity {
    let folder = tempfile::tempdir().expect("a folder");
    read(folder.path(), chain, key).unwrap_or_else(|problem| panic!("{problem:?}"))
}

#[test]
fn a_chain_is_read_however_it_was_written() {
    let Issued { middle, leaf, key, .. } = Issued::new();
    let chain = [leaf, middle].concat();
    let windows = |text: &str| format!("\u{feff}{}", text.replace('\n', "\r\n"));
    let one_line = |text: &str| text.replace('\n', "\\n");
    let quoted = |text: &str| format!("\"{}\"\n", text.replace('\n', "\\r\\n"));
    let indented = |text: &str| text.replace('\n', "\n    ").replacen("-----", "  -----", 1);
    for form in [&str::to_owned as &dyn Fn(&str) -> String, &windows, &one_line, &quoted, &indented] {
        let identity = expect_usable(form(&chain), form(&key));
        assert_eq!((identity.chain.len(), identity.warnings), (2, Vec::<String>::new()));
        // Other libraries parse the text themselves.
        assert!(identity.chain_text.as_bytes().starts_with(b"-----BEGIN CERTIFICATE-----\n"));
    }
}

#[test]
fn a_chain_in_another_order_than_the_key_wants_is_named() {
    let Issued { root, middle, leaf, key } = Issued::new();
    let wrong = [middle.clone(), leaf.clone()].concat();
    expect_problem(
        wrong,
        &key,
        "[service] TLS_CERT: cert.pem has the wrong order: the certificate of the private key is number 2",
    );
    let without_leaf = [middle.clone(), root.clone()].concat();
    expect_problem(without_leaf, &key, "[service] TLS_CERT: cert.pem holds certificates of authorities only");
    let identity = expect_usable([leaf, root, middle].concat(), &key);
    let [warning] = identity.warnings.as_slice() else { panic!("{:?}", identity.warnings) };
    assert!(warning.contains("certificate 2 is not that of the issuer of certificate 1"), "{warning}");
}

#[test]
fn a_key_of_another_certificate_is_named() {
    let (one, other) = (Issued::new(), Issued::new());
    expect_problem(&one.leaf, &other.key, "[service] TLS_KEY: key.pem is not the key of the certificate in ");
}

#[test]
fn a_certificate_that_tls_does_not_accept_is_named() {
    let Issued { key, .. } = Issued::new();
    expect_problem(VERSION_1, &key, "[service] TLS_CERT: cert.pem holds an X.509 certificate of version 1");
    expect_problem(SHORT_KEY, &key, "[service] TLS_CERT: cert.pem holds a certificate whose RSA key has 1024 bits");
    let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    expect_problem(no_certificate, &key, "[service] TLS_CERT: cert.pem holds something else than an X.509 certificate");
}

#[test]
fn an_encrypted_key_is_named() {
    let Issued { leaf, .. } = Issued::new();
    for encrypted in ENCRYPTED {
        expect_problem(&leaf, encrypted, "[service] TLS_KEY: key.pem holds an encrypted private key");
        let one_line = encrypted.replace('\n', "\\n");
        expect_problem(&leaf, one_line, "[service] TLS_KEY: key.pem holds an encrypted private key");
    }
}

#[test]
fn files_that_are_mixed_up_are_named() {
    let Issued { leaf, key, .. } = Issued::new();
    expect_problem(&key, &key, "[service] TLS_CERT: cert.pem holds a private key, but no certificate");
    expect_problem(&leaf, &leaf, "[service] TLS_KEY: key.pem holds a certificate, but no private key in PEM form");
    let both = [leaf.clone(), key.clone()].concat();
    assert_eq!(expect_usable(&both, &both).chain.len(), 1);
    let request = "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n";
    expect_problem(request, &key, "[service] TLS_CERT: cert.pem holds a certificate request, but no certificate");
}

#[test]
fn a_file_that_is_no_pem_is_named_without_its_content() {
    let Issued { leaf, key, .. } = Issued::new();
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(key.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let body = key.lines().nth(1).expect("a line").to_owned();
    let without_line_ends = key.replace('\n', " ");
    let cut = key.lines().take(2).collect::<Vec<_>>().join("\n");
    let damaged = key.replace(&body[..8], "%%%%%%%%");
    for (content, expected) in [
        (Vec::new(), "is empty"),
        (b" \n".to_vec(), "is empty"),
        (utf16, "is text in UTF-16"),
        (vec![0x30, 0x82, 0xff, 0], "is binary, not PEM"),
        (body.into_bytes(), "holds no private key in PEM form"),
        (without_line_ends.into_bytes(), "is PEM without line ends"),
        (cut.into_bytes(), "holds a private key that is cut off or damaged"),
        (damaged.into_bytes(), "holds a private key that is cut off or damaged"),
    ] {
        expect_problem(&leaf, content, &format!("[service] TLS_KEY: key.pem {expected}"));
    }
    let combined = [leaf.clone(), key].concat();
    let unreadable = combined.replacen("-----END CERTIFICATE-----\n", "", 1);
    expect_problem(unreadable, leaf, "[service] TLS_CERT: cert.pem holds a certificate that is cut off or damaged; ");
}

#[test]
fn both_files_are_reported_at_once() {
    expect_problem("", "", "[service] TLS_CERT: cert.pem is empty; [service] TLS_KEY: key.pem is empty");
}

#[test]
fn a_certificate_out_of_its_validity_is_a_warning() {
    for (from, until, expected) in [
        (Duration::days(-9), Duration::days(-1), "certificate 1 has expired: it was valid until "),
        (Duration::days(1), Duration::days(9), "certificate 1 is not valid yet: its validity begins "),
    ] {
        let Issued { middle, leaf, key, .. } = Issued::valid_within(from, until);
        let identity = expect_usable([leaf, middle].concat(), key);
        let [warning] = identity.warnings.as_slice() else { panic!("{:?}", identity.warnings) };
        assert!(warning.starts_with("[service] TLS_CERT: ") && warning.contains(expected), "{warning}");
    }
}

#[test]
fn a_key_given_in_place_of_its_path_is_used_and_never_shown() {
    let Issued { leaf, key, .. } = Issued::new();
    let one_line = key.replace('\n', "\\n");
    assert!(PemSource::is_pem(&one_line));
    let sources = [PemSource::Text(one_line.clone().into()), PemSource::Text(one_line[..90].into())];
    let body = key.lines().nth(1).expect("a line");
    for source in sources.iter().chain([&PemSource::File(body.into()), &PemSource::File(one_line.into())]) {
        assert!(!format!("{source} {:?}", source.read().err()).contains(&body[..8]), "{source}");
    }
    let certificate = PemSource::Text(leaf.into());
    let files =
        IdentityFiles { section: "service", certificate: ("TLS_CERT", &certificate), key: ("TLS_KEY", &sources[0]) };
    assert!(read_identity(&files).is_ok());
}

#[test]
fn authorities_are_read_and_their_mistakes_are_named() {
    let Issued { root, middle, key, .. } = Issued::new();
    let read = |text: &str| read_authorities(&PemSource::Text(text.into()));
    let bundle = read(&format!("\u{feff}{root}{middle}")).unwrap_or_else(|problem| panic!("{problem}"));
    assert_eq!((bundle.certificates.len(), bundle.warning), (2, None));
    let problem = read(&key).err().expect("no certificate").to_string();
    assert_eq!(problem, "holds a private key, but no certificate");
    let expired = Issued::valid_within(Duration::days(-9), Duration::days(-1)).leaf;
    let bundle = read(&expired).unwrap_or_else(|problem| panic!("{problem}"));
    assert!(bundle.warning.is_some_and(|warning| warning.contains("has expired")));
    let bundle = read(&[expired, root].concat()).unwrap_or_else(|problem| panic!("{problem}"));
    assert_eq!(bundle.warning, None);
}
