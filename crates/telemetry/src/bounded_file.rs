//! A file of lines that never grows past a bound: at the bound it becomes the previous file and a
//! new one begins, so the newest half is always there.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Appends to `path`, keeps the file before it as `path` with `.old` added.
pub struct BoundedFile {
    path: PathBuf,
    file: File,
    size: u64,
    limit: u64,
}

impl BoundedFile {
    /// Opens or makes the file. `limit` is in bytes, for each of the two files.
    pub fn open(path: &Path, limit: u64) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        let size = file.metadata()?.len();
        Ok(Self { path: path.to_path_buf(), file, size, limit })
    }

    fn turn(&mut self) -> io::Result<()> {
        let mut old = self.path.clone().into_os_string();
        old.push(".old");
        std::fs::rename(&self.path, old)?;
        self.file = File::options().create(true).append(true).open(&self.path)?;
        self.size = 0;
        Ok(())
    }
}

impl Write for BoundedFile {
    /// Whole lines must be written at once, so that none is cut at the turn.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.size > 0 && self.size + bytes.len() as u64 > self.limit {
            self.turn()?;
        }
        self.file.write_all(bytes)?;
        self.size += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_files_hold_the_newest_lines_and_stay_small() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("usage.jsonl");
        let mut file = BoundedFile::open(&path, 100).unwrap();
        for number in 0..100 {
            file.write_all(format!("line {number:02}\n").as_bytes()).unwrap();
        }
        let newest = std::fs::read_to_string(&path).unwrap();
        let before = std::fs::read_to_string(dir.path().join("usage.jsonl.old")).unwrap();
        assert!(newest.len() <= 100 && before.len() <= 100);
        assert!(newest.ends_with("line 99\n"));
        let numbers: Vec<_> = before.lines().chain(newest.lines()).collect();
        assert!(numbers.is_sorted() && numbers.len() >= 12, "{numbers:?}");
    }
}
