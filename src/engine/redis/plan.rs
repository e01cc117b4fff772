//! What a change would tell the server, before anyone agrees to it.

use ::redis::{Cmd, Value as Wire};

use crate::engine::Fault;
use crate::engine::redis::info::Info;
use crate::engine::redis::link::{about, command};
use crate::engine::redis::reply::{Reply, bytes};
use crate::engine::redis::{Core, card, now, preflight, restore};
use crate::model::{Change, Job, Key, Preview, Ttl, TtlWish, UnixMs, Verdict};

/// Commands that are shown of many.
const SHOWN: usize = 5;
/// Keys that are looked at for the sake of the preview.
const LOOKED_AT: usize = 20;

pub async fn preview(core: &Core, change: &Change) -> Result<Preview, Fault> {
    match change {
        Change::Snapshot => job(core, Job::Snapshot).await,
        Change::RewriteAof => job(core, Job::RewriteAof).await,
        Change::Restore(wish) => restore::foresee(core, wish).await,
        Change::SetTtl { keys, wish } => {
            let mut preview = of_keys(core, keys).await?;
            preview.stops.extend(impossible(*wish, now()));
            Ok(with_ttl(preview, keys, *wish))
        }
        Change::Delete { keys } => {
            let mut preview = of_keys(core, keys).await?.into_preview();
            preview.commands = shown(keys, |key| command_line("UNLINK", key, None));
            "constant time for each key; the memory is freed in the background"
                .clone_into(&mut preview.cost);
            preview
                .cautions
                .push("deleting cannot be undone".to_owned());
            Ok(preview)
        }
    }
}

/// The command that carries out a wish for one key, and its argument.
pub fn ttl_command(wish: TtlWish) -> (&'static str, Option<i64>) {
    let limit = |number: u128| i64::try_from(number).unwrap_or(i64::MAX);
    match wish {
        TtlWish::In(span) => ("PEXPIRE", Some(limit(span.as_millis()))),
        TtlWish::At(moment) => ("PEXPIREAT", Some(moment.0)),
        TtlWish::Never => ("PERSIST", None),
    }
}

/// Why a wish cannot be meant: a TTL that is over deletes the key.
pub fn impossible(wish: TtlWish, now: UnixMs) -> Option<String> {
    /// The server adds the TTL to its clock in milliseconds and refuses what overflows.
    const LONGEST: i64 = i64::MAX / 2;
    let (_, argument) = ttl_command(wish);
    match wish {
        TtlWish::In(span) if span.as_millis() == 0 => {
            Some("a TTL of zero deletes the key; use delete for that".to_owned())
        }
        TtlWish::At(moment) if moment <= now => {
            Some("that moment has passed: it would delete the key; use delete for that".to_owned())
        }
        _ if argument.is_some_and(|argument| argument > LONGEST) => {
            Some("the server cannot count that far".to_owned())
        }
        _ => None,
    }
}

/// What was found out about the keys of a change.
struct Looked {
    of: usize,
    sampled: usize,
    /// Of the keys looked at, those that are there, with their TTL.
    ttls: Vec<(Key, Ttl)>,
    cautions: Vec<String>,
    stops: Vec<String>,
}

impl Looked {
    fn into_preview(self) -> Preview {
        Preview {
            of: self.of,
            cautions: self.cautions,
            stops: self.stops,
            ..Preview::default()
        }
    }
}

async fn of_keys(core: &Core, keys: &[Key]) -> Result<Looked, Fault> {
    let looked_at = &keys[..keys.len().min(LOOKED_AT)];
    let mut flight: Vec<Cmd> = looked_at.iter().map(|key| about(&["PTTL"], key)).collect();
    flight.push(command(&["INFO", "replication"]));
    let mut replies = core.work.ask(&flight).await?.replies;
    let at = now();
    let info = replies.pop();
    let ttls: Vec<(Key, Ttl)> = looked_at
        .iter()
        .zip(replies)
        .filter_map(|(key, reply)| match reply {
            Ok(Wire::Int(-2)) => None,
            Ok(value) => Some((key.clone(), card::ttl(&value, at))),
            Err(_) => Some((key.clone(), Ttl::Unknown)),
        })
        .collect();
    let mut looked = Looked {
        of: keys.len(),
        sampled: looked_at.len(),
        ttls,
        cautions: Vec::new(),
        stops: Vec::new(),
    };
    let missing = looked.sampled - looked.ttls.len();
    if missing > 0 {
        let whole = looked.sampled;
        looked
            .cautions
            .push(format!("{missing} of {whole} keys looked at do not exist"));
    }
    look_at_role(&mut looked, info);
    Ok(looked)
}

/// A replica takes no writes, or takes them and loses them at the next full copy.
fn look_at_role(looked: &mut Looked, reply: Option<Reply>) {
    let Some(Ok(reply)) = reply else {
        let unknown = "the server does not tell whether it is a replica";
        looked.cautions.push(unknown.to_owned());
        return;
    };
    let info = Info::parse(&bytes(reply).unwrap_or_default());
    look_at_role_of(&info, &mut looked.stops, &mut looked.cautions);
}

/// The same with what the server says of its replication.
pub fn look_at_role_of(info: &Info, stops: &mut Vec<String>, cautions: &mut Vec<String>) {
    if info.text("role") != Some("slave") {
        return;
    }
    let host = info.text("master_host").unwrap_or("?");
    let port = info.text("master_port").unwrap_or("?");
    if info.flag("slave_read_only") == Some(false) {
        cautions.push(format!(
            "this is a replica: what is changed here is lost when it copies {host}:{port} anew"
        ));
    } else {
        stops.push(format!(
            "this is a read-only replica; make the change on its primary {host}:{port}"
        ));
    }
}

fn with_ttl(looked: Looked, keys: &[Key], wish: TtlWish) -> Preview {
    let (name, argument) = ttl_command(wish);
    let undo = undo(&looked, keys);
    let without = looked
        .ttls
        .iter()
        .filter(|(_, ttl)| *ttl == Ttl::None)
        .count();
    let (looked_at, there) = (looked.sampled, looked.ttls.len());
    let mut preview = looked.into_preview();
    preview.commands = shown(keys, |key| command_line(name, key, argument));
    "constant time for each key".clone_into(&mut preview.cost);
    preview.undo = Some(undo);
    if wish == TtlWish::Never {
        if without > 0 {
            preview.cautions.push(format!(
                "{without} of {looked_at} keys looked at have no TTL already"
            ));
        }
    } else if without > 0 {
        preview.cautions.push(format!(
            "{without} of {there} keys looked at live for ever now and will expire"
        ));
    }
    preview
}

/// The commands that bring the former TTLs back, where we know them all.
fn undo(looked: &Looked, keys: &[Key]) -> String {
    let is_all = keys.len() == looked.sampled && keys.len() <= SHOWN;
    if !is_all {
        return "set the former TTLs again; they are not kept".to_owned();
    }
    let lines: Vec<String> = looked
        .ttls
        .iter()
        .map(|(key, ttl)| match ttl {
            Ttl::None => command_line("PERSIST", key, None),
            Ttl::Until(moment) => command_line("PEXPIREAT", key, Some(moment.0)),
            Ttl::Unknown => "(the former TTL is not known)".to_owned(),
        })
        .collect();
    lines.join("; ")
}

/// What the server would be told for a job, and what it is about to do.
async fn job(core: &Core, job: Job) -> Result<Preview, Fault> {
    let preflight = preflight::preflight(core, job).await?;
    let of = |verdict: Verdict| {
        preflight
            .notes
            .iter()
            .filter(|note| note.verdict == verdict)
            .map(|note| format!("{}: {}", note.what, note.words))
            .collect()
    };
    let waits = preflight
        .notes
        .iter()
        .any(|note| note.what == preflight::RUNNING && note.verdict == Verdict::Caution);
    let (command, cost) = match job {
        Job::RewriteAof => (
            "BGREWRITEAOF",
            "the server forks, then a copy of it writes the append-only file anew",
        ),
        // Beside a rewrite the plain command would be refused.
        _ => (
            if waits { "BGSAVE SCHEDULE" } else { "BGSAVE" },
            "the server forks, then a copy of it writes the dataset to its disk",
        ),
    };
    Ok(Preview {
        commands: vec![command.to_owned()],
        of: 1,
        cost: cost.to_owned(),
        undo: None,
        cautions: of(Verdict::Caution),
        stops: of(Verdict::Stop),
    })
}

fn shown(keys: &[Key], line: impl Fn(&Key) -> String) -> Vec<String> {
    keys.iter().take(SHOWN).map(line).collect()
}

fn command_line(name: &str, key: &Key, argument: Option<i64>) -> String {
    let key = quoted(key.bytes());
    match argument {
        Some(argument) => format!("{name} {key} {argument}"),
        None => format!("{name} {key}"),
    }
}

/// Bytes in the quotes of redis-cli: what is shown can be pasted there and means the same bytes.
pub fn quoted(bytes: &[u8]) -> String {
    let mut quoted = String::from("\"");
    for byte in bytes {
        match byte {
            b'"' => quoted.push_str("\\\""),
            b'\\' => quoted.push_str("\\\\"),
            b' '..=b'~' => quoted.push(char::from(*byte)),
            byte => {
                quoted.push_str("\\x");
                quoted.extend(hex(*byte));
            }
        }
    }
    quoted.push('"');
    quoted
}

fn hex(byte: u8) -> [char; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [byte >> 4, byte & 15].map(|digit| char::from(DIGITS[usize::from(digit)]))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn keys_are_quoted_as_redis_cli_reads_them() {
        assert_eq!(quoted(b"user:1"), r#""user:1""#);
        assert_eq!(quoted(b"a \"b\"\\\n\x1b\xff"), r#""a \"b\"\\\x0a\x1b\xff""#);
        assert_eq!(quoted(b""), r#""""#);
    }

    #[test]
    fn wishes_become_commands_in_milliseconds() {
        let line = |wish| {
            let (name, argument) = ttl_command(wish);
            command_line(name, &Key::from("k"), argument)
        };
        assert_eq!(
            line(TtlWish::In(Duration::from_secs(90))),
            r#"PEXPIRE "k" 90000"#
        );
        assert_eq!(
            line(TtlWish::At(UnixMs(1_795_387_900_000))),
            r#"PEXPIREAT "k" 1795387900000"#
        );
        assert_eq!(line(TtlWish::Never), r#"PERSIST "k""#);
    }

    #[test]
    fn a_ttl_that_would_delete_is_refused() {
        let now = UnixMs(1000);
        assert!(impossible(TtlWish::In(Duration::from_micros(10)), now).is_some());
        assert!(impossible(TtlWish::At(UnixMs(1000)), now).is_some());
        assert!(impossible(TtlWish::In(Duration::MAX), now).is_some());
        assert!(impossible(TtlWish::At(UnixMs(1001)), now).is_none());
        assert!(impossible(TtlWish::In(Duration::from_secs(1)), now).is_none());
        assert!(impossible(TtlWish::Never, now).is_none());
    }
}
