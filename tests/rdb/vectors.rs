//! Files of every version and encoding, written by the project `librdb` (see its licence beside them),
//! with what it says is in them.

use std::fs;
use std::path::PathBuf;

use cachedeck::model::KeyKind;
use cachedeck::snapshot::rdb::Ending;
use serde_json::{Map, Value as Json, json};

use super::told::{Told, ToldKey, Value, whole};

/// Files, and what is expected of them where another file says it.
#[rustfmt::skip]
const VECTORS: [(&str, Option<&str>); 42] = [
    ("100_lists",               None),
    ("cluster_slot_info",       Some("cluster_slot_info")),
    ("empty",                   None),
    ("function",                None),
    ("function2",               Some("function2")),
    ("hash_lp_v11",             Some("hash_lp_v11_data")),
    ("hash_lp_with_hexpire_v12", Some("hash_lp_ex_v12_data")),
    ("hash_v3",                 Some("plain_hash_data")),
    ("hash_with_expire_v12",    Some("hash_ex_v12_data")),
    ("hash_zl_v6",              Some("hash_zl_v6_data")),
    ("hash_zm_v2",              Some("hash_zm_v2_data")),
    ("mem_policy_lfu",          Some("mem_policy_lfu")),
    ("mem_policy_lru",          Some("mem_policy_lru")),
    ("misc_with_stream",        None),
    ("module",                  Some("module_data")),
    ("module_aux",              Some("module_aux_data")),
    ("module_aux_empty",        None),
    ("module_aux_v12",          None),
    ("multiple_dbs",            Some("multiple_dbs_data")),
    ("multiple_lists_strings",  Some("multiple_lists_strings_data")),
    ("plain_list_v6",           Some("plain_list_v6_data")),
    ("plain_set_v6",            Some("plain_set_v6_data")),
    ("plain_zset_2_v11",        Some("plain_zset_2_v11_data")),
    ("plain_zset_v6",           Some("plain_zset_v6_data")),
    ("quicklist",               Some("quicklist_data")),
    ("quicklist2_v11",          Some("single_list_data")),
    ("redis_ent_opcode_ram_lru", None),
    ("script",                  None),
    ("script_legacy",           None),
    ("set_expired_v11",         None),
    ("set_is_v11",              Some("set_is_v11_data")),
    ("set_lp_v11",              Some("set_lp_v11_data")),
    ("set_not_expired_v11",     Some("set_not_expired")),
    ("single_key",              Some("single_key_data")),
    ("stream_v11",              Some("stream_data_with_meta")),
    ("string_int_encoded",      None),
    ("string_lzf",              None),
    ("ziplist_v3",              Some("ziplist_data")),
    ("zset_lp_v11",             Some("zset_lp_v11_data")),
    ("zset_zl_v6",              Some("zset_zl_v6_data")),
    // Refused, and tested on their own.
    ("invalid_chksum_v8",       None),
    ("future_v19",              None),
];
const REFUSED: [&str; 2] = ["invalid_chksum_v8", "future_v19"];

pub fn path(name: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.join("tests/vectors/librdb").join(name)
}

pub fn bytes(name: &str) -> Vec<u8> {
    let path = path(&format!("{name}.rdb"));
    fs::read(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// The names of all files that can be read.
pub fn readable() -> impl Iterator<Item = &'static str> {
    let names = VECTORS.iter().map(|(name, _)| *name);
    names.filter(|name| !REFUSED.contains(name))
}

#[test]
fn no_file_is_left_out() {
    let files = fs::read_dir(path("")).expect("the vectors");
    for file in files {
        let file = file.expect("a file").path();
        if file.extension().is_some_and(|extension| extension == "rdb") {
            let name = file.file_stem().expect("a name").to_str().expect("text");
            assert!(VECTORS.iter().any(|(one, _)| *one == name), "{name}");
        }
    }
}

#[test]
fn every_file_holds_what_its_authors_say() {
    for (name, expected) in VECTORS {
        let Some(expected) = expected else { continue };
        let told = whole(&bytes(name)).unwrap_or_else(|why| panic!("{name}: {why}"));
        let text = fs::read_to_string(path(&format!("{expected}.json"))).expect("what is expected");
        let text = text.trim();
        if text.starts_with('[') {
            let expected: Json = serde_json::from_str(text).expect("JSON");
            let databases: Vec<Json> = expected.as_array().expect("databases").clone();
            for (database, expected) in databases.into_iter().enumerate() {
                let keys = told.keys.iter();
                let keys = keys.filter(|key| key.head.db as usize == database);
                compare(name, keys, expected.as_object().expect("keys"));
            }
            continue;
        }
        let expected: Json = serde_json::from_str(&format!("{{{text}}}")).expect("JSON");
        let mut expected = expected.as_object().expect("keys").clone();
        compare_facts(name, &told, &mut expected);
        compare(name, told.keys.iter(), &expected);
    }
}

#[test]
fn every_file_agrees_with_itself() {
    for name in readable() {
        let told = whole(&bytes(name)).unwrap_or_else(|why| panic!("{name}: {why}"));
        for key in &told.keys {
            key.agrees_with_itself();
        }
        let is_checked = matches!(told.ending, Some(Ending::Verified(_)));
        let version = &bytes(name)[5..9];
        assert!(
            is_checked || version < &b"0005"[..] || told.ending == Some(Ending::Disabled),
            "{name}: {:?}",
            told.ending
        );
    }
}

#[test]
fn what_is_wrong_is_refused_in_words() {
    let wrong = whole(&bytes("invalid_chksum_v8")).expect_err("a wrong checksum");
    assert!(
        wrong.to_string().starts_with("the checksum is wrong: "),
        "{wrong}"
    );
    let future = whole(&bytes("future_v19")).expect_err("a future version");
    let expected = "it is written in version 99 of the format of Redis; versions up to 13 are read";
    assert_eq!(future.to_string(), expected);
}

/// The parts of what is expected that are about no key.
fn compare_facts(name: &str, told: &Told, expected: &mut Map<String, Json>) {
    if let Some(facts) = expected.remove("__aux__") {
        assert_eq!(json!(told.facts), facts, "{name}");
    }
    if let Some(sizes) = expected.remove("__dbsize__") {
        let [(keys, expiring)] = told.sizes[..] else {
            panic!("{name}: {:?}", told.sizes)
        };
        assert_eq!(json!({"size": keys, "expires": expiring}), sizes, "{name}");
    }
    if let Some(slot) = expected.remove("__slotinfo__") {
        let [(id, keys, expiring)] = told.slots[..] else {
            panic!("{name}: {:?}", told.slots)
        };
        let found = json!({"slotId": id, "slotSize": keys, "slotSExpiresSize": expiring});
        assert_eq!(found, slot, "{name}");
    }
    if let Some(functions) = expected.remove("__func__") {
        let expected: Vec<&Json> = functions.as_object().expect("functions").values().collect();
        let expected: Vec<&str> = expected.iter().filter_map(|code| code.as_str()).collect();
        assert_eq!(told.functions, expected, "{name}");
    }
}

fn compare<'a>(name: &str, keys: impl Iterator<Item = &'a ToldKey>, expected: &Map<String, Json>) {
    let mut count = 0;
    for key in keys {
        let key_name = super::told::latin(&key.head.name);
        let wanted = expected
            .get(&key_name)
            .unwrap_or_else(|| panic!("{name}: {key_name} is not expected"));
        let wanted = plain_scores(&key.head.kind, wanted);
        assert_eq!(json_of(key), wanted, "{name}: {key_name}");
        count += 1;
    }
    assert_eq!(count, expected.len(), "{name}");
}

/// Scores as numbers are written here, wherever they come from.
fn plain_scores(kind: &KeyKind, wanted: &Json) -> Json {
    let (KeyKind::SortedSet, Some(members)) = (kind, wanted.as_object()) else {
        return wanted.clone();
    };
    let plain = members.iter().map(|(member, score)| {
        let score: f64 = score.as_str().expect("text").parse().expect("a number");
        (member.clone(), json!(score.to_string()))
    });
    Json::Object(plain.collect())
}

fn json_of(key: &ToldKey) -> Json {
    let value = &key.value;
    match &key.head.kind {
        KeyKind::String => json!(value.items.concat()),
        KeyKind::List | KeyKind::Set => json!(value.items),
        KeyKind::Hash => {
            let fields = value.fields.iter();
            Json::Object(
                fields
                    .map(|(field, value, _)| (field.clone(), json!(value)))
                    .collect(),
            )
        }
        KeyKind::SortedSet => {
            let scores = value.scores.iter();
            // Minus zero is written as zero there.
            let scores =
                scores.map(|(member, score)| (member.clone(), json!((score + 0.0).to_string())));
            Json::Object(scores.collect())
        }
        KeyKind::Stream => stream_json(value),
        KeyKind::Other(module) => json!(format!(
            "<Content of Module '{module}'. Occupies a serialized size of {} bytes>",
            key.shape.stored.0
        )),
        KeyKind::Item => panic!("no snapshot has items of Memcached"),
    }
}

fn stream_json(value: &Value) -> Json {
    let facts = value.facts.expect("a stream has facts");
    let entries: Vec<Json> = value
        .entries
        .iter()
        .map(|entry| {
            let fields = entry.fields.iter();
            let fields = fields.map(|(field, value)| (field.clone(), json!(value)));
            json!({"id": entry.id, "items": Json::Object(fields.collect())})
        })
        .collect();
    let groups: Vec<Json> = value.groups.iter().map(group_json).collect();
    json!({
        "entries": entries,
        "length": facts.length,
        "entriesAdded": facts.entries_added,
        "firstID": facts.first_id.expect("of Redis 7").to_string(),
        "lastID": facts.last_id.to_string(),
        "maxDelEntryID": facts.max_deleted_id.expect("of Redis 7").to_string(),
        "groups": groups,
    })
}

fn group_json(group: &super::told::Group) -> Json {
    let pending = group.pending.iter();
    let pending: Vec<Json> = pending
        .map(|(id, sent, count)| json!({"sent": sent, "id": id, "count": count}))
        .collect();
    let consumers: Vec<Json> = group
        .consumers
        .iter()
        .map(|consumer| {
            let mut json = json!({
                "name": consumer.name,
                "activeTime": consumer.active,
                "seenTime": consumer.seen,
            });
            if !consumer.pending.is_empty() {
                let owned = consumer.pending.iter();
                let owned: Vec<Json> = owned.map(|id| json!({"id": id})).collect();
                json["pending"] = json!(owned);
            }
            json
        })
        .collect();
    json!({
        "name": group.name,
        "lastid": group.last_id,
        "entriesRead": group.read,
        "pending": pending,
        "consumers": consumers,
    })
}

/// What a file says of each key, a line each: for files without a description of their own.
fn lines(name: &str) -> Vec<String> {
    let told = whole(&bytes(name)).unwrap_or_else(|why| panic!("{name}: {why}"));
    let keys = told.keys.iter().map(|key| {
        let head = &key.head;
        let ends = head.ends.map(|end| format!(" until {}", end.0));
        format!(
            "{} {} {} {}{}",
            super::told::latin(&head.name),
            head.kind.word(),
            head.encoding,
            key.value.length(&head.kind),
            ends.unwrap_or_default()
        )
    });
    keys.collect()
}

#[test]
fn files_without_a_description_hold_what_their_bytes_say() {
    assert_eq!(lines("empty"), Vec::<String>::new());
    assert_eq!(lines("module_aux_v12"), ["mykey test__rdb raw 0"]);
    assert_eq!(lines("redis_ent_opcode_ram_lru").len(), 3);
    let letters = |letter: &str, count| letter.repeat(count);
    let told = whole(&bytes("string_lzf")).expect("it can be read");
    let values: Vec<(String, String)> = told
        .keys
        .iter()
        .map(|key| (super::told::latin(&key.head.name), key.value.items.concat()))
        .collect();
    let expected = [
        (letters("y", 50), letters("B", 116)),
        (letters("x", 26), letters("A", 64)),
    ];
    assert_eq!(values, expected);
    let expired = whole(&bytes("set_expired_v11")).expect("it can be read");
    assert!(expired.keys[0].head.ends.is_some());
    let lists = whole(&bytes("100_lists")).expect("it can be read");
    assert_eq!(lists.keys.len(), 100);
    assert!(lists.keys.iter().all(|key| key.value.items.len() == 100));
    let function = whole(&bytes("function")).expect("it can be read");
    assert!(function.functions[0].starts_with("#!lua name=mylib \n redis.register_function('my"));
    let script = whole(&bytes("script")).expect("it can be read");
    assert_eq!(script.facts["lua"], "return 'Hello from Lua!'");
    assert_eq!(script.ending, Some(Ending::Disabled));
    let legacy = whole(&bytes("script_legacy")).expect("it can be read");
    assert_eq!(legacy.facts.len(), 3);
}

#[test]
fn numbers_are_read_in_every_width() {
    let told = whole(&bytes("string_int_encoded")).expect("it can be read");
    assert!(!told.keys.is_empty());
    for key in &told.keys {
        let text = key.value.items.concat();
        let is_number = text
            .parse::<i64>()
            .is_ok_and(|number| number.to_string() == text);
        assert_eq!(key.head.encoding == "int", is_number, "{text}");
    }
}

#[test]
fn fields_keep_their_moment_of_expiry() {
    for name in ["hash_with_expire_v12", "hash_lp_with_hexpire_v12"] {
        let told = whole(&bytes(name)).expect("it can be read");
        let fields = &told.keys[0].value.fields;
        let ending = fields.iter().filter(|(_, _, end)| end.is_some()).count();
        assert_eq!((fields.len(), ending), (3, 2), "{name}");
    }
}

#[test]
fn a_file_of_an_old_enterprise_server_is_read_with_its_modules() {
    let told = whole(&bytes("misc_with_stream")).expect("it can be read");
    assert!(told.keys.len() > 10, "{}", told.keys.len());
    let kinds: Vec<&str> = told.keys.iter().map(|key| key.head.kind.word()).collect();
    assert!(kinds.contains(&"stream"), "{kinds:?}");
}

#[test]
fn the_use_of_keys_is_read() {
    let idle = whole(&bytes("mem_policy_lru")).expect("it can be read");
    assert!(idle.keys.iter().all(|key| key.head.idle.is_some()));
    let frequency = whole(&bytes("mem_policy_lfu")).expect("it can be read");
    assert!(
        frequency
            .keys
            .iter()
            .all(|key| key.head.frequency.is_some())
    );
}

#[test]
fn a_payload_is_what_its_authors_say() {
    let told = whole(&bytes("single_key")).expect("it can be read");
    let payload = &told.keys[0].payload;
    assert_eq!(&payload[..payload.len() - 10], b"\0\xc0o");
}
