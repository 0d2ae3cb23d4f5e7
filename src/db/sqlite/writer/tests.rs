use futures_util::FutureExt as _;

use super::*;
use crate::auth::user_id::UserId;
use crate::db::{Judge, Plan, Statement, Step, Value, Verdict, When};

fn write(sql: &'static str, params: Vec<Value>) -> (Write, oneshot::Receiver<Answer>) {
    let (answer, answered) = oneshot::channel();
    let statement = Statement { sql: sql.into(), params, plan: Plan::Steady };
    let steps = vec![Step { statement, when: When::Always }];
    let deadline = Instant::now() + Duration::from_secs(10);
    let job = Job::writes(&UserId::for_tests("ann"), steps, None, deadline);
    let state = Arc::new(AtomicU8::new(WAITING));
    let queued = Instant::now();
    (Write { job, texts: vec![sql.into()], queued, by: deadline, state, answer, _place: None }, answered)
}

fn desk_patience() -> Patience {
    Patience { acquire: Duration::from_secs(5), statement: Duration::from_secs(5) }
}

fn desk(folder: &tempfile::TempDir) -> Desk {
    let desk =
        Desk::open(&folder.path().join("x.db"), desk_patience(), Arc::default(), Arc::default()).unwrap();
    desk.connection.execute_batch("create table t (owner text, text text) strict").unwrap();
    desk
}

const INSERT: &str = "insert into t values (?1, ?2)";

fn text(length: usize) -> Vec<Value> {
    vec![Value::Text(Some("x".repeat(length)))]
}

#[test]
fn a_full_disk_refuses_the_whole_group_and_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = desk(&folder);
    let pages: i64 = desk.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    desk.connection.pragma_update(None, "max_page_count", pages + 2).unwrap();
    let (small, mut small_answer) = write(INSERT, text(10));
    let (large, mut large_answer) = write(INSERT, text(100_000));
    desk.group(vec![small, large]);
    for answer in [&mut small_answer, &mut large_answer] {
        assert!(matches!(answer.try_recv().unwrap(), Err(DbError::Unavailable(_))));
    }
    assert!(desk.failing.load(Ordering::Relaxed));
    let count = |desk: &Desk| {
        desk.connection.query_row("select count(*) from t", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(count(&desk), 0);
    assert!(desk.probe().is_err(), "a small write proves nothing so soon");
    desk.failed.set(None);
    desk.probe().unwrap();
    assert!(!desk.failing.load(Ordering::Relaxed));
    let (small, mut answer) = write(INSERT, text(10));
    desk.group(vec![small]);
    assert!(answer.try_recv().unwrap().is_ok());
    assert_eq!(count(&desk), 1);
}

#[test]
fn after_a_full_disk_the_log_is_emptied_instead_of_growing() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = desk(&folder);
    let log = || folder.path().join("x.db-wal").metadata().unwrap().len();
    for _ in 0..5 {
        let (write, mut answer) = write(INSERT, text(10_000));
        desk.group(vec![write]);
        assert!(answer.try_recv().unwrap().is_ok());
    }
    let pages: i64 = desk.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    desk.connection.pragma_update(None, "max_page_count", pages + 1).unwrap();
    let before = log();
    let (large, mut answer) = write(INSERT, text(100_000));
    desk.group(vec![large]);
    assert!(matches!(answer.try_recv().unwrap(), Err(DbError::Unavailable(_))));
    desk.connection.pragma_update(None, "max_page_count", pages + 100).unwrap();
    let (next, mut answer) = write(INSERT, text(10_000));
    desk.group(vec![next]);
    assert!(answer.try_recv().unwrap().is_ok());
    assert!(log() < before, "{} bytes, {before} before", log());
    let pages: i64 =
        desk.connection.pragma_query_value(None, "wal_autocheckpoint", |row| row.get(0)).unwrap();
    assert_eq!(pages, SHORT_LOG, "and is kept shorter from now on");
    let count: i64 = desk.connection.query_row("select count(*) from t", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 6);
}

#[test]
fn a_commit_that_fails_answers_everybody_with_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = desk(&folder);
    // A foreign key that is looked at only when the transaction commits.
    desk.connection
        .execute_batch("create table p (id integer primary key); create table c (id integer references p deferrable initially deferred)")
        .unwrap();
    let (fine, mut first) = write(INSERT, text(10));
    let (orphan, mut second) = write("insert into c select 7 where ?1 = ?1", Vec::new());
    desk.group(vec![fine, orphan]);
    assert!(matches!(first.try_recv().unwrap(), Err(DbError::Unavailable(_))));
    assert!(matches!(second.try_recv().unwrap(), Err(DbError::Unavailable(_))));
    assert!(desk.connection.is_autocommit());
    let (fine, mut third) = write(INSERT, text(10));
    desk.group(vec![fine]);
    assert!(third.try_recv().unwrap().is_ok());
}

#[test]
fn what_was_undone_after_a_look_at_the_group_is_true_only_with_the_group() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = desk(&folder);
    desk.connection
        .execute_batch("create table p (id integer primary key); create table c (id integer references p deferrable initially deferred)")
        .unwrap();
    // It sees the row of the first, and changes nothing.
    let judged = |sql: &'static str| {
        let (mut write, answer) = write(sql, Vec::new());
        write.job.judge = Some(Judge::new(|_| Ok(Verdict::RollBack)));
        (write, answer)
    };
    let (seen, orphan) = ("select text from t where owner = ?1", "insert into c select 7 where ?1 = ?1");
    for (third, kept) in [(orphan, false), ("delete from t where owner <> ?1", true)] {
        let (first, mut made) = write(INSERT, text(10));
        let (second, mut told) = judged(seen);
        let (last, mut done) = write(third, Vec::new());
        desk.group(vec![first, second, last]);
        assert_eq!(made.try_recv().unwrap().is_ok(), kept);
        assert_eq!(done.try_recv().unwrap().is_ok(), kept);
        match told.try_recv().unwrap() {
            Ok(rows) => assert!(kept && rows[0].len() == 1, "told of a row that nobody has"),
            Err(error) => assert!(!kept && matches!(error, DbError::Unavailable(_)), "{error}"),
        }
    }
    // Alone there is nobody to wait for.
    let (alone, mut told) = judged(seen);
    desk.group(vec![alone]);
    assert_eq!(told.try_recv().unwrap().unwrap()[0].len(), 1);
    assert!(desk.connection.is_autocommit());
}

#[test]
fn answers_come_after_the_commit_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = desk(&folder);
    let other = Connection::open(folder.path().join("x.db")).unwrap();
    let (sent, seen) = std::sync::mpsc::channel();
    let waiting: Vec<_> = (0..5)
        .map(|_| {
            let (write, answered) = write(INSERT, text(10));
            let sent = sent.clone();
            let thread =
                std::thread::spawn(move || sent.send(answered.blocking_recv().unwrap().is_ok()).unwrap());
            (write, thread)
        })
        .collect();
    let (writes, threads): (Vec<_>, Vec<_>) = waiting.into_iter().unzip();
    // A commit hook sees the transaction just before it is durable.
    let (asked, early) = std::sync::mpsc::channel();
    desk.connection
        .commit_hook(Some(move || {
            asked.send(seen.recv_timeout(Duration::from_millis(200)).is_err()).unwrap();
            false
        }))
        .unwrap();
    desk.group(writes);
    assert!(early.recv().unwrap(), "an answer came before the commit");
    assert!(early.try_recv().is_err(), "one commit for the group");
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(other.query_row("select count(*) from t", [], |row| row.get::<_, i64>(0)).unwrap(), 5);
}

fn count(folder: &tempfile::TempDir) -> i64 {
    let other = Connection::open(folder.path().join("x.db")).unwrap();
    other.query_row("select count(*) from t", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_panic_before_the_commit_changes_nothing_and_the_next_write_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = desk(&folder);
    for _ in 0..3 {
        desk.guarded(|desk| {
            desk.connection.execute_batch("begin immediate; insert into t values ('ann', 'x')").unwrap();
            panic!("on purpose");
        });
        assert_eq!(count(&folder) % 2, 0);
        let (write, mut answer) = write(INSERT, text(10));
        let (second, mut other) = self::write(INSERT, text(10));
        desk.guarded(|desk| desk.group(vec![write, second]));
        assert!(answer.try_recv().unwrap().is_ok() && other.try_recv().unwrap().is_ok());
    }
    assert_eq!(count(&folder), 6);
}

/// Panics when the writer says that a group is committed, the first time.
#[derive(Debug, Default)]
struct PanicOnce(AtomicBool);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for PanicOnce {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        let committed = *event.metadata().level() == tracing::Level::TRACE
            && event.metadata().target() == "creatorvault::db";
        assert!(!committed || self.0.swap(true, Ordering::Relaxed), "on purpose");
    }
}

/// The way to a writer that runs as `run` says, and its thread.
fn writer(
    desk: Desk,
    queue: usize,
    run: impl FnOnce(Desk, Inbox) + Send + 'static,
) -> (Writer, JoinHandle<()>) {
    let ((queue, tasks), (open, closing)) = (bounded(queue), bounded(0));
    let failing = desk.failing.clone();
    let thread = std::thread::spawn(move || run(desk, Inbox { tasks, closing }));
    let patience = desk_patience();
    let shares = Shares::new(SHARE, 0);
    (Writer { queue, open: Mutex::new(Some(open)), failing, shares, patience }, thread)
}

#[tokio::test]
async fn a_panic_between_commit_and_answer_is_an_unknown_outcome_and_the_next_write_succeeds() {
    use tracing_subscriber::layer::SubscriberExt;
    let folder = tempfile::tempdir().unwrap();
    let (writer, thread) = writer(desk(&folder), QUEUE, |desk, inbox| {
        let panics = tracing_subscriber::registry().with(PanicOnce::default());
        tracing::subscriber::with_default(panics, || desk.run(&inbox));
    });
    let (first, _) = write(INSERT, text(10));
    let unknown = writer.write(first.job, first.texts).await;
    assert!(matches!(unknown, Err(DbError::OutcomeUnknown(_))), "{unknown:?}");
    assert_eq!(count(&folder), 1, "it was committed");
    let (second, _) = write(INSERT, text(10));
    writer.write(second.job, second.texts).await.unwrap();
    writer.stop();
    thread.join().unwrap();
    assert_eq!(count(&folder), 2);
}

#[tokio::test]
async fn a_writer_that_is_gone_has_changed_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (writer, thread) = writer(desk(&folder), QUEUE, |_, inbox| drop(inbox.tasks.recv()));
    let (first, _) = write(INSERT, text(10));
    assert!(matches!(writer.write(first.job, first.texts).await, Err(DbError::Unavailable(_))));
    thread.join().unwrap();
    let (second, _) = write(INSERT, text(10));
    assert!(matches!(writer.write(second.job, second.texts).await, Err(DbError::Unavailable(_))));
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_does_not_hold_up_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let (writer, thread) = writer(desk(&folder), 1, move |desk, inbox| {
        wait.recv().unwrap();
        desk.run(&inbox);
    });
    let writer = Arc::new(writer);
    let (first, _) = write(INSERT, text(10));
    let own = writer.clone();
    let waiting = tokio::spawn(async move { own.write(first.job, first.texts).await });
    while !writer.queue.is_full() {
        tokio::task::yield_now().await;
    }
    let (second, _) = write(INSERT, text(10));
    let begun = Instant::now();
    let refused = writer.write(second.job, second.texts).await;
    assert!(matches!(&refused, Err(DbError::Unavailable(text)) if text.contains("too many")), "{refused:?}");
    writer.stop();
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    go.send(()).unwrap();
    // What was queued before the end is done.
    waiting.await.unwrap().unwrap();
    thread.join().unwrap();
    assert_eq!(count(&folder), 1);
}

#[tokio::test]
async fn a_write_that_nobody_waits_for_keeps_its_place_until_the_thread_is_done_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let (writer, thread) = writer(desk(&folder), QUEUE, move |desk, inbox| {
        wait.recv().unwrap();
        desk.run(&inbox);
    });
    for _ in 0..SHARE {
        let (gone, _) = write(INSERT, text(10));
        assert!(writer.write(gone.job, gone.texts).now_or_never().is_none());
    }
    let (next, _) = write(INSERT, text(10));
    let refused = writer.write(next.job, next.texts).now_or_never().expect("at once");
    assert!(matches!(&refused, Err(DbError::Unavailable(text)) if text.contains("one user")), "{refused:?}");
    go.send(()).unwrap();
    writer.stop();
    thread.join().unwrap();
    let (next, _) = write(INSERT, text(10));
    let closed = writer.write(next.job, next.texts).await;
    assert!(!closed.unwrap_err().to_string().contains("one user"), "the places came back");
}
