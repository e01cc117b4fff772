use std::ops::ControlFlow;

use super::*;
use crate::model::Bytes;

/// A snapshot of one key, from its parts.
fn snapshot(magic: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = magic.as_bytes().to_vec();
    bytes.extend_from_slice(body);
    bytes.push(opcode::END);
    let checksum = checksum::of(&bytes);
    bytes.extend(checksum.to_le_bytes());
    bytes
}

/// What a snapshot says, one record a line, values as their elements.
fn told(bytes: &[u8]) -> Result<Vec<String>> {
    let mut reader = Reader::new(bytes)?;
    let mut lines = Vec::new();
    loop {
        match reader.next()? {
            Record::Key(_) => {}
            Record::End(ending) => {
                lines.push(format!("{ending:?}").split('(').next().unwrap().to_owned());
                return Ok(lines);
            }
            other => {
                lines.push(format!("{other:?}"));
                continue;
            }
        }
        let head = reader.head().clone();
        let mut line = format!(
            "{} {} {} {}:",
            head.db,
            head.name.escape_ascii(),
            head.kind.word(),
            head.encoding
        );
        reader.visit(&mut |element: Element<'_>| {
            line += &shown(&element);
            ControlFlow::Continue(())
        })?;
        lines.push(line);
    }
}

fn shown(element: &Element<'_>) -> String {
    match element {
        Element::Text(piece)
        | Element::Item(piece)
        | Element::Member(piece)
        | Element::Field(piece)
        | Element::Scored(piece) => format!(" {}", piece.bytes.escape_ascii()),
        Element::FieldValue(piece) => format!("={}", piece.bytes.escape_ascii()),
        Element::FieldEnds(at) => format!("@{}", at.0),
        Element::Score(score) => format!("={score}"),
        other => format!(" {other:?}"),
    }
}

#[test]
fn plain_types_are_read() {
    #[rustfmt::skip]
    let cases: [(&[u8], &str); 7] = [
        (b"\0\x01k\x05hello",                       "0 k string embstr: hello"),
        (b"\0\x01k\x0212",                          "0 k string int: 12"),
        (b"\0\x01k\xc1\x00\x80",                    "0 k string int: -32768"),
        (b"\x01\x01k\x02\x01a\xc0\x07",             "0 k list quicklist: a 7"),
        (b"\x02\x01k\x01\x01a",                     "0 k set hashtable: a"),
        (b"\x03\x01k\x02\x01a\x031.5\x01b\xfe",     "0 k zset skiplist: a=1.5 b=inf"),
        (b"\x04\x01k\x01\x01f\x01v",                "0 k hash hashtable: f=v"),
    ];
    for (body, expected) in cases {
        let lines = told(&snapshot("REDIS0011", body)).unwrap();
        assert_eq!(lines, [expected, "Verified"]);
    }
}

#[test]
fn fields_that_expire_are_read_in_the_form_of_each_house() {
    let ms = 1_700_000_000_000_i64.to_le_bytes();
    let valkey = [
        b"\x16\x01k\x02\x01f\x01v",
        &ms[..],
        b"\x01g\x01w",
        &[0xff; 8],
    ]
    .concat();
    let redis = [b"\x18\x01k", &ms[..], b"\x02\x06\x01f\x01v\0\x01g\x01w"].concat();
    for (magic, body, end) in [
        ("VALKEY080", valkey, 1_700_000_000_000_i64),
        ("REDIS0012", redis, 1_700_000_000_005),
    ] {
        let lines = told(&snapshot(magic, &body)).unwrap();
        assert_eq!(lines[0], format!("0 k hash hashtable: f=v@{end} g=w"));
    }
}

#[test]
fn what_is_told_of_a_key_is_its_own_and_not_of_the_next() {
    let body = b"\xfe\x03\xfc\x01\0\0\0\0\0\0\0\xf8\x3c\0\x01a\x01x\xf9\x07\0\x01b\x01y";
    let bytes = snapshot("REDIS0011", body);
    let mut reader = Reader::new(bytes.as_slice()).unwrap();
    assert!(matches!(reader.next().unwrap(), Record::Database(3)));
    assert!(matches!(reader.next().unwrap(), Record::Key(_)));
    let head = reader.head();
    assert_eq!((head.db, head.ends), (3, Some(UnixMs(1))));
    assert_eq!(head.idle, Some(Duration::from_secs(60)));
    assert!(head.is_expired(UnixMs(2)));
    let place = reader.place();
    assert!(matches!(reader.next().unwrap(), Record::Key(_)));
    let head = reader.head();
    assert_eq!(
        (head.ends, head.idle, head.frequency),
        (None, None, Some(7))
    );
    // The first one again, from where it stands.
    let offset = usize::try_from(place.offset).unwrap();
    let mut again = Reader::at(&bytes[offset..], place);
    assert!(matches!(again.next().unwrap(), Record::Key(_)));
    assert_eq!((again.head().db, again.head().ends), (3, Some(UnixMs(1))));
    assert_eq!(again.head().name, b"a");
}

#[test]
fn a_value_is_dumped_as_the_server_does_and_read_again() {
    let bytes = snapshot("REDIS0011", b"\0\x01k\x05hello\0\x01l\x01x");
    let mut reader = Reader::new(bytes.as_slice()).unwrap();
    reader.next().unwrap();
    let mut payload = Vec::new();
    let dumped = reader.dump(Bytes(100), &mut payload).unwrap();
    assert_eq!(dumped, Dumped::Whole);
    assert_eq!(&payload[..9], b"\0\x05hello\x01\0");
    assert!(matches!(reader.next().unwrap(), Record::Key(head) if head.name == b"l"));
    let mut text = Vec::new();
    verified_dump(&payload)
        .unwrap()
        .visit(&mut |element: Element<'_>| {
            if let Element::Text(piece) = element {
                text.extend_from_slice(piece.bytes);
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(text, b"hello");
    payload[3] ^= 1;
    assert!(matches!(
        verified_dump(&payload),
        Err(SnapshotError::Checksum { .. })
    ));
}

#[test]
fn a_value_too_long_to_be_dumped_is_passed() {
    let bytes = snapshot("REDIS0011", b"\0\x01k\x05hello\0\x01l\x01x");
    let mut reader = Reader::new(bytes.as_slice()).unwrap();
    reader.next().unwrap();
    let dumped = reader.dump(Bytes(3), &mut Vec::new()).unwrap();
    assert_eq!(dumped, Dumped::TooLarge(Bytes(6)));
    assert!(matches!(reader.next().unwrap(), Record::Key(head) if head.name == b"l"));
}

#[test]
fn a_long_string_comes_in_pieces_and_a_visitor_may_stop() {
    let length = 5 * PIECE;
    let mut body = b"\0\x01k\x80".to_vec();
    body.extend(u32::try_from(length).unwrap().to_be_bytes());
    body.extend((0..length).map(|n| (n % 251) as u8));
    let bytes = snapshot("REDIS0011", &body);
    let mut reader = Reader::new(bytes.as_slice()).unwrap();
    reader.next().unwrap();
    let mut seen = Vec::new();
    reader
        .visit(&mut |element: Element<'_>| {
            if let Element::Text(piece) = element {
                assert_eq!((piece.from, piece.whole), (seen.len() as u64, length));
                seen.extend_from_slice(piece.bytes);
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(seen, body[8..]);
    let mut reader = Reader::new(bytes.as_slice()).unwrap();
    reader.next().unwrap();
    let mut pieces = 0;
    reader
        .visit(&mut |_: Element<'_>| {
            pieces += 1;
            ControlFlow::Break(())
        })
        .unwrap();
    assert_eq!(pieces, 1);
    assert!(matches!(
        reader.next().unwrap(),
        Record::End(Ending::Verified(_))
    ));
}

#[test]
fn a_checksum_may_be_wrong_or_off_or_not_there() {
    let mut wrong = snapshot("REDIS0011", b"");
    let last = wrong.len() - 1;
    wrong[last] ^= 1;
    assert!(matches!(told(&wrong), Err(SnapshotError::Checksum { .. })));
    let mut off = snapshot("REDIS0011", b"");
    off[10..].fill(0);
    assert_eq!(told(&off).unwrap(), ["Disabled"]);
    assert_eq!(told(b"REDIS0004\xff").unwrap(), ["None"]);
}

#[test]
#[rustfmt::skip]
fn what_is_no_snapshot_is_refused_in_words() {
    for (bytes, expected) in [
        (&b""[..],                  "it is no snapshot: it begins with nothing, not with REDIS or VALKEY and a version"),
        (b"*1\r\n$4\r\nPING",       "it is no snapshot: it begins with *1\\r\\n$4\\r\\nP, not with REDIS or VALKEY and a version"),
        (b"REDIS00x1",              "it is no snapshot: it begins with REDIS00x1, not with REDIS or VALKEY and a version"),
        (b"REDIS0099\xff",          "it is written in version 99 of the format of Redis; versions up to 13 are read"),
        (b"VALKEY081\xff",          "it is written in version 81 of the format of Valkey; versions up to 80 are read"),
        (b"REDIS",                  "it is cut off: it ends at byte 5, where REDIS or VALKEY and a version was expected"),
        (b"REDIS0011\0\x01k\x05he", "it is cut off: it ends at byte 15, where a string was expected"),
        (b"REDIS0011\x08",          "byte 9 holds 8, where the type of a key, or a record was expected"),
        (b"REDIS0011\x06\x01k",     "the key at byte 9 is of a module in a format of Redis 4.0's release candidates, which does not say how long it is"),
        (b"REDIS0011\x0b\x01k\x03abc", "it is damaged: a set of integers that is too short at byte 12"),
    ] {
        let error = told(bytes).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn numbers_are_told_from_texts_as_servers_do() {
    for text in [
        "0",
        "-1",
        "12",
        "9223372036854775807",
        "-9223372036854775808",
    ] {
        assert!(is_number(text.as_bytes()), "{text}");
    }
    for text in [
        "",
        "-",
        "-0",
        "01",
        "+1",
        "1.0",
        "9223372036854775808",
        "1 ",
    ] {
        assert!(!is_number(text.as_bytes()), "{text}");
    }
}

#[test]
fn what_only_one_house_writes_is_read_under_its_own_name() {
    // A fact of a module on a key: one class, its four bytes, a number, the end.
    let facts = b"\xf3\x01abcd\x02\x05\0\0\x01k\x01v";
    let lines = told(&snapshot("REDIS0013", facts)).unwrap();
    assert_eq!(lines, ["0 k string embstr: v", "Verified"]);
    // Slots on their way here: the job's name, one range.
    let import = b"\xf3\x03job\x01\x05\x09\0\x01k\x01v";
    let lines = told(&snapshot("VALKEY080", import)).unwrap();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].starts_with("SlotImport"), "{lines:?}");
    // A function of a release candidate: name, engine, a description, code.
    let function = b"\xf6\x01f\x03LUA\x01\x02hi\x04code";
    let lines = told(&snapshot("REDIS0010", function)).unwrap();
    assert!(
        lines[0].contains("description: Some([104, 105])"),
        "{lines:?}"
    );
}

#[test]
fn a_stream_that_knows_its_producers_is_read() {
    let mut body = b"\x1a\x01k\0".to_vec(); // no nodes
    body.extend([0, 7, 1, 0, 0, 0, 0, 9]); // length, last, first, deleted, added
    body.push(0); // no groups
    body.extend(b"\x0a\x14\x01\x03pid\x01\x03iid\x07\x01\x02\x01");
    let lines = told(&snapshot("REDIS0013", &body)).unwrap();
    let expected = "Idempotence(Idempotence { seconds: 10, most_entries: 20, producers: 1 }) \
                    Producer(Piece(3 bytes from 0 of 3)) ProducedName(Piece(3 bytes from 0 of 3)) \
                    Produced(StreamId { ms: 7, seq: 1 })";
    assert!(lines[0].ends_with(expected), "{}", lines[0]);
    assert_eq!(lines[1], "Verified");
    // Passed over, it ends at the same place.
    let bytes = snapshot("REDIS0013", &body);
    let mut reader = Reader::new(bytes.as_slice()).unwrap();
    reader.next().unwrap();
    assert_eq!(reader.skip().unwrap().length, 0);
    assert!(matches!(
        reader.next().unwrap(),
        Record::End(Ending::Verified(_))
    ));
}

#[test]
fn a_short_text_that_was_compressed_is_embedded_when_it_is_loaded() {
    // 30 times the same letter: a literal and a copy.
    let body = b"\0\x01k\xc3\x05\x1e\x00a\xe0\x14\x00";
    let lines = told(&snapshot("REDIS0011", body)).unwrap();
    assert_eq!(lines[0], format!("0 k string embstr: {}", "a".repeat(30)));
}
