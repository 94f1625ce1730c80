//! `--dir HOST::GUEST[:ro]`: a folder that the guest finds under a name.

use std::path::PathBuf;

use alula_types::{Code, Fault};
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

/// A folder given to the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dir {
    /// Where it is.
    pub host: PathBuf,
    /// The name under which the guest finds it.
    pub guest: String,
    /// Whether the guest may only read.
    pub read_only: bool,
}

impl Dir {
    /// Opens it for a guest.
    pub(crate) fn give(&self, wasi: &mut WasiCtxBuilder) -> Result<(), Fault> {
        let permissions = if self.read_only { FsPerms::ReadOnly } else { FsPerms::ReadWrite };
        let opened = wasi.preopened_dir(&self.host, &self.guest, permissions);
        opened.map(drop).map_err(|error| {
            let text = format!("opening the folder `{}`: {error:#}", self.host.display());
            Fault::new(Code::FileRefused, text).hint("`--dir` takes folders that exist")
        })
    }
}

/// Reads `HOST::GUEST[:ro]`. Without `::GUEST` the guest finds the folder under the host's own
/// name; `:rw` says what is the default.
///
/// # Errors
///
/// A sentence for the person who wrote it.
pub fn parse_dir(text: &str) -> Result<Dir, String> {
    let (rest, read_only) = match text.strip_suffix(":ro") {
        Some(rest) => (rest, true),
        None => (text.strip_suffix(":rw").unwrap_or(text), false),
    };
    let (host, guest) = rest.split_once("::").unwrap_or((rest, rest));
    if host.is_empty() || guest.is_empty() {
        return Err(format!("`{text}` is not HOST::GUEST, for example `./data::/data:ro`"));
    }
    if guest.contains("::") || guest.contains('\0') {
        return Err(format!("`{text}` has more than one `::`"));
    }
    Ok(Dir { host: host.into(), guest: guest.into(), read_only })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_read_as_people_write_them() {
        for (text, host, guest, read_only) in [
            ("a::b", "a", "b", false),
            ("a::b:ro", "a", "b", true),
            ("a::b:rw", "a", "b", false),
            ("/x/y::/", "/x/y", "/", false),
            (".::.", ".", ".", false),
            ("data", "data", "data", false),
            ("data:ro", "data", "data", true),
            ("a:b::c:d", "a:b", "c:d", false),
        ] {
            let expected = Dir { host: host.into(), guest: guest.into(), read_only };
            assert_eq!(parse_dir(text), Ok(expected), "{text}");
        }
        for text in ["", "::", "a::", "::b", ":ro", "a::b::c"] {
            assert!(parse_dir(text).is_err(), "{text}");
        }
    }
}
