//! The programs in `guests/`, built once for all tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use alula_testkit::build::locked;
use alula_testkit::{root, target_folder};

/// A guest that tests use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guest {
    /// `wasi:http` 0.2; does what `?do=` says.
    Http,
    /// `wasi:http` 0.3; does what `?do=` says.
    HttpP3,
    /// `wasi:cli/run` 0.2.
    Command,
    /// The same source as a preview 1 module.
    CommandP1,
    /// `wasi:cli/run` 0.3.
    CommandP3,
    /// A core module that carries its component type.
    Embedded,
    /// Wants an interface that nobody offers.
    OddImport,
    /// Exports nothing that can be invoked.
    NoExport,
}

impl Guest {
    /// Where its file is. Builds all guests the first time.
    pub fn path(self) -> PathBuf {
        let (target, file) = match self {
            Self::Http => ("wasm32-wasip2", "guest_http"),
            Self::HttpP3 => ("wasm32-wasip2", "guest_http_p3"),
            Self::Command => ("wasm32-wasip2", "guest-command"),
            Self::CommandP1 => ("wasm32-wasip1", "guest-command"),
            Self::CommandP3 => ("wasm32-wasip2", "guest_command_p3"),
            Self::Embedded => ("wasm32-unknown-unknown", "guest_embedded"),
            Self::OddImport => ("wasm32-wasip2", "guest_odd_import"),
            Self::NoExport => ("wasm32-wasip2", "guest_no_export"),
        };
        build();
        folder().join(target).join("release").join(file).with_extension("wasm")
    }

    /// Its bytes.
    pub fn bytes(self) -> Vec<u8> {
        std::fs::read(self.path()).expect("the guest has been built")
    }
}

/// Where the guests are built: beside the tests' own files, so that whoever keeps those keeps
/// these.
fn folder() -> PathBuf {
    let own = target_folder();
    own.parent().expect("a profile is a folder in the target folder").join("test-guests")
}

/// Builds the guests, once in this process and one process at a time.
fn build() {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        locked("test-guests", || {
            ["wasm32-wasip2", "wasm32-wasip1", "wasm32-unknown-unknown"].into_iter().for_each(add);
            cargo(&["--target", "wasm32-wasip2"]);
            cargo(&["--target", "wasm32-wasip1", "--package", "guest-command"]);
            cargo(&["--target", "wasm32-unknown-unknown", "--package", "guest-embedded"]);
        });
    });
}

/// Installs a target when it is missing: Cargo may not do so by itself.
fn add(target: &str) {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", target]).current_dir(root());
    let printed = rustc.output().expect("rustc starts").stdout;
    if Path::new(String::from_utf8_lossy(&printed).trim()).is_dir() {
        return;
    }
    let mut rustup = Command::new("rustup");
    let added = rustup.args(["target", "add", target]).current_dir(root()).status();
    let added = added.is_ok_and(|status| status.success());
    assert!(added, "the target {target} is missing; run `rustup target add {target}`");
}

fn cargo(args: &[&str]) {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "--release", "--target-dir"]).arg(folder()).args(args);
    // What is set for the tests' own build is not meant for the guests.
    cargo.current_dir(root().join("guests")).env_remove("CARGO_TARGET_DIR").env_remove("RUSTFLAGS");
    assert!(cargo.status().expect("cargo starts").success(), "building the guests failed");
}
