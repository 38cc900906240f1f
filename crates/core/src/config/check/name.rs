//! What backends may be called, and the name that is nearest to another text.

/// Whether `name` can name a backend: `[a-z0-9][a-z0-9_-]*`.
#[must_use]
pub fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'))
}

/// Letters of European languages, and how they are written where only `a` to `z` can be.
const PLAIN: [(&str, &str); 25] = [
    ("àáâãäåāăą", "a"),
    ("æ", "ae"),
    ("çćĉċč", "c"),
    ("ďđ", "d"),
    ("ð", "d"),
    ("èéêëēĕėęě", "e"),
    ("ĝğġģ", "g"),
    ("ĥħ", "h"),
    ("ìíîïĩīĭįı", "i"),
    ("ĵ", "j"),
    ("ķ", "k"),
    ("ĺļľŀł", "l"),
    ("ñńņňŋ", "n"),
    ("òóôõöøōŏő", "o"),
    ("œ", "oe"),
    ("ŕŗř", "r"),
    ("śŝşšș", "s"),
    ("ß", "ss"),
    ("ţťŧț", "t"),
    ("þ", "th"),
    ("ùúûüũūŭůűų", "u"),
    ("ŵ", "w"),
    ("ýÿŷ", "y"),
    ("źżž", "z"),
    // An accent of its own, as some file systems and keyboards write it, and the dot that `İ` leaves behind.
    ("\u{300}\u{301}\u{302}\u{303}\u{304}\u{306}\u{307}\u{308}\u{30a}\u{30b}\u{30c}\u{327}\u{328}", ""),
];

/// The backend name that is nearest to any text: lower case, letters without their accents, every run of other characters as one `-`.
/// `None` when nothing is left.
#[must_use]
pub fn slug(text: &str) -> Option<String> {
    let mut slug = String::with_capacity(text.len());
    let lower = text.chars().flat_map(char::to_lowercase);
    let plain = lower.flat_map(|c| match PLAIN.iter().find(|(letters, _)| letters.contains(c)) {
        Some((_, plain)) => plain.chars().collect(),
        None => vec![c],
    });
    for c in plain {
        if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' {
            slug.push(c);
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_matches(['-', '_']);
    (!slug.is_empty()).then(|| slug.to_owned())
}
