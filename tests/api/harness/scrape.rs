//! The text of `/metrics`, read strictly by the rules of OpenMetrics 1.0: whatever breaks one of them fails the test.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::{Request, raw};

/// Labels with their values.
type Labels = Vec<(String, String)>;

/// A name with labels, which there is once.
type Series = (String, Labels);

/// Every series of one scrape with its value.
#[derive(Debug)]
pub(crate) struct Scrape {
    series: BTreeMap<Series, f64>,
    /// As it came.
    pub(crate) text: String,
}

impl Scrape {
    /// What a server tells on its API's port.
    pub(crate) async fn of(address: SocketAddr) -> Self {
        let answer = Request::new("GET", "/metrics").send(address).await;
        assert_eq!(answer.status, 200);
        let kind = answer.header("content-type").expect("a content type");
        assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
        Self::read(std::str::from_utf8(&answer.body).expect("UTF-8"))
    }

    /// What it tells on an address of its own.
    pub(crate) async fn alone(address: SocketAddr) -> Self {
        let head = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let answer = raw(address, head.as_bytes()).await;
        let (head, body) = answer.split_once("\r\n\r\n").expect("a whole answer");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        Self::read(body)
    }

    fn read(text: &str) -> Self {
        let body = text.strip_suffix("# EOF\n").expect("the end is told");
        let mut series = BTreeMap::new();
        let mut families = BTreeMap::new();
        let mut family = ("", "");
        for line in body.split_terminator('\n') {
            if let Some(head) = line.strip_prefix("# HELP ") {
                let (name, help) = head.split_once(' ').expect("a help");
                assert!(!help.is_empty() && families.insert(name, "").is_none(), "{name} is there twice");
                continue;
            }
            if let Some(head) = line.strip_prefix("# TYPE ") {
                family = head.split_once(' ').expect("a type");
                assert!(matches!(family.1, "counter" | "gauge" | "histogram"), "{line}");
                assert_eq!(families.insert(family.0, family.1), Some(""), "TYPE after HELP: {line}");
                continue;
            }
            let (name, labels, value) = sample(line);
            let suffix = name.strip_prefix(family.0).unwrap_or_else(|| panic!("{line} among {}", family.0));
            let suffixes: &[&str] = match family.1 {
                "counter" => &["_total"],
                "gauge" => &[""],
                _ => &["_bucket", "_count", "_sum"],
            };
            assert!(suffixes.contains(&suffix), "{line} as a {}", family.1);
            assert!(value >= 0.0 && value.is_finite(), "{line}");
            assert!(series.insert((name, labels), value).is_none(), "{line} is there twice");
        }
        let scrape = Self { series, text: text.to_owned() };
        for (name, kind) in families {
            if kind == "histogram" {
                scrape.check_histogram(name);
            }
        }
        scrape
    }

    /// The buckets grow, and the last one is the count.
    fn check_histogram(&self, name: &str) {
        let mut by_labels: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
        for ((_, labels), count) in self.family(&format!("{name}_bucket")) {
            let mut rest = labels.clone();
            let le = rest.iter().position(|(label, _)| label == "le").expect("a bucket has a bound");
            let bound = rest.remove(le).1.replace("+Inf", "inf").parse().expect("a bound is a number");
            by_labels.entry(rest).or_default().push((bound, *count));
        }
        for (labels, mut buckets) in by_labels {
            buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
            assert!(buckets.is_sorted_by(|one, other| one.1 <= other.1), "{name} {labels:?}: {buckets:?}");
            let last = buckets.last().expect("a bucket");
            assert!(last.0.is_infinite(), "{name} has no last bucket");
            assert_eq!(self.series.get(&(format!("{name}_count"), labels.clone())), Some(&last.1));
            assert!(self.series.contains_key(&(format!("{name}_sum"), labels)));
        }
    }

    fn family(&self, name: &str) -> impl Iterator<Item = (&Series, &f64)> {
        self.series.iter().filter(move |((known, _), _)| known == name)
    }

    /// The sum of all series of that name that have these labels; none where there is no such series.
    pub(crate) fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |all: &[(String, String)]| {
            labels.iter().all(|(label, value)| all.iter().any(|(l, v)| l == label && v == value))
        };
        let values: Vec<f64> =
            self.family(name).filter(|((_, all), _)| has(all)).map(|(_, value)| *value).collect();
        (!values.is_empty()).then(|| values.iter().sum())
    }

    /// As `find`, 0 where there is no such series.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let sum = self.find(name, labels).unwrap_or(0.0);
        assert!(sum.fract() == 0.0, "{name} is {sum}");
        sum as u64
    }

    /// How many series there are.
    pub(crate) fn len(&self) -> usize {
        self.series.len()
    }
}

/// `name{label="value",…} number`.
fn sample(line: &str) -> (String, Labels, f64) {
    let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
    let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
    let Some((name, rest)) = series.split_once('{') else {
        assert!(is_name(series), "{line}");
        return (series.to_owned(), Vec::new(), value);
    };
    let mut rest = rest.strip_suffix('}').unwrap_or_else(|| panic!("labels without an end: {line}"));
    let mut labels = Vec::new();
    while !rest.is_empty() {
        let (label, more) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
        let end = more.find('"').unwrap_or_else(|| panic!("a value without an end: {line}"));
        assert!(!more[..end].contains(['\\', '\n']), "nothing of ours needs an escape: {line}");
        assert!(is_name(label) && labels.iter().all(|(known, _)| known != label), "{line}");
        labels.push((label.to_owned(), more[..end].to_owned()));
        rest = &more[end + 1..];
        rest = rest.strip_prefix(',').filter(|rest| !rest.is_empty()).unwrap_or(rest);
    }
    assert!(is_name(name), "{line}");
    labels.sort();
    (name.to_owned(), labels, value)
}

fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}
