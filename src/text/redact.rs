//! Passwords in URLs, taken out of texts before these are logged or shown.

/// What stands in a password's place.
const HIDDEN: &str = "***";

/// `text` with the password of every URL in it replaced by `***`.
///
/// A password may hold characters that should have been encoded (`/`, `@`, quotes), so everything
/// up to the last `@` of the word counts as part of it: rather too much is hidden than a tail shown.
pub fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + "://".len());
        out.push_str(before);
        let end = after.find(char::is_whitespace).unwrap_or(after.len());
        let kept = redact_word(&after[..end], &mut out);
        rest = &after[kept..];
    }
    out.push_str(rest);
    out
}

/// Writes what may be shown of the userinfo that `word` begins with, and says how much of `word` that
/// covers.
fn redact_word(word: &str, out: &mut String) -> usize {
    let Some(at) = word.rfind('@') else {
        return 0;
    };
    let Some(colon) = word[..at].find(':') else {
        return 0;
    };
    out.push_str(&word[..=colon]);
    out.push_str(HIDDEN);
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_urls_are_hidden() {
        for (text, expected) in [
            ("redis://ops:s3cret@db:6379/0", "redis://ops:***@db:6379/0"),
            (
                "cannot reach rediss://:s3cret@db now",
                "cannot reach rediss://:***@db now",
            ),
            (
                "\"redis://u:p@h\", try again",
                "\"redis://u:***@h\", try again",
            ),
            ("redis://u:p@ss/w\"rd@h", "redis://u:***@h"),
            (
                "redis://u:p@a redis://v:q@b",
                "redis://u:***@a redis://v:***@b",
            ),
            ("redis://a:1,redis://u:p@b", "redis://a:***@b"),
            ("redis://u:@h", "redis://u:***@h"),
            ("redis://ü:ß@h", "redis://ü:***@h"),
        ] {
            assert_eq!(redact(text), expected);
        }
    }

    #[test]
    fn what_holds_no_password_stays() {
        for text in [
            "",
            "no url: a@b",
            "redis://db:6379/0",
            "redis://ops@db:6379",
            "redis://[::1]:6379 mail a:b@c",
            "://",
        ] {
            assert_eq!(redact(text), text);
        }
    }
}
