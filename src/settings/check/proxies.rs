//! The proxies that are trusted: addresses and networks.

use crate::settings::section_reader::SectionReader;
use ipnet::IpNet;
use std::net::IpAddr;

/// Reads `TRUSTED_PROXIES`.
pub fn trusted(service: &SectionReader<'_>) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for text in service.list("TRUSTED_PROXIES") {
        match parse(text) {
            Some(network) => networks.push(network),
            None => service.error(
                "TRUSTED_PROXIES",
                format!("\"{text}\" is neither an IP address nor a network such as 10.0.0.0/8 or 2001:db8::/32"),
            ),
        }
    }
    networks
}

fn parse(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}
