//! Writes families of metrics.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use super::histogram::Histogram;

/// A label and its value.
pub(super) type Label<'a> = (&'static str, &'a str);

/// The text that is being made.
#[derive(Debug)]
pub(super) struct Text<'a>(DescriptorEncoder<'a>);

/// A family of counters whose head is written.
pub(super) struct Counters<'a>(MetricEncoder<'a>);

/// A family of gauges whose head is written.
pub(super) struct Gauges<'a>(MetricEncoder<'a>);

/// A family of histograms whose head is written.
pub(super) struct Histograms<'a>(MetricEncoder<'a>);

impl<'a> Text<'a> {
    pub(super) fn new(encoder: DescriptorEncoder<'a>) -> Self {
        Self(encoder)
    }

    /// A family of counters; the text puts `_total` behind its name.
    pub(super) fn counters<'s>(&'s mut self, name: &'s str, help: &str) -> Result<Counters<'s>, fmt::Error> {
        self.0.encode_descriptor(name, help, None, MetricType::Counter).map(Counters)
    }

    pub(super) fn gauges<'s>(&'s mut self, name: &'s str, help: &str) -> Result<Gauges<'s>, fmt::Error> {
        self.0.encode_descriptor(name, help, None, MetricType::Gauge).map(Gauges)
    }

    pub(super) fn histograms<'s>(
        &'s mut self,
        name: &'s str,
        help: &str,
    ) -> Result<Histograms<'s>, fmt::Error> {
        self.0.encode_descriptor(name, help, None, MetricType::Histogram).map(Histograms)
    }

    /// A counter without labels; the text puts `_total` behind its name.
    pub(super) fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.counters(name, help)?.0.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    /// A gauge without labels.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.gauges(name, help)?.0.encode_gauge(&value)
    }

    /// A gauge of seconds, without labels.
    pub(super) fn seconds(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        self.gauges(name, help)?.0.encode_gauge(&value)
    }

    /// A histogram without labels.
    pub(super) fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) -> fmt::Result {
        histogram.write(&mut self.histograms(name, help)?.0)
    }
}

impl Counters<'_> {
    pub(super) fn one<const N: usize>(&mut self, labels: [Label<'_>; N], value: u64) -> fmt::Result {
        self.0.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    /// Seconds, without labels.
    pub(super) fn seconds(&mut self, value: f64) -> fmt::Result {
        self.0.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }
}

impl Gauges<'_> {
    pub(super) fn one<const N: usize>(&mut self, labels: [Label<'_>; N], value: u64) -> fmt::Result {
        self.0.encode_family(&labels)?.encode_gauge(&value)
    }
}

impl Histograms<'_> {
    pub(super) fn one<const N: usize>(
        &mut self,
        labels: [Label<'_>; N],
        histogram: &Histogram,
    ) -> fmt::Result {
        histogram.write(&mut self.0.encode_family(&labels)?)
    }
}
