//! The secret of dev mode: made once, kept in a file that only its owner can read.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::config::Secret;

/// The file's name beside the embedded database.
const FILE: &str = "dev-secret";

/// How long the secret must be to be used, in bytes.
const SHORTEST: usize = 32;

/// The secret that this folder keeps, made (with the folder) when it is not there. A file that others could read is
/// made private; several processes that start at once agree on one secret.
///
/// # Errors
/// One line that names the file and the cure.
pub fn dev_secret(dir: &Path) -> Result<Secret, String> {
    let path = dir.join(FILE);
    if let Some(secret) = read(&path)? {
        return Ok(secret);
    }
    let failed = |error: std::io::Error| format!("the dev secret {} cannot be made: {error}", path.display());
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
    make(dir, &path).map_err(failed)?;
    read(&path)?.ok_or_else(|| failed(ErrorKind::NotFound.into()))
}

/// The secret in the file; `None` when there is no file.
fn read(path: &Path) -> Result<Option<Secret>, String> {
    let wrong =
        |text: &str| format!("the dev secret {} {text}: delete it, a new one will be made", path.display());
    let failed = |error: std::io::Error| wrong(&format!("cannot be read: {error}"));
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
        Ok(metadata) if !metadata.is_file() => return Err(wrong("is not a plain file")),
        Ok(_) => {}
    }
    let mut file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600)).map_err(failed)?;
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(failed)?;
    match text.trim() {
        text if text.len() >= SHORTEST => Ok(Some(Secret::new(text))),
        _ => Err(wrong("is too short")),
    }
}

/// Writes a new secret beside its place and links it there, so that nobody ever reads half of it and the first of
/// several processes wins.
fn make(dir: &Path, path: &Path) -> std::io::Result<()> {
    let draft = dir.join(format!("{FILE}.{}", random_text()?));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let written = file.write_all(random_text()?.as_bytes()).and_then(|()| file.sync_all());
    let linked = written.and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        // A file system without links: the draft itself takes the place.
        Err(_) => fs::rename(&draft, path),
        done => done,
    });
    let removed = fs::remove_file(&draft);
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => linked.and(Err(error)),
        _ => linked,
    }
}

/// 48 random bytes in 64 characters.
fn random_text() -> std::io::Result<String> {
    let mut bytes = [0; 48];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| std::io::Error::other("no randomness"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn it_is_made_once_and_private() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("deep/data");
        let first = dev_secret(&dir).unwrap();
        assert_eq!(first.expose().len(), 64);
        assert_eq!(mode(&dir.join(FILE)), 0o600);
        assert_eq!(mode(&dir), 0o700);
        assert_eq!(dev_secret(&dir).unwrap(), first);
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "no draft is left");
        let other = tempfile::tempdir().unwrap();
        assert_ne!(dev_secret(other.path()).unwrap(), first);
    }

    #[test]
    fn a_file_that_others_could_read_is_made_private() {
        let dir = tempfile::tempdir().unwrap();
        let secret = dev_secret(dir.path()).unwrap();
        let path = dir.path().join(FILE);
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(dev_secret(dir.path()).unwrap(), secret);
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn what_cannot_be_a_secret_is_refused_with_the_cure() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), "canary").unwrap();
        let error = dev_secret(dir.path()).unwrap_err();
        assert!(
            error.contains("dev-secret") && error.contains("delete it") && !error.contains("canary"),
            "{error}"
        );
        fs::remove_file(dir.path().join(FILE)).unwrap();
        fs::create_dir(dir.path().join(FILE)).unwrap();
        assert!(dev_secret(dir.path()).unwrap_err().contains("not a plain file"));
        assert!(dev_secret(Path::new("/dev/null/data")).is_err());
    }

    #[test]
    fn several_at_once_agree() {
        let dir = tempfile::tempdir().unwrap();
        let secrets: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| dev_secret(dir.path()).unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(secrets.iter().all(|secret| *secret == secrets[0]));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
