use super::*;

/// So late that adding any wait to it panics.
fn last_instant() -> Instant {
    (0..63).rev().fold(Instant::now(), |at, bit| at.checked_add(Duration::from_secs(1 << bit)).unwrap_or(at))
}

fn read(queued: Instant, deadline: Instant) -> (Read, oneshot::Receiver<Answer>) {
    let (answer, answered) = oneshot::channel();
    let statement = Statement { sql: "select 1".into(), params: Vec::new(), plan: Plan::Steady };
    (
        Read { job: Job::nobodys(statement, deadline), texts: vec!["select 1".into()], queued, answer },
        answered,
    )
}

#[tokio::test]
async fn readers_outlive_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    drop(Connection::open(&path).unwrap());
    let patience = Patience { acquire: Duration::from_secs(5), statement: Duration::from_secs(5) };
    let (readers, threads) = Readers::open(&path, patience, &Arc::default()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    for _ in 0..2 * threads.len() {
        let (bad, answered) = read(last_instant(), deadline);
        readers.steady.try_send(bad).unwrap();
        let refused = answered.await.unwrap();
        assert!(
            matches!(&refused, Err(DbError::Unavailable(text)) if text.contains("panicked")),
            "{refused:?}"
        );
    }
    readers.ping(deadline).await.unwrap();
    assert!(!threads.iter().any(JoinHandle::is_finished));
    readers.stop();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert!(matches!(readers.ping(deadline).await, Err(DbError::Unavailable(_))));
}
