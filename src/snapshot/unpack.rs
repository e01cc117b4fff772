//! Lifts the compression off a snapshot: gzip and zstd, recognised by their first bytes.

use std::io::{self, BufRead as _, BufReader, Chain, Cursor, Read};

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

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
    Zstd(Box<Frames<Peeked<R>>>),
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
            Inner::Zstd(Box::new(Frames::new(from)?))
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

/// Frames of zstd one after the other, as programs write them that pack in parallel.
struct Frames<R: Read> {
    from: BufReader<R>,
    decoder: FrameDecoder,
    is_within: bool,
}

impl<R: Read> Frames<R> {
    fn new(from: R) -> io::Result<Self> {
        let mut frames = Self {
            from: BufReader::new(from),
            decoder: FrameDecoder::new(),
            is_within: false,
        };
        frames.begin()?;
        Ok(frames)
    }

    /// Begins the next frame that holds something, if there is one.
    fn begin(&mut self) -> io::Result<()> {
        while !self.is_within && !self.from.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.from) {
                Ok(()) => self.is_within = true,
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let mut skipped = self.from.by_ref().take(u64::from(length));
                    io::copy(&mut skipped, &mut io::sink())?;
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.is_within = false;
        let told = self.decoder.get_checksum_from_data();
        if told.is_some() && told != self.decoder.get_calculated_checksum() {
            return Err(io::Error::other("the checksum of the zstd frame is wrong"));
        }
        Ok(())
    }
}

impl<R: Read> Read for Frames<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            self.begin()?;
            if !self.is_within {
                return Ok(0);
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.from, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(io::Error::other)?;
            }
            let count = self.decoder.read(into)?;
            if self.decoder.is_finished() && self.decoder.can_collect() == 0 {
                self.end()?;
            }
            if count > 0 || into.is_empty() {
                return Ok(count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression as Level;
    use flate2::write::GzEncoder;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Level::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        compress_to_vec(bytes, CompressionLevel::Fastest)
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
