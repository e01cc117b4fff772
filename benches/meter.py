"""What the benchmark scripts share: private servers, a program on a terminal, medians.

Plain python3, loopback only; everything started here is ended here, by pid.
"""

import fcntl
import os
import re
import select
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time

ESCAPE = re.compile(rb"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Redis:
    """A private server on a free loopback port, in a directory that goes with it."""

    def __init__(self, binary="redis-server", *options):
        self.port = free_port()
        self.directory = tempfile.TemporaryDirectory(prefix="cachedeck-bench-")
        self.process = subprocess.Popen(
            [binary, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", self.directory.name, *options],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                self.command(b"PING")
                return
            except OSError:
                time.sleep(0.02)
        raise SystemExit("%s did not start" % binary)

    @property
    def url(self):
        return "redis://127.0.0.1:%d" % self.port

    def pipeline(self, commands):
        """Sends all the commands and waits for as many replies (simple ones: OK, integers)."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as link:
            blob = b"".join(encode(command) for command in commands)
            sender = threading.Thread(target=link.sendall, args=(blob,))
            sender.start()
            missing, rest = len(commands), b""
            while missing > 0:
                data = link.recv(1 << 16)
                if not data:
                    raise OSError("closed")
                missing -= (rest[-1:] + data).count(b"\r\n")
                rest = data if data.endswith(b"\r") else b""
            sender.join()

    def command(self, *words):
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as link:
            link.sendall(encode(words))
            return link.recv(1 << 16)

    def signal(self, number):
        self.process.send_signal(number)

    def close(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()
        self.directory.cleanup()


def encode(words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


class Traffic:
    """Reads and writes at a steady, small rate until closed."""

    def __init__(self, server, per_second=1000):
        self.server, self.per_second, self.stop = server, per_second, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        turn, batch = 0, max(1, self.per_second // 50)
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=5) as link:
            while not self.stop.wait(0.02):
                commands = []
                for step in range(batch):
                    turn += 1
                    name = b"traffic:%d" % (turn * 7919 % 5000)
                    commands.append((b"SET", name, b"v%d" % turn, b"EX", b"60") if step % 4 == 0 else (b"STRLEN", name))
                link.sendall(b"".join(encode(command) for command in commands))
                link.recv(1 << 16)

    def close(self):
        self.stop.set()
        self.thread.join()


class Delay:
    """A relay that holds every byte back for a while, in both directions: a far link."""

    def __init__(self, port, one_way):
        self.target, self.one_way = port, one_way
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def url(self):
        return "redis://127.0.0.1:%d" % self.port

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.target))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self.relay, args=(source, sink), daemon=True).start()

    def relay(self, source, sink):
        try:
            while data := source.recv(1 << 16):
                time.sleep(self.one_way)
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()


class Terminal:
    """A program on a pseudo-terminal of a known size, with every byte of it timed."""

    def __init__(self, argv, columns=120, rows=40):
        self.master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.home = tempfile.TemporaryDirectory(prefix="cachedeck-bench-home-")
        environment = dict(os.environ, TERM="xterm-256color", HOME=self.home.name,
                           XDG_STATE_HOME=self.home.name, XDG_CONFIG_HOME=self.home.name)
        self.begun = time.monotonic()
        self.process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, env=environment,
                                        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        self.total, self.text = 0, bytearray()

    def now(self):
        return time.monotonic() - self.begun

    def read(self, patience):
        """The time of the read, or None after that much silence."""
        ready, _, _ = select.select([self.master], [], [], patience)
        if not ready:
            return None
        try:
            data = os.read(self.master, 1 << 16)
        except OSError:
            return None
        self.total += len(data)
        self.text += data
        return self.now()

    def until(self, words, limit=10.0):
        """Seconds from the start until the text was drawn; None when it never was."""
        while self.now() < limit:
            at = self.read(0.02)
            if at is not None and words in ESCAPE.sub(b"", bytes(self.text)):
                return at
        return None

    def key(self, data, quiet=0.03, limit=1.0):
        """(seconds until the first byte of the answer, bytes of it) of one key press."""
        # What was on its way already is not the answer.
        while self.read(0) is not None:
            pass
        sent, before, first = self.now(), self.total, None
        os.write(self.master, data)
        while self.now() - sent < limit:
            at = self.read(quiet if first else limit)
            if at is None:
                break
            first = first or at
        return (first - sent if first else None), self.total - before

    def rest(self, seconds):
        """Bytes per second, share of a core, over so many seconds without input."""
        total, cpu, begun = self.total, self.cpu(), self.now()
        while (left := begun + seconds - self.now()) > 0:
            self.read(left)
        span = self.now() - begun
        return (self.total - total) / span, (self.cpu() - cpu) / span

    def cpu(self):
        """Seconds that the program's threads have run, in nanosecond steps."""
        spent = 0
        for thread in os.listdir("/proc/%d/task" % self.process.pid):
            with open("/proc/%d/task/%s/schedstat" % (self.process.pid, thread)) as stat:
                spent += int(stat.read().split()[0])
        return spent / 1e9

    def resident_kib(self):
        """The most memory it ever had resident."""
        with open("/proc/%d/status" % self.process.pid) as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        self.home.cleanup()


def wall(argv, environment=None):
    """Seconds that a command takes, and its exit code must be 0."""
    begun = time.perf_counter()
    done = subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    took = time.perf_counter() - begun
    if done.returncode != 0:
        raise SystemExit("%s failed: %s" % (argv, done.stderr.decode(errors="replace")))
    return took


def ratio_in_turn(ours, theirs, rounds):
    """The medians of both and of the paired ratios, run in turn so that noise hits both."""
    wall(ours), wall(theirs)
    pairs = [(wall(ours), wall(theirs)) for _ in range(rounds)]
    return (statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs),
            statistics.median(a / b for a, b in pairs))


def verdict(name, got, aim, unit=""):
    """One line: what, how much, what was aimed at, whether it was met."""
    met = got is not None and got <= aim
    shown = "none" if got is None else "%.3g%s" % (got, unit)
    print("%-62s %12s   aim <= %g%s   %s" % (name, shown, aim, unit, "met" if met else "MISSED"))
    return met


def program():
    """The release build, or what CACHEDECK names."""
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    path = os.environ.get("CACHEDECK") or os.path.join(here, "target", "release", "cachedeck")
    if not os.path.exists(path):
        raise SystemExit("%s is missing: cargo build --release" % path)
    return path


def peer(name):
    """A peer's path, or None with a word about it."""
    path = shutil.which(name)
    if path is None:
        print("%s is not installed, so it is not compared" % name, file=sys.stderr)
    return path
