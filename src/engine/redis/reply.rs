//! Replies of a Redis server as values or refusals, and refusals as faults.

use ::redis::{RedisError, Value};

use crate::engine::Fault;
use crate::text;

/// What came back for one command.
pub type Reply = Result<Value, Refusal>;

/// An error that the server answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    code: String,
    /// The rest of the line as the server said it.
    detail: String,
}

impl Refusal {
    /// The first word of the line, such as `NOPERM`.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The line, safe to show. The meaningless `ERR` is left out.
    pub fn words(&self) -> String {
        match (self.code.as_str(), self.detail.as_str()) {
            ("ERR", "") | ("", _) => "an error without words".to_owned(),
            ("ERR", detail) => text::escape(detail.as_bytes()),
            (code, "") => text::escape(code.as_bytes()),
            (code, detail) => text::escape(format!("{code} {detail}").as_bytes()),
        }
    }

    /// Reads the line of an error reply, without its `-`.
    pub fn from_line(line: &str) -> Self {
        let (code, detail) = line.split_once(' ').unwrap_or((line, ""));
        Self {
            code: code.to_owned(),
            detail: detail.to_owned(),
        }
    }

    /// An error of the crate, when the server said it; `None` when the connection has trouble.
    pub fn from_error(error: &RedisError) -> Option<Self> {
        let server = matches!(
            error.kind(),
            ::redis::ErrorKind::Server(_) | ::redis::ErrorKind::Extension
        );
        server.then(|| Self {
            code: error.code().unwrap_or("ERR").to_owned(),
            detail: error.detail().unwrap_or_default().to_owned(),
        })
    }

    /// The command or this form of it does not exist there: too old, renamed, or removed.
    pub fn is_unknown_command(&self) -> bool {
        let said = self.detail.to_ascii_lowercase();
        self.code == "ERR"
            && (said.starts_with("unknown command")
                || said.starts_with("unknown subcommand")
                || said.starts_with("unknown redis command"))
    }

    /// The user or the service does not allow it, now and later, on whatever key.
    pub fn is_for_good(&self) -> bool {
        self.code == "NOPERM" && self.detail.contains("to run") || self.is_unknown_command()
    }

    /// `OBJECT FREQ` without an LFU policy, or `OBJECT IDLETIME` with one.
    pub fn is_about_policy(&self) -> bool {
        self.code == "ERR" && self.detail.starts_with("An LFU maxmemory policy")
    }

    /// Why `AUTH` was refused. The server's own words about superfluous passwords ask back.
    pub fn words_about_login(&self) -> String {
        let said = self.detail.to_ascii_lowercase();
        if said.contains("without any password configured") || said.contains("no password is set") {
            "it has no password, but one was given".to_owned()
        } else {
            self.words()
        }
    }

    /// What it means for whoever asked.
    pub fn fault(&self, place: &str, command: &str) -> Fault {
        let command = command.to_owned();
        let place = place.to_owned();
        let why = self.words();
        match self.code.as_str() {
            "NOAUTH" => Fault::Login {
                place,
                why: "it asks for a password".to_owned(),
            },
            "WRONGPASS" => Fault::Login { place, why },
            "DENIED" => Fault::Login {
                place,
                why: shown(self.detail.split(". ").next().unwrap_or("").as_bytes()),
            },
            "LOADING" | "BUSY" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" => Fault::NotReady {
                place,
                why: if self.detail.is_empty() {
                    why
                } else {
                    shown(self.detail.as_bytes())
                },
            },
            "ERR" if self.detail.starts_with("max number of clients") => {
                Fault::NotReady { place, why }
            }
            "NOPERM" => Fault::NotPermitted { command, why },
            "MOVED" | "ASK" => Fault::Refused {
                command,
                why: format!(
                    "the key lives on another node of the cluster ({})",
                    shown(self.detail.rsplit(' ').next().unwrap_or("").as_bytes())
                ),
            },
            "READONLY" => Fault::Refused {
                command,
                why: "the server is a read-only replica".to_owned(),
            },
            _ if self.is_unknown_command() => Fault::NotPermitted {
                command,
                why: "the server does not offer it".to_owned(),
            },
            _ => Fault::Refused { command, why },
        }
    }
}

/// What the server says in its own words, safe to show. Nothing stays nothing: the sign that a name
/// is empty would pass for a word of the server.
pub fn shown(said: &[u8]) -> String {
    if said.is_empty() {
        String::new()
    } else {
        text::escape(said)
    }
}

/// A status or a short string of the server's own vocabulary, safe to show.
pub fn word(value: &Value) -> Option<String> {
    match value {
        Value::Okay => Some("OK".to_owned()),
        Value::SimpleString(word) => Some(shown(word.as_bytes())),
        Value::BulkString(bytes) => Some(shown(bytes)),
        Value::VerbatimString { text, .. } => Some(shown(text.as_bytes())),
        Value::Int(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The bytes of a string.
pub fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(word) => Some(word.into_bytes()),
        Value::Okay => Some(b"OK".to_vec()),
        Value::Int(number) => Some(number.to_string().into_bytes()),
        _ => None,
    }
}

/// A count, a length, a size: never negative.
pub fn count(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}

/// The strings of a list.
pub fn strings(value: Value) -> Option<Vec<Vec<u8>>> {
    match value {
        Value::Array(items) | Value::Set(items) => items.into_iter().map(bytes).collect(),
        _ => None,
    }
}

/// The two halves of a `*SCAN` reply.
pub fn page(value: Value) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
    let Value::Array(parts) = value else {
        return None;
    };
    let [cursor, found] = <[Value; 2]>::try_from(parts).ok()?;
    Some((bytes(cursor)?, strings(found)?))
}

/// Fields and values that come one after the other.
pub fn pairs(flat: Vec<Vec<u8>>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut flat = flat.into_iter();
    std::iter::from_fn(|| Some((flat.next()?, flat.next()?))).collect()
}

/// A reply as it would come over the wire.
#[cfg(test)]
pub fn from_wire(wire: &[u8]) -> Reply {
    match ::redis::parse_redis_value(wire).expect("a reply") {
        Value::ServerError(error) => {
            Err(Refusal::from_error(&RedisError::from(error)).expect("a refusal"))
        }
        value => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Kind;

    fn check_fault(line: &str, kind: Kind, says: &str) {
        let fault = Refusal::from_line(line).fault("cache:6379", "GETRANGE");
        assert_eq!(fault.kind(), kind, "{line}");
        assert_eq!(fault.to_string(), says);
    }

    #[test]
    fn refusals_say_what_they_mean() {
        check_fault(
            "NOAUTH Authentication required.",
            Kind::Permission,
            "cache:6379 refused the login: it asks for a password",
        );
        check_fault(
            "NOPERM this user has no permissions to run the 'getrange' command",
            Kind::Permission,
            "not permitted: GETRANGE: NOPERM this user has no permissions to run the 'getrange' command",
        );
        check_fault(
            "ERR unknown command 'GETRANGE', with args beginning with: ",
            Kind::Permission,
            "not permitted: GETRANGE: the server does not offer it",
        );
        check_fault(
            "LOADING Redis is loading the dataset in memory",
            Kind::Connection,
            "cache:6379 is not ready: Redis is loading the dataset in memory",
        );
        check_fault(
            "MOVED 3999 10.0.0.9:6381",
            Kind::Answer,
            "GETRANGE: the key lives on another node of the cluster (10.0.0.9:6381)",
        );
        check_fault("", Kind::Answer, "GETRANGE: an error without words");
        check_fault(
            "LOADING",
            Kind::Connection,
            "cache:6379 is not ready: LOADING",
        );
    }

    #[test]
    fn an_empty_word_is_empty() {
        assert_eq!(
            from_wire(b"+\r\n").ok().as_ref().and_then(word),
            Some(String::new())
        );
        assert_eq!(
            from_wire(b"$0\r\n\r\n").ok().as_ref().and_then(word),
            Some(String::new())
        );
    }
}
