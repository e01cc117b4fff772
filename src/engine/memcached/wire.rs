//! How keys are written on the wire, both ways.
//!
//! A key is any bytes, but a command line can hold only some of them. What does not fit travels as
//! base64 where the server knows that (1.6.10+), and the crawler's dump writes keys like a URI.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::model::Key;

/// The longest key on the wire. For base64 that is the encoded form, so 186 raw bytes.
pub(super) const LONGEST_KEY: usize = 250;

/// How a key can be named in a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Name<'key> {
    /// As it is.
    Plain(&'key [u8]),
    /// As base64, behind the flag `b`.
    Encoded(String),
    /// Not at all, with the reason in words.
    Impossible(&'static str),
}

impl<'key> Name<'key> {
    pub fn of(key: &'key Key) -> Self {
        let bytes = key.bytes();
        if bytes.is_empty() {
            return Self::Impossible("Memcached has no empty keys");
        }
        if bytes.len() > LONGEST_KEY {
            return Self::Impossible("longer than the 250 bytes that Memcached allows");
        }
        if is_plain(bytes) {
            return Self::Plain(bytes);
        }
        let encoded = BASE64_STANDARD.encode(bytes);
        if encoded.len() > LONGEST_KEY {
            return Self::Impossible(
                "it holds spaces or control bytes and is too long to be sent as base64 (over 186 bytes)",
            );
        }
        Self::Encoded(encoded)
    }
}

/// Whether a key can be sent as it is.
pub(super) fn is_plain(key: &[u8]) -> bool {
    (1..=LONGEST_KEY).contains(&key.len()) && key.iter().all(|&byte| byte > b' ' && byte != 0x7f)
}

/// A key as base64; `None` for an empty one, which Memcached has not.
pub(super) fn encode_key(key: &[u8]) -> Option<String> {
    (!key.is_empty()).then(|| BASE64_STANDARD.encode(key))
}

/// Writes behind `key` what a word with `%XX` in it stands for. A `%` that begins no such thing stands
/// for itself.
pub(super) fn decode_uri(word: &[u8], key: &mut Vec<u8>) {
    let digit = |byte: Option<&u8>| {
        char::from(*byte?)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    let mut rest = word;
    while let Some(plain) = rest.iter().position(|byte| *byte == b'%') {
        key.extend_from_slice(&rest[..plain]);
        rest = &rest[plain..];
        if let Some((high, low)) = digit(rest.get(1)).zip(digit(rest.get(2))) {
            key.push(high << 4 | low);
            rest = &rest[3..];
        } else {
            key.push(b'%');
            rest = &rest[1..];
        }
    }
    key.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, proptest};

    use super::{Name, decode_uri};
    use crate::model::Key;

    fn decoded(word: &[u8]) -> Vec<u8> {
        let mut key = Vec::new();
        decode_uri(word, &mut key);
        key
    }

    #[test]
    fn a_key_goes_plain_or_as_base64_or_not_at_all() {
        let long = "x".repeat(250);
        let spaces = vec![b' '; 186];
        let too_long = "x".repeat(251);
        let too_many = vec![b' '; 187];
        assert_eq!(Name::of(&Key::from("user:1")), Name::Plain(b"user:1"));
        assert_eq!(Name::of(&Key::from("ключ")), Name::Plain("ключ".as_bytes()));
        assert_eq!(
            Name::of(&Key::from(long.as_str())),
            Name::Plain(long.as_bytes())
        );
        assert_eq!(
            Name::of(&Key::from("a key")),
            Name::Encoded("YSBrZXk=".into())
        );
        assert!(matches!(Name::of(&Key::new(spaces)), Name::Encoded(_)));
        assert!(matches!(Name::of(&Key::new(too_many)), Name::Impossible(_)));
        assert!(matches!(
            Name::of(&Key::from(too_long.as_str())),
            Name::Impossible(_)
        ));
        assert!(matches!(Name::of(&Key::from("")), Name::Impossible(_)));
    }

    #[test]
    fn uri_escapes_are_read() {
        assert_eq!(decoded(b"user%3A1"), b"user:1");
        assert_eq!(decoded(b"%00%ff%20"), b"\x00\xff ");
        assert_eq!(decoded(b"100%"), b"100%");
        assert_eq!(decoded(b"%2"), b"%2");
        assert_eq!(decoded(b"%zz%41"), b"%zzA");
        assert_eq!(decoded(b"%+1"), b"%+1");
    }

    proptest! {
        #[test]
        fn uri_decoding_undoes_encoding(key in prop::collection::vec(any::<u8>(), 0..60)) {
            let escapes: Vec<String> = key.iter().map(|byte| format!("%{byte:02X}")).collect();
            assert_eq!(decoded(escapes.concat().as_bytes()), key);
        }
    }
}
