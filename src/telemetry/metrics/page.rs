//! What `/metrics` answers: metrics, written family by family whenever somebody asks.

use super::{
    count::Histogram,
    names::{ALL, Metric, MetricKind},
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeGaugeValue, MetricEncoder, NoLabelSet, text},
    metrics::MetricType,
    registry::{Registry, Unit},
};
use std::{
    fmt::{self, Write},
    iter::zip,
};

/// Everything that is shown, in the order in which it was added.
#[derive(Default)]
pub struct Exposition(Registry);

impl Exposition {
    /// Adds metrics, which `write` writes each time they are asked for.
    pub fn add(&mut self, write: impl Fn(&mut MetricsWriter<'_>) -> fmt::Result + Send + Sync + 'static) {
        self.0.register_collector(Box::new(MetricsSource(write)));
    }

    /// The text format of `OpenMetrics` 1.0.
    pub fn open_metrics(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.0)?;
        Ok(text)
    }

    /// The older text format of Prometheus, 0.0.4.
    pub fn plain(&self) -> Result<String, fmt::Error> {
        let text = self.open_metrics()?;
        let mut plain = String::with_capacity(text.len());
        for line in text.lines() {
            let mut words = line.splitn(4, ' ');
            match (words.next(), words.next(), words.next(), words.next()) {
                (Some("#"), Some("UNIT" | "EOF"), ..) => {}
                // There, the whole name stands here as well.
                (Some("#"), Some(what), Some(family), Some(rest)) => {
                    let name = ALL.iter().find(|metric| metric.family() == family).map_or(family, |metric| metric.name);
                    let rest = if rest == "info" { "gauge" } else { rest };
                    writeln!(plain, "# {what} {name} {rest}")?;
                }
                _ => writeln!(plain, "{line}")?,
            }
        }
        Ok(plain)
    }
}

struct MetricsSource<F>(F);

impl<F> fmt::Debug for MetricsSource<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

impl<F: Fn(&mut MetricsWriter<'_>) -> fmt::Result + Send + Sync + 'static> Collector for MetricsSource<F> {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        (self.0)(&mut MetricsWriter(encoder))
    }
}

/// Takes metrics; each of them once, with all its rows.
pub struct MetricsWriter<'a>(DescriptorEncoder<'a>);

/// Values for a metric's labels, in the order in which it names them.
type Labels<'l> = Vec<(&'static str, &'l str)>;

impl MetricsWriter<'_> {
    pub fn counter<'l, const N: usize>(
        &mut self,
        metric: &Metric,
        rows: impl IntoIterator<Item = ([&'l str; N], u64)>,
    ) -> fmt::Result {
        self.rows(metric, rows, |encoder, value| encoder.encode_counter::<NoLabelSet, _, f64>(&value, None))
    }

    /// A counter that counts time.
    pub fn seconds<'l, const N: usize>(
        &mut self,
        metric: &Metric,
        rows: impl IntoIterator<Item = ([&'l str; N], f64)>,
    ) -> fmt::Result {
        self.rows(metric, rows, |encoder, value| encoder.encode_counter::<NoLabelSet, _, f64>(&value, None))
    }

    pub fn gauge<'l, V: EncodeGaugeValue, const N: usize>(
        &mut self,
        metric: &Metric,
        rows: impl IntoIterator<Item = ([&'l str; N], V)>,
    ) -> fmt::Result {
        self.rows(metric, rows, |encoder, value| encoder.encode_gauge(&value))
    }

    pub fn histogram<'l, 'h, const N: usize>(
        &mut self,
        metric: &Metric,
        rows: impl IntoIterator<Item = ([&'l str; N], &'h Histogram)>,
    ) -> fmt::Result {
        self.rows(metric, rows, |encoder, histogram| {
            let (sum, buckets) = histogram.read();
            // Of the same moment as the buckets, or the two might not agree.
            let count = buckets.iter().map(|(_, count)| count).sum();
            encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
        })
    }

    /// A metric whose only news are its labels.
    pub fn info<const N: usize>(&mut self, metric: &Metric, values: [&str; N]) -> fmt::Result {
        // Not through a family: the encoder would begin such a row's labels with a comma.
        self.begin(metric, None)?.encode_info(&labels(metric, values))
    }

    fn rows<'l, V, const N: usize>(
        &mut self,
        metric: &Metric,
        rows: impl IntoIterator<Item = ([&'l str; N], V)>,
        write: impl Fn(&mut MetricEncoder<'_>, V) -> fmt::Result,
    ) -> fmt::Result {
        let unit = metric.unit().map(|unit| Unit::Other(unit.to_owned()));
        let mut encoder = self.begin(metric, unit.as_ref())?;
        for (values, value) in rows {
            let labels = labels(metric, values);
            if labels.is_empty() {
                write(&mut encoder, value)?;
            } else {
                write(&mut encoder.encode_family(&labels)?, value)?;
            }
        }
        Ok(())
    }

    fn begin<'s>(&'s mut self, metric: &'s Metric, unit: Option<&'s Unit>) -> Result<MetricEncoder<'s>, fmt::Error> {
        // The encoder adds the unit again.
        let family = metric.family();
        let name = metric.unit().and_then(|unit| family.strip_suffix(unit)?.strip_suffix('_')).unwrap_or(family);
        self.0.encode_descriptor(name, metric.help, unit, kind_of(metric))
    }
}

fn labels<'l, const N: usize>(metric: &Metric, values: [&'l str; N]) -> Labels<'l> {
    debug_assert_eq!(metric.labels.len(), N, "{}", metric.name);
    zip(metric.labels.iter().copied(), values).collect()
}

fn kind_of(metric: &Metric) -> MetricType {
    match metric.kind {
        MetricKind::Counter => MetricType::Counter,
        MetricKind::Gauge => MetricType::Gauge,
        MetricKind::Histogram => MetricType::Histogram,
        MetricKind::Info => MetricType::Info,
    }
}
