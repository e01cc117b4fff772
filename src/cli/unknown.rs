//! Why something is unknown: no `null` in an answer without a reason beside it.
//!
//! A reason stands in `unsupported` of the record, under the path of the field (`persistence.aof`);
//! in lists the position is left out, since what one element lacks the others usually lack, too.

use serde_json::{Map, Value};

use crate::cli::{Failure, Kind};
use crate::model::Sample;

/// Nulls that say something by themselves: no end of life, nothing cut off.
const SPEAKING: &[&str] = &["ttl_ms", "expires_at", "cut", "at", "why"];

/// The end of a path → what its null means where the server has said nothing else.
#[rustfmt::skip]
const MEANINGS: &[(&str, &str)] = &[
    ("window.hit_ratio",     "there were no lookups in the window"),
    ("replication.link",     "only a replica has a link to a primary"),
    ("link",                 "only a replica has a link to a primary"),
    ("link.down_for_s",      "the link is up, or the server does not say since when it is down"),
    ("link.sync_left_bytes", "no full synchronisation is running"),
    ("link.lag_bytes",       "a replica does not learn its primary's offset before data comes"),
    ("loading_progress",     "no snapshot is being loaded"),
    ("progress",             "no snapshot is being written"),
    ("saving_for_s",         "no snapshot is being written"),
    ("last_success_at",      "there was no snapshot since the server started"),
    ("last_duration_s",      "there was no snapshot since the server started"),
    ("took_s",               "the snapshot is not done"),
    ("by",                   "somebody else asked for it, or the server did by itself"),
    ("file",                 "it lies on the server's disk"),
    ("copied_bytes",         "nothing is being written, or the server does not tell"),
    ("rewriting_for_s",      "no rewrite of the append-only file is running"),
    ("last_rewrite_took_s",  "the append-only file was not rewritten since the server started"),
    ("last_cow_bytes",       "there was no snapshot since the server started"),
    ("last_fork_ms",         "there was no snapshot since the server started"),
    ("aof.size_bytes",       "the append-only file is off"),
    ("average_ttl_ms",       "no key has a TTL, or the server does not average it"),
    ("evicted_idle_s",       "nothing was evicted yet"),
    ("idle_s",               "the server counts frequencies or does not tell"),
    ("frequency",            "the server counts it only under an LFU policy"),
    ("slot",                 "the server is no node of a cluster"),
    ("item",                 "only Memcached has it"),
    ("encoding",             "the server has none to tell"),
];

pub const NOT_REPORTED: &str = "the server does not report it";

/// Adds a reason for every null in the record that has none yet.
pub fn explain(record: &mut Value, general: &str) {
    explain_by(record, |path| meaning(path).unwrap_or(general).to_owned());
}

/// Adds a reason, which depends on the path, for every null in the record that has none yet.
pub fn explain_by(record: &mut Value, why: impl Fn(&str) -> String) {
    let mut reasons = match record["unsupported"].take() {
        Value::Object(given) => given,
        _ => Map::new(),
    };
    visit(record, "", &mut |path| {
        let is_speaking = SPEAKING.iter().any(|name| ends_with(path, name));
        if !is_speaking && path != "unsupported" && !reasons.contains_key(path) {
            reasons.insert(path.to_owned(), why(path).into());
        }
    });
    record["unsupported"] = Value::Object(reasons);
}

fn visit(value: &Value, path: &str, each: &mut impl FnMut(&str)) {
    match value {
        Value::Null => each(path),
        Value::Array(items) => items.iter().for_each(|item| visit(item, path, each)),
        Value::Object(fields) => {
            for (name, value) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                visit(value, &format!("{path}{dot}{name}"), each);
            }
        }
        _ => {}
    }
}

fn meaning(path: &str) -> Option<&'static str> {
    let found = MEANINGS.iter().find(|(end, _)| ends_with(path, end));
    found.map(|(_, meaning)| *meaning)
}

/// Whether the last names of the path are these.
pub fn ends_with(path: &str, end: &str) -> bool {
    path.strip_suffix(end)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Why the server would not answer the question that nearly everything comes from; `None` when it
/// did.
pub fn refusal(sample: &Sample) -> Option<&str> {
    let why = sample.unsupported.get("hits")?;
    // A fault about permissions begins so, and reaches us only as the words for people.
    why.starts_with("not permitted: ").then_some(why.as_str())
}

/// The end of a command that had to do without what it is about.
///
/// # Errors
/// When the server refused to say.
pub fn refused(command: &str, target: &str, sample: &Sample) -> Result<(), Failure> {
    match refusal(sample) {
        None => Ok(()),
        Some(why) => Err(
            Failure::new(Kind::Permission, format!("{command} on {target}: {why}"))
                .hint("ask for the permission, or use another user"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_null_has_a_reason_and_nothing_else_has() {
        let mut record = json!({
            "a": null, "b": 1, "ttl_ms": null,
            "link": null,
            "list": [{"c": null, "d": 2}, {"c": null, "d": null}],
            "deep": {"aof": {"size_bytes": null}},
            "unsupported": {"a": "said"},
        });
        explain(&mut record, "general");
        assert_eq!(
            record["unsupported"],
            json!({
                "a": "said",
                "link": "only a replica has a link to a primary",
                "list.c": "general",
                "list.d": "general",
                "deep.aof.size_bytes": "the append-only file is off",
            })
        );
    }
}
