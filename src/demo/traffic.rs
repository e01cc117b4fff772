//! A little life: about 150 operations a second, so that rates, hit ratios and charts move.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::dice::Dice;
use super::line::{MemcachedLine, RedisLine};
use super::nest::Socket;
use super::sample_data::{ARTICLES, BOARDS, TOPICS, USERS, article};

/// Between two bursts.
const PAUSE: Duration = Duration::from_millis(50);
/// Operations in one: 20 bursts a second make 160.
const BURST: u64 = 8;
/// Of a hundred reads so many ask for what is not there.
const MISSES: u64 = 9;
/// Every so many bursts somebody reads the whole of a large hash, which shows in the slow log.
const SLOW_EVERY: u64 = 200;

/// A thread that keeps one server busy until it is told to stop or the server is gone.
#[derive(Debug)]
pub(super) struct Traffic {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Traffic {
    pub fn on_redis(socket: Socket, password: &SecretString) -> Self {
        let password = SecretString::from(password.expose_secret());
        let connect = move || {
            let mut line = RedisLine::connect(&socket, &password)?;
            line.send(&["CLIENT", "SETNAME", "demo-traffic"])?;
            Ok(line)
        };
        Self::start(connect, redis_burst)
    }

    pub fn on_memcached(socket: Socket) -> Self {
        Self::start(move || MemcachedLine::connect(&socket), memcached_burst)
    }

    /// Lets the thread end; dropping waits for it.
    pub fn stop(&mut self) {
        self.stop = None;
    }

    fn start<L>(
        connect: impl Fn() -> io::Result<L> + Send + 'static,
        burst: impl Fn(&mut L, &mut Dice, u64) -> io::Result<()> + Send + 'static,
    ) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut dice = Dice::with_seed(7);
            let mut line = None;
            for count in 1.. {
                if stopped.recv_timeout(PAUSE) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
                line = line.or_else(|| connect().ok());
                let went_well = line
                    .as_mut()
                    .is_some_and(|line| burst(line, &mut dice, count).is_ok());
                if !went_well {
                    // The user may have killed this client, or made the server refuse writes: that
                    // is what a demo is for. The next burst tries anew.
                    line = None;
                }
            }
        });
        Self {
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            // It has nothing to give back, and a panic in it has already been reported.
            let _ = thread.join();
        }
    }
}

fn redis_burst(line: &mut RedisLine, dice: &mut Dice, count: u64) -> io::Result<()> {
    for _ in 0..BURST {
        let user = format!("user:{}", dice.popular(USERS));
        match dice.below(100) {
            0..70 => line.send(&["GET", &wanted(dice)])?,
            70..80 => line.send(&["HGETALL", &user])?,
            80..85 => {
                let (key, seconds) = (new_session(dice), new_seconds(dice));
                line.send(&["SET", &key, r#"{"user":1}"#, "EX", &seconds])?;
            }
            85..90 => line.send(&["INCR", "counter:pageviews"])?,
            90..94 => {
                let key = format!("events:{}", dice.one_of(TOPICS));
                let limit = ["MAXLEN", "~", "1000", "*", "user", &user];
                line.send(&[&["XADD", &key], &limit[..]].concat())?;
            }
            94..97 => {
                let key = format!("leaderboard:{}", dice.one_of(BOARDS));
                line.send(&["ZINCRBY", &key, "5", &user])?;
            }
            97 => line.send(&["RPOPLPUSH", "queue:mail", "queue:mail"])?,
            _ => {
                let id = dice.below(ARTICLES);
                let (key, body) = (format!("article:{id}"), article(id, dice));
                line.send(&["SET", &key, &body, "EX", "86400"])?;
            }
        }
    }
    if count.is_multiple_of(SLOW_EVERY) {
        line.send(&["HGETALL", "prices:all"])?;
    }
    line.flush()
}

fn memcached_burst(line: &mut MemcachedLine, dice: &mut Dice, _: u64) -> io::Result<()> {
    for _ in 0..BURST {
        match dice.below(100) {
            0..80 => line.send(&format!("get {}", wanted(dice)))?,
            80..88 => {
                let seconds = 30 + dice.below(600);
                line.set(&new_session(dice), br#"{"user":1}"#, 0, seconds)?;
            }
            88..95 => line.send("incr counter:pageviews 1")?,
            95..98 => line.send(&format!("touch article:{} 86400", dice.below(ARTICLES)))?,
            _ => {
                let id = dice.below(ARTICLES);
                let body = article(id, dice);
                line.set(&format!("article:{id}"), body.as_bytes(), 0, 86400)?;
            }
        }
    }
    line.flush()
}

/// The key of a read: one is asked for far more than any other, and a few are not there.
fn wanted(dice: &mut Dice) -> String {
    let chance = dice.below(100);
    if chance < MISSES {
        format!("article:gone:{}", dice.below(1000))
    } else if chance < 40 {
        "config:flags".to_owned()
    } else {
        format!("article:{}", dice.popular(ARTICLES))
    }
}

fn new_session(dice: &mut Dice) -> String {
    format!("session:{:016x}", dice.roll())
}

fn new_seconds(dice: &mut Dice) -> String {
    (30 + dice.below(600)).to_string()
}
