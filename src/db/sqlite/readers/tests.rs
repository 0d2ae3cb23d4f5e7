use futures_util::FutureExt as _;

use super::*;
use crate::auth::user_id::UserId;
use crate::db::{Judge, Verdict};

fn select(user: &str, plan: Plan, judge: Judge) -> (Job, Vec<Arc<str>>) {
    let statement = Statement { sql: "select ?1".into(), params: Vec::new(), plan };
    let job = Job::reads(&UserId::for_tests(user), vec![statement], Instant::now() + Duration::from_secs(60));
    (Job { judge: Some(judge), ..job }, vec!["select ?1".into()])
}

/// Readers of an empty file, and how many of them take slow reads.
fn readers(folder: &tempfile::TempDir) -> (Readers, Vec<JoinHandle<()>>, usize) {
    let path = folder.path().join("x.db");
    drop(Connection::open(&path).unwrap());
    let patience = Patience { acquire: Duration::from_secs(50), statement: Duration::from_secs(50) };
    let (readers, threads) = Readers::open(&path, patience, &Arc::default()).unwrap();
    let slow = threads.len() - 1;
    (readers, threads, slow)
}

#[tokio::test]
async fn readers_outlive_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let (readers, threads, _) = readers(&folder);
    let deadline = Instant::now() + Duration::from_secs(10);
    for _ in 0..2 * threads.len() {
        let (job, texts) = select("ann", Plan::Steady, Judge::new(|_| panic!("on purpose")));
        let refused = readers.read(job, texts).await;
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

#[tokio::test]
async fn one_users_slow_reads_do_not_stand_before_anothers() {
    let folder = tempfile::tempdir().unwrap();
    let (readers, threads, slow) = readers(&folder);
    let fair = (slow / PART).max(1);
    // Ann's reads last until the gate opens, and tell when a thread has begun with one.
    let ((gate, closed), (begin, begun)) = (bounded::<Never>(0), crossbeam_channel::unbounded());
    let anns = || {
        let (closed, begin) = (closed.clone(), begin.clone());
        let judge = Judge::new(move |_| {
            begin.send(()).unwrap();
            assert!(closed.recv().is_err());
            Ok(Verdict::RollBack)
        });
        let (job, texts) = select("ann", Plan::Fresh, judge);
        Box::pin(readers.read(job, texts))
    };
    let bob = async || {
        let (job, texts) = select("bob", Plan::Fresh, Judge::new(|_| Ok(Verdict::RollBack)));
        let answered = tokio::time::timeout(Duration::from_secs(20), readers.read(job, texts)).await;
        answered.expect("behind ann's").unwrap();
    };

    // She hangs up, and the threads are still busy.
    for _ in 0..fair {
        let mut gone = anns();
        assert!((&mut gone).now_or_never().is_none());
        begun.recv_timeout(Duration::from_secs(20)).unwrap();
        drop(gone);
    }
    let mut waiting: Vec<_> = (0..WAITING).map(|_| anns()).collect();
    assert!(waiting.iter_mut().all(|read| read.now_or_never().is_none()));
    let refused = anns().now_or_never().expect("at once");
    assert!(matches!(&refused, Err(DbError::Unavailable(text)) if text.contains("too many")), "{refused:?}");
    for _ in 0..3 * slow {
        bob().await;
    }
    assert!(begun.is_empty() && waiting.iter_mut().all(|read| read.now_or_never().is_none()));

    drop(gate);
    futures_util::future::try_join_all(waiting).await.unwrap();
    assert_eq!(begun.len(), WAITING);
    readers.stop();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}
