//! Puts an overlay over a manifest: tables merge key by key, everything else is replaced whole.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Merges `over` into `base`. Values keep their places, so errors still point at what was written.
pub(crate) fn merge<'i>(base: &mut DeTable<'i>, over: &DeTable<'i>) {
    for (key, value) in over.iter() {
        match (base.get_mut(&**key.get_ref()), value.get_ref()) {
            (Some(old), DeValue::Table(over)) if old.get_ref().is_table() => {
                let DeValue::Table(old) = old.get_mut() else { continue };
                merge(old, over);
            }
            _ => replace(base, key, value),
        }
    }
}

fn replace<'i>(
    base: &mut DeTable<'i>,
    key: &Spanned<std::borrow::Cow<'i, str>>,
    value: &Spanned<DeValue<'i>>,
) {
    // The key carries its place, so the old one must go too.
    base.remove(&**key.get_ref());
    base.insert(key.clone(), value.clone());
}
