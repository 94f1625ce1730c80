//! Compiled artifacts on disk: machine code that this server made, and proof that it did.
//!
//! Loading an entry maps its bytes as executable code, so an entry that someone else wrote would be
//! theirs to run. Each entry has a message authentication code made with a key that lies beside the
//! data, not in the cache folder, and is checked before an entry is used for the first time.
//! Afterwards the same file (device, inode, size, times) is trusted without reading it again.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::hash::{Hash as _, Hasher};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use alula_types::limits::node;
use alula_types::{Code, Digest, Fault};
use hmac::{Hmac, KeyInit as _, Mac as _};
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;

use crate::engine::Profile;

type Authenticator = Hmac<Sha256>;

/// The folder of compiled artifacts.
pub(crate) struct Cache {
    folder: PathBuf,
    key: [u8; 32],
    /// What an engine must agree on to load an entry.
    compatibility: String,
    admitted: Mutex<HashMap<Digest, Identity>>,
}

/// Which file it is. Changing any byte changes the times; replacing it changes the inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// A verified entry, open; what is mapped is this very file.
pub(crate) struct Entry {
    pub(crate) file: File,
    pub(crate) size: u64,
}

impl Entry {
    /// A path that leads to the open file, whatever the folder holds meanwhile.
    pub(crate) fn path(&self) -> PathBuf {
        use std::os::fd::AsRawFd as _;
        PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }
}

impl Cache {
    /// Opens the folder and the key, making both when they are missing.
    pub(crate) fn open(
        folder: &Path,
        key: &Path,
        engine: &Engine,
        profile: Profile,
    ) -> Result<Self, Fault> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(folder).map_err(|e| refused(folder, &e))?;
        sweep_drafts(folder);
        let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self {
            folder: folder.to_owned(),
            key: read_or_make_key(key)?,
            compatibility: format!("{}-{:016x}", profile.as_str(), hasher.finish()),
            admitted: Mutex::default(),
        })
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{digest}-{}.cwasm", self.compatibility))
    }

    fn mac_path(&self, digest: &Digest) -> PathBuf {
        self.path(digest).with_extension("mac")
    }

    /// A place in the folder for a compiler to write to.
    pub(crate) fn draft(&self, digest: &Digest) -> PathBuf {
        let unique = alula_rt::random::fast();
        self.folder.join(format!("{digest}-{unique:016x}.draft"))
    }

    /// Opens an entry, verified. `None` when there is none.
    ///
    /// An entry whose code does not match is set aside and reported: someone else writes here.
    pub(crate) fn get(&self, digest: &Digest) -> Result<Option<Entry>, Fault> {
        let path = self.path(digest);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(refused(&path, &error)),
        };
        let identity = identity(&file).map_err(|error| refused(&path, &error))?;
        if self.admitted.lock().get(digest) != Some(&identity) {
            let mac = std::fs::read(self.mac_path(digest)).unwrap_or_default();
            if !self.verify(digest, &mut file, &mac).map_err(|error| refused(&path, &error))? {
                self.set_aside(digest, &path);
                return Ok(None);
            }
            self.admitted.lock().insert(*digest, identity);
        }
        Ok(Some(Entry { size: identity.size, file }))
    }

    /// Takes a finished draft as the entry of a digest.
    pub(crate) fn put(&self, digest: &Digest, draft: &Path) -> Result<(), Fault> {
        let path = self.path(digest);
        let put = || -> std::io::Result<()> {
            let mut file = File::open(draft)?;
            file.sync_all()?;
            let mac = self.authenticate(digest, &mut file)?.finalize().into_bytes();
            let mac_draft = draft.with_extension("draft-mac");
            let mut out = OpenOptions::new().write(true).create_new(true).open(&mac_draft)?;
            out.write_all(&mac)?;
            out.sync_all()?;
            // The code first: an entry without its code is not admitted, only compiled again.
            std::fs::rename(&mac_draft, self.mac_path(digest))?;
            std::fs::rename(draft, &path)?;
            File::open(&self.folder)?.sync_all()
        };
        put().map_err(|error| refused(&path, &error))
    }

    fn authenticate(&self, digest: &Digest, file: &mut File) -> std::io::Result<Authenticator> {
        let mut mac =
            Authenticator::new_from_slice(&self.key).expect("HMAC takes keys of any size");
        // The name is part of what is proven: a genuine entry under another name is refused.
        mac.update(&digest.0);
        mac.update(self.compatibility.as_bytes());
        let mut buffer = vec![0_u8; 256 << 10];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(mac),
                read => mac.update(&buffer[..read]),
            }
        }
    }

    fn verify(&self, digest: &Digest, file: &mut File, mac: &[u8]) -> std::io::Result<bool> {
        Ok(self.authenticate(digest, file)?.verify_slice(mac).is_ok())
    }

    fn set_aside(&self, digest: &Digest, path: &Path) {
        let aside = path.with_extension("refused");
        tracing::warn!(
            code = Code::CacheRefused.name(),
            entry = %path.display(),
            "a compiled artifact was not written by this server; it is set aside and compiled again"
        );
        // When it cannot be moved it stays refused all the same.
        drop(std::fs::rename(path, aside));
        drop(std::fs::remove_file(self.mac_path(digest)));
    }
}

/// Removes what compilers left behind when this program was killed.
fn sweep_drafts(folder: &Path) {
    let abandoned = alula_rt::clock::wall() - node::COMPILE_TIME * 2;
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let draft = entry.file_name().to_string_lossy().contains(".draft");
        let modified = entry.metadata().and_then(|meta| meta.modified());
        if draft && modified.is_ok_and(|modified| modified < abandoned) {
            // Another server may have been faster.
            drop(std::fs::remove_file(entry.path()));
        }
    }
}

fn identity(file: &File) -> std::io::Result<Identity> {
    let meta = file.metadata()?;
    Ok(Identity {
        device: meta.dev(),
        inode: meta.ino(),
        size: meta.size(),
        modified: (meta.mtime(), meta.mtime_nsec()),
        changed: (meta.ctime(), meta.ctime_nsec()),
    })
}

fn read_or_make_key(path: &Path) -> Result<[u8; 32], Fault> {
    let wrong = || {
        let text = format!("the cache key {} does not have 32 bytes", path.display());
        Fault::new(Code::FileRefused, text).hint("remove it; artifacts are then compiled again")
    };
    match std::fs::read(path) {
        Ok(bytes) => return bytes.try_into().map_err(|_| wrong()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(refused(path, &error)),
    }
    let mut key = [0_u8; 32];
    alula_rt::random::fill(&mut key);
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made.and_then(|mut file| file.write_all(&key).and_then(|()| file.sync_all())) {
        Ok(()) => Ok(key),
        // Two servers began at once: the other one's key counts.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            std::fs::read(path).map_err(|e| refused(path, &e))?.try_into().map_err(|_| wrong())
        }
        Err(error) => Err(refused(path, &error)),
    }
}

fn refused(path: &Path, error: &std::io::Error) -> Fault {
    Fault::new(Code::FileRefused, format!("{}: {error}", path.display()))
}

/// The digest that names an artifact's bytes.
pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// FNV-1a: the standard library's hasher may change between releases, and names on disk must not.
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(dir: &Path) -> Cache {
        let calls = crate::engine::Calls::Sequential;
        let engine = crate::engine::compiler(Profile::Standard, calls).expect("an engine");
        let (folder, key) = (dir.join("cache"), dir.join("cache.key"));
        Cache::open(&folder, &key, &engine, Profile::Standard).expect("a cache")
    }

    fn put(cache: &Cache, digest: &Digest, bytes: &[u8]) {
        let draft = cache.draft(digest);
        std::fs::write(&draft, bytes).expect("written");
        cache.put(digest, &draft).expect("taken");
    }

    #[test]
    fn an_entry_is_admitted_when_this_server_made_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let digest = digest(b"guest");
        put(&cache(dir.path()), &digest, b"code");
        // Another start of the same server.
        let entry = cache(dir.path()).get(&digest).expect("readable").expect("admitted");
        assert_eq!(std::fs::read(entry.path()).expect("readable"), b"code");
        let mode = std::fs::metadata(dir.path().join("cache.key")).expect("there").mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_planted_entry_is_refused_and_set_aside() {
        let dir = tempfile::tempdir().expect("a folder");
        let cache = cache(dir.path());
        let digest = digest(b"guest");
        std::fs::write(cache.path(&digest), b"evil").expect("planted");
        std::fs::write(cache.mac_path(&digest), [0; 32]).expect("planted");
        assert!(cache.get(&digest).expect("readable").is_none());
        assert!(cache.path(&digest).with_extension("refused").exists());
    }

    #[test]
    fn an_admitted_entry_that_changes_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let cache = cache(dir.path());
        let digest = digest(b"guest");
        put(&cache, &digest, b"code");
        assert!(cache.get(&digest).expect("readable").is_some());
        std::fs::write(cache.path(&digest), b"evil").expect("changed in place");
        assert!(cache.get(&digest).expect("readable").is_none());
    }

    #[test]
    fn a_genuine_entry_under_another_name_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let cache = cache(dir.path());
        let (one, two) = (digest(b"one"), digest(b"two"));
        put(&cache, &one, b"code");
        std::fs::copy(cache.path(&one), cache.path(&two)).expect("copied");
        std::fs::copy(cache.mac_path(&one), cache.mac_path(&two)).expect("copied");
        assert!(cache.get(&two).expect("readable").is_none());
        // The barrier is the name within the code: without it the copy verifies.
        let mut file = File::open(cache.path(&one)).expect("there");
        let mac = std::fs::read(cache.mac_path(&one)).expect("there");
        assert!(cache.verify(&one, &mut file, &mac).expect("readable"));
    }
}
