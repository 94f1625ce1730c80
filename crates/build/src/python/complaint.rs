//! What a failed build says to the author: their own traceback, without the machinery around it.

use std::path::Path;

use super::kit::MARK;

/// The part of the tool's output that concerns the author, with their own paths.
pub(super) fn of(output: &str, sources: &Path, packages: &Path) -> String {
    let marked = output.split(MARK).nth(1).map(str::trim_end);
    let text = marked.unwrap_or_else(|| without_machinery(output));
    let folder = |path: &Path| format!("File \"{}/", path.display());
    text.replace("File \"/1/", &folder(sources)).replace("File \"/2/", &folder(packages))
}

/// The tool reports every failure with its own stack, which begins with this line.
fn without_machinery(output: &str) -> &str {
    output.split("\nStack backtrace:").next().unwrap_or(output).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(output: &str, expected: &str) {
        assert_eq!(of(output, Path::new("/home/me/app"), Path::new("/home/me/out/p")), expected);
    }

    #[test]
    fn the_marked_part_is_shown_with_the_authors_paths() {
        check(
            "AssertionError: \u{1e}  File \"/1/app.py\", line 3\nNameError: x\n\u{1e}noise",
            "  File \"/home/me/app/app.py\", line 3\nNameError: x",
        );
    }

    #[test]
    fn without_marks_the_tools_own_stack_is_left_out() {
        check("error: no such world\n\nStack backtrace:\n   0: main", "error: no such world");
    }
}
