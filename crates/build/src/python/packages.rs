//! The author's packages, from `requirements.txt`: pure Python ones, installed beside the build.

use std::path::{Path, PathBuf};

use alula_types::{Code, Fault};

use crate::{Progress, pip, toolchain};

/// The version of Python that runs in the component; wheels are chosen for it.
const PYTHON_VERSION: &str = "3.14";

/// The folder with the packages of `dir/requirements.txt`; empty when there is no such file.
///
/// It is kept while the file's text stays the same, so that only a change needs the network.
pub(super) async fn ensure(
    dir: &Path,
    out: &Path,
    progress: &dyn Progress,
) -> Result<PathBuf, Fault> {
    let refused = |error| toolchain::unwritable(out, &error);
    let requirements = dir.join("requirements.txt");
    let wanted = std::fs::read_to_string(&requirements).unwrap_or_default();
    let packages = out.join("packages");
    let stamp = packages.join(".requirements");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(packages);
    }
    for stale in [&packages, &out.join("packages.part")] {
        if stale.exists() {
            std::fs::remove_dir_all(stale).map_err(refused)?;
        }
    }
    let part = out.join("packages.part");
    std::fs::create_dir_all(&part).map_err(refused)?;
    if !wanted.trim().is_empty() {
        progress.step("installing the packages of requirements.txt");
        install(&part, &requirements).await?;
    }
    std::fs::write(part.join(".requirements"), wanted).map_err(refused)?;
    std::fs::rename(&part, &packages).map_err(refused)?;
    Ok(packages)
}

async fn install(part: &Path, requirements: &Path) -> Result<(), Fault> {
    let pure = ["--only-binary=:all:", "--platform=any", "--implementation=py", "--abi=none"];
    let arguments = pure
        .into_iter()
        .map(Into::into)
        .chain([format!("--python-version={PYTHON_VERSION}").into(), "-r".into()])
        .chain([requirements.as_os_str().to_owned()]);
    pip::install(part, arguments).await.map_err(|fault| {
        if fault.code == Code::ToolMissing {
            return fault;
        }
        fault
            .hint("only pure Python packages can be part of a function; the rest need an own build")
    })
}
