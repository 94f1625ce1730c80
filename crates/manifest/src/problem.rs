//! What is wrong with a manifest, where, and what to do.

use std::fmt;
use std::ops::Range;

use alula_types::{Code, Fault};

/// Problems shown at once; the first ones usually cause the rest.
const SHOWN: usize = 20;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The stable code.
    pub code: Code,
    /// What is wrong, lower-case, naming the key or value.
    pub message: String,
    /// What to do, when there is something to say.
    pub hint: Option<String>,
    /// Where, unless it is about the whole file.
    pub place: Option<Place>,
    /// A second place that belongs to it, with what is there.
    pub also: Option<(Place, String)>,
}

/// A stretch of one line of the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// How many characters, at least 1.
    pub width: u32,
    /// The line's text.
    pub text: String,
}

/// Everything that is wrong with one manifest; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    /// The manifest's name as shown to people.
    pub file: String,
    /// The problems in the order of their places.
    pub list: Vec<Problem>,
}

impl Place {
    /// The place of a range of bytes. A range over several lines is cut at the end of its first.
    pub fn find(text: &str, range: Range<usize>) -> Self {
        let floor = |at: usize| (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i));
        let start = floor(range.start).unwrap_or(0);
        let end = floor(range.end).unwrap_or(0).max(start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let count = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        let lines = text[..line_start].bytes().filter(|b| *b == b'\n').count();
        Self {
            line: u32::try_from(lines).unwrap_or(u32::MAX).saturating_add(1),
            column: count(&text[line_start..start]).saturating_add(1),
            width: count(&text[start..end.min(line_end)]).max(1),
            text: text[line_start..line_end].trim_end_matches('\r').to_owned(),
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().take(SHOWN).enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write_problem(f, &self.file, problem)?;
        }
        match self.list.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

fn write_problem(f: &mut fmt::Formatter<'_>, file: &str, problem: &Problem) -> fmt::Result {
    match &problem.place {
        Some(place) => {
            writeln!(f, "{file}:{}:{}: {}", place.line, place.column, problem.message)?;
            write_excerpt(f, place)?;
        }
        None => writeln!(f, "{file}: {}", problem.message)?,
    }
    if let Some((place, what)) = &problem.also {
        writeln!(f, "{file}:{}:{}: {what}", place.line, place.column)?;
        write_excerpt(f, place)?;
    }
    if let Some(hint) = &problem.hint {
        writeln!(f, "  hint: {hint}")?;
    }
    Ok(())
}

/// Longest source line shown, in characters.
const LINE_SHOWN: usize = 200;

fn write_excerpt(f: &mut fmt::Formatter<'_>, place: &Place) -> fmt::Result {
    // Tabs stay tabs under themselves, so that the caret stands where the reader sees the mistake.
    let before = usize::try_from(place.column).unwrap_or(usize::MAX) - 1;
    if before >= LINE_SHOWN {
        return Ok(());
    }
    let blank = |c: char| if c == '\t' { '\t' } else { ' ' };
    let indent: String = place.text.chars().take(before).map(blank).collect();
    let carets = "^".repeat((place.width as usize).min(LINE_SHOWN - before));
    let printable = |c: char| if c.is_control() && c != '\t' { ' ' } else { c };
    let text: String = place.text.chars().take(LINE_SHOWN).map(printable).collect();
    writeln!(f, "{:>4} | {text}", place.line)?;
    writeln!(f, "     | {indent}{carets}")
}

impl std::error::Error for Problems {}

impl From<Problems> for Fault {
    fn from(problems: Problems) -> Self {
        let code = problems.list.first().map_or(Code::ManifestSyntax, |problem| problem.code);
        Self::new(code, problems.to_string().trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_lines_and_characters() {
        let text = "a = 1\r\nä = \"x\"\n\tb";
        let place = Place::find(text, 7..9);
        assert_eq!((place.line, place.column, place.width, &*place.text), (2, 1, 1, "ä = \"x\""));
        let place = Place::find(text, 12..100);
        assert_eq!((place.line, place.column, place.width), (2, 5, 3));
        let place = Place::find(text, text.len()..text.len());
        assert_eq!((place.line, place.column, place.width, &*place.text), (3, 3, 1, "\tb"));
        assert_eq!(Place::find("", 5..9).line, 1);
        assert_eq!(Place::find("ä", 1..1).column, 1, "a range inside a character");
    }

    #[test]
    fn a_problem_shows_its_line_with_a_caret() {
        let problem = Problem {
            code: Code::ManifestKey,
            message: "unknown key `memroy`".into(),
            hint: Some("did you mean `memory`?".into()),
            place: Some(Place::find("x = 1\n\tmemroy = 2", 7..13)),
            also: None,
        };
        let problems = Problems { file: "alula.toml".into(), list: vec![problem] };
        let want = "alula.toml:2:2: unknown key `memroy`\n   2 | \tmemroy = 2\n     | \t^^^^^^\n  \
                    hint: did you mean `memory`?\n";
        assert_eq!(problems.to_string(), want);
        assert_eq!(Fault::from(problems).code, Code::ManifestKey);
    }
}
