//! From a path of a URL to an open file, and never out of the folder.
//!
//! Two barriers stand one behind the other. [`pieces`] refuses every spelling that a file system
//! reads as anything but one name. [`open`] resolves links first and refuses what they lead out of
//! the folder; where the kernel can, it then opens the resolved path beneath the folder with links
//! forbidden, so that a link which is planted between the two steps is refused as well.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::Coding;

/// What a path leads to.
#[derive(Debug)]
pub(super) enum Found {
    File(Box<Opened>),
    FolderWithoutSlash,
    Nothing,
}

/// A file that may be served.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: File,
    /// The name that the client asked for, without what a coding adds.
    pub(super) name: String,
    pub(super) length: u64,
    pub(super) modified: Option<SystemTime>,
    pub(super) coding: Option<Coding>,
    /// Whether the file also exists compressed, so that the answer depends on what the client
    /// accepts.
    pub(super) variants: bool,
}

/// Cuts and decodes the part of a path that names a file. `None`: no file has such a name.
pub(super) fn pieces(rest: &str) -> Option<Vec<String>> {
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.is_empty() {
        return Some(Vec::new());
    }
    rest.split('/').map(piece).collect()
}

fn piece(encoded: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => digit(bytes.next()?)? << 4 | digit(bytes.next()?)?,
            other => other,
        });
    }
    let name = String::from_utf8(decoded).ok()?;
    let hidden = name.starts_with('.') && name != ".well-known";
    // The colon names streams and drives on Windows.
    let separates = |c: char| matches!(c, '/' | '\\' | ':') || c.is_control();
    (!name.is_empty() && !hidden && !name.contains(separates)).then_some(name)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Opens what the pieces name. `slash`: the path ended with one, so it names a folder. Blocks.
pub(super) fn open(
    root: &Path,
    pieces: &[String],
    slash: bool,
    codings: &[Coding],
) -> io::Result<Found> {
    let Some(root) = existing(root.canonicalize())? else { return Ok(Found::Nothing) };
    let mut path = root.clone();
    path.extend(pieces);
    let Some((resolved, metadata)) = inside(&root, &path)? else { return Ok(Found::Nothing) };
    if metadata.is_dir() {
        if !slash && !pieces.is_empty() {
            return Ok(Found::FolderWithoutSlash);
        }
        return file(&root, &resolved.join("index.html"), codings);
    }
    // `/a.txt/` is not `/a.txt`, unless the route itself is one file.
    if slash && !pieces.is_empty() {
        return Ok(Found::Nothing);
    }
    file(&root, &path, codings)
}

/// Opens a file, compressed if the client takes that and it is there.
fn file(root: &Path, path: &Path, codings: &[Coding]) -> io::Result<Found> {
    let Some((resolved, metadata)) = inside(root, path)? else { return Ok(Found::Nothing) };
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return Ok(Found::Nothing);
    };
    if !metadata.is_file() {
        return Ok(Found::Nothing);
    }
    let with_suffix = |coding: &Coding| path.with_file_name(format!("{name}{}", coding.suffix));
    let variants = super::CODINGS.iter().any(|coding| with_suffix(coding).is_file());
    let chosen = codings.iter().filter(|_| variants).find_map(|coding| {
        let compressed = inside(root, &with_suffix(coding)).ok().flatten();
        compressed.filter(|(_, metadata)| metadata.is_file()).map(|found| (*coding, found.0))
    });
    let (coding, resolved) = match chosen {
        Some((coding, resolved)) => (Some(coding), resolved),
        None => (None, resolved),
    };
    let Some(file) = existing(open_beneath(root, &resolved))? else { return Ok(Found::Nothing) };
    // Of the file that is open, not of what has its name now.
    let metadata = file.metadata()?;
    Ok(Found::File(Box::new(Opened {
        file,
        name: name.to_owned(),
        length: metadata.len(),
        modified: metadata.modified().ok(),
        coding,
        variants,
    })))
}

/// Resolves all links. `None`: there is nothing, or it is not in the folder.
fn inside(root: &Path, path: &Path) -> io::Result<Option<(PathBuf, Metadata)>> {
    let Some(resolved) = existing(path.canonicalize())? else { return Ok(None) };
    if !resolved.starts_with(root) {
        return Ok(None);
    }
    Ok(existing(resolved.symlink_metadata())?.map(|metadata| (resolved, metadata)))
}

/// Opens a path without links that lies in the folder.
#[cfg(target_os = "linux")]
fn open_beneath(root: &Path, resolved: &Path) -> io::Result<File> {
    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
    use rustix::io::Errno;
    let Ok(relative) = resolved.strip_prefix(root) else {
        return Err(io::ErrorKind::NotFound.into());
    };
    if relative.as_os_str().is_empty() {
        // The route is one file.
        return File::open(resolved);
    }
    let folder = rustix::fs::openat(CWD, root, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    match openat2(folder, relative, flags, Mode::empty(), how) {
        Ok(file) => Ok(File::from(file)),
        // Kernels before 5.6, and sandboxes that forbid what they do not know.
        Err(Errno::NOSYS | Errno::PERM) => File::open(resolved),
        Err(Errno::LOOP | Errno::XDEV) => Err(io::ErrorKind::NotFound.into()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn open_beneath(_: &Path, resolved: &Path) -> io::Result<File> {
    File::open(resolved)
}

/// Nothing there is an answer, not an error.
fn existing<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    use io::ErrorKind::{InvalidFilename, InvalidInput, NotADirectory, NotFound, PermissionDenied};
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if is_loop(&e) => Ok(None),
        Err(e) => match e.kind() {
            // A file that may not be read is not there for the client either.
            NotFound | NotADirectory | InvalidInput | InvalidFilename | PermissionDenied => {
                Ok(None)
            }
            _ => Err(e),
        },
    }
}

/// Whether links led in a circle.
#[cfg(unix)]
fn is_loop(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

#[cfg(not(unix))]
fn is_loop(_: &io::Error) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_are_more_than_a_name_are_refused() {
        for bad in [
            "..",
            "%2e%2e",
            "a/../b",
            "..%2fa",
            "a%2fb",
            "a%5cb",
            "a\\b",
            "%00",
            "a%00.txt",
            ".env",
            "a/.git/config",
            "a//b",
            "/a",
            "%",
            "%2",
            "%zz",
            "%ff",
            "c:",
            "a%0ab",
        ] {
            assert_eq!(pieces(bad), None, "{bad}");
        }
        for (good, want) in [
            ("", vec![]),
            ("a", vec!["a"]),
            ("a/", vec!["a"]),
            ("a%20b/c", vec!["a b", "c"]),
            ("%C3%A4", vec!["ä"]),
            ("a..b", vec!["a..b"]),
            (".well-known/x", vec![".well-known", "x"]),
        ] {
            assert_eq!(pieces(good), Some(want.into_iter().map(str::to_owned).collect()), "{good}");
        }
    }

    /// Each barrier holds without the one before it, and what they hold back is real.
    #[cfg(unix)]
    #[test]
    fn each_barrier_holds_alone_and_without_them_the_folder_leaks() {
        let base = tempfile::tempdir().unwrap();
        let root = base.path().canonicalize().unwrap().join("root");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(base.path().join("secret.txt"), "secret").unwrap();
        std::os::unix::fs::symlink("../secret.txt", root.join("link.txt")).unwrap();
        let leaks = |path: &str| std::fs::read_to_string(root.join(path)).unwrap() == "secret";
        assert!(leaks("../secret.txt") && leaks("link.txt"), "there is something to hold back");

        assert_eq!(pieces("../secret.txt"), None);
        let climbing = ["..".to_owned(), "secret.txt".to_owned()];
        assert!(matches!(open(&root, &climbing, false, &[]), Ok(Found::Nothing)));
        assert!(matches!(open(&root, &["link.txt".to_owned()], false, &[]), Ok(Found::Nothing)));
        // A link that was planted after the path had been resolved.
        #[cfg(target_os = "linux")]
        assert!(open_beneath(&root, &root.join("link.txt")).is_err());
    }

    proptest! {
        /// Whatever is asked for, what is opened lies in the folder; beside it lie a file and a
        /// link out.
        #[test]
        fn nothing_outside_is_opened(
            path in proptest::collection::vec(
                prop_oneof![
                    Just("in.txt"), Just("secret.txt"), Just(".."), Just("%2e%2e"), Just("."),
                    Just("dir"),
                    Just("out"), Just("..%2f"), Just("%2e."), Just(""), Just("root"), Just("%00"),
                    Just("linked"), Just("inner"),
                ],
                0..6,
            )
        ) {
            let base = tempfile::tempdir().unwrap();
            let root = base.path().join("root");
            std::fs::create_dir_all(root.join("dir")).unwrap();
            std::fs::write(base.path().join("secret.txt"), "secret").unwrap();
            std::fs::write(root.join("in.txt"), "in").unwrap();
            std::fs::write(root.join("dir/in.txt"), "in").unwrap();
            #[cfg(unix)]
            {
                std::os::unix::fs::symlink("..", root.join("out")).unwrap();
                std::os::unix::fs::symlink("../../secret.txt", root.join("dir/linked")).unwrap();
                std::os::unix::fs::symlink("dir", root.join("inner")).unwrap();
            }
            if let Some(pieces) = pieces(&path.join("/"))
                && let Found::File(opened) = open(&root, &pieces, false, &[]).unwrap()
            {
                let text = io::read_to_string(opened.file).unwrap();
                prop_assert_eq!(text, "in", "{:?}", path);
            }
        }
    }
}
