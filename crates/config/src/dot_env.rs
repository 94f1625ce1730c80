//! `.env` files: a developer's own variables, read by `alula dev` only.
//!
//! A line is empty, a comment (`# …`), or `NAME=value`, with `export ` before it if one likes. A
//! value is taken up to a ` #`, without the spaces around it; in single quotes exactly as it is; in
//! double quotes with `\n`, `\r`, `\t`, `\"`, `\\` and `\$`. Quoted values may go over several
//! lines. **`$NAME` is not replaced**: it would bring the machine's own environment to a guest. A
//! name that appears twice has its last value.

/// Longest file, in bytes.
pub const MAX_LEN: usize = 1 << 20;

/// What is wrong with a `.env` file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Error {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it, lower-case.
    pub what: &'static str,
}

/// Reads the text of a `.env` file, in its order.
pub fn parse(text: &str) -> Result<Vec<(String, String)>, Error> {
    let mut reader = Reader { rest: text.strip_prefix('\u{feff}').unwrap_or(text), line: 1 };
    if text.len() > MAX_LEN {
        return Err(reader.wrong("the file is too large"));
    }
    let mut variables: Vec<(String, String)> = Vec::new();
    while let Some((name, value)) = reader.next()? {
        if value.contains('\0') {
            return Err(reader.wrong("the value has a NUL"));
        }
        variables.retain(|(other, _)| *other != name);
        variables.push((name, value));
    }
    Ok(variables)
}

struct Reader<'t> {
    rest: &'t str,
    line: usize,
}

impl<'t> Reader<'t> {
    const fn wrong(&self, what: &'static str) -> Error {
        Error { line: self.line, what }
    }

    /// Takes the rest of the line, and the line end.
    fn take_line(&mut self) -> &'t str {
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        self.rest = rest;
        line.strip_suffix('\r').unwrap_or(line)
    }

    fn next(&mut self) -> Result<Option<(String, String)>, Error> {
        while !self.rest.is_empty() {
            let line = self.rest.trim_start_matches([' ', '\t']);
            if line.starts_with(['#', '\n', '\r']) || line.is_empty() {
                self.take_line();
                self.line += 1;
                continue;
            }
            self.rest = line;
            return self.variable().map(Some);
        }
        Ok(None)
    }

    fn variable(&mut self) -> Result<(String, String), Error> {
        let end = self.rest.find(['=', '\n']).unwrap_or(self.rest.len());
        if !self.rest[end..].starts_with('=') {
            return Err(self.wrong("a line is `NAME=value`"));
        }
        let name = self.rest[..end].trim();
        let name = name.strip_prefix("export ").map_or(name, str::trim_start);
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'.';
        if name.is_empty() || !name.bytes().all(inner) || name.as_bytes()[0].is_ascii_digit() {
            return Err(self.wrong("a name has letters, digits and `_` and starts with no digit"));
        }
        self.rest = self.rest[end + 1..].trim_start_matches([' ', '\t']);
        let value = match self.rest.chars().next() {
            Some(quote @ ('\'' | '"')) => self.quoted(quote)?,
            _ => {
                let line = self.take_line();
                let end = if line.starts_with('#') { Some(0) } else { comment(line) };
                line[..end.unwrap_or(line.len())].trim().to_owned()
            }
        };
        let name = name.to_owned();
        self.line += 1;
        Ok((name, value))
    }

    fn quoted(&mut self, quote: char) -> Result<String, Error> {
        let opened = self.wrong("the quote is not closed");
        let mut value = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        let end = loop {
            match chars.next() {
                None => return Err(opened),
                Some((at, c)) if c == quote => break at,
                Some((_, '\\')) if quote == '"' => match chars.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, 'r')) => value.push('\r'),
                    Some((_, 't')) => value.push('\t'),
                    Some((_, c @ ('"' | '\\' | '$'))) => value.push(c),
                    _ => return Err(self.wrong("after `\\` comes n, r, t, `\"`, `\\` or `$`")),
                },
                Some((_, c)) => {
                    self.line += usize::from(c == '\n');
                    value.push(c);
                }
            }
        };
        self.rest = &self.rest[end + 1..];
        let after = self.take_line().trim();
        if !after.is_empty() && !after.starts_with('#') {
            return Err(self.wrong("something follows the closing quote"));
        }
        Ok(value)
    }
}

/// Where a comment begins: a `#` after a space.
fn comment(line: &str) -> Option<usize> {
    line.match_indices('#').map(|(at, _)| at).find(|at| line[..*at].ends_with([' ', '\t']))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, want: &[(&str, &str)]) {
        let got = parse(text).unwrap_or_else(|e| panic!("{text:?}: {e}"));
        let got: Vec<_> = got.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(got, want, "{text:?}");
    }

    #[test]
    fn values_are_read() {
        check("", &[]);
        check("# all\n\n  # comments\r\n", &[]);
        check(
            "A=1\nB = two words  # why\nC=a#b\nD=\nE=#x",
            &[("A", "1"), ("B", "two words"), ("C", "a#b"), ("D", ""), ("E", "")],
        );
        check("export A=1\r\nB=2\r\n", &[("A", "1"), ("B", "2")]);
        check("A='it\"s $HOME \\n' # x", &[("A", "it\"s $HOME \\n")]);
        check("A=\"a\\n\\t\\\"\\\\\\$\"", &[("A", "a\n\t\"\\$")]);
        check("A=\"one\ntwo\"\nB=3", &[("A", "one\ntwo"), ("B", "3")]);
        check("A=$HOME ${HOME}", &[("A", "$HOME ${HOME}")]);
        check("A=1\nB=2\nA=3", &[("B", "2"), ("A", "3")]);
        check("\u{feff}A=1", &[("A", "1")]);
        check("A=a=b", &[("A", "a=b")]);
    }

    #[test]
    fn mistakes_name_their_line() {
        for (text, line, what) in [
            ("A", 1, "NAME=value"),
            ("A=1\nnonsense\n", 2, "NAME=value"),
            ("=1", 1, "name"),
            ("1A=1", 1, "name"),
            ("A B=1", 1, "name"),
            ("A=\"1", 1, "not closed"),
            ("A='1\n\n", 1, "not closed"),
            ("A=\"x\ny\" z", 2, "follows"),
            ("A=\"\\x\"", 1, "after"),
            ("A='1\n2'\nB", 3, "NAME=value"),
            ("A=\0", 1, "NUL"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.what.contains(what), "{text:?}: {error}");
            if what != "NUL" {
                assert_eq!(error.line, line, "{text:?}: {error}");
            }
        }
        assert!(parse(&" ".repeat(MAX_LEN + 1)).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in ".*", more in "[A-Z=\"'\\\\#\n $]{0,20}") {
            let _ = parse(&text);
            let _ = parse(&more);
        }

        #[test]
        fn a_quoted_value_is_itself(value in "[^'\0]{0,30}") {
            let got = parse(&format!("A='{value}'")).expect("a valid line");
            prop_assert_eq!(got, vec![("A".to_owned(), value)]);
        }
    }
}
