#!/usr/bin/env python3
"""Deterministic keyspaces, and what is in them, counted while they are made.

    benches/fill.py redis SOCKET [--keys 1000000] [--small]
    benches/fill.py memcached SOCKET [--keys 1000000]

The same number of keys and the same seed make the same names, types, sizes and times to live on
every machine. Nine of ten Redis keys are strings, half of all keys have a TTL between an hour and
thirty days, and a few collections are big. Plain python3, unix sockets only; the truth is printed
as JSON, so that a report can be held against a count that knows nothing of walking.
"""

import argparse
import collections
import concurrent.futures
import json
import random
import socket
import threading

BLOCK = 256 << 10
PART = 250_000
SECTIONS = ("home", "products", "blog", "help", "account", "search", "news", "docs")
WORDS = ("alpha", "bravo", "cedar", "delta", "ember", "fjord", "grove", "haven", "ivory", "jolly", "karma", "lemon", "mango")
STRINGS = ("user",) * 30 + ("session",) * 25 + ("page",) * 15 + ("cart",) * 12 + ("counter",) * 8 + ("rate",) * 5 + ("feature",) * 5
COLLECTIONS = ("hash", "list", "zset", "stream", "set")
TEXT = b"<p>The quick brown fox jumps over the lazy dog; pack my box with five dozen liquor jugs.</p>" * 22


class Truth:
    """What was written."""

    def __init__(self):
        self.keys = self.without_ttl = 0
        self.types, self.folders = collections.Counter(), collections.Counter()

    def note(self, kind, name, ttl):
        self.keys += 1
        self.types[kind] += 1
        self.folders[name.split(b":", 1)[0].decode() + ":"] += 1
        self.without_ttl += ttl == 0

    def add(self, other):
        self.keys += other.keys
        self.without_ttl += other.without_ttl
        self.types.update(other.types)
        self.folders.update(other.folders)


class Maker:
    """Makes the keys of one part of the whole; every part has a chance of its own."""

    def __init__(self, seed, small):
        self.chance, self.small, self.truth = random.Random(seed), small, Truth()
        self.noise = self.chance.randbytes(32 << 10).hex().encode()

    def between(self, least, most):
        return least + int(self.chance.random() * (most - least + 1))

    def one_of(self, words):
        return words[int(self.chance.random() * len(words))]

    def cut(self, least, most):
        if self.small:
            least, most = min(least, 8), min(most, 24)
        length = self.between(least, most)
        at = self.between(0, len(self.noise) - length)
        return self.noise[at:at + length]

    def ttl(self):
        return 0 if self.chance.random() < 0.5 else self.between(3700, 30 * 86400)

    def session(self):
        digits = b"%032x" % self.chance.getrandbits(128)
        return b"session:" + b"-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    def page(self, number):
        return ("page:/%s/%s/%s-%d" % (self.one_of(SECTIONS), self.one_of(WORDS), self.one_of(WORDS), number)).encode()

    def redis(self, number):
        """The commands that make one key, and the number of their replies."""
        if self.chance.random() < 0.1:
            return self.collection(number)
        kind = self.one_of(STRINGS)
        if kind == "user":
            name, value = b"user:%d:profile" % number, b'{"name":"%s"}' % self.cut(60, 380)
        elif kind == "session":
            name, value = self.session(), self.cut(64, 256)
        elif kind == "page":
            name, value = self.page(number), TEXT[:self.between(8, 24) if self.small else self.between(200, 2000)]
        elif kind == "cart":
            name, value = b"cart:%d:items" % number, self.cut(26, 286)
        elif kind == "counter":
            name = b"counter:2026-%02d-%02d:%d" % (1 + number % 12, 1 + number % 28, number)
            value = b"%d" % self.between(0, 999_999)
        elif kind == "rate":
            name = b"rate:10.%d.%d.%d:%d" % (number >> 16 & 255, number >> 8 & 255, number & 255, number)
            value = b"%d" % self.between(0, 999)
        else:
            name, value = ("feature:%s-%d" % (self.one_of(WORDS), number)).encode(), self.cut(10, 40)
        ttl = self.ttl()
        self.truth.note("string", name, ttl)
        return (encode(b"SET", name, value, b"EX", b"%d" % ttl) if ttl else encode(b"SET", name, value)), 1

    def collection(self, number):
        kind = self.one_of(COLLECTIONS)
        size = self.between(3, 5 if self.small else 40)
        if kind == "hash":
            name = b"user:%d:attrs" % number
            data = encode(b"HSET", name, *[word for n in range(size) for word in (b"field%d" % n, self.cut(8, 40))])
        elif kind == "list":
            name = b"queue:mail:%d" % number
            data = encode(b"RPUSH", name, *[self.cut(8, 60) for _ in range(size)])
        elif kind == "zset":
            name = b"board:week:%d" % number
            data = encode(b"ZADD", name, *[word for n in range(size) for word in (b"%d" % (n * 7), b"player%d" % n)])
        elif kind == "set":
            name = b"tags:post:%d" % number
            data = encode(b"SADD", name, *[b"tag%d" % n for n in range(size)])
        else:
            name = b"events:web:%d" % number
            data = encode(b"XADD", name, b"1767225600000-1", b"type", b"click", b"data", self.cut(8, 60))
        ttl = self.ttl()
        self.truth.note(kind, name, ttl)
        return (data + encode(b"EXPIRE", name, b"%d" % ttl), 2) if ttl else (data, 1)

    def big(self):
        """A few collections of many thousand elements, and a string of eight MiB."""
        self.truth.note("string", b"big:string", 0)
        yield encode(b"SET", b"big:string", self.noise * 128), 1
        for kind, word in (("hash", b"HSET"), ("zset", b"ZADD"), ("set", b"SADD"), ("list", b"RPUSH")):
            name = b"big:" + kind.encode()
            self.truth.note(kind, name, 0)
            for start in range(0, 50_000, 500):
                pairs = [(b"%d" % n, b"member:%d" % n) for n in range(start, start + 500)]
                flat = [word for pair in pairs for word in pair] if kind in ("hash", "zset") else [pair[1] for pair in pairs]
                yield encode(word, name, *flat), 1

    def memcached(self, number):
        """A quiet store of one item."""
        chance = self.chance.random()
        if chance < 0.35:
            name, value = b"user:%d:profile" % number, self.cut(60, 400)
        elif chance < 0.65:
            name, value = self.session(), self.cut(64, 256)
        elif chance < 0.85:
            name, value = self.page(number), self.cut(200, 1500)
        elif chance < 0.95:
            name, value = b"frag:%016x" % self.chance.getrandbits(64), self.cut(20, 600)
        else:
            name, value = b"counter:%d" % number, self.cut(1, 8)
        ttl = self.ttl()
        self.truth.note("item", name, ttl)
        # From thirty days on the number would be a date.
        return b"set %s 0 %d %d noreply\r\n%s\r\n" % (name, min(ttl, 30 * 86400 - 1), len(value), value)


def encode(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


class Replies(threading.Thread):
    """Reads what the server answers: single lines, but for the ids of stream entries."""

    def __init__(self, link):
        super().__init__(daemon=True)
        self.link, self.missing, self.fault = link, 0, None
        self.changed = threading.Condition()
        self.start()

    def run(self):
        rest = b""
        while data := self.link.recv(1 << 20):
            whole, _, rest = (rest + data).rpartition(b"\n")
            lines = whole.split(b"\n") if whole else []
            errors = [line for line in lines if line.startswith(b"-")]
            with self.changed:
                self.missing -= sum(not line.startswith(b"$") for line in lines)
                self.fault = self.fault or (errors[0].decode(errors="replace") if errors else None)
                self.changed.notify()

    def expect(self, more, at_most):
        """So many more are due; waits until no more than `at_most` are."""
        with self.changed:
            self.missing += more
            if not self.changed.wait_for(lambda: self.fault or self.missing <= at_most, timeout=120) or self.fault:
                raise SystemExit("the server answered: %s" % (self.fault or "nothing"))


def connect(path):
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(120)
    link.connect(path)
    return link


def fill_part(path, start, end, seed, small):
    """Writes the keys from `start` to before `end`, the big ones with the first part."""
    maker = Maker(seed * 1_000_003 + start, small)
    with connect(path) as link:
        replies, blocks, size, due = Replies(link), [], 0, 0

        def commands():
            yield from (maker.redis(number) for number in range(start, end))
            if start == 0 and not small:
                yield from maker.big()

        for data, answers in commands():
            blocks.append(data)
            size, due = size + len(data), due + answers
            if size >= BLOCK:
                link.sendall(b"".join(blocks))
                replies.expect(due, 20_000)
                blocks, size, due = [], 0, 0
        link.sendall(b"".join(blocks))
        replies.expect(due, 0)
        link.shutdown(socket.SHUT_RDWR)
        replies.join()
    return maker.truth


def fill_redis(path, keys, seed=1, small=False):
    """Fills an empty server behind a unix socket, on two cores; gives the truth."""
    parts = [(path, start, min(start + PART, keys), seed, small) for start in range(0, keys, PART)]
    truth = Truth()
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        for part in pool.map(fill_part, *zip(*parts)):
            truth.add(part)
    return truth


def fill_memcached(path, items, seed=1):
    """The same for Memcached, which must have room for all: it drops what does not fit silently."""
    maker = Maker(seed, False)
    with connect(path) as link:
        for start in range(0, items, 1000):
            link.sendall(b"".join(maker.memcached(number) for number in range(start, min(start + 1000, items))))
        link.sendall(b"mn\r\n")
        answer = link.recv(1 << 12)
        if answer != b"MN\r\n":
            raise SystemExit("the server answered: %s" % answer.decode(errors="replace"))
    return maker.truth


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("kind", choices=("redis", "memcached"))
    arguments.add_argument("socket")
    arguments.add_argument("--keys", type=int, default=1_000_000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--small", action="store_true", help="short values: ten million keys in 2 GiB")
    asked = arguments.parse_args()
    if asked.kind == "redis":
        truth = fill_redis(asked.socket, asked.keys, asked.seed, asked.small)
    else:
        truth = fill_memcached(asked.socket, asked.keys, asked.seed)
    print(json.dumps(vars(truth)))


if __name__ == "__main__":
    main()
