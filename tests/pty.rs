//! The dashboard as a person meets it: in a real terminal, on real servers, to the last byte.
//!
//! Every test ends by waiting for the program's end, which checks all it wrote against the
//! grammar of what may be written to a terminal.

mod common;

mod pty {
    mod changing;
    mod demo;
    mod desk;
    mod diffing;
    mod hostile;
    mod leaving;
    mod losing;
    mod memcached;
    mod moving;
    mod panicking;
    mod quiet;
    mod refusing;
    mod sizes;
    mod snapshots;
    mod vanishing;
}
