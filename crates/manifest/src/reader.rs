//! Walks a parsed TOML document, knows every value's place, and collects what is wrong.

use std::cell::RefCell;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use alula_types::units::parse_duration;
use alula_types::{ByteSize, Code};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::keys::{self, Key, Kind};

/// Something wrong, with its place in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) code: Code,
    pub(crate) span: Range<usize>,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    pub(crate) also: Option<(Range<usize>, String)>,
}

/// Collects what is wrong, and knows where lines begin.
#[derive(Debug)]
pub(crate) struct Notes {
    list: RefCell<Vec<Note>>,
    /// Positions of the line ends, ascending.
    line_ends: Vec<usize>,
}

/// Enough for any person; a hostile file must not make a list of a million.
const MAX_NOTES: usize = 200;

impl Notes {
    pub(crate) fn new(text: &str) -> Self {
        let line_ends = text.match_indices('\n').map(|(at, _)| at).collect();
        Self { list: RefCell::default(), line_ends }
    }

    /// The line of a position, from 1.
    pub(crate) fn line(&self, at: usize) -> u32 {
        let before = self.line_ends.partition_point(|end| *end < at);
        u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// Adds a note, unless the same place has one of the same kind: overlays read a place again.
    pub(crate) fn add(&self, note: Note) {
        let mut notes = self.list.borrow_mut();
        let same = |other: &Note| other.span == note.span && other.code == note.code;
        if notes.len() < MAX_NOTES && !notes.iter().any(same) {
            notes.push(note);
        }
    }

    pub(crate) fn say(
        &self,
        code: Code,
        span: Range<usize>,
        message: String,
        hint: Option<String>,
    ) {
        self.add(Note { code, span, message, hint, also: None });
    }

    /// A value that does not fit its key.
    pub(crate) fn value(&self, span: Range<usize>, message: String, hint: impl Into<String>) {
        self.say(Code::ManifestValue, span, message, Some(hint.into()));
    }

    pub(crate) fn into_list(self) -> Vec<Note> {
        self.list.into_inner()
    }
}

/// A table being read.
pub(crate) struct Table<'a, 'i> {
    entries: &'a DeTable<'i>,
    kind: &'static keys::Table,
    /// As it is called in messages, for example `functions.checkout`.
    pub(crate) path: String,
    pub(crate) span: Range<usize>,
    pub(crate) notes: &'a Notes,
}

impl<'a, 'i> Table<'a, 'i> {
    /// Opens a table and reports the keys that mean nothing in it, or nothing yet.
    pub(crate) fn open(
        entries: &'a DeTable<'i>,
        kind: &'static keys::Table,
        path: String,
        span: Range<usize>,
        notes: &'a Notes,
    ) -> Self {
        let table = Self { entries, kind, path, span, notes };
        for key in entries.keys() {
            match kind.keys.iter().find(|known| known.name == &**key.get_ref()) {
                None => table.unknown(key),
                Some(Key { kind: Kind::Later(what), name, .. }) => notes.say(
                    Code::ManifestValue,
                    key.span(),
                    format!("`{name}` is not available yet: {what}"),
                    Some(format!("remove `{name}`")),
                ),
                Some(_) => {}
            }
        }
        for name in kind.required {
            if !entries.contains_key(*name) {
                let message = format!("{} needs `{name}`", table.title());
                notes.say(Code::ManifestValue, table.span.clone(), message, None);
            }
        }
        table
    }

    fn unknown(&self, key: &Spanned<std::borrow::Cow<'i, str>>) {
        let known = || self.kind.keys.iter().map(|key| key.name);
        let hint = suggest(key.get_ref(), known()).unwrap_or_else(|| {
            format!("the keys here are {}", known().collect::<Vec<_>>().join(", "))
        });
        let message = format!("unknown key `{}` in {}", shorten(key.get_ref()), self.title());
        self.notes.say(Code::ManifestKey, key.span(), message, Some(hint));
    }

    /// The table as people call it.
    pub(crate) fn title(&self) -> String {
        if self.path.is_empty() { "the manifest".to_owned() } else { format!("[{}]", self.path) }
    }

    /// The value of a key, whatever it is.
    pub(crate) fn get(&self, name: &'static str) -> Option<&'a Spanned<DeValue<'i>>> {
        debug_assert!(
            self.kind.keys.iter().any(|key| key.name == name),
            "`{name}` is missing in the list of keys of {}",
            self.kind.name
        );
        self.entries.get(name)
    }

    /// Where a key's value stands, or the table when there is none.
    pub(crate) fn place(&self, name: &'static str) -> Range<usize> {
        self.get(name).map_or(self.span.clone(), Spanned::span)
    }

    /// Notes a value of the wrong type.
    pub(crate) fn mismatch(&self, name: &str, value: &Spanned<DeValue<'_>>, want: &str) {
        let got = value.get_ref().type_str();
        let message = format!("`{name}` must be {want}, not {}", article(got));
        self.notes.say(Code::ManifestValue, value.span(), message, None);
    }

    /// A text that is not empty and has no NUL, with its place.
    pub(crate) fn text(&self, name: &'static str) -> Option<(&'a str, Range<usize>)> {
        let value = self.get(name)?;
        let Some(text) = value.get_ref().as_str() else {
            self.mismatch(name, value, "a string");
            return None;
        };
        if text.is_empty() || text.contains('\0') {
            let message = format!("`{name}` must be text");
            self.notes.say(Code::ManifestValue, value.span(), message, None);
            return None;
        }
        Some((text, value.span()))
    }

    /// A number of bytes within bounds.
    pub(crate) fn size(
        &self,
        name: &'static str,
        bounds: RangeInclusive<ByteSize>,
    ) -> Option<ByteSize> {
        let value = self.get(name)?;
        let Some(text) = value.get_ref().as_str() else {
            self.mismatch(name, value, "a size such as \"64MiB\"");
            return None;
        };
        match ByteSize::parse(text) {
            Ok(size) if bounds.contains(&size) => return Some(size),
            Ok(_) => self.notes.value(
                value.span(),
                format!("`{name}` is out of range"),
                format!("it lies from {} to {}", bounds.start(), bounds.end()),
            ),
            Err(error) => {
                let message = format!("`{name}` is not a size: {error}");
                self.notes.value(value.span(), message, "write it like \"64MiB\"");
            }
        }
        None
    }

    /// A time of a millisecond to a day.
    pub(crate) fn time(&self, name: &'static str) -> Option<Duration> {
        self.time_from(name, Duration::from_millis(1))
    }

    /// A time from a minimum to a day.
    pub(crate) fn time_from(&self, name: &'static str, least: Duration) -> Option<Duration> {
        const DAY: Duration = Duration::from_secs(86_400);
        let value = self.get(name)?;
        let Some(text) = value.get_ref().as_str() else {
            self.mismatch(name, value, "a time such as \"30s\"");
            return None;
        };
        match parse_duration(text) {
            Ok(time) if (least..=DAY).contains(&time) => return Some(time),
            Ok(_) => self.notes.value(
                value.span(),
                format!("`{name}` is out of range"),
                format!("it lies from {}ms to 24h", least.as_millis()),
            ),
            Err(error) => {
                let message = format!("`{name}` is not a time: {error}");
                self.notes.value(value.span(), message, "write it like \"30s\" or \"500ms\"");
            }
        }
        None
    }

    /// A whole number within bounds.
    pub(crate) fn count(&self, name: &'static str, bounds: RangeInclusive<u32>) -> Option<u32> {
        let value = self.get(name)?;
        let Some(number) = value.get_ref().as_integer() else {
            self.mismatch(name, value, "a whole number");
            return None;
        };
        let number = u32::from_str_radix(number.as_str(), number.radix()).ok();
        let number = number.filter(|number| bounds.contains(number));
        if number.is_none() {
            self.notes.value(
                value.span(),
                format!("`{name}` is out of range"),
                format!("it lies from {} to {}", bounds.start(), bounds.end()),
            );
        }
        number
    }

    /// `true` or `false`.
    pub(crate) fn flag(&self, name: &'static str) -> Option<bool> {
        let value = self.get(name)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.mismatch(name, value, "true or false");
        }
        flag
    }

    /// One of several words.
    pub(crate) fn choice(
        &self,
        name: &'static str,
        words: &[&'static str],
    ) -> Option<&'static str> {
        let value = self.get(name)?;
        let Some(text) = value.get_ref().as_str() else {
            self.mismatch(name, value, &format!("one of {}", quoted(words)));
            return None;
        };
        let found = words.iter().find(|word| **word == text);
        if found.is_none() {
            let hint = suggest(text, words.iter().copied())
                .unwrap_or_else(|| format!("it is one of {}", quoted(words)));
            let message = format!("`{}` is no value for `{name}`", shorten(text));
            self.notes.value(value.span(), message, hint);
        }
        found.copied()
    }

    /// A list of texts with their places.
    pub(crate) fn texts(&self, name: &'static str) -> Option<Vec<(&'a str, Range<usize>)>> {
        let value = self.get(name)?;
        let Some(list) = value.get_ref().as_array() else {
            self.mismatch(name, value, "a list of strings");
            return None;
        };
        let text = |item: &'a Spanned<DeValue<'i>>| {
            let text = item.get_ref().as_str();
            if text.is_none() {
                self.mismatch(name, item, "a list of strings");
            }
            Some((text?, item.span()))
        };
        Some(list.iter().filter_map(text).collect())
    }

    /// A table of this table.
    pub(crate) fn table(
        &self,
        name: &'static str,
        kind: &'static keys::Table,
    ) -> Option<Table<'a, 'i>> {
        let (entries, span) = self.entries(name)?;
        Some(Table::open(entries, kind, self.below(name), span, self.notes))
    }

    /// The entries of a table whose keys are the author's.
    pub(crate) fn entries(&self, name: &'static str) -> Option<(&'a DeTable<'i>, Range<usize>)> {
        let value = self.get(name)?;
        let entries = value.get_ref().as_table();
        if entries.is_none() {
            self.mismatch(name, value, "a table");
        }
        Some((entries?, value.span()))
    }

    /// The tables of a list of tables.
    pub(crate) fn tables(
        &self,
        name: &'static str,
        kind: &'static keys::Table,
    ) -> Vec<Table<'a, 'i>> {
        let Some(value) = self.get(name) else { return Vec::new() };
        let Some(list) = value.get_ref().as_array() else {
            self.mismatch(name, value, &format!("a list of tables, [[{}]]", self.below(name)));
            return Vec::new();
        };
        let open = |item: &'a Spanned<DeValue<'i>>| match item.get_ref().as_table() {
            Some(entries) => {
                Some(Table::open(entries, kind, self.below(name), item.span(), self.notes))
            }
            None => {
                self.mismatch(name, item, "a list of tables");
                None
            }
        };
        list.iter().filter_map(open).collect()
    }

    /// How a table below this one is called.
    pub(crate) fn below(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

/// The nearest known word, as a hint, if it is near enough to be meant.
pub(crate) fn suggest<'w>(word: &str, known: impl Iterator<Item = &'w str>) -> Option<String> {
    // Hostile keys may be long, and the distance costs the product of both lengths.
    if word.len() > 64 {
        return None;
    }
    let near = |known: &'w str| {
        let distance = strsim::damerau_levenshtein(&word.to_lowercase(), known);
        (distance <= 1 + known.len() / 4).then_some((distance, known))
    };
    let (_, best) = known.filter_map(near).min_by_key(|(distance, _)| *distance)?;
    Some(format!("did you mean `{best}`?"))
}

/// A text for a message: at most 60 characters.
pub(crate) fn shorten(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
}

fn article(kind: &str) -> String {
    let vowel = kind.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {kind}", if vowel { "an" } else { "a" })
}
