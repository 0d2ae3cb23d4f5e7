use std::net::TcpListener;

use super::{Folder, SECRET, closed_port};

fn test_server(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("set {name} to a PostgreSQL server for tests, postgresql://…"))
}

/// The URL of another database on the test server, made by these statements' words after `create database`.
fn made(name: &str, rest: &str) -> String {
    let url = test_server("TEST_POSTGRES_URL");
    run(&url, &format!("drop database if exists {name}"));
    run(&url, &format!("create database {name} {rest}"));
    let (place, keys) =
        url.split_once('?').map_or((url.as_str(), String::new()), |(u, k)| (u, format!("?{k}")));
    let (server, _) = place.rsplit_once('/').expect("a database");
    format!("{server}/{name}{keys}")
}

fn run(url: &str, sql: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (client, connection) =
            tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("a connection");
        tokio::spawn(connection);
        client.batch_execute(sql).await.expect("SQL that runs");
    });
}

#[test]
fn an_unreachable_postgres_is_a_problem_and_the_rest_is_looked_at() {
    let url = format!("postgresql://canary:canary@127.0.0.1:{}/vault", closed_port());
    let findings = Folder::new().doctor(&[SECRET, ("DATABASE_URL", &url)]);
    findings.expect("database", "problem", &["database vault", "refused", "start PostgreSQL"]);
    findings.expect("migrations", "warning", &["not known"]);
    findings.expect("key sources", "ok", &["HS256"]);
    assert!(!format!("{findings:?}").contains("canary"), "{findings:?}");
    let direct = [SECRET, ("DATABASE_URL", url.as_str()), ("DATABASE_DIRECT_URL", url.as_str())];
    Folder::new().doctor(&direct).expect("migrations", "problem", &["DATABASE_DIRECT_URL"]);
}

#[test]
fn a_postgres_that_accepts_and_says_nothing_is_given_up_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgresql://ann@{}/vault", silent.local_addr().unwrap());
    let findings = Folder::new().doctor(&[SECRET, ("DATABASE_URL", &url)]);
    findings.expect("database", "problem", &["does not answer within three seconds"]);
}

#[test]
fn a_sqlite_file_of_somebody_else_is_a_problem() {
    let folder = Folder::new();
    std::fs::write(folder.path().join("rows.db"), "no database at all, only a text that is long enough")
        .unwrap();
    let vars = [SECRET, ("DATABASE_URL", "sqlite://rows.db")];
    folder.doctor(&vars).expect("database", "problem", &["not a database"]);
    std::fs::remove_file(folder.path().join("rows.db")).unwrap();
    let other = rusqlite::Connection::open(folder.path().join("rows.db")).unwrap();
    other.execute_batch("create table tasks (id integer)").unwrap();
    let findings = folder.doctor(&vars);
    findings.expect("database", "ok", &[]);
    findings.expect("migrations", "problem", &["tasks is there already", "name another file"]);
}

#[test]
fn pending_migrations_are_a_problem_where_nobody_applies_them() {
    let folder = Folder::new();
    let findings = folder.doctor(&[SECRET, ("AUTO_MIGRATE", "false")]);
    findings.expect("migrations", "problem", &["0001_", "creatorvault migrate up"]);
    assert_eq!(folder.files(), []);
}

#[test]
fn postgres_tells_its_version_and_its_migrations_and_is_not_changed() {
    let url = made("doctor_plain", "template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C.UTF-8'");
    let vars = [SECRET, ("DATABASE_URL", url.as_str()), ("DATABASE_SCHEMA", "vault")];
    let folder = Folder::new();
    for _ in 0..2 {
        let findings = folder.doctor(&vars);
        let (status, text) = findings.of("database");
        assert!(status != "problem" && text.contains("server 1") && text.contains("round trip"), "{text}");
        findings.expect("migrations", "ok", &["pending, applied at the next start: 0001_"]);
        findings.expect("pooler", "ok", &["direct connection", "5000 ms"]);
        findings.expect("lc_ctype", "ok", &["C.UTF-8"]);
    }
    assert_eq!(folder.run(&["migrate", "up"], &vars).code, Some(0));
    folder.doctor(&vars).expect("migrations", "ok", &["all "]);
    run(&url, "create table tasks (id int)");
    let foreign = folder.doctor(&[vars[0], vars[1]]);
    foreign.expect("migrations", "problem", &["public.tasks is there already", "DATABASE_SCHEMA"]);
}

#[test]
fn postgres_without_letters_warns_and_a_role_without_rights_is_a_problem() {
    let url = made("doctor_c", "template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C'");
    let findings = Folder::new().doctor(&[SECRET, ("DATABASE_URL", &url)]);
    findings.expect("lc_ctype", "warning", &["other scripts", "--locale=C.UTF-8"]);
    run(
        &url,
        "revoke create on schema public from public;
         do $$ begin create role doctor_guest login password 'canary-word';
         exception when duplicate_object then null; end $$",
    );
    let (scheme, rest) = url.split_once("://").unwrap();
    let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    let guest = format!("{scheme}://doctor_guest:canary-word@{place}");
    let findings = Folder::new().doctor(&[SECRET, ("DATABASE_URL", &guest)]);
    findings.expect("migrations", "problem", &["may not make tables", "grant create"]);
    let missing = guest.replace("doctor_c", "doctor_nowhere");
    let findings = Folder::new().doctor(&[SECRET, ("DATABASE_URL", &missing)]);
    findings.expect("database", "problem", &["3D000", "createdb"]);
    let nobody = guest.replace("doctor_guest", "doctor_nobody");
    let findings = Folder::new().doctor(&[SECRET, ("DATABASE_URL", &nobody)]);
    findings.expect("database", "problem", &["SQLSTATE 28", "user and password"]);
    assert!(!format!("{findings:?}").contains("doctor_nobody"), "{findings:?}");
}

#[test]
fn postgres_behind_a_pooler_shows_the_roles_own_timeout() {
    let url = test_server("TEST_PGBOUNCER_URL");
    let findings = Folder::new().doctor(&[SECRET, ("DATABASE_URL", &url)]);
    findings.expect("pooler", "ok", &["each request sets its statement timeout", "the role's own is"]);
    // One that is not known to be there shows itself.
    let hidden = [SECRET, ("DATABASE_URL", url.as_str()), ("DATABASE_PREPARED", "on")];
    Folder::new().doctor(&hidden).expect("pooler", "problem", &["DATABASE_PREPARED=off"]);
}

#[test]
fn a_missing_search_index_is_told_with_what_makes_it() {
    let url = made("doctor_words", "template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C.UTF-8'");
    run(
        &url,
        "revoke create on schema public from public;
         do $$ begin create role doctor_tenant login; exception when duplicate_object then null; end $$;
         create schema vault authorization doctor_tenant",
    );
    let (scheme, rest) = url.split_once("://").unwrap();
    let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    let tenant = format!("{scheme}://doctor_tenant@{place}");
    let vars = [SECRET, ("DATABASE_URL", tenant.as_str()), ("DATABASE_SCHEMA", "vault")];
    let folder = Folder::new();
    // A role that may not make extensions gets its tables all the same.
    assert_eq!(folder.run(&["migrate", "up"], &vars).code, Some(0));
    let findings = folder.doctor(&vars);
    findings.expect("migrations", "ok", &["all "]);
    findings.expect("search index", "warning", &["missing", "run with psql"]);
    let (_, text) = findings.of("search index");
    let sql = text.split_once("as a role that may: ").unwrap().1.replace("\\\"", "\"");
    for statement in sql.split(';').map(str::trim).filter(|statement| statement.contains("create ")) {
        run(&url, statement);
    }
    folder.doctor(&vars).expect("search index", "ok", &[]);
    // With the extensions there, wherever they are, the migration needs no right to make them.
    run(
        &url,
        "create schema extensions; grant usage on schema extensions to public; alter extension pg_trgm set schema extensions",
    );
    for way in ["down", "up"] {
        assert_eq!(folder.run(&["migrate", way], &vars).code, Some(0));
    }
    folder.doctor(&vars).expect("search index", "ok", &[]);
}
