//! `[telemetry]`: the collector of traces, the share of traced requests, and the inspection of answers.

use crate::{
    settings::{
        section_reader::SectionReader,
        telemetry_config::{CollectorConfig, InspectionConfig, TelemetryConfig},
    },
    types::Address,
};

/// Reads the section.
pub fn telemetry(reader: &SectionReader<'_>, warnings: &mut Vec<String>) -> TelemetryConfig {
    reader.refuse_empty("otlp_endpoint");
    let (endpoint, service_name) = (reader.text("otlp_endpoint"), reader.text("service_name"));
    let ca_cert = ca_cert(reader, endpoint.is_some_and(|endpoint| endpoint.starts_with("https://")), warnings);
    let collector = endpoint.map(|text| CollectorConfig {
        endpoint: parse_endpoint(text).unwrap_or_else(|| {
            reader.error(
                "otlp_endpoint",
                format!("{text:?} is not an endpoint: write http://host:port or https://host:port"),
            );
            String::new()
        }),
        ca_cert,
        service_name: service_name.unwrap_or_default().to_owned(),
    });
    TelemetryConfig { collector, sample_ratio: sample_ratio(reader), inspection: inspection(reader) }
}

fn inspection(reader: &SectionReader<'_>) -> InspectionConfig {
    // Both ranges are within u32.
    let [one_in, per_second] = [("inspect_one_in", 0..=1_000_000_000), ("inspect_per_second", 1..=1_000)]
        .map(|(option, range)| u32::try_from(reader.number(option, range)).unwrap_or_default());
    InspectionConfig { one_in, per_second }
}

/// Parses `http://host:port` or `https://host:port`; returns it without a slash at the end.
fn parse_endpoint(text: &str) -> Option<String> {
    let text = text.trim_end_matches('/');
    let address = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"))?;
    (!address.contains('@') && address.parse::<Address>().is_ok()).then(|| text.to_owned())
}

fn ca_cert(reader: &SectionReader<'_>, is_https: bool, warnings: &mut Vec<String>) -> Option<Vec<u8>> {
    reader.refuse_empty("otlp_ca_cert");
    reader.text("otlp_ca_cert")?;
    if !is_https {
        reader.error("otlp_ca_cert", "has no effect unless otlp_endpoint begins with https://");
    }
    reader.authorities("otlp_ca_cert", warnings)
}

fn sample_ratio(reader: &SectionReader<'_>) -> f64 {
    let text = reader.text("trace_sample_ratio").unwrap_or_default();
    match text.parse() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => ratio,
        _ => {
            reader.error("trace_sample_ratio", format!("{text:?} is not a number from 0 to 1"));
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_scheme_and_an_address() {
        assert_eq!(parse_endpoint("http://127.0.0.1:4317/").as_deref(), Some("http://127.0.0.1:4317"));
        assert_eq!(parse_endpoint("https://[::1]:4317").as_deref(), Some("https://[::1]:4317"));
        for text in
            ["", "collector:4317", "http://collector", "grpc://collector:1", "http://me:pw@host:1", "http://a:1/v1"]
        {
            assert!(parse_endpoint(text).is_none(), "{text}");
        }
    }
}
