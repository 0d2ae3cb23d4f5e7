//! What ends in the middle: a kill, a full disk.

use super::*;

/// A kill after a random while; rounds in which it came in time.
async fn killed(mut command: Command, most: u64, dice: &mut Dice) -> bool {
    let mut child = command.spawn().expect("it starts");
    tokio::time::sleep(Duration::from_millis(
        u64::try_from(dice.below(usize::try_from(most).expect("few"))).expect("few"),
    ))
    .await;
    child.kill().expect("it is a child");
    child.wait().expect("it ends").code().is_none()
}

/// How long one takes here, in milliseconds: kills are spread over that.
fn while_of(work: impl FnOnce()) -> u64 {
    let began = std::time::Instant::now();
    work();
    u64::try_from(began.elapsed().as_millis()).expect("short") + 20
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_backup_leaves_no_half_file_under_its_name() {
    let (place, mut dice) = (Place::new(), Dice::new());
    place.database("live.db", 4_000);
    let (url, to) = (place.url("live.db"), place.path("b.db"));
    let most = while_of(|| drop(done(&url, &["backup", text(&to)])));
    fs::remove_file(&to).expect("it is there");
    let (mut early, mut rounds) = (0, 0);
    while early < 8 {
        rounds += 1;
        assert!(rounds < 60, "only {early} kills came in time");
        early += u32::from(killed(creatorvault(&url, &["backup", text(&to)]), most, &mut dice).await);
        if to.exists() {
            assert_eq!(tasks(&to), 4_000, "whole or not there");
            fs::remove_file(&to).expect("it is there");
        }
    }
    // Nobody has to tidy up after it.
    done(&url, &["backup", text(&to)]);
    assert_eq!(tasks(&to), 4_000);
    assert_eq!(place.beside("b.db"), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_restore_leaves_the_old_file_or_the_new_one() {
    let (place, mut dice) = (Place::new(), Dice::new());
    let backup = place.database("new.db", 4_000);
    place.database("old.db", 2_000);
    let url = place.url("live.db");
    done(&url, &["restore", text(&place.path("old.db"))]);
    let args = ["restore", "--force", text(&backup)];
    let most = while_of(|| drop(done(&url, &args)));
    let (mut early, mut rounds) = (0, 0);
    while early < 8 {
        rounds += 1;
        assert!(rounds < 60, "only {early} kills came in time");
        done(&url, &["restore", "--force", text(&place.path("old.db"))]);
        // A log of the old file, which must not be played onto the new one.
        let live = rusqlite::Connection::open(place.path("live.db")).expect("it opens");
        live.execute_batch("pragma journal_mode = wal; update tasks set title = 'In the log'")
            .expect("a log");
        let log = fs::read(place.path("live.db-wal")).expect("a log");
        drop(live);
        fs::write(place.path("live.db-wal"), log).expect("as a killed server leaves it");
        early += u32::from(killed(creatorvault(&url, &args), most, &mut dice).await);
        let found = tasks(&place.path("live.db"));
        assert!(found == 4_000 || found == 2_000, "{found} tasks");
    }
}

/// A disk of four megabytes; where this user may mount none, there is nothing to try.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: PathBuf) -> Option<Self> {
        fs::create_dir(&at).expect("a folder");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(&at).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(at))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(&self.0).status());
    }
}

#[test]
fn a_full_disk_is_told_and_nothing_is_left_on_it() {
    let place = Place::new();
    let big = place.database("live.db", 3_000);
    let Some(disk) = Disk::mount(place.path("disk")) else {
        eprintln!("not tried: this user may not mount a file system");
        return;
    };
    let to = disk.0.join("b.db");
    let why = refused(&place.url("live.db"), &["backup", text(&to)]);
    assert!(why.contains("full") && why.contains("has room"), "{why}");
    let left = || {
        fs::read_dir(&disk.0)
            .expect("the folder")
            .map(|entry| entry.expect("an entry").path())
            .collect::<Vec<_>>()
    };
    assert_eq!(left(), Vec::<PathBuf>::new());
    let url = format!("sqlite://{}", to.display());
    let why = refused(&url, &["restore", text(&big)]);
    assert!(why.contains("No space left") && why.contains("has room"), "{why}");
    assert_eq!(left(), Vec::<PathBuf>::new());
}
