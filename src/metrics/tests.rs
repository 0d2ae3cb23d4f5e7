use std::time::Duration;

use super::*;

fn text(metrics: &Metrics) -> String {
    metrics.text(Readings {
        build: Build { version: "1.2.3", commit: "unknown", database: "sqlite" },
        started: 1.5,
        migrations_pending: true,
        stopping: false,
        load: Load::Sqlite(Waiting { steady: 1, fresh: 2, writes: 3 }),
        keys: None,
    })
}

/// The value of one series.
fn value(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

#[test]
fn an_answer_is_counted_by_its_route_method_and_status() {
    let metrics = Metrics::default();
    for (route, method, status) in [
        (Some("/api/{user_id}/tasks"), "GET", 200),
        (Some("/api/{user_id}/tasks"), "GET", 200),
        (Some("/api/{user_id}/tasks"), "GET", 401),
        (Some("/api/{user_id}/tasks"), "POST", 429),
        (None, "GET", 404),
    ] {
        let request = metrics.requests.begin();
        request.answered(route, method, status, Duration::from_millis(3));
    }
    let text = text(&metrics);
    let tasks = |method: &str, status: u16| {
        value(
            &text,
            &format!(
                "http_requests_total{{route=\"/api/{{user_id}}/tasks\",method=\"{method}\",status=\"{status}\"}}"
            ),
        )
    };
    assert_eq!((tasks("GET", 200), tasks("GET", 401), tasks("POST", 429)), (Some(2.0), Some(1.0), Some(1.0)));
    assert_eq!((tasks("POST", 200), tasks("PUT", 200)), (None, None));
    let unmatched = "http_requests_total{route=\"unmatched\",method=\"GET\",status=\"404\"}";
    assert_eq!(value(&text, unmatched), Some(1.0));
    assert_eq!(value(&text, "http_requests_rate_limited_total"), Some(1.0));
    let times = "route=\"/api/{user_id}/tasks\",method=\"GET\"";
    let bucket = |le| {
        let begin = "http_request_duration_seconds_bucket{";
        let labels = [format!("{begin}le=\"{le}\",{times}}}"), format!("{begin}{times},le=\"{le}\"}}")];
        labels.iter().find_map(|series| value(&text, series))
    };
    assert_eq!((bucket("0.0025"), bucket("0.005"), bucket("+Inf")), (Some(0.0), Some(3.0), Some(3.0)));
    let sum = value(&text, &format!("http_request_duration_seconds_sum{{{times}}}"));
    assert!(sum.is_some_and(|sum| (sum - 0.009).abs() < 1e-9), "{sum:?}");
}

#[test]
fn what_is_shed_is_not_rate_limited() {
    let metrics = Metrics::default();
    for (status, why) in [(429, Some(Shed::Share)), (429, None), (503, Some(Shed::Server))] {
        let request = metrics.requests.begin();
        if let Some(why) = why {
            metrics.requests.shed(why);
        }
        request.answered(None, "GET", status, Duration::ZERO);
    }
    metrics.refused_connections.add();
    let text = text(&metrics);
    for series in [
        "http_requests_shed_total{reason=\"server\"}",
        "http_requests_shed_total{reason=\"share\"}",
        "http_requests_rate_limited_total",
        "http_connections_refused_total",
    ] {
        assert_eq!(value(&text, series), Some(1.0), "{series}");
    }
}

#[test]
fn whatever_strangers_send_the_text_stays_short() {
    let metrics = Metrics::default();
    for i in 0..1_000 {
        let request = metrics.requests.begin();
        request.answered(None, &format!("METHOD{i}"), 405, Duration::ZERO);
        request.answered(Some("/health"), &format!("METHOD{i}"), 200 + i % 400, Duration::ZERO);
        // Not that the router had so many.
        request.answered(Some(&format!("/route/{i}")), "GET", 200, Duration::ZERO);
    }
    let text = text(&metrics);
    let series = |name: &str| text.lines().filter(|line| line.starts_with(name)).count();
    assert_eq!(
        value(&text, "http_requests_total{route=\"unmatched\",method=\"other\",status=\"405\"}"),
        Some(1000.0)
    );
    let others = "http_requests_total{route=\"/health\",method=\"other\",status=\"other\"}";
    assert!(value(&text, others).is_some_and(|count| count > 900.0));
    assert!(series("http_requests_total") < 300, "{}", series("http_requests_total"));
    assert!(!text.contains("METHOD"));
}

#[test]
fn threads_lose_no_count() {
    let metrics = Metrics::default();
    std::thread::scope(|scope| {
        for thread in 0..4_u16 {
            let requests = &metrics.requests;
            scope.spawn(move || {
                for i in 0..2_000_u16 {
                    let route = format!("/route/{}", i % 7);
                    requests.begin().answered(Some(&route), "GET", 200 + (i + thread) % 9, Duration::ZERO);
                }
            });
        }
    });
    let text = text(&metrics);
    let counted = text.lines().filter(|line| line.starts_with("http_requests_total"));
    let sum: f64 = counted.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum();
    assert!((sum - 8_000.0).abs() < 0.5, "{sum}");
    assert_eq!(value(&text, "http_requests_in_flight"), Some(0.0));
}

#[test]
fn what_is_held_is_counted_until_it_is_dropped() {
    let metrics = Metrics::default();
    let (request, connection) = (metrics.requests.begin(), metrics.connections.hold());
    let statement = metrics.database.begin(Operation::SqliteCommit);
    let during = text(&metrics);
    drop((request, connection, statement));
    metrics.database.waited(Queue::Pool, Duration::from_secs(9));
    metrics.database.failed(Failure::OutcomeUnknown);
    metrics.database.committed(3);
    let after = text(&metrics);
    let commits = "db_operations_in_flight{operation=\"sqlite_commit\"}";
    for series in ["http_requests_in_flight", "http_connections_open", commits] {
        assert_eq!((value(&during, series), value(&after, series)), (Some(1.0), Some(0.0)), "{series}");
    }
    let taken = "db_operation_duration_seconds_count{operation=\"sqlite_commit\"}";
    assert_eq!((value(&during, taken), value(&after, taken)), (Some(0.0), Some(1.0)));
    assert_eq!(value(&after, "db_wait_duration_seconds_sum{queue=\"pool\"}"), Some(9.0));
    assert_eq!(value(&after, "db_errors_total{kind=\"outcome_unknown\"}"), Some(1.0));
    assert_eq!(value(&after, "sqlite_commit_group_size_sum"), Some(3.0));
    assert_eq!(value(&after, "sqlite_queue_waiting{queue=\"other_reads\"}"), Some(2.0));
    assert_eq!(value(&after, "migrations_pending"), Some(1.0));
    assert!(value(&after, "process_resident_memory_bytes").is_some_and(|bytes| bytes > 1e6));
    assert!(value(&after, "process_open_fds").is_some_and(|open| open >= 3.0));
    assert!(after.ends_with("# EOF\n"));
}
