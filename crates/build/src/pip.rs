//! `pip`, for the toolchains that come as Python packages and for authors' own packages.

use std::path::Path;

use alula_types::{Code, Fault};

use crate::{Progress, command, toolchain};

/// The Python that runs the tools. It is not the one that runs in a function.
pub(crate) const PYTHON: &str = "python3";

const NO_PYTHON: &str = "install Python 3 and pip (Debian and Ubuntu: `sudo apt install python3 \
    python3-pip`; macOS: `brew install python`)";

/// The folder of a tool that comes as one package, installed when it is missing.
pub(crate) async fn tool(
    folder: &str,
    package: &str,
    version: &str,
    progress: &dyn Progress,
) -> Result<std::path::PathBuf, Fault> {
    let pinned = format!("{package}=={version}");
    let step = format!("installing {package} {version} (once)");
    toolchain::ensure(folder, |staging| async move {
        progress.step(&step);
        let into = staging.clone().into_os_string();
        let arguments = ["--no-deps", "--only-binary=:all:", pinned.as_str()].map(Into::into);
        install(&staging, arguments).await.map_err(|fault| {
            if fault.hint.is_some() {
                return fault;
            }
            let detail = format!("{pinned} could not be installed: {}", fault.detail);
            let line = format!("{PYTHON} -m pip install --target {} {pinned}", into.display());
            Fault::new(Code::ToolMissing, detail)
                .hint(format!("it needs the network once; see whether `{line}` works"))
        })
    })
    .await
}

/// Installs packages into a folder.
pub(crate) async fn install(
    target: &Path,
    arguments: impl IntoIterator<Item = std::ffi::OsString>,
) -> Result<(), Fault> {
    let mut all: Vec<std::ffi::OsString> = ["-m", "pip", "install", "--quiet", "--no-input"]
        .into_iter()
        .chain(["--disable-pip-version-check", "--no-warn-script-location", "--no-compile"])
        .chain(["--target"])
        .map(Into::into)
        .collect();
    all.push(target.into());
    all.extend(arguments);
    match command::program(PYTHON, all, target).await {
        Ok(_) => Ok(()),
        Err(fault) if fault.code == Code::ToolMissing => Err(fault.hint(NO_PYTHON)),
        Err(fault) if fault.detail.contains("No module named pip") => {
            Err(Fault::new(Code::ToolMissing, format!("`{PYTHON}` has no pip")).hint(NO_PYTHON))
        }
        Err(fault) => Err(fault),
    }
}
