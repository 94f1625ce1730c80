//! `npm`, for the toolchains that come as npm packages and for authors' own packages.

use std::path::{Path, PathBuf};

use alula_types::{Code, Fault};
use tokio::process::Command;

use crate::{Progress, command, toolchain};

const NO_NODE: &str = "install Node.js 18 or newer with npm (Debian and Ubuntu: `sudo apt install \
    nodejs npm`; macOS: `brew install node`)";

/// A toolchain made of npm packages, each with its exact version.
pub(super) struct Packages {
    /// The folder's name, with a version that changes whenever a package does.
    pub(super) folder: &'static str,
    /// `name@version`, each.
    pub(super) packages: &'static [&'static str],
}

/// The folder of a toolchain, installed when it is missing.
pub(super) async fn tool(wanted: &Packages, progress: &dyn Progress) -> Result<PathBuf, Fault> {
    toolchain::ensure(wanted.folder, |staging| async move {
        let list = wanted.packages.join(" ");
        progress.step(&format!("installing {list} (once)"));
        // npm looks for a package.json above the folder when it has none.
        std::fs::write(staging.join("package.json"), "{\"private\":true}")
            .map_err(|error| toolchain::unwritable(&staging, &error))?;
        let mut line = npm(&staging);
        // Neither tool needs its scripts: each finds its own program in a package for the platform.
        line.args(["install", "--save-exact", "--ignore-scripts", "--omit=dev"]);
        line.args(wanted.packages);
        run(line).await.map_err(|fault| {
            if fault.code == Code::ToolMissing {
                return fault;
            }
            let detail = format!("{list} could not be installed: {}", fault.detail);
            Fault::new(Code::ToolMissing, detail)
                .hint(format!("it needs the network once; see whether `npm install {list}` works"))
        })
    })
    .await
}

/// Installs the author's packages when the manifest of theirs names some and none is there.
pub(super) async fn ensure_modules(dir: &Path, progress: &dyn Progress) -> Result<(), Fault> {
    let Ok(manifest) = std::fs::read_to_string(dir.join("package.json")) else { return Ok(()) };
    if dir.join("node_modules").exists() || !names_packages(&manifest) {
        return Ok(());
    }
    let locked = dir.join("package-lock.json").exists();
    let verb = if locked { "ci" } else { "install" };
    progress.step(&format!("installing the npm packages of package.json (npm {verb})"));
    let mut line = npm(dir);
    line.arg(verb);
    run(line).await
}

/// Whether a `package.json` has dependencies that are not empty. Not worth a JSON parser: the worst
/// that a wrong answer does is one needless `npm install`.
fn names_packages(manifest: &str) -> bool {
    let compact: String = manifest.chars().filter(|c| !c.is_whitespace()).collect();
    ["\"dependencies\":{\"", "\"devDependencies\":{\""].iter().any(|key| compact.contains(key))
}

fn npm(dir: &Path) -> Command {
    let mut line = Command::new("npm");
    line.current_dir(dir).args(["--no-audit", "--no-fund", "--no-update-notifier"]);
    line.args(["--loglevel=error"]);
    line
}

async fn run(line: Command) -> Result<(), Fault> {
    let finished = command::run(line).await.map_err(no_node)?;
    if finished.status.success() {
        return Ok(());
    }
    Err(Fault::new(Code::BuildFailed, format!("npm failed:\n{}", finished.output.trim_end())))
}

/// Says how Node is installed when that is what is missing.
pub(super) fn no_node(fault: Fault) -> Fault {
    if fault.code == Code::ToolMissing { fault.hint(NO_NODE) } else { fault }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Silent;

    #[test]
    fn only_a_manifest_with_packages_wants_an_install() {
        assert!(names_packages("{\n \"dependencies\": {\n  \"marked\": \"1\" } }"));
        assert!(names_packages("{\"devDependencies\":{\"typescript\":\"5\"}}"));
        assert!(!names_packages("{\"dependencies\": { }}"));
        assert!(!names_packages("{\"name\":\"x\"}"));
    }

    #[tokio::test]
    async fn packages_that_are_there_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        ensure_modules(dir.path(), &Silent).await.expect("no package.json");
        std::fs::write(dir.path().join("package.json"), "{\"dependencies\":{\"x\":\"1\"}}")
            .unwrap();
        std::fs::create_dir(dir.path().join("node_modules")).unwrap();
        ensure_modules(dir.path(), &Silent).await.expect("nothing to install");
    }
}
