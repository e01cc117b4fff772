//! Collections that stand in one string: listpacks, ziplists, zipmaps and sets of integers.
//!
//! All are read the same way: an iterator of values that borrow from the string. Whatever does not fit
//! ends it with a word for what is wrong; nothing is allocated.

use crate::snapshot::rdb::source::decimal;

/// One value: bytes as they stand, or a number that stands for its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    Text(&'a [u8]),
    Int(i64),
}

impl<'a> Value<'a> {
    pub fn bytes<'b>(self, digits: &'b mut [u8; 20]) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Self::Text(bytes) => bytes,
            Self::Int(number) => decimal(number, digits),
        }
    }

    /// The number that it is or says.
    pub fn number(self) -> Option<i64> {
        match self {
            Self::Text(bytes) => str::from_utf8(bytes).ok()?.parse().ok(),
            Self::Int(number) => Some(number),
        }
    }
}

/// How values are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Listpack,
    Ziplist,
    Zipmap,
    Intset,
}

pub type Item<'a> = Result<Value<'a>, &'static str>;

/// The values of a packed collection, in their order.
#[derive(Clone, Debug)]
pub struct Items<'a> {
    form: Form,
    bytes: &'a [u8],
    at: usize,
    /// Bytes of each integer of a set.
    width: usize,
    /// The next of a zipmap is a value.
    is_value: bool,
    is_over: bool,
}

/// What the header of a packed collection needs to be read.
pub const HEAD: usize = 10;

/// How many values a header tells; `None` where it does not (there are very many, or it is a zipmap).
pub fn told(form: Form, head: &[u8; HEAD]) -> Option<u64> {
    let short = |at: usize| {
        let count = u16::from_le_bytes([head[at], head[at + 1]]);
        (count != u16::MAX).then_some(u64::from(count))
    };
    match form {
        Form::Listpack => short(4),
        Form::Ziplist => short(8),
        Form::Intset => Some(u64::from(u32::from_le_bytes([
            head[4], head[5], head[6], head[7],
        ]))),
        Form::Zipmap => (head[0] < 254).then_some(2 * u64::from(head[0])),
    }
}

impl<'a> Items<'a> {
    /// # Errors
    /// When the header does not agree with the string.
    pub fn of(form: Form, bytes: &'a [u8]) -> Result<Self, &'static str> {
        let mut items = Self {
            form,
            bytes,
            at: 0,
            width: 0,
            is_value: false,
            is_over: false,
        };
        match form {
            Form::Listpack => {
                items.at = 6;
                if long(bytes, 0) != Some(bytes.len() as u64) || bytes.len() < 7 {
                    return Err("a listpack whose length is wrong");
                }
            }
            Form::Ziplist => {
                items.at = 10;
                if long(bytes, 0) != Some(bytes.len() as u64) || bytes.len() < 11 {
                    return Err("a ziplist whose length is wrong");
                }
            }
            Form::Zipmap => {
                items.at = 1;
                if bytes.len() < 2 {
                    return Err("a zipmap that is too short");
                }
            }
            Form::Intset => items.open_intset()?,
        }
        Ok(items)
    }

    fn open_intset(&mut self) -> Result<(), &'static str> {
        let width = long(self.bytes, 0).ok_or("a set of integers that is too short")?;
        let count = long(self.bytes, 4).ok_or("a set of integers that is too short")?;
        if ![2, 4, 8].contains(&width) {
            return Err("a set of integers of an unknown width");
        }
        if width * count + 8 != self.bytes.len() as u64 {
            return Err("a set of integers whose length is wrong");
        }
        self.at = 8;
        self.width = usize::try_from(width).unwrap_or(8);
        Ok(())
    }

    fn step(&mut self) -> Result<Option<Value<'a>>, &'static str> {
        match self.form {
            Form::Listpack => self.listpack(),
            Form::Ziplist => self.ziplist(),
            Form::Zipmap => self.zipmap(),
            Form::Intset => self.intset(),
        }
    }

    fn take(&mut self, count: usize, short: &'static str) -> Result<&'a [u8], &'static str> {
        let end = self.at.checked_add(count).ok_or(short)?;
        let bytes = self.bytes.get(self.at..end).ok_or(short)?;
        self.at = end;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self, short: &'static str) -> Result<[u8; N], &'static str> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, short)?);
        Ok(array)
    }

    fn intset(&mut self) -> Result<Option<Value<'a>>, &'static str> {
        const SHORT: &str = "a set of integers that is too short";
        if self.at == self.bytes.len() {
            return Ok(None);
        }
        let number = match self.width {
            2 => i64::from(i16::from_le_bytes(self.array(SHORT)?)),
            4 => i64::from(i32::from_le_bytes(self.array(SHORT)?)),
            _ => i64::from_le_bytes(self.array(SHORT)?),
        };
        Ok(Some(Value::Int(number)))
    }

    fn listpack(&mut self) -> Result<Option<Value<'a>>, &'static str> {
        const SHORT: &str = "a listpack that ends within an element";
        let start = self.at;
        let [first] = self.array(SHORT)?;
        let value = match first {
            0xff => {
                return if self.at == self.bytes.len() {
                    Ok(None)
                } else {
                    Err("a listpack that goes on after its end")
                };
            }
            0x00..=0x7f => Value::Int(i64::from(first)),
            0x80..=0xbf => Value::Text(self.take(usize::from(first & 0x3f), SHORT)?),
            0xc0..=0xdf => {
                let [low] = self.array(SHORT)?;
                let number = i64::from(first & 0x1f) << 8 | i64::from(low);
                Value::Int((number << 51) >> 51)
            }
            0xe0..=0xef => {
                let [low] = self.array(SHORT)?;
                let length = usize::from(first & 0x0f) << 8 | usize::from(low);
                Value::Text(self.take(length, SHORT)?)
            }
            0xf0 => {
                let length = u32::from_le_bytes(self.array(SHORT)?);
                let length = usize::try_from(length).map_err(|_| SHORT)?;
                Value::Text(self.take(length, SHORT)?)
            }
            0xf1 => Value::Int(i64::from(i16::from_le_bytes(self.array(SHORT)?))),
            0xf2 => Value::Int(three(self.array(SHORT)?)),
            0xf3 => Value::Int(i64::from(i32::from_le_bytes(self.array(SHORT)?))),
            0xf4 => Value::Int(i64::from_le_bytes(self.array(SHORT)?)),
            _ => return Err("a listpack with an element of an unknown form"),
        };
        // Its length stands behind each element once more, to be read backwards.
        let length = self.at - start;
        self.take(back_length(length), SHORT)?;
        Ok(Some(value))
    }

    fn ziplist(&mut self) -> Result<Option<Value<'a>>, &'static str> {
        const SHORT: &str = "a ziplist that ends within an element";
        let [previous] = self.array(SHORT)?;
        match previous {
            0xff => {
                return if self.at == self.bytes.len() {
                    Ok(None)
                } else {
                    Err("a ziplist that goes on after its end")
                };
            }
            0xfe => drop(self.take(4, SHORT)?),
            _ => {}
        }
        let [first] = self.array(SHORT)?;
        let value = match first {
            0x00..=0x3f => Value::Text(self.take(usize::from(first), SHORT)?),
            0x40..=0x7f => {
                let [low] = self.array(SHORT)?;
                let length = usize::from(first & 0x3f) << 8 | usize::from(low);
                Value::Text(self.take(length, SHORT)?)
            }
            0x80 => {
                let length = u32::from_be_bytes(self.array(SHORT)?);
                let length = usize::try_from(length).map_err(|_| SHORT)?;
                Value::Text(self.take(length, SHORT)?)
            }
            0xc0 => Value::Int(i64::from(i16::from_le_bytes(self.array(SHORT)?))),
            0xd0 => Value::Int(i64::from(i32::from_le_bytes(self.array(SHORT)?))),
            0xe0 => Value::Int(i64::from_le_bytes(self.array(SHORT)?)),
            0xf0 => Value::Int(three(self.array(SHORT)?)),
            0xfe => Value::Int(i64::from(i8::from_le_bytes(self.array(SHORT)?))),
            0xf1..=0xfd => Value::Int(i64::from(first & 0x0f) - 1),
            _ => return Err("a ziplist with an element of an unknown form"),
        };
        Ok(Some(value))
    }

    fn zipmap(&mut self) -> Result<Option<Value<'a>>, &'static str> {
        const SHORT: &str = "a zipmap that ends within an element";
        let [first] = self.array(SHORT)?;
        let length = match first {
            0xff if self.is_value => return Err("a zipmap with a field that has no value"),
            0xff if self.at == self.bytes.len() => return Ok(None),
            0xff => return Err("a zipmap that goes on after its end"),
            0xfe => usize::try_from(u32::from_le_bytes(self.array(SHORT)?)).map_err(|_| SHORT)?,
            _ => usize::from(first),
        };
        let unused = if self.is_value {
            usize::from(self.array::<1>(SHORT)?[0])
        } else {
            0
        };
        let text = self.take(length, SHORT)?;
        self.take(unused, SHORT)?;
        self.is_value = !self.is_value;
        Ok(Some(Value::Text(text)))
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        if self.is_over {
            return None;
        }
        let step = self.step();
        self.is_over = !matches!(step, Ok(Some(_)));
        step.transpose()
    }
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    let four = bytes.get(at..at + 4)?;
    Some(u64::from(u32::from_le_bytes([
        four[0], four[1], four[2], four[3],
    ])))
}

fn three([low, middle, high]: [u8; 3]) -> i64 {
    i64::from(i32::from_le_bytes([0, low, middle, high]) >> 8)
}

/// How many bytes say how long an element of a listpack is.
fn back_length(length: usize) -> usize {
    match length {
        0..=127 => 1,
        128..=16_382 => 2,
        16_383..=2_097_150 => 3,
        2_097_151..=268_435_454 => 4,
        _ => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop, proptest};

    fn read(form: Form, bytes: &[u8]) -> Result<Vec<String>, &'static str> {
        let mut digits = [0; 20];
        Items::of(form, bytes)?
            .map(|item| Ok(item?.bytes(&mut digits).escape_ascii().to_string()))
            .collect()
    }

    /// A listpack of these elements, each as it would stand there with its form.
    fn listpack(elements: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = vec![0; 6];
        for element in elements {
            bytes.extend_from_slice(element);
            bytes.resize(bytes.len() + back_length(element.len()), 0);
        }
        bytes.push(0xff);
        let length = u32::try_from(bytes.len()).unwrap();
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        let count = u16::try_from(elements.len()).unwrap_or(u16::MAX);
        bytes[4..6].copy_from_slice(&count.to_le_bytes());
        bytes
    }

    fn long_text(length: usize) -> Vec<u8> {
        let mut element = vec![0xf0];
        element.extend(u32::try_from(length).unwrap().to_le_bytes());
        element.resize(5 + length, b'x');
        element
    }

    #[test]
    fn every_form_of_a_listpack_is_read() {
        let elements = [
            vec![0x05],
            vec![0x83, b'a', b'b', b'c'],
            vec![0xdf, 0xff],
            vec![0xcf, 0xff],
            vec![0xe0, 0x01, b'x'],
            vec![0xf1, 0x00, 0x80],
            vec![0xf2, 0xff, 0xff, 0xff],
            vec![0xf3, 0, 0, 0, 0x80],
            vec![0xf4, 0, 0, 0, 0, 0, 0, 0, 0x80],
        ];
        let expected = [
            "5",
            "abc",
            "-1",
            "4095",
            "x",
            "-32768",
            "-1",
            "-2147483648",
            "-9223372036854775808",
        ];
        let bytes = listpack(&elements);
        assert_eq!(read(Form::Listpack, &bytes).unwrap(), expected);
        let head = bytes[..HEAD].try_into().unwrap();
        assert_eq!(told(Form::Listpack, head), Some(9));
    }

    #[test]
    fn long_elements_of_a_listpack_are_passed_by_their_length() {
        for length in [
            121, 122, 123, 16_377, 16_378, 16_379, 2_097_145, 2_097_146, 2_097_147,
        ] {
            let bytes = listpack(&[long_text(length), vec![7]]);
            let read = read(Form::Listpack, &bytes).unwrap();
            assert_eq!((read[0].len(), read[1].as_str()), (length, "7"));
        }
    }

    #[test]
    fn every_form_of_a_ziplist_is_read() {
        #[rustfmt::skip]
        let body = [
            &[0, 0x03, b'a', b'b', b'c'][..],
            &[5, 0x40, 0x01, b'x'],
            &[4, 0x80, 0, 0, 0, 1, b'y'],
            &[7, 0xc0, 0x00, 0x80],
            &[4, 0xd0, 0, 0, 0, 0x80],
            &[6, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0x80],
            &[0xfe, 10, 0, 0, 0, 0xf0, 0, 0, 0x80],
            &[9, 0xfe, 0xff],
            &[3, 0xf1],
            &[2, 0xfd],
            &[0xff],
        ].concat();
        let mut bytes = vec![0; 10];
        bytes.extend(body);
        let length = u32::try_from(bytes.len()).unwrap();
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        let expected = [
            "abc",
            "x",
            "y",
            "-32768",
            "-2147483648",
            "-9223372036854775808",
            "-8388608",
            "-1",
            "0",
            "12",
        ];
        assert_eq!(read(Form::Ziplist, &bytes).unwrap(), expected);
    }

    #[test]
    fn sets_of_integers_of_every_width_are_read() {
        for (width, number) in [(2_u32, -2_i64), (4, -70_000), (8, 1 << 40)] {
            let mut bytes = width.to_le_bytes().to_vec();
            bytes.extend(1_u32.to_le_bytes());
            bytes.extend(&number.to_le_bytes()[..width as usize]);
            assert_eq!(read(Form::Intset, &bytes).unwrap(), [number.to_string()]);
            bytes.pop();
            assert!(read(Form::Intset, &bytes).is_err());
        }
    }

    #[test]
    fn a_zipmap_with_unused_bytes_is_read() {
        let bytes = b"\x02\x01a\x02\x01bb_\x03foo\x00\x00\xff";
        assert_eq!(read(Form::Zipmap, bytes).unwrap(), ["a", "bb", "foo", ""]);
        assert!(read(Form::Zipmap, b"\x01\x01a\xff").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..200), length_fits: bool) {
            for form in [Form::Listpack, Form::Ziplist, Form::Zipmap, Form::Intset] {
                let mut bytes = bytes.clone();
                if length_fits && bytes.len() > 4 && form != Form::Intset {
                    let length = u32::try_from(bytes.len()).unwrap();
                    bytes[..4].copy_from_slice(&length.to_le_bytes());
                }
                if let Ok(values) = read(form, &bytes) {
                    assert!(values.len() <= bytes.len());
                }
            }
        }

        #[test]
        fn texts_in_a_listpack_come_back(texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..30)) {
            let elements: Vec<Vec<u8>> = texts
                .iter()
                .map(|text| [&[0x80 | u8::try_from(text.len()).unwrap()], &text[..]].concat())
                .collect();
            let bytes = listpack(&elements);
            let values: Result<Vec<Value>, _> = Items::of(Form::Listpack, &bytes).unwrap().collect();
            let expected: Vec<Value> = texts.iter().map(|text| Value::Text(text)).collect();
            assert_eq!(values.unwrap(), expected);
        }
    }
}
