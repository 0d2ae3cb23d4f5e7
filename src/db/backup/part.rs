//! A file on its way to its name.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::beside;

/// What SQLite may have put beside a file that it wrote to.
pub(super) const BESIDE: [&str; 3] = ["-journal", "-wal", "-shm"];

/// A file on its way to its name, its owner's alone; gone when it is dropped before it got there.
#[derive(Debug)]
pub(super) struct Part {
    path: PathBuf,
    file: File,
    placed: bool,
}

impl Part {
    /// Begins it beside its name, empty. What a killed process has left there is taken over.
    ///
    /// # Errors
    /// Why it cannot be made; [`io::ErrorKind::WouldBlock`] where another process makes the same one now.
    pub(super) fn begin(name: &Path) -> io::Result<Self> {
        let path = on_its_way(name);
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        // Who had it may have given it its name since it was opened: that is no longer ours to empty.
        let (here, there) = (file.metadata()?, fs::symlink_metadata(&path)?);
        if (here.dev(), here.ino()) != (there.dev(), there.ino()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let part = Self { path, file, placed: false };
        part.file.set_permissions(fs::Permissions::from_mode(0o600))?;
        part.file.set_len(0)?;
        part.tidy();
        Ok(part)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Gives it its name, which leads to the old file or to all of this one, even when the power goes. An error says that
    /// it did not get there; with its name, the answer holds why the name may not outlive the power, if it may not.
    pub(super) fn place(mut self, name: &Path) -> io::Result<Result<(), io::Error>> {
        self.tidy();
        self.file.sync_all()?;
        fs::rename(&self.path, name)?;
        self.placed = true;
        Ok(sync_folder(name))
    }

    fn tidy(&self) {
        for end in BESIDE {
            drop(fs::remove_file(beside(&self.path, end)));
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.placed {
            drop(fs::remove_file(&self.path));
            self.tidy();
        }
    }
}

/// The name that a file has until it is whole.
pub(super) fn on_its_way(name: &Path) -> PathBuf {
    beside(name, ".part")
}

/// Brings the names in a file's folder to the disk.
pub(super) fn sync_folder(name: &Path) -> io::Result<()> {
    File::open(folder(name))?.sync_all()
}

/// The folder that a file is in.
pub(super) fn folder(name: &Path) -> &Path {
    name.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn it_gets_its_name_or_goes() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().join("a");
        fs::write(folder.path().join("a.part"), "left by a killed one").unwrap();
        fs::write(folder.path().join("a.part-journal"), "and this").unwrap();
        let part = Part::begin(&name).unwrap();
        assert_eq!(fs::read(part.path()).unwrap(), b"");
        assert_eq!(Part::begin(&name).unwrap_err().kind(), io::ErrorKind::WouldBlock, "one at a time");
        drop(part);
        assert!(names(folder.path()).is_empty());
        let mut part = Part::begin(&name).unwrap();
        io::Write::write_all(part.file(), b"whole").unwrap();
        part.place(&name).unwrap().unwrap();
        assert_eq!(
            (names(folder.path()), fs::read(&name).unwrap()),
            (vec!["a".to_owned()], b"whole".to_vec())
        );
        assert_eq!(fs::metadata(&name).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
