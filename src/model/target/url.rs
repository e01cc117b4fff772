//! URLs of caches, read and written.
//!
//! Written by hand because a general parser follows the web's rules: it forbids a bare `@` in a
//! password, normalises what it does not like, and repeats the input in its errors.

use std::fmt::Write;
use std::net::Ipv6Addr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use secrecy::SecretString;

use super::{Place, Protocol, Target, TargetError, Tls};

/// How a scheme is spelled and what it stands for.
struct Scheme {
    names: &'static [&'static str],
    protocol: Protocol,
    way: Way,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Tcp,
    Tls,
    Unix,
}

// The first name of a row is the one that we write.
#[rustfmt::skip]
const SCHEMES: &[Scheme] = &[
    Scheme { names: &["redis", "valkey"],                          protocol: Protocol::Redis,     way: Way::Tcp },
    Scheme { names: &["rediss", "valkeys"],                        protocol: Protocol::Redis,     way: Way::Tls },
    Scheme { names: &["redis+unix", "valkey+unix", "unix"],        protocol: Protocol::Redis,     way: Way::Unix },
    Scheme { names: &["memcached"],                                protocol: Protocol::Memcached, way: Way::Tcp },
    Scheme { names: &["memcacheds"],                               protocol: Protocol::Memcached, way: Way::Tls },
    Scheme { names: &["memcached+unix"],                           protocol: Protocol::Memcached, way: Way::Unix },
];

const LATER: &[(&str, &str)] = &[
    ("redis-cluster", "a cluster (redis-cluster://)"),
    ("rediss-cluster", "a cluster (rediss-cluster://)"),
    ("valkey-cluster", "a cluster (valkey-cluster://)"),
    ("valkeys-cluster", "a cluster (valkeys-cluster://)"),
    ("redis-sentinel", "Sentinel (redis-sentinel://)"),
    ("rediss-sentinel", "Sentinel (rediss-sentinel://)"),
    ("valkey-sentinel", "Sentinel (valkey-sentinel://)"),
    ("valkeys-sentinel", "Sentinel (valkeys-sentinel://)"),
];

pub(super) fn is_place(text: &str) -> bool {
    text.contains("://") || is_snapshot_file(text)
}

pub(super) fn is_host(text: &str) -> bool {
    is_host_name(text) || is_ipv6(text)
}

pub(super) fn parse(text: &str) -> Result<Target, TargetError> {
    // Names of files may hold anything.
    if is_snapshot_file(text) {
        return file(text);
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(TargetError::Invisible);
    }
    let (scheme, rest) = text.split_once("://").ok_or(TargetError::NoScheme)?;
    let scheme = scheme_of(&scheme.to_ascii_lowercase())?;
    let parts = Parts::of(rest);
    if parts.fragment.is_some() {
        return Err(parts.or_unescaped_password(TargetError::Fragment));
    }
    match scheme.way {
        Way::Unix => socket(scheme.protocol, &parts),
        Way::Tcp => host_and_port(scheme.protocol, &parts, None),
        Way::Tls => host_and_port(scheme.protocol, &parts, Some(Tls::default())),
    }
}

pub(super) fn render(target: &Target) -> String {
    let way = match (&target.place, &target.tls) {
        (Place::File(path), _) => return path.display().to_string(),
        (Place::Unix(_), _) => Way::Unix,
        (Place::Tcp { .. }, Some(_)) => Way::Tls,
        (Place::Tcp { .. }, None) => Way::Tcp,
    };
    let scheme = SCHEMES
        .iter()
        .find(|scheme| scheme.protocol == target.protocol && scheme.way == way)
        .map_or("", |scheme| scheme.names[0]);
    let user = target
        .user
        .as_ref()
        .map(|user| encode(user.as_bytes(), b"") + "@")
        .unwrap_or_default();
    let database = target.database;
    match &target.place {
        Place::File(path) => path.display().to_string(),
        Place::Unix(path) => {
            let path = encode(path.as_os_str().as_bytes(), b"/@:+,=");
            let query = if database == 0 {
                String::new()
            } else {
                format!("?db={database}")
            };
            format!("{scheme}://{user}{path}{query}")
        }
        Place::Tcp { host, port } => {
            let host = if host.contains(':') {
                format!("[{}]", encode(host.as_bytes(), b":"))
            } else {
                encode(host.as_bytes(), b"")
            };
            let path = if database == 0 {
                String::new()
            } else {
                format!("/{database}")
            };
            format!("{scheme}://{user}{host}:{port}{path}")
        }
    }
}

/// What stands behind `://`, cut at the first `/`, `?` and `#`.
struct Parts<'a> {
    userinfo: Option<&'a str>,
    authority: &'a str,
    path: &'a str,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(rest: &'a str) -> Self {
        let (rest, fragment) = cut(rest, '#');
        let (rest, query) = cut(rest, '?');
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        // The last `@`, as a password with a bare one in it is common and can mean nothing else.
        let (userinfo, authority) = match authority.rsplit_once('@') {
            Some((userinfo, host)) => (Some(userinfo), host),
            None => (None, authority),
        };
        Self {
            userinfo,
            authority,
            path,
            query,
            fragment,
        }
    }

    /// `error`, or the likelier cause of it: a password with a `/`, `?` or `#` in it.
    fn or_unescaped_password(&self, error: TargetError) -> TargetError {
        let behind = [Some(self.path), self.query, self.fragment];
        if behind.into_iter().flatten().any(|part| part.contains('@')) {
            TargetError::UnescapedPassword
        } else {
            error
        }
    }

    fn login(&self) -> Result<(Option<String>, Option<SecretString>), TargetError> {
        let Some(userinfo) = self.userinfo else {
            return Ok((None, None));
        };
        let (user, password) = cut(userinfo, ':');
        let user = decode(user)?;
        let password = password.map(decode).transpose()?;
        Ok((
            Some(user).filter(|user| !user.is_empty()),
            password
                .filter(|password| !password.is_empty())
                .map(SecretString::from),
        ))
    }

    /// The database of `?db=N`.
    fn query_database(&self) -> Result<Option<u32>, TargetError> {
        match self.query {
            None | Some("") => Ok(None),
            Some(query) => {
                let number = query.strip_prefix("db=").ok_or(TargetError::Query)?;
                number_of(number).map(Some).ok_or(TargetError::Database)
            }
        }
    }
}

fn scheme_of(name: &str) -> Result<&'static Scheme, TargetError> {
    if let Some((_, form)) = LATER.iter().find(|(later, _)| *later == name) {
        return Err(TargetError::Later { form });
    }
    SCHEMES
        .iter()
        .find(|scheme| scheme.names.contains(&name))
        .ok_or(TargetError::UnknownScheme)
}

fn is_snapshot_file(text: &str) -> bool {
    let name = text.to_ascii_lowercase();
    let is_ours = [".rdb", ".rdb.gz", ".rdb.zst", ".items"]
        .iter()
        .any(|end| name.ends_with(end));
    text.starts_with("file:") || (is_ours && !text.contains("://"))
}

/// `file:PATH`, `file:///PATH`, or a path that ends as snapshots do.
fn file(text: &str) -> Result<Target, TargetError> {
    let path = text.strip_prefix("file:").unwrap_or(text);
    let path = match path.strip_prefix("//") {
        // What stands there may be a user and a password.
        Some(rest) if !rest.starts_with('/') => return Err(TargetError::FileHost),
        Some(rest) => rest,
        None => path,
    };
    if path.is_empty() {
        return Err(TargetError::NoFile);
    }
    Ok(Target::at(
        Protocol::Redis,
        Place::File(PathBuf::from(path)),
    ))
}

fn socket(protocol: Protocol, parts: &Parts) -> Result<Target, TargetError> {
    if !parts.authority.is_empty() {
        return Err(parts.or_unescaped_password(TargetError::SocketHost));
    }
    if parts.path.len() < 2 {
        return Err(TargetError::NoPath);
    }
    let path = decode(parts.path)?;
    if path.contains('\0') {
        return Err(TargetError::Invisible);
    }
    let mut target = Target::at(protocol, Place::Unix(PathBuf::from(path)));
    (target.user, target.password) = parts.login()?;
    target.database = parts.query_database()?.unwrap_or(0);
    finish(target)
}

fn host_and_port(
    protocol: Protocol,
    parts: &Parts,
    tls: Option<Tls>,
) -> Result<Target, TargetError> {
    place_and_database(protocol, parts, tls).map_err(|error| parts.or_unescaped_password(error))
}

fn place_and_database(
    protocol: Protocol,
    parts: &Parts,
    tls: Option<Tls>,
) -> Result<Target, TargetError> {
    if parts.authority.contains(',') {
        let form = match protocol {
            Protocol::Redis => "a URL with several hosts",
            Protocol::Memcached => "a pool of several Memcached servers",
        };
        return Err(TargetError::Later { form });
    }
    let (host, port) = split_port(parts.authority)?;
    let port = match port {
        None => protocol.default_port(),
        Some(port) => number_of(port)
            .and_then(|port| u16::try_from(port).ok())
            .filter(|port| *port != 0)
            .ok_or(TargetError::Port)?,
    };
    let mut target = Target::at(protocol, Place::Tcp { host, port });
    target.tls = tls;
    (target.user, target.password) = parts.login()?;
    target.database = path_database(parts)?.unwrap_or(0);
    finish(target)
}

fn path_database(parts: &Parts) -> Result<Option<u32>, TargetError> {
    let path = parts.path.trim_start_matches('/');
    let by_path = match path {
        "" => None,
        number => Some(number_of(number).ok_or(TargetError::Database)?),
    };
    match (by_path, parts.query_database()?) {
        (Some(_), Some(_)) => Err(TargetError::TwoDatabases),
        (by_path, by_query) => Ok(by_path.or(by_query)),
    }
}

fn finish(mut target: Target) -> Result<Target, TargetError> {
    if target.protocol == Protocol::Memcached && target.database != 0 {
        return Err(TargetError::NoDatabases);
    }
    target.name = target.address();
    Ok(target)
}

fn split_port(authority: &str) -> Result<(String, Option<&str>), TargetError> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (address, behind) = rest.split_once(']').ok_or(TargetError::Brackets)?;
        if !is_ipv6(address) {
            return Err(TargetError::Host);
        }
        return match behind.strip_prefix(':') {
            Some(port) => Ok((address.to_owned(), Some(port))),
            None if behind.is_empty() => Ok((address.to_owned(), None)),
            None => Err(TargetError::Host),
        };
    }
    let (host, port) = cut(authority, ':');
    if host.is_empty() && port.is_none() {
        return Err(TargetError::NoHost);
    }
    if authority.matches(':').count() > 1 {
        return Err(TargetError::Brackets);
    }
    if host.is_empty() {
        return Err(TargetError::NoHost);
    }
    if !is_host_name(host) {
        return Err(TargetError::Host);
    }
    Ok((host.to_owned(), port))
}

/// `fe80::1`, also with the interface to reach it by: `fe80::1%eth0`.
fn is_ipv6(text: &str) -> bool {
    let (number, zone) = cut(text, '%');
    number.parse::<Ipv6Addr>().is_ok() && zone.is_none_or(is_host_name)
}

/// IPv4 addresses look like one too.
fn is_host_name(text: &str) -> bool {
    (1..=253).contains(&text.len()) && text.chars().all(is_host_character) && !text.starts_with('-')
}

fn is_host_character(c: char) -> bool {
    // Container networks allow the underscore, though the DNS does not.
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')
}

/// Digits only: `parse` would also take a sign.
fn number_of(text: &str) -> Option<u32> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, behind)) => (before, Some(behind)),
        None => (text, None),
    }
}

fn decode(text: &str) -> Result<String, TargetError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = rest.next().and_then(hex_digit);
            let low = rest.next().and_then(hex_digit);
            let (Some(high), Some(low)) = (high, low) else {
                return Err(TargetError::Escape);
            };
            bytes.push(high << 4 | low);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).map_err(|_| TargetError::NotUtf8)
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

/// Percent escapes for all but letters, digits, `-._~` and what is `plain` in this place, so that a
/// name is always one line of printable ASCII.
fn encode(bytes: &[u8], plain: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        let is_plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if is_plain || plain.contains(&byte) {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").expect("writing to a String cannot fail");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    /// The target in one line, with its password, or the error.
    fn read(text: &str) -> String {
        match parse(text) {
            Err(error) => format!("error: {error}"),
            Ok(target) => {
                let password = target.password.as_ref().map(ExposeSecret::expose_secret);
                let user = target.user.as_deref();
                format!(
                    "{} user={} password={}",
                    target.name,
                    user.unwrap_or("none"),
                    password.unwrap_or("none")
                )
            }
        }
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(read(text), expected, "{text}");
    }

    #[test]
    fn every_form_of_one_server() {
        let plain = [
            ("redis://h", "redis://h:6379"),
            ("valkey://h:7000", "redis://h:7000"),
            ("rediss://h", "rediss://h:6379"),
            ("valkeys://h", "rediss://h:6379"),
            ("REDIS://Host.Example:1", "redis://Host.Example:1"),
            ("redis://h/", "redis://h:6379"),
            ("redis://h/3", "redis://h:6379/3"),
            ("redis://h?db=3", "redis://h:6379/3"),
            ("redis://h:1/?db=3", "redis://h:1/3"),
            ("redis://[::1]", "redis://[::1]:6379"),
            ("redis://[::1]:7/2", "redis://[::1]:7/2"),
            ("redis://[fe80::1%eth0]:7", "redis://[fe80::1%25eth0]:7"),
            ("redis+unix:///run/r.sock", "redis+unix:///run/r.sock"),
            ("unix:///r.sock?db=2", "redis+unix:///r.sock?db=2"),
            ("unix:///a@b/r%20x.sock", "redis+unix:///a@b/r%20x.sock"),
            ("memcached://h", "memcached://h:11211"),
            ("memcacheds://h:1", "memcacheds://h:1"),
            ("memcached+unix:///m", "memcached+unix:///m"),
        ];
        for (text, name) in plain {
            check(text, &format!("{name} user=none password=none"));
        }
    }

    #[test]
    fn users_and_passwords_are_read_and_not_named() {
        check(
            "redis://ops:s3cret@h",
            "redis://ops@h:6379 user=ops password=s3cret",
        );
        check("redis://:p@ss@h", "redis://h:6379 user=none password=p@ss");
        check(
            "redis://o%40ps:a%3Ab%2Fc:d@h",
            "redis://o%40ps@h:6379 user=o@ps password=a:b/c:d",
        );
        check("redis://ops@h", "redis://ops@h:6379 user=ops password=none");
        check("redis://:@h", "redis://h:6379 user=none password=none");
        check(
            "redis+unix://u:p@/run/r.sock",
            "redis+unix://u@/run/r.sock user=u password=p",
        );
    }

    #[test]
    fn tls_is_verified() {
        assert_eq!(parse("rediss://h").unwrap().tls, Some(Tls::default()));
        assert_eq!(parse("memcacheds://h").unwrap().tls, Some(Tls::default()));
        assert_eq!(parse("redis://h").unwrap().tls, None);
        assert!(!Tls::default().is_insecure);
    }

    #[test]
    fn forms_that_come_later_are_named() {
        let later = [
            ("redis-cluster://h:1,g:2", "a cluster (redis-cluster://)"),
            ("rediss-cluster://h", "a cluster (rediss-cluster://)"),
            ("redis-sentinel://h/m", "Sentinel (redis-sentinel://)"),
            ("memcached://h,g:2", "a pool of several Memcached servers"),
            ("redis://:p@h,g", "a URL with several hosts"),
        ];
        for (text, form) in later {
            check(text, &format!("error: {form} comes in a later version"));
        }
    }

    #[test]
    fn a_snapshot_file_is_told_by_its_name_or_its_scheme() {
        for (text, path) in [
            ("dump.rdb", "dump.rdb"),
            ("backups/of monday/DUMP.RDB", "backups/of monday/DUMP.RDB"),
            ("a.rdb.gz", "a.rdb.gz"),
            ("a.rdb.zst", "a.rdb.zst"),
            ("monday.items", "monday.items"),
            ("file:dump", "dump"),
            ("file:/x", "/x"),
            ("file:///x", "/x"),
        ] {
            assert!(is_place(text));
            let target = parse(text).unwrap();
            assert_eq!(target.place, Place::File(path.into()), "{text}");
            assert_eq!(target.name, path);
        }
        assert!(matches!(parse("file:"), Err(TargetError::NoFile)));
        assert!(matches!(parse("file://h/x"), Err(TargetError::FileHost)));
        assert!(!is_place("dump"));
    }

    #[test]
    fn mistakes_are_told_apart() {
        let mistakes = [
            ("h:6379", TargetError::NoScheme),
            ("http://h", TargetError::UnknownScheme),
            ("redis://h\n", TargetError::Invisible),
            ("redis://u:100%su@h", TargetError::Escape),
            ("redis://u:%ff@h", TargetError::NotUtf8),
            ("redis://u:a/b@h", TargetError::UnescapedPassword),
            ("redis://u:a#b@h", TargetError::UnescapedPassword),
            ("redis://u:1?b@h", TargetError::UnescapedPassword),
            ("redis://", TargetError::NoHost),
            ("redis://:6379", TargetError::NoHost),
            ("redis://hö", TargetError::Host),
            ("redis://[::g]", TargetError::Host),
            ("redis://::1", TargetError::Brackets),
            ("redis://h:0", TargetError::Port),
            ("redis://h:65536", TargetError::Port),
            ("redis://h:+1", TargetError::Port),
            ("redis://h:", TargetError::Port),
            ("redis://h/x", TargetError::Database),
            ("redis://h/1?db=1", TargetError::TwoDatabases),
            ("memcached://h/1", TargetError::NoDatabases),
            ("redis://h?timeout=1", TargetError::Query),
            ("rediss://h#insecure", TargetError::Fragment),
            ("unix://r.sock", TargetError::SocketHost),
            ("unix://", TargetError::NoPath),
            ("unix:///a%00b", TargetError::Invisible),
        ];
        for (text, error) in mistakes {
            assert_eq!(parse(text).map(|t| t.name), Err(error), "{text}");
        }
    }

    #[test]
    fn a_name_read_again_is_the_same_place() {
        for text in [
            "redis://a%20b:x@h:1/2",
            "redis://[::1]",
            "unix:///a%0Ab?db=1",
        ] {
            let first = parse(text).unwrap();
            let again = parse(&first.name).unwrap();
            assert_eq!((&first.name, &first.place), (&again.name, &again.place));
            assert_eq!((first.user, first.database), (again.user, again.database));
        }
    }

    proptest! {
        #[test]
        fn a_password_is_never_shown(
            scheme in "(redis|rediss|unix|memcached|redis-cluster|file|http)",
            before in "[ -~]{0,6}",
            after in "[ -~é\u{202e}]{0,6}",
            tail in "(h|h:1|h,g|/run/s|\\[::1\\]|h/x|h#f|h?db=9|)",
        ) {
            let text = format!("{scheme}://ops:{before}CANARY{after}@{tail}");
            let shown = match parse(&text) {
                Ok(target) => format!("{target:?} {} {}", target.name, target.address()),
                Err(error) => format!("{error:?} {error} {:?}", error.hint()),
            };
            prop_assert!(!shown.contains("CANARY"), "{}", shown);
        }

        #[test]
        fn no_text_panics_and_names_are_printable(text in "(redis|unix|memcached)://\\PC{0,30}") {
            if let Ok(target) = parse(&text) {
                prop_assert!(target.name.bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
    }
}
