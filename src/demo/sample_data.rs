//! What the servers hold: the keyspace of a small shop, with the oddities that one meets.
//!
//! About 6,000 keys: every type; sessions that end at different times and products that all end at
//! the same one (a TTL cliff); exports that nobody will ever delete (a leak); keys and values that
//! are not text; one value and one hash that are far too large.

use std::fmt::Write;
use std::io;

use super::dice::Dice;
use super::line::{MemcachedLine, RedisLine};

const SEED: u64 = 0x00ca_c4ed;

/// How many there are of what the traffic asks for again.
pub(super) const ARTICLES: u64 = 900;
pub(super) const USERS: u64 = 600;
pub(super) const BOARDS: &[&str] = &["chess", "go", "darts", "pool"];
pub(super) const TOPICS: &[&str] = &["clicks", "orders", "signups"];

const NAMES: &[&str] = &[
    "Ada", "Grace", "Linus", "Margaret", "Dennis", "Barbara", "Ken", "Radia", "Zoë", "Łukasz",
    "李", "محمد",
];
const CITIES: &[(&str, &str, &str)] = &[
    ("Zürich", "8.5417", "47.3769"),
    ("Lisboa", "-9.1393", "38.7223"),
    ("東京", "139.6917", "35.6895"),
    ("Nairobi", "36.8219", "-1.2921"),
    ("São Paulo", "-46.6333", "-23.5505"),
    ("Oslo", "10.7522", "59.9139"),
];
const WORDS: &[&str] = &[
    "cache", "memory", "bucket", "window", "lantern", "harbour", "copper", "meadow", "signal",
    "thread", "anchor", "walnut",
];

/// A dict with a list and a float, as Python's pickle (protocol 4) writes it.
const PICKLE: &[u8] = b"\x80\x04\x95G\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x04user\x94K*\x8c\x05roles\x94]\x94(\x8c\x05admin\x94\x8c\x03ops\x94e\x8c\nlast_login\x94N\x8c\x05score\x94G?\xe0\x00\x00\x00\x00\x00\x00u.";
/// A small JSON text in gzip.
const GZIP: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcd\xcc\xc1\r\x80 \x0c\x00\xc0U\x9a\xbe\xfbQ\x7f\xacb|\x10i\xa4\x89\x08\xa1E\x12\x89\xbb\xbb\x867\xc0\r\xdcs*\x95U9\xa0\xb3\xda\x98\xf0\xca\xc6\xe8\xd0\xa2(\xdc\xfel\x0c\xdd+\xa8\xe5\xca\x01\xbaX\x84\xe3\x91\x82\x84b\x9c\x14\xdd:\xd1L\xcb\xf6\x8e\x9f^\x1f0\x81\xeb\xac\xe4\x00\x00\x00";
/// And one in zlib.
const ZLIB: &[u8] = b"x\x9c\xabVJ\xce\xcf-(J-.NMQ\xb2*)*M\xd5QJ\xaaT\xb2R\xaa\xca\xc9LR\xaa\xad\xa6\xa54\x00\xbf\xa0+\x95";
/// `{"id": 7, "ok": true, "tags": ["a", "b"]}` in `MessagePack`.
const MSGPACK: &[u8] = b"\x83\xa2id\x07\xa2ok\xc3\xa4tags\x92\xa1a\xa1b";
const PHP: &[u8] = b"a:2:{s:4:\"user\";i:42;s:5:\"theme\";s:4:\"dark\";}";

/// Seconds.
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

pub(super) fn fill_redis(line: RedisLine) -> io::Result<()> {
    let mut shop = Shop {
        line,
        dice: Dice::with_seed(SEED),
    };
    shop.line.send(&["CLIENT", "SETNAME", "demo-fill"])?;
    shop.strings()?;
    shop.documents()?;
    shop.collections()?;
    shop.streams()?;
    shop.counting()?;
    shop.large()?;
    shop.odd()?;
    shop.other_databases()?;
    shop.line.flush()
}

struct Shop {
    line: RedisLine,
    dice: Dice,
}

impl Shop {
    fn send(&mut self, command: &str, key: &str, rest: &[&str]) -> io::Result<()> {
        let words: Vec<&str> = [&[command, key], rest].concat();
        self.line.send(&words)
    }

    fn strings(&mut self) -> io::Result<()> {
        for _ in 0..2000 {
            let (key, user) = (self.key("session"), self.dice.popular(USERS));
            let body = format!(r#"{{"user":{user},"csrf":"{:016x}"}}"#, self.dice.roll());
            let seconds = (30 + self.dice.below(2 * HOUR)).to_string();
            self.send("SET", &key, &[&body, "EX", &seconds])?;
        }
        for product in 0..800 {
            let body = product_page(product, &mut self.dice);
            self.send("SET", &format!("product:{product}"), &[&body, "EX", "900"])?;
        }
        for _ in 0..700 {
            let key = self.key("tmp:export");
            let length = 200 + self.dice.below(1800);
            let body = prose(&mut self.dice, length);
            self.send("SET", &key, &[&body])?;
        }
        for _ in 0..400 {
            let octet = |dice: &mut Dice| dice.below(254) + 1;
            let key = format!(
                "rate:10.0.{}.{}",
                octet(&mut self.dice),
                octet(&mut self.dice)
            );
            let (hits, seconds) = (self.dice.popular(100), 10 + self.dice.below(50));
            self.send(
                "SET",
                &key,
                &[&hits.to_string(), "EX", &seconds.to_string()],
            )?;
        }
        self.send(
            "SET",
            "config:flags",
            &[r#"{"dark_mode":true,"checkout_v2":false}"#],
        )?;
        self.send("SET", "counter:pageviews", &["18446744"])
    }

    fn documents(&mut self) -> io::Result<()> {
        for id in 0..ARTICLES {
            let body = article(id, &mut self.dice);
            let seconds = (DAY + self.dice.below(DAY)).to_string();
            self.send("SET", &format!("article:{id}"), &[&body, "EX", &seconds])?;
        }
        for id in 0..USERS {
            let name = self.dice.one_of(NAMES);
            let mail = format!("user{id}@shop.example");
            let visits = self.dice.popular(500).to_string();
            let fields = [
                "name", name, "mail", &mail, "visits", &visits, "plan", "free",
            ];
            self.send("HSET", &format!("user:{id}"), &fields)?;
        }
        Ok(())
    }

    fn collections(&mut self) -> io::Result<()> {
        for id in 0..200 {
            for _ in 0..=self.dice.below(5) {
                let product = self.dice.below(800).to_string();
                self.send("HSET", &format!("cart:{id}"), &[&product, "1"])?;
            }
            let seconds = (HOUR + self.dice.below(DAY)).to_string();
            self.send("EXPIRE", &format!("cart:{id}"), &[&seconds])?;
        }
        for id in 0..150 {
            for _ in 0..=self.dice.below(20) {
                let article = format!("article:{}", self.dice.popular(ARTICLES));
                self.send("LPUSH", &format!("feed:{id}"), &[&article])?;
            }
        }
        for id in 0..80 {
            for _ in 0..=self.dice.below(30) {
                let word = self.dice.one_of(WORDS);
                self.send("SADD", &format!("tags:{id}"), &[word])?;
            }
        }
        for board in BOARDS {
            for _ in 0..300 {
                let member = format!("user:{}", self.dice.below(USERS));
                let score = self.dice.popular(10_000).to_string();
                self.send("ZADD", &format!("leaderboard:{board}"), &[&score, &member])?;
            }
        }
        for job in 0..400 {
            self.send("RPUSH", "queue:mail", &[&format!(r#"{{"job":{job}}}"#)])?;
        }
        for (city, longitude, latitude) in CITIES {
            self.send("GEOADD", "geo:shops", &[longitude, latitude, city])?;
        }
        Ok(())
    }

    fn streams(&mut self) -> io::Result<()> {
        for topic in TOPICS {
            let key = format!("events:{topic}");
            for entry in 0..300_u64 {
                // A fixed past, so that the traffic's own entries come after.
                let id = format!("{}-0", 1_700_000_000_000 + entry * 1_000);
                let user = self.dice.below(USERS).to_string();
                self.send("XADD", &key, &[&id, "user", &user, "page", "/home"])?;
            }
            self.line
                .send(&["XGROUP", "CREATE", &key, "workers", "0"])?;
            let read = [
                "GROUP", "workers", "worker-1", "COUNT", "25", "STREAMS", &key, ">",
            ];
            let words: Vec<&str> = [&["XREADGROUP"], &read[..]].concat();
            self.line.send(&words)?;
        }
        Ok(())
    }

    fn counting(&mut self) -> io::Result<()> {
        for day in 1..=14 {
            for _ in 0..40 {
                let visitor = format!("{:x}", self.dice.roll());
                self.send("PFADD", &format!("visitors:day-{day:02}"), &[&visitor])?;
                let user = self.dice.below(USERS).to_string();
                self.send("SETBIT", &format!("active:day-{day:02}"), &[&user, "1"])?;
            }
        }
        Ok(())
    }

    fn large(&mut self) -> io::Result<()> {
        let report = document_of(300 << 10, &mut self.dice);
        self.send("SET", "report:yearly", &[&report])?;
        for field in 0..5000 {
            let price = self.dice.below(100_000).to_string();
            self.send("HSET", "prices:all", &[&format!("sku-{field:05}"), &price])?;
        }
        Ok(())
    }

    /// Keys and values that a careless screen chokes on.
    fn odd(&mut self) -> io::Result<()> {
        let odd: &[(&[u8], &[u8])] = &[
            (b"bin:\x00\x01\xfe\xff", b"\x00\xff\x00\xff"),
            (b"bin:\xc3\x28 not utf-8", b"\xc3\x28"),
            (
                b"evil:\x1b[31mred\x1b]0;title\x07",
                b"\x1b[2J\x1b[H value that would clear the screen",
            ),
            (b"evil:two\r\nlines", b"line one\r\nline two\ttab"),
            ("wide:商品:東京:🗾".as_bytes(), "幅の広い文字 👩‍👩‍👧‍👦".as_bytes()),
            ("rtl:مستخدم:٤٢".as_bytes(), "שלום עולם".as_bytes()),
            (
                "rtl:\u{202e}gnp.exe".as_bytes(),
                "the key hides an override".as_bytes(),
            ),
            (b"space:  two  spaces ", b"  leading and trailing  "),
            (b"", b"the key is the empty string"),
            (b"empty:value", b""),
            (b"blob:pickle", PICKLE),
            (b"blob:gzip", GZIP),
            (b"blob:zlib", ZLIB),
            (b"blob:msgpack", MSGPACK),
            (b"blob:php", PHP),
            (b"blob:json:broken", b"{\"a\": [1, 2,"),
            (b"blob:number", b"1700000000"),
        ];
        for (key, value) in odd {
            self.line.send(&[b"SET".as_slice(), key, value])?;
        }
        Ok(())
    }

    fn other_databases(&mut self) -> io::Result<()> {
        for (database, kind, count) in [("1", "job", 200), ("3", "page", 60), ("15", "lock", 1)] {
            self.line.send(&["SELECT", database])?;
            for id in 0..count {
                let body = prose(&mut self.dice, 120);
                self.send("SET", &format!("{kind}:{id}"), &[&body, "EX", "86400"])?;
            }
        }
        Ok(())
    }

    fn key(&mut self, kind: &str) -> String {
        format!("{kind}:{:016x}", self.dice.roll())
    }
}

pub(super) fn fill_memcached(mut line: MemcachedLine) -> io::Result<()> {
    let dice = &mut Dice::with_seed(SEED);
    for id in 0..ARTICLES {
        let seconds = DAY + dice.below(DAY);
        line.set(
            &format!("article:{id}"),
            article(id, dice).as_bytes(),
            0,
            seconds,
        )?;
    }
    for _ in 0..2000 {
        let key = format!("session:{:016x}", dice.roll());
        let body = format!(r#"{{"user":{}}}"#, dice.popular(USERS));
        line.set(&key, body.as_bytes(), 0, 30 + dice.below(2 * HOUR))?;
    }
    for product in 0..800 {
        let body = product_page(product, dice);
        line.set(&format!("product:{product}"), body.as_bytes(), 0, 900)?;
    }
    for _ in 0..500 {
        let key = format!("tmp:export:{:016x}", dice.roll());
        let length = 200 + dice.below(1800);
        line.set(&key, prose(dice, length).as_bytes(), 0, 0)?;
    }
    // Flags as Python's clients use them: 1 is a pickle, 2 an integer; 16 is compressed elsewhere.
    line.set("blob:pickle", PICKLE, 1, 0)?;
    line.set("counter:pageviews", b"1844", 2, 0)?;
    line.set("blob:gzip", GZIP, 16, 0)?;
    line.set("blob:php", PHP, 4, 0)?;
    line.set("empty:value", b"", 0, 0)?;
    line.set("wide:商品:東京", "幅の広い文字".as_bytes(), 0, 0)?;
    line.set("evil:value", b"\x1b[2J\x1b[H", 0, 0)?;
    line.set(
        "report:yearly",
        document_of(300 << 10, dice).as_bytes(),
        0,
        0,
    )?;
    line.set("config:flags", br#"{"dark_mode":true}"#, 0, 0)?;
    line.flush()
}

pub(super) fn article(id: u64, dice: &mut Dice) -> String {
    let (author, length) = (dice.one_of(NAMES), 100 + dice.popular(900));
    let body = prose(dice, length);
    format!(r#"{{"id":{id},"author":"{author}","tags":["news","shop"],"body":"{body}"}}"#)
}

fn product_page(product: u64, dice: &mut Dice) -> String {
    let (name, cents) = (dice.one_of(WORDS), dice.below(10_000));
    format!("<h1>{name} {product}</h1><p>{} cents</p>", cents + 99)
}

fn prose(dice: &mut Dice, length: u64) -> String {
    let mut text = String::new();
    while (text.len() as u64) < length {
        text += dice.one_of(WORDS);
        text += " ";
    }
    text
}

/// A JSON list of at least so many bytes.
fn document_of(bytes: usize, dice: &mut Dice) -> String {
    let mut text = String::from("[");
    while text.len() < bytes {
        let (word, number) = (dice.one_of(WORDS), dice.below(1_000_000));
        write!(text, r#"{{"item":"{word}","sold":{number}}},"#)
            .expect("writing to a String cannot fail");
    }
    text.pop();
    text + "]"
}
