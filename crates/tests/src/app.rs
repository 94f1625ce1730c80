//! Apps: a folder with a manifest, served by `alula dev`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use alula_rt::clock;
use serde_json::Value;
use tempfile::TempDir;

use crate::guests::Guest;
use crate::http::{self, Answer};
use crate::program::{BUILD_PATIENCE, Running, wait_until};

/// An app in a temporary folder.
pub struct App {
    folder: TempDir,
}

impl App {
    /// An app with a manifest.
    pub fn new(manifest: &str) -> Self {
        let app = Self { folder: TempDir::new().expect("a temporary folder can be made") };
        app.write("alula.toml", manifest);
        app
    }

    /// Puts a guest's file into the folder.
    #[must_use]
    pub fn guest(self, name: &str, guest: Guest) -> Self {
        self.write(name, guest.bytes());
        self
    }

    /// Puts any file into the folder.
    #[must_use]
    pub fn file(self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.write(name, bytes);
        self
    }

    /// Writes a file of the folder the way an editor does: whole, in one step.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("writable");
        let draft = self.path(&format!(".{}.draft", name.replace('/', "-")));
        std::fs::write(&draft, bytes).expect("the folder is writable");
        std::fs::rename(draft, path).expect("the folder is writable");
    }

    /// The path of a file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// Serves it and waits until all of it answers.
    pub fn dev(&self) -> Dev {
        Dev::start(self.dir())
    }
}

/// A running `alula dev --json`.
pub struct Dev {
    /// The process.
    pub process: Running,
    /// Where it answers.
    pub address: SocketAddr,
    dir: PathBuf,
}

impl Dev {
    /// Serves the app in a folder and waits until each function was built, or could not be.
    pub fn start(dir: &Path) -> Self {
        let dev = Self::start_beside(dir);
        let manifest = std::fs::read_to_string(dir.join("alula.toml")).expect("it was just read");
        let tables = manifest.lines().filter_map(|line| line.strip_prefix("[functions."));
        let mut waiting = tables.filter(|name| !name.contains('.')).count();
        let deadline = clock::now() + BUILD_PATIENCE;
        let built = dev.process.stdout.find_until(deadline, 0, |line| {
            let event: Value = serde_json::from_str(line).ok()?;
            let ended = ["built", "build-failed"].iter().any(|kind| event["kind"] == **kind);
            waiting -= usize::from(ended);
            (waiting == 0).then_some(())
        });
        assert!(built.is_some(), "not everything was built; {}", dev.process.transcript());
        dev
    }

    /// Serves the app in a folder and waits for its address only; it builds beside.
    pub fn start_beside(dir: &Path) -> Self {
        let args = ["--json", "dev", "--listen", "127.0.0.1:0"];
        let process = Running::start(args, dir);
        let found = process.stdout.find(0, |line| {
            let event: Value = serde_json::from_str(line).ok()?;
            event["url"].as_str()?.strip_prefix("http://")?.trim_end_matches('/').parse().ok()
        });
        let address = found.unwrap_or_else(|| panic!("no address; {}", process.transcript()));
        Self { process, address, dir: dir.to_owned() }
    }

    /// `GET`.
    pub fn get(&self, path: &str) -> Answer {
        http::get(self.address, path)
    }

    /// `POST`.
    pub fn post(&self, path: &str, body: &[u8]) -> Answer {
        http::post(self.address, path, body)
    }

    /// Waits for an event that was told after `mark`.
    pub fn event(&self, mark: usize, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        let found = self.process.stdout.find(mark, |line| {
            let event: Value = serde_json::from_str(line).ok()?;
            wanted(&event).then_some(event)
        });
        found.unwrap_or_else(|| panic!("no such event; {}", self.process.transcript()))
    }

    /// Waits for a usage record.
    pub fn usage(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let file = self.dir.join(".alula/usage.jsonl");
        wait_until("there is such a usage record", || {
            let text = std::fs::read_to_string(&file).ok()?;
            let mut records = text.lines().filter_map(|line| serde_json::from_str(line).ok());
            records.find(|record: &Value| record["kind"] == "usage" && wanted(record))
        })
    }

    /// Waits for the usage record of an invocation.
    pub fn record(&self, invocation: &str) -> Value {
        self.usage(|record| record["invocation"] == invocation)
    }

    /// Waits for a log line of an invocation that contains a text.
    pub fn log(&self, invocation: &str, text: &str) -> Value {
        self.event(0, |event| {
            let said = event["text"].as_str().is_some_and(|own| own.contains(text));
            event["kind"] == "log" && event["invocation"] == invocation && said
        })
    }
}
