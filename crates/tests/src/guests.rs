//! The programs in `guests/`, built once for all tests.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use alula_testkit::build::locked;
use alula_testkit::root;

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
        root().join("guests/target").join(target).join("release").join(file).with_extension("wasm")
    }

    /// Its bytes.
    pub fn bytes(self) -> Vec<u8> {
        std::fs::read(self.path()).expect("the guest has been built")
    }
}

/// Builds the guests, once in this process and one process at a time.
fn build() {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        locked("guests", || {
            cargo(&["--target", "wasm32-wasip2"]);
            cargo(&["--target", "wasm32-wasip1", "--package", "guest-command"]);
            cargo(&["--target", "wasm32-unknown-unknown", "--package", "guest-embedded"]);
        });
    });
}

fn cargo(args: &[&str]) {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "--release"]).args(args).current_dir(root().join("guests"));
    // What is set for the tests' own build is not meant for the guests.
    cargo.env_remove("CARGO_TARGET_DIR").env_remove("RUSTFLAGS");
    let hint = "`rustup target add wasm32-wasip2 wasm32-wasip1 wasm32-unknown-unknown` may help";
    assert!(cargo.status().expect("cargo starts").success(), "building the guests failed; {hint}");
}
