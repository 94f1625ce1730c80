//! Environment variables and the folders they decide.

use std::ffi::OsString;
use std::path::PathBuf;

/// The environment variables that have a meaning.
pub mod names {
    /// Folder for what can be made again. Default: `alula` in the user's cache folder.
    pub const CACHE: &str = "ALULA_CACHE_DIR";
    /// Folder for what must not be lost. Default: `.alula` in the current folder.
    pub const DATA: &str = "ALULA_DATA";
    /// What of the program's own log to show, such as `info` or `alula_gateway=debug`. Default:
    /// `warn`.
    pub const LOG: &str = "ALULA_LOG";
    /// Any value: use only tools that are installed already. Default: unset.
    pub const OFFLINE: &str = "ALULA_OFFLINE";
    /// Any value that is not empty: no colours (<https://no-color.org>). Default: unset.
    pub const NO_COLOR: &str = "NO_COLOR";
    /// The user's cache folder (XDG Base Directory Specification). Default: `.cache` in `HOME`.
    pub const XDG_CACHE_HOME: &str = "XDG_CACHE_HOME";
    /// The user's folder.
    pub const HOME: &str = "HOME";
}

/// The program's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Folder for what can be made again: compiled artifacts, toolchains. Absolute.
    pub cache_dir: PathBuf,
    /// Folder for what must not be lost.
    pub data_dir: PathBuf,
    /// What of the program's own log to show, if it was said.
    pub log: Option<String>,
    /// Whether nothing may be fetched from the network for builds.
    pub offline: bool,
    /// Whether output has no colours.
    pub plain: bool,
}

impl Settings {
    /// The settings of this process.
    pub fn read() -> Self {
        Self::from(|name| std::env::var_os(name))
    }

    /// The settings that these variables make.
    pub fn from(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let said = |name| variable(name).filter(|value| !value.is_empty());
        let path = |name| said(name).map(PathBuf::from);
        // Relative paths in the XDG variables are invalid and are ignored, as the specification
        // asks.
        let absolute = |name| path(name).filter(|path| path.is_absolute());
        let user_cache = || {
            absolute(names::XDG_CACHE_HOME)
                .or_else(|| absolute(names::HOME).map(|home| home.join(".cache")))
                // Without a home there is still a place for what can be made again.
                .unwrap_or_else(std::env::temp_dir)
                .join("alula")
        };
        Self {
            cache_dir: absolute(names::CACHE).unwrap_or_else(user_cache),
            data_dir: path(names::DATA).unwrap_or_else(|| PathBuf::from(".alula")),
            log: said(names::LOG).and_then(|value| value.into_string().ok()),
            offline: said(names::OFFLINE).is_some(),
            plain: said(names::NO_COLOR).is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Settings {
        Settings::from(|name| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn the_cache_folder_is_the_users_unless_said() {
        for (variables, want) in [
            (&[("HOME", "/home/u")][..], "/home/u/.cache/alula"),
            (&[("HOME", "/home/u"), ("XDG_CACHE_HOME", "/c")], "/c/alula"),
            (&[("HOME", "/home/u"), ("XDG_CACHE_HOME", "c")], "/home/u/.cache/alula"),
            (&[("HOME", "/home/u"), ("XDG_CACHE_HOME", "")], "/home/u/.cache/alula"),
            (&[("HOME", "/home/u"), ("ALULA_CACHE_DIR", "/mine")], "/mine"),
        ] {
            assert_eq!(with(variables).cache_dir, PathBuf::from(want), "{variables:?}");
        }
        assert!(with(&[]).cache_dir.is_absolute());
    }

    #[test]
    fn empty_variables_are_unset() {
        let settings = with(&[("NO_COLOR", ""), ("ALULA_OFFLINE", ""), ("ALULA_LOG", "")]);
        assert_eq!((settings.plain, settings.offline, settings.log), (false, false, None));
        let settings = with(&[("NO_COLOR", "1"), ("ALULA_OFFLINE", "1"), ("ALULA_LOG", "info")]);
        assert_eq!((settings.plain, settings.offline), (true, true));
        assert_eq!(settings.log.as_deref(), Some("info"));
        assert_eq!(settings.data_dir, PathBuf::from(".alula"));
    }
}
