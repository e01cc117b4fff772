//! What a version of Memcached understands.

/// A version, as far as it can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(u32, u32, u32);

impl Version {
    /// Reads `1.6.18`, also with something behind (`1.6.18_ubuntu`, `1.6.0-beta`).
    pub fn read(text: &str) -> Option<Self> {
        let mut numbers = text.splitn(3, '.').map(|part| {
            let end = part
                .find(|letter: char| !letter.is_ascii_digit())
                .unwrap_or(part.len());
            part[..end].parse().ok()
        });
        Some(Self(
            numbers.next()??,
            numbers.next()??,
            numbers.next().flatten().unwrap_or(0),
        ))
    }

    /// `mg` and `md` in their lasting form, with base64 keys. 1.6.0 to 1.6.9 spell them otherwise.
    pub fn has_meta(self) -> bool {
        self >= Self(1, 6, 10)
    }

    /// `me key b` finds keys that were sent as base64. Later servers take the encoded name for the
    /// key (seen on 1.6.45); where that began is not known, so only what was tried is trusted.
    pub fn inspects_encoded(self) -> bool {
        (Self(1, 6, 10)..=Self(1, 6, 18)).contains(&self)
    }

    /// `me` says `exp=99` for 99 seconds left. Before, it said `exp=-99`.
    pub fn has_true_exp(self) -> bool {
        self >= Self(1, 6, 24)
    }

    /// `md` can keep an item's CAS.
    pub fn keeps_cas(self) -> bool {
        self >= Self(1, 6, 27)
    }

    pub fn has_metadump(self) -> bool {
        self >= Self(1, 4, 31)
    }

    /// `lru_crawler metadump hash`, which misses and repeats nothing.
    pub fn dumps_by_hash(self) -> bool {
        self >= Self(1, 6, 9)
    }

    /// Very old servers may leave out the `END` of a dump.
    pub fn may_forget_the_end(self) -> bool {
        self < Self(1, 5, 0)
    }

    /// A dump's connection may be closed at any time. Before, closing early could crash a server.
    pub fn survives_early_close(self) -> bool {
        self >= Self(1, 6, 44)
    }

    /// A reader that stalls during a dump can crash the server (a buffer overflow, 1.6.19 to 1.6.43).
    pub fn dies_of_slow_dumps(self) -> bool {
        (Self(1, 6, 19)..=Self(1, 6, 43)).contains(&self)
    }

    #[cfg(test)]
    pub fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self(major, minor, patch)
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn versions_are_read_and_compared_by_number() {
        assert_eq!(Version::read("1.6.18"), Some(Version::new(1, 6, 18)));
        assert_eq!(Version::read("1.6.9_beta"), Some(Version::new(1, 6, 9)));
        assert_eq!(Version::read("1.7"), Some(Version::new(1, 7, 0)));
        assert_eq!(Version::read("mcrouter"), None);
        assert_eq!(Version::read(""), None);
        assert!(!Version::new(1, 6, 9).has_meta());
        assert!(Version::new(1, 6, 10).has_meta());
        assert!(Version::new(1, 6, 9).dumps_by_hash());
        assert!(!Version::new(1, 6, 23).has_true_exp());
        assert!(Version::new(2, 0, 0).has_true_exp());
    }
}
