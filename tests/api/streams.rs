//! A whole list, longer than what is read at once, and what a client sees of one that breaks off.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::harness::{Answer, Engine, User, World, is_pooled, on_both};

on_both!(a_long_list_is_whole_or_an_error, so_is_one_in_an_object);

const ROWS: usize = 8_000;
const PATH: &str = "/api/ann/tasks";

/// Rows of several KB each, so that the list is longer than anything on its way can hold.
async fn fill(world: &World) -> User {
    let ann = world.user("ann");
    ann.tasks().create(json!({"title": "First", "description": "x".repeat(5_000)})).await.is(201);
    let behind = world.behind().await;
    let (series, id) = match behind.engine() {
        Engine::Sqlite => (
            format!(
                "(with recursive n (n) as (select 2 union all select n + 1 from n where n < {ROWS}) select n from n)"
            ),
            "randomblob(16)",
        ),
        Engine::Postgres | Engine::Pooled => {
            (format!("(select generate_series(2, {ROWS}) as n)"), "gen_random_uuid()")
        }
    };
    let copied = "title, title_fold, description, description_fold, completed, completed_at, priority, tags, due_date, \
                  created_at, updated_at, version";
    let copy = format!(
        "insert into @tasks (user_id, id, number, {copied}) select user_id, {id}, s.n, {copied} from @tasks, {series} as s"
    );
    behind.run(&copy).await;
    ann
}

/// Asks for the list and reads no further than its beginning; the server cannot send much beyond that.
async fn begin(user: &User) -> (TcpStream, Vec<u8>) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(32 << 10).expect("a small one");
    let mut stream = socket.connect(user.address).await.expect("the server listens");
    let head = format!(
        "GET {PATH} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
        user.address, user.token
    );
    stream.write_all(head.as_bytes()).await.expect("asked");
    let mut begun = vec![0; 16 << 10];
    stream.read_exact(&mut begun).await.expect("the beginning of a list");
    let text = String::from_utf8_lossy(&begun);
    assert!(text.starts_with("HTTP/1.1 200 ") && text.contains("\r\n\r\n"), "{text}");
    (stream, begun)
}

/// Everything until the connection ends, well or not.
async fn finish((mut stream, mut bytes): (TcpStream, Vec<u8>)) -> Vec<u8> {
    let rest = async {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.ok();
        rest
    };
    let rest = tokio::time::timeout(std::time::Duration::from_secs(60), rest).await;
    bytes.extend(rest.expect("a list that breaks off ends its connection"));
    bytes
}

async fn a_long_list_is_whole_or_an_error(world: &World) {
    whole_or_an_error(world, |list| list.as_array().map(Vec::len)).await;
}

async fn so_is_one_in_an_object(world: &World) {
    let world = world.another(&[("TODO_LIST", "items,total")]).await;
    let rows = |list: &Value| {
        let rows = list["items"].as_array()?.len();
        (list["total"] == rows).then_some(rows)
    };
    whole_or_an_error(&world, rows).await;
}

/// `rows` counts the rows of a list.
async fn whole_or_an_error(world: &World, rows: impl Fn(&Value) -> Option<usize>) {
    let ann = fill(world).await;

    let whole = finish(begin(&ann).await).await;
    let whole = Answer::parse("GET", PATH, &whole).expect("a whole list").is(200);
    assert_eq!(rows(&whole), Some(ROWS), "slow readers get the whole list");

    let behind = world.behind().await;
    let begun = begin(&ann).await;
    behind.run("alter table @tasks rename to gone").await;
    let short = finish(begun).await;
    assert!(short.len() >= 16 << 10, "it broke off in the midst: {} bytes", short.len());
    let fault = Answer::parse("GET", PATH, &short).err();
    assert!(fault.is_some(), "a short list looks whole: {} bytes", short.len());
    assert!(!short.ends_with(b"]") && !short.ends_with(b"]\r\n0\r\n\r\n"), "it ends like a whole list");

    // Before the head is out it is an answer like any other.
    assert!(ann.get(PATH).await.status >= 500);
    behind
        .run(match behind.engine() {
            Engine::Sqlite => "alter table gone rename to tasks",
            Engine::Postgres | Engine::Pooled => "alter table @gone rename to tasks",
        })
        .await;
    let whole = finish(begin(&ann).await).await;
    let whole = Answer::parse("GET", PATH, &whole).expect("a whole list").is(200);
    assert_eq!(rows(&whole), Some(ROWS), "and it is back");
}

/// A read that loses its connection is sent once more: the list goes on as if nothing had been.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_that_ends_its_connections_amid_a_list() {
    if is_pooled() {
        // A pooler's connections serve every test at once: whose the last statement was, is chance.
        eprintln!("not tried behind a pooler: its connections are everybody's");
        return;
    }
    let world = World::open(Engine::Postgres, &[]).await;
    let ann = fill(&world).await;
    let behind = world.behind().await;
    let begun = begin(&ann).await;
    // Only this world's: its statements name its schema, and with row level security it has a role of its own.
    let Some(schema) = behind.schema() else { panic!("PostgreSQL has schemas") };
    let role = schema.replace("test_", "role_");
    let ended = behind
        .number(&format!(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity \
             where pid <> pg_backend_pid() and (strpos(query, '{schema}') > 0 or usename = '{role}')"
        ))
        .await;
    assert!(ended >= 1, "no connection was ended");
    let bytes = finish(begun).await;
    match Answer::parse("GET", PATH, &bytes) {
        Ok(answer) => {
            assert_eq!(answer.is(200).as_array().map(Vec::len), Some(ROWS), "a short list looks whole");
        }
        Err(_) => assert!(!bytes.ends_with(b"]"), "it ends like a whole list"),
    }
    let again = finish(begin(&ann).await).await;
    let again = Answer::parse("GET", PATH, &again).expect("a whole list").is(200);
    assert_eq!(again.as_array().map(Vec::len), Some(ROWS));
}
