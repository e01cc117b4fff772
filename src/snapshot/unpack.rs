//! Lifts the compression off a snapshot: gzip and zstd, recognised by their first bytes.

use std::io::{self, BufReader, Chain, Cursor, Read};

use flate2::read::MultiGzDecoder;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// What was lifted off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

type Peeked<R> = Chain<Cursor<Vec<u8>>, R>;

/// The bytes of a snapshot, whatever it was packed in.
pub struct Unpacked<R: Read>(Inner<R>);

enum Inner<R: Read> {
    Plain(Peeked<R>),
    Gzip(Box<MultiGzDecoder<Peeked<R>>>),
    /// Takes several frames in a row for one, as programs write them that pack in parallel.
    Zstd(Box<zstd::Decoder<'static, BufReader<Peeked<R>>>>),
}

impl<R: Read> Unpacked<R> {
    /// Looks at the first bytes and reads no further.
    ///
    /// # Errors
    /// When reading fails, or the header of the compression is damaged.
    pub fn new(mut from: R) -> io::Result<Self> {
        let mut start = Vec::with_capacity(ZSTD.len());
        let most = ZSTD.len() as u64;
        from.by_ref().take(most).read_to_end(&mut start)?;
        let is_gzip = start.starts_with(&GZIP);
        let is_zstd = start == ZSTD;
        let from = Cursor::new(start).chain(from);
        Ok(Self(if is_gzip {
            Inner::Gzip(Box::new(MultiGzDecoder::new(from)))
        } else if is_zstd {
            Inner::Zstd(Box::new(zstd::Decoder::new(from)?))
        } else {
            Inner::Plain(from)
        }))
    }

    pub fn compression(&self) -> Compression {
        match self.0 {
            Inner::Plain(_) => Compression::None,
            Inner::Gzip(_) => Compression::Gzip,
            Inner::Zstd(_) => Compression::Zstd,
        }
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Inner::Plain(from) => from.read(into),
            Inner::Gzip(from) => from.read(into),
            Inner::Zstd(from) => from.read(into),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression as Level;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Level::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 1).unwrap()
    }

    fn unpacked(bytes: &[u8]) -> (Compression, Vec<u8>) {
        let mut unpacked = Unpacked::new(bytes).unwrap();
        let mut out = Vec::new();
        unpacked.read_to_end(&mut out).unwrap();
        (unpacked.compression(), out)
    }

    #[test]
    fn what_was_packed_is_recognised_and_unpacked() {
        let plain = b"REDIS0011 and so on".repeat(20_000);
        let skipped = [&b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"[..], &zstd(&plain)].concat();
        for (packed, compression) in [
            (plain.clone(), Compression::None),
            (gzip(&plain), Compression::Gzip),
            (zstd(&plain), Compression::Zstd),
        ] {
            assert_eq!(unpacked(&packed), (compression, plain.clone()));
        }
        let both = [zstd(&plain), skipped].concat();
        assert_eq!(unpacked(&both).1, plain.repeat(2));
        for short in [&b""[..], b"\x1f", b"RE"] {
            assert_eq!(unpacked(short), (Compression::None, short.to_vec()));
        }
    }

    #[test]
    fn what_is_cut_is_an_error() {
        let plain = b"REDIS0011 and so on".repeat(2_000);
        for packed in [gzip(&plain), zstd(&plain)] {
            let cut = &packed[..packed.len() - 5];
            let read = Unpacked::new(cut).and_then(|mut from| from.read_to_end(&mut Vec::new()));
            assert!(read.is_err());
        }
    }
}
