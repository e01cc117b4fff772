use std::io::{self, Read};

use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};

use super::{
    Block, End, Header, Item, ItemFacts, ItemsError, Marks, Packing, Reader, ServerSecond, Writer,
    Wrong,
};
use crate::model::UnixMs;

#[derive(Clone, Debug, PartialEq)]
struct Owned {
    key: Vec<u8>,
    facts: ItemFacts,
    value: Vec<u8>,
}

fn header() -> Header {
    Header {
        place: "cache:11211".into(),
        version: "1.6.18".into(),
        began: Some(UnixMs(1_795_387_247_000)),
        clock_ahead_ms: Some(-2_000),
        items: Some(3),
        may_miss: true,
    }
}

fn some_items() -> Vec<Owned> {
    let facts = ItemFacts {
        flags: u32::MAX,
        expires: Some(ServerSecond(1_795_387_347)),
        cas: Some(u64::MAX),
        accessed: Some(ServerSecond(0)),
        marks: Marks {
            is_stale: true,
            is_awaited: true,
        },
    };
    vec![
        Owned {
            key: b"\x00\xff \r\n".to_vec(),
            facts,
            value: b"\r\nEND\r\n".to_vec(),
        },
        Owned {
            key: vec![b'k'; 250],
            facts: ItemFacts::default(),
            value: Vec::new(),
        },
        Owned {
            key: b"b".to_vec(),
            facts: ItemFacts::default(),
            value: vec![b'x'; 300],
        },
    ]
}

/// Writes items, so many a block.
fn written(items: &[Owned], a_block: usize, packing: Packing) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), &header(), packing).unwrap();
    let mut block = Block::default();
    for items in items.chunks(a_block.max(1)) {
        block.clear();
        for Owned { key, facts, value } in items {
            let item = Item {
                key,
                facts: *facts,
                value,
            };
            block.push(&item).unwrap();
        }
        writer.block(&block).unwrap();
    }
    let end = End {
        gone: 5,
        ..End::default()
    };
    writer.finish(end).unwrap().0
}

fn read(source: impl Read) -> Result<(Header, Vec<Owned>, End), ItemsError> {
    let mut reader = Reader::new(source)?;
    let mut items = Vec::new();
    while let Some(block) = reader.block()? {
        items.extend(block.iter().map(|item| {
            let item = item.unwrap();
            Owned {
                key: item.key.into(),
                facts: item.facts,
                value: item.value.into(),
            }
        }));
    }
    let end = *reader.end().unwrap();
    Ok((reader.header().clone(), items, end))
}

#[test]
fn what_is_written_is_read() {
    for packing in [Packing::None, Packing::Zstd] {
        let (told, items, end) = read(&written(&some_items(), 2, packing)[..]).unwrap();
        assert_eq!(told, header());
        assert_eq!(items, some_items());
        assert_eq!((end.blocks, end.items, end.gone), (2, 3, 5));
    }
}

/// Files of the first version of the form, taken from Memcached 1.6.18.
#[test]
fn files_that_were_written_before_stay_readable() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/items/");
    for name in ["five.items", "five-zstd.items"] {
        let file = std::fs::File::open(format!("{directory}{name}")).unwrap();
        let (header, mut items, end) = read(file).unwrap();
        assert_eq!((header.version.as_str(), end.left_out), ("1.6.18", 0));
        items.sort_by(|a, b| a.key.cmp(&b.key));
        let keys: Vec<&[u8]> = items.iter().map(|item| item.key.as_slice()).collect();
        assert_eq!(
            keys,
            [
                &b"bin\0key"[..],
                b"empty",
                &[b'k'; 240],
                b"page:1",
                b"page:2"
            ],
            "{name}"
        );
        let flags: Vec<u32> = items.iter().map(|item| item.facts.flags).collect();
        assert_eq!(flags, [9, 0, 0, 7, 0]);
        assert_eq!(items[3].value, b"first");
        assert_eq!(items[2].value, [b'x'; 3000]);
        assert!(items[4].facts.expires.is_some() && items[3].facts.expires.is_none());
    }
}

#[test]
fn an_empty_server_is_a_whole_file_too() {
    let (_, items, end) = read(&written(&[], 1, Packing::None)[..]).unwrap();
    assert_eq!((items.len(), end.blocks), (0, 0));
}

#[test]
fn a_cut_file_is_never_whole() {
    for packing in [Packing::None, Packing::Zstd] {
        let whole = written(&some_items(), 2, packing);
        for length in 0..whole.len() {
            let ItemsError { what, .. } = read(&whole[..length]).unwrap_err();
            assert!(matches!(what, Wrong::Cut(_)), "{length}: {what}");
        }
    }
}

#[test]
fn no_flipped_bit_passes() {
    for packing in [Packing::None, Packing::Zstd] {
        let mut file = written(&some_items(), 2, packing);
        for bit in 0..file.len() * 8 {
            file[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&file[..]).is_err(), "bit {bit}");
            file[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn errors_say_where_and_what() {
    let said = |file: &[u8]| read(file).unwrap_err().to_string();
    let whole = written(&some_items(), 1, Packing::None);
    assert_eq!(
        said(b"REDIS0011"),
        "at byte 0: this is no file of Memcached items"
    );
    assert_eq!(
        said(b"CDITEMS2"),
        "at byte 0: its form is version 2, and this program reads version 1"
    );
    let mut longer = whole.clone();
    longer.push(0);
    assert!(said(&longer).ends_with(": bytes follow the end"));
    let header = 8 + 24 + super::Header::written(&header()).len();
    let mut damaged = whole.clone();
    damaged[header + 30] ^= 1;
    assert!(said(&damaged).starts_with(&format!("at byte {header}: damaged: its checksum is")));
    // The second block is the first one again.
    let block = header..header + 24 + 2 + 4 + 4 + 4 + 8 + 4 + 5 + 7;
    let mut doubled = whole[..block.end].to_vec();
    doubled.extend_from_slice(&whole[block.clone()]);
    assert_eq!(
        said(&doubled),
        format!(
            "at byte {}: damaged: a frame is missing or stands twice",
            block.end
        )
    );
}

/// Gives what a file holds, and after that zeros for ever.
struct Endless<'a>(&'a [u8], u64);

impl Read for Endless<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 += buffer.len() as u64;
        assert!(self.1 < 64 << 20, "read on and on");
        if self.0.is_empty() {
            buffer.fill(0);
            return Ok(buffer.len());
        }
        self.0.read(buffer)
    }
}

#[test]
fn a_claim_alone_gets_no_memory() {
    // A block of many items that claims 1 GiB.
    let mut file = written(&[], 1, Packing::None);
    let end = file.len() - 24 - super::End::default().written().len();
    file.truncate(end);
    let mut head = [0_u8; 24];
    head[0] = b'B';
    head[4] = 1;
    head[8] = 2;
    head[12..16].copy_from_slice(&(1_u32 << 30).to_le_bytes());
    head[16..20].copy_from_slice(&(1_u32 << 30).to_le_bytes());
    file.extend_from_slice(&head);
    let error = read(Endless(&file, 0)).unwrap_err();
    assert!(matches!(error.what, Wrong::TooLong { .. }), "{error}");
    // Of a single item that much may come, so it is read as far as it comes.
    head[8] = 1;
    file.truncate(end);
    file.extend_from_slice(&head);
    let error = read(&file[..]).unwrap_err();
    assert!(matches!(error.what, Wrong::Cut(_)), "{error}");
}

#[test]
fn a_value_of_a_mib_stands_in_a_block_of_its_own() {
    let mut block = Block::default();
    assert!(!block.is_crowded_by(3, 1 << 20));
    block.begin(b"big", &ItemFacts::default(), 1 << 20).unwrap();
    for _ in 0..16 {
        block.extend(&vec![7; 65_536]);
    }
    assert_eq!(block.owed(), 0);
    assert!(block.is_full() && block.is_crowded_by(1, 0));
    let mut writer = Writer::new(Vec::new(), &header(), Packing::Zstd).unwrap();
    writer.block(&block).unwrap();
    let (file, _) = writer.finish(End::default()).unwrap();
    let (_, items, _) = read(&file[..]).unwrap();
    assert_eq!(items[0].value, vec![7; 1 << 20]);
}

#[test]
fn what_memcached_cannot_hold_is_refused() {
    let mut block = Block::default();
    let facts = ItemFacts::default();
    assert!(block.begin(&[b'k'; 251], &facts, 0).is_err());
    assert!(block.begin(b"k", &facts, (1 << 30) + 1).is_err());
    assert!(block.is_empty());
}

#[test]
fn a_value_that_is_not_whole_is_not_written() {
    let mut block = Block::default();
    block.begin(b"k", &ItemFacts::default(), 5).unwrap();
    block.extend(b"1234");
    let mut writer = Writer::new(Vec::new(), &header(), Packing::None).unwrap();
    assert!(writer.block(&block).is_err());
}

fn any_item() -> impl Strategy<Value = Owned> {
    let second = || prop::option::of(any::<u32>().prop_map(ServerSecond));
    let key = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..=250),
        Just(vec![0xff; 250])
    ];
    let facts = (
        any::<u32>(),
        second(),
        prop::option::of(any::<u64>()),
        second(),
        any::<(bool, bool)>(),
    );
    let value = prop::collection::vec(any::<u8>(), 0..2_000);
    (key, facts, value).prop_map(|(key, facts, value)| {
        let (flags, expires, cas, accessed, (is_stale, is_awaited)) = facts;
        Owned {
            key,
            facts: ItemFacts {
                flags,
                expires,
                cas,
                accessed,
                marks: Marks {
                    is_stale,
                    is_awaited,
                },
            },
            value,
        }
    })
}

proptest! {
    #[test]
    fn any_items_survive(
        items in prop::collection::vec(any_item(), 0..20), a_block in 1_usize..8, packs: bool
    ) {
        let packing = if packs { Packing::Zstd } else { Packing::None };
        let file = written(&items, a_block, packing);
        assert_eq!(read(&file[..]).unwrap().1, items);
    }

    #[test]
    fn garbage_never_panics(garbage in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut file = b"CDITEMS1".to_vec();
        file.extend_from_slice(&garbage);
        assert!(read(&file[..]).is_err());
    }

    /// Damage that a checksum was made for: whoever writes such a file wants to hurt.
    #[test]
    fn malice_never_panics(payload in prop::collection::vec(any::<u8>(), 0..400), items in 0_u32..5, packs: bool) {
        use super::frame::{FrameHead, FrameKind};
        let mut file = written(&[], 1, Packing::None);
        file.truncate(file.len() - 24 - super::End::default().written().len());
        let length = u32::try_from(payload.len()).unwrap();
        let head = FrameHead {
            kind: FrameKind::Block,
            packing: if packs { Packing::Zstd } else { Packing::None },
            number: 1,
            items,
            raw: length,
            stored: length,
        };
        file.extend_from_slice(&head.sealed(&payload));
        file.extend_from_slice(&payload);
        assert!(read(&file[..]).is_err());
    }
}
