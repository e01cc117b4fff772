//! Making a snapshot file smaller while it is written.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    Plain,
    Gzip,
    Zstd,
}

/// Packs what is written into it.
pub enum Packer<W: Write> {
    Plain(W),
    Gzip(GzEncoder<W>),
    Zstd(zstd::Encoder<'static, W>),
}

impl<W: Write> Packer<W> {
    /// # Errors
    /// When the packer cannot be set up.
    pub fn new(packing: Packing, inner: W) -> io::Result<Self> {
        Ok(match packing {
            Packing::Plain => Self::Plain(inner),
            // Faster than most disks and networks; the last percent is not worth a held-up server.
            Packing::Gzip => Self::Gzip(GzEncoder::new(inner, Compression::fast())),
            Packing::Zstd => {
                let mut encoder = zstd::Encoder::new(inner, 1)?;
                encoder.include_checksum(true)?;
                Self::Zstd(encoder)
            }
        })
    }

    /// Writes what is still held back, and gives the inner writer back.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn finish(self) -> io::Result<W> {
        match self {
            Self::Plain(inner) => Ok(inner),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

impl<W: Write> Write for Packer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(inner) => inner.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(inner) => inner.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn packed(packing: Packing, text: &[u8]) -> Vec<u8> {
        let mut packer = Packer::new(packing, Vec::new()).unwrap();
        packer.write_all(text).unwrap();
        packer.finish().unwrap()
    }

    #[test]
    fn what_is_packed_comes_back() {
        let text = b"REDIS0010".repeat(1000);
        assert_eq!(packed(Packing::Plain, &text), text);
        let zipped = packed(Packing::Gzip, &text);
        let mut back = Vec::new();
        flate2::read::GzDecoder::new(&zipped[..])
            .read_to_end(&mut back)
            .unwrap();
        assert_eq!(back, text);
        let small = packed(Packing::Zstd, &text);
        assert_eq!(zstd::decode_all(&small[..]).unwrap(), text);
        assert!(small.len() < text.len() / 10 && zipped.len() < text.len() / 10);
    }
}
