//! Just enough Rust lexing for line-based checks: which bytes are code, which comment, which
//! string.
//!
//! It is sound for what rustc accepts (nested comments, raw strings, lifetimes beside characters);
//! it knows no syntax above that.

/// A source file split into views of the same shape: what is masked is spaces, so that lines and
/// columns agree between them.
#[derive(Debug)]
pub(crate) struct Masked {
    /// Code only: comments and the contents of strings are spaces.
    pub(crate) code: String,
    /// Comments only.
    pub(crate) comments: String,
    /// The columns of each line, without those inside of strings.
    pub(crate) widths: Vec<usize>,
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its name.
    pub(crate) name: String,
    /// The line of its `fn`, from 1.
    pub(crate) line: usize,
    /// Lines from `fn` to its closing brace.
    pub(crate) lines: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    Text,
}

/// Splits a source file into code and comments.
pub(crate) fn mask(source: &str) -> Masked {
    let chars: Vec<char> = source.chars().collect();
    let mut kinds = vec![Kind::Code; chars.len()];
    let mut at = 0;
    while at < chars.len() {
        let (kind, end) = token(&chars, at);
        kinds[at..end].fill(kind);
        at = end;
    }
    let view = |wanted: Kind| {
        let keep = |(c, kind): (&char, &Kind)| {
            if *c == '\n' || *kind == wanted { *c } else { ' ' }
        };
        chars.iter().zip(&kinds).map(keep).collect()
    };
    let widths = source.lines().scan(0, |at, line| {
        let length = line.chars().count();
        let kinds = &kinds[*at..*at + length];
        *at += length + 1;
        Some(kinds.iter().filter(|kind| **kind != Kind::Text).count())
    });
    Masked { code: view(Kind::Code), comments: view(Kind::Comment), widths: widths.collect() }
}

/// The kind of what begins at `at` and where it ends.
fn token(chars: &[char], at: usize) -> (Kind, usize) {
    let next = chars.get(at + 1).copied();
    let inside_word = at > 0 && is_word(chars[at - 1]);
    match chars[at] {
        '/' if next == Some('/') => (Kind::Comment, line_end(chars, at)),
        '/' if next == Some('*') => (Kind::Comment, block_end(chars, at)),
        '"' => (Kind::Text, string_end(chars, at)),
        'r' | 'b' | 'c' if !inside_word => match prefixed_string_end(chars, at) {
            Some(end) => (Kind::Text, end),
            None => (Kind::Code, at + 1),
        },
        '\'' => match character_end(chars, at) {
            Some(end) => (Kind::Text, end),
            None => (Kind::Code, at + 1),
        },
        _ => (Kind::Code, at + 1),
    }
}

fn line_end(chars: &[char], at: usize) -> usize {
    chars[at..].iter().position(|c| *c == '\n').map_or(chars.len(), |length| at + length)
}

fn block_end(chars: &[char], at: usize) -> usize {
    let (mut depth, mut i) = (0, at);
    while i + 1 < chars.len() {
        match (chars[i], chars[i + 1]) {
            ('/', '*') => (depth, i) = (depth + 1, i + 2),
            ('*', '/') => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            return i;
        }
    }
    chars.len()
}

/// The end of a string whose opening quote is at `at`.
fn string_end(chars: &[char], at: usize) -> usize {
    let mut i = at + 1;
    while i < chars.len() {
        match chars[i] {
            '\\' => i += 2,
            '"' => return i + 1,
            _ => i += 1,
        }
    }
    chars.len()
}

/// The end of `r"…"`, `br#"…"#`, `b"…"`, `c"…"` and `b'…'`; `None` when none begins here.
fn prefixed_string_end(chars: &[char], at: usize) -> Option<usize> {
    let letters = chars[at..].iter().take(2).take_while(|c| matches!(c, 'r' | 'b' | 'c')).count();
    let hashes = chars[at + letters..].iter().take_while(|c| **c == '#').count();
    let quote = at + letters + hashes;
    let raw = chars[at + letters - 1] == 'r';
    match chars.get(quote) {
        Some('"') if raw => {
            let closing: Vec<char> =
                std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
            let rest = &chars[quote + 1..];
            let end = rest.windows(closing.len()).position(|w| w == closing.as_slice());
            Some(end.map_or(chars.len(), |length| quote + 1 + length + closing.len()))
        }
        Some('"') if hashes == 0 => Some(string_end(chars, quote)),
        Some('\'') if hashes == 0 && chars[at] == 'b' && letters == 1 => {
            character_end(chars, quote)
        }
        _ => None,
    }
}

/// The end of a character literal; `None` when the quote begins a lifetime.
fn character_end(chars: &[char], at: usize) -> Option<usize> {
    match chars.get(at + 1)? {
        '\\' => {
            let rest = chars.get(at + 3..)?;
            rest.iter().position(|c| *c == '\'').map(|length| at + 3 + length + 1)
        }
        _ if chars.get(at + 2) == Some(&'\'') => Some(at + 3),
        _ => None,
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The functions with bodies in a file's code view.
pub(crate) fn functions(code: &str) -> Vec<Function> {
    let chars: Vec<char> = code.chars().collect();
    let mut found = Vec::new();
    let mut line = 1;
    for at in 0..chars.len() {
        if chars[at] == '\n' {
            line += 1;
        }
        let Some((name, after)) = function_name(&chars, at) else { continue };
        if let Some(end) = body_end(&chars, after) {
            let lines = 1 + chars[at..end].iter().filter(|c| **c == '\n').count();
            found.push(Function { name, line, lines });
        }
    }
    found
}

/// The name of the function whose `fn` begins at `at`, and where the name ends.
fn function_name(chars: &[char], at: usize) -> Option<(String, usize)> {
    let starts = chars[at..].starts_with(&['f', 'n', ' ']) && (at == 0 || !is_word(chars[at - 1]));
    let name: String = chars.get(at + 3..)?.iter().take_while(|c| is_word(**c)).collect();
    let after = at + 3 + name.chars().count();
    (starts && !name.is_empty()).then_some((name, after))
}

/// The index of a function's closing brace; `None` when it has no body.
fn body_end(chars: &[char], after: usize) -> Option<usize> {
    let (mut round, mut braces) = (0_i32, 0_i32);
    for (i, c) in chars.iter().enumerate().skip(after) {
        match c {
            '(' | '[' => round += 1,
            ')' | ']' => round -= 1,
            ';' if round == 0 && braces == 0 => return None,
            '{' => braces += 1,
            '}' => {
                braces -= 1;
                if braces == 0 && round == 0 {
                    return Some(i);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(source: &str) -> String {
        mask(source).code.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_and_strings_are_not_code() {
        assert_eq!(code("a // b\nc"), "a c");
        assert_eq!(code("a /* b /* c */ d */ e"), "a e");
        assert_eq!(code(r#"a "b \" c" d"#), "a d");
        assert_eq!(code("a r#\"b \" c\"# d"), "a d");
        assert_eq!(code("a b\"x\" br\"y\" c\"z\" d"), "a d");
        assert_eq!(code("a '{' '\\'' '\\u{7d}' b'}' d"), "a d");
    }

    #[test]
    fn lifetimes_and_raw_names_are_code() {
        assert_eq!(code("fn f<'a>(x: &'a str) {}"), "fn f<'a>(x: &'a str) {}");
        assert_eq!(code("r#type + bar"), "r#type + bar");
    }

    #[test]
    fn comments_keep_their_place() {
        assert_eq!(mask("a\n  // b").comments, " \n  // b");
    }

    #[test]
    fn a_function_is_measured_from_its_name_to_its_brace() {
        let found = |source: &str| functions(&mask(source).code);
        let one = Function { name: "f".into(), line: 2, lines: 3 };
        assert_eq!(found("\nfn f() -> [u8; 2] {\n '}';\n}"), [one]);
        assert_eq!(found("trait T { fn f(&self) -> [u8; 2]; }\ntype F = fn(u8);"), []);
        assert_eq!(found("fn a() { fn b() {} }").len(), 2);
    }
}
