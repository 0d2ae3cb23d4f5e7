use std::io::Write;
use std::net::TcpListener;

use super::*;
use crate::config::Config;

fn examined(vars: &[(&str, &str)]) -> Examined {
    Config::examine_vars(vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

#[tokio::test]
async fn a_port_is_free_or_the_machine_lacks_the_address() {
    let free = listen(&examined(&[("PORT", "0"), ("HOST", "127.0.0.1")])).await;
    assert_eq!(free[0].status, Status::Ok);
    assert!(free[0].detail.contains("this machine only"), "{free:?}");
    let secret = "q7dK2mZx9vRw4tYb8nLc3hJf6gPs1aQe";
    let missing = listen(&examined(&[("HOST", "192.0.2.1"), ("BETTER_AUTH_SECRET", secret)])).await;
    assert_eq!(missing[0].status, Status::Problem);
    assert_eq!(listen(&examined(&[("PORT", "ninety")])).await[0].detail, "not looked at");
}

#[tokio::test]
async fn a_taken_port_is_a_problem_unless_a_server_like_this_one_has_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let vars = [("PORT", port.as_str()), ("HOST", "127.0.0.1")];
    let silent = listen(&examined(&vars)).await;
    assert_eq!(silent[0].status, Status::Problem);
    assert!(silent[0].cure.as_deref().unwrap().contains("set PORT="), "{silent:?}");
    std::thread::spawn(move || {
        for stream in taken.incoming() {
            // The first look has hung up by now.
            drop(stream.and_then(|mut stream| stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")));
        }
    });
    let ours = listen(&examined(&vars)).await;
    assert_eq!(ours[0].status, Status::Ok, "{ours:?}");
}

#[tokio::test]
async fn an_address_for_metrics_is_free_or_named_with_the_cure() {
    assert!(metrics(&examined(&[])).await.is_none(), "in development they are beside the API");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let vars = [("METRICS_ADDRESS", address.as_str()), ("PORT", "1"), ("HOST", "127.0.0.1")];
    let found = metrics(&examined(&vars)).await.unwrap();
    assert_eq!(found.status, Status::Problem, "{found:?}");
    assert!(found.cure.as_deref().unwrap().contains("METRICS_ADDRESS=off"), "{found:?}");
    drop(taken);
    assert_eq!(metrics(&examined(&vars)).await.unwrap().status, Status::Ok);
    // 9090 is taken by this, or by whoever has it already.
    let _usual = TcpListener::bind("127.0.0.1:9090");
    let vars = [("ENVIRONMENT", "production"), ("PORT", "1"), ("HOST", "127.0.0.1")];
    let found = metrics(&examined(&vars)).await.unwrap();
    assert_eq!(found.status, Status::Warning, "the server starts without: {found:?}");
    assert!(found.cure.as_deref().unwrap().contains("METRICS_ADDRESS=off"), "{found:?}");
}

#[test]
fn a_folder_is_there_to_come_or_impossible_and_nothing_is_made() {
    let home = tempfile::tempdir().unwrap();
    let there = judge(home.path(), Some(&home.path().join("rows.db")));
    assert_eq!(there.status, Status::Ok);
    assert!(there.detail.contains("can be written to"), "{there:?}");
    let deep = judge(&home.path().join("a/b"), None);
    assert!(deep.status == Status::Ok && deep.detail.contains("will be created"), "{deep:?}");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    std::fs::write(home.path().join("file"), "").unwrap();
    assert_eq!(judge(&home.path().join("file/data"), None).status, Status::Problem);
    assert_eq!(judge(Path::new("/proc/1"), None).status, Status::Problem, "not even root can write there");
    assert_eq!(judge(Path::new("no/such/place"), None).status, Status::Ok, "below the working directory");
}

#[tokio::test]
async fn only_what_is_used_is_looked_at() {
    assert!(folder(&examined(&[("DATABASE_URL", "sqlite://rows.db")])).await.is_some());
    assert!(folder(&examined(&[("DATABASE_URL", "postgresql://ann@h/db")])).await.is_some(), "dev mode");
    let keyed = [("DATABASE_URL", "postgresql://ann@h/db"), ("BETTER_AUTH_URL", "https://a.test")];
    assert!(folder(&examined(&keyed)).await.is_none());
    assert!(folder(&examined(&[("DATABASE_URL", "mysql://x")])).await.is_none());
}
