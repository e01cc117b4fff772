//! LZF, as servers compress strings in snapshots: runs of literal bytes, and copies out of the last
//! 8 KiB.

/// How far back a copy may reach.
pub const REACH: usize = 1 << 13;
/// The longest instruction: a run of 32 bytes and its header.
pub const STEP: usize = 33;

/// Carries out the instructions that stand whole in `input`, behind what `out` ends with, and returns
/// how many bytes they were. At most so many bytes are written.
pub fn inflate(
    input: &[u8],
    is_last: bool,
    most: u64,
    out: &mut Vec<u8>,
) -> Result<usize, &'static str> {
    let end = out
        .len()
        .saturating_add(usize::try_from(most).unwrap_or(usize::MAX));
    let mut at = 0;
    while let Some(instruction) = Instruction::at(&input[at..]) {
        if out.len() + instruction.writes() > end {
            return Err("a compressed string that is longer than it says");
        }
        match instruction {
            Instruction::Literal(bytes) => out.extend_from_slice(bytes),
            Instruction::Copy { back, length, .. } => copy(out, back, length)?,
        }
        at += instruction.reads();
    }
    if is_last && at < input.len() {
        return Err("a compressed string that ends within an instruction");
    }
    Ok(at)
}

/// The first bytes of what `input` begins to tell, and how many of them are known.
pub fn head<const N: usize>(input: &[u8], head: &mut [u8; N]) -> usize {
    let mut known = 0;
    let mut at = 0;
    while known < N
        && let Some(instruction) = Instruction::at(&input[at..])
    {
        match instruction {
            Instruction::Literal(bytes) => {
                let count = bytes.len().min(N - known);
                head[known..known + count].copy_from_slice(&bytes[..count]);
                known += count;
            }
            Instruction::Copy { back, length, .. } => {
                for _ in 0..length.min(N - known) {
                    let Some(from) = known.checked_sub(back) else {
                        return known;
                    };
                    head[known] = head[from];
                    known += 1;
                }
            }
        }
        at += instruction.reads();
    }
    known
}

#[derive(Clone, Copy, Debug)]
enum Instruction<'a> {
    Literal(&'a [u8]),
    Copy {
        back: usize,
        length: usize,
        reads: usize,
    },
}

impl<'a> Instruction<'a> {
    /// The instruction that stands here, if it stands here whole.
    fn at(input: &'a [u8]) -> Option<Self> {
        let (&first, rest) = input.split_first()?;
        let length = usize::from(first >> 5);
        if length == 0 {
            return rest.get(..usize::from(first) + 1).map(Self::Literal);
        }
        let far = usize::from(first & 0x1f) << 8;
        if length < 7 {
            let near = usize::from(*rest.first()?);
            return Some(Self::Copy {
                back: (far | near) + 1,
                length: length + 2,
                reads: 2,
            });
        }
        let (more, near) = (usize::from(*rest.first()?), usize::from(*rest.get(1)?));
        Some(Self::Copy {
            back: (far | near) + 1,
            length: length + more + 2,
            reads: 3,
        })
    }

    fn reads(&self) -> usize {
        match self {
            Self::Literal(bytes) => bytes.len() + 1,
            Self::Copy { reads, .. } => *reads,
        }
    }

    fn writes(&self) -> usize {
        match self {
            Self::Literal(bytes) => bytes.len(),
            Self::Copy { length, .. } => *length,
        }
    }
}

fn copy(out: &mut Vec<u8>, back: usize, length: usize) -> Result<(), &'static str> {
    let start = out
        .len()
        .checked_sub(back)
        .ok_or("a compressed string that copies from before its beginning")?;
    if back >= length {
        out.extend_from_within(start..start + length);
    } else {
        // The copy repeats what it writes.
        for at in start..start + length {
            out.push(out[at]);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop, proptest};

    /// A plain packer: copies where the last three bytes stood before, literals elsewhere.
    fn deflate(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut literal: Vec<u8> = Vec::new();
        let mut at = 0;
        let flush = |literal: &mut Vec<u8>, out: &mut Vec<u8>| {
            for run in literal.chunks(32) {
                out.push(u8::try_from(run.len() - 1).unwrap());
                out.extend_from_slice(run);
            }
            literal.clear();
        };
        while at < bytes.len() {
            let found = (1..=at.min(REACH)).find_map(|back| {
                let from = &bytes[at - back..];
                let same = from.iter().zip(&bytes[at..]).take_while(|(a, b)| a == b);
                let length = same.count().min(264);
                (length >= 3).then(|| (back - 1, length - 2))
            });
            let Some((back, length)) = found else {
                literal.push(bytes[at]);
                at += 1;
                continue;
            };
            flush(&mut literal, &mut out);
            let far = u8::try_from(back >> 8).unwrap();
            let near = u8::try_from(back & 0xff).unwrap();
            if length < 7 {
                out.extend([u8::try_from(length << 5).unwrap() | far, near]);
            } else {
                out.extend([7 << 5 | far, u8::try_from(length - 7).unwrap(), near]);
            }
            at += length + 2;
        }
        flush(&mut literal, &mut out);
        out
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_back(bytes in prop::collection::vec(0_u8..4, 0..2_000)) {
            let packed = deflate(&bytes);
            let mut out = Vec::new();
            let used = inflate(&packed, true, bytes.len() as u64, &mut out);
            assert_eq!(used, Ok(packed.len()));
            assert_eq!(out, bytes);
            let mut first = [0; 16];
            let known = head(&packed, &mut first);
            assert_eq!(first[..known], bytes[..bytes.len().min(16)]);
        }

        #[test]
        fn any_bytes_end_in_an_answer_within_the_limit(packed in prop::collection::vec(any::<u8>(), 0..300), most in 0_u64..500) {
            let mut out = Vec::new();
            let _ended = inflate(&packed, true, most, &mut out);
            assert!(out.len() as u64 <= most);
        }
    }

    #[test]
    fn instructions_that_lie_are_refused() {
        for (packed, most) in [
            (&[0x20, 0x00][..], 3),           // a copy from before the beginning
            (&[0x01, b'a'], 2),               // a run that ends early
            (&[0x00, b'a', 0x20, 0x00], 3),   // more than was claimed
            (&[0x00, b'a', 0xe0, 0x00], 264), // a copy that ends early
        ] {
            let mut out = Vec::new();
            assert!(inflate(packed, true, most, &mut out).is_err(), "{packed:?}");
        }
    }
}
