//! Why a text is not a target.
//!
//! A text that could not be read may hold a password anywhere, so no error here repeats any of it:
//! each names the form and the place in it that is wrong.

use thiserror::Error;

/// What is wrong with a URL. Never holds a piece of it.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TargetError {
    #[error("not a URL: it has no `scheme://`")]
    NoScheme,
    #[error("the scheme of the URL is not one we speak")]
    UnknownScheme,
    /// A form that is promised and not there yet.
    #[error("{form} comes in a later version")]
    Later { form: &'static str },
    #[error("the URL holds a space or a character that cannot be seen")]
    Invisible,
    #[error("the URL has a percent sign that is not followed by two hexadecimal digits")]
    Escape,
    #[error("the percent escapes of the URL are not UTF-8")]
    NotUtf8,
    #[error("the URL has an `@` behind its first `/`, `?` or `#`")]
    UnescapedPassword,
    #[error("it names no file")]
    NoFile,
    #[error("the URL of a file names a host")]
    FileHost,
    #[error("the URL names no host")]
    NoHost,
    #[error("the host is not a host name or an address")]
    Host,
    #[error("the IPv6 address of the URL is not in brackets")]
    Brackets,
    #[error("the port of the URL is not a number from 1 to 65535")]
    Port,
    #[error("the database of the URL is not a number")]
    Database,
    #[error("the URL names two databases")]
    TwoDatabases,
    #[error("the URL names a database, and Memcached has none")]
    NoDatabases,
    #[error("the URL has a query other than `?db=N`")]
    Query,
    #[error("the URL has a `#` part")]
    Fragment,
    #[error("the URL of a unix socket names a host")]
    SocketHost,
    #[error("the URL of a unix socket has no path")]
    NoPath,
}

impl TargetError {
    /// What to try.
    pub fn hint(self) -> Option<&'static str> {
        Some(match self {
            Self::NoScheme => "write redis://HOST:PORT or memcached://HOST:PORT",
            Self::UnknownScheme => {
                "use redis, rediss, valkey, valkeys, redis+unix, memcached, memcacheds or memcached+unix"
            }
            Self::Later { .. } => "name one of its servers with redis:// or memcached://",
            Self::Escape => "a percent sign in a user or password is written %25",
            Self::UnescapedPassword => {
                "in a password `/` is written %2F, `?` %3F and `#` %23; or use --askpass"
            }
            Self::Host => "names outside ASCII are written in their xn-- form",
            Self::Brackets => "write redis://[::1]:6379",
            Self::FileHost => "write file:PATH, or file:///PATH from the root",
            Self::SocketHost => "write redis+unix:///path/to/redis.sock",
            Self::Fragment => {
                "certificate checks are switched off only by `tls.insecure` of a profile"
            }
            Self::Query => "everything else belongs in a profile of the config file",
            _ => return None,
        })
    }
}
