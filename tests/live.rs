//! The engine against real servers: what it reads, what it leaves alone, what it changes, and how
//! it comes back.

mod common;

mod live {
    mod bench;
    mod changing;
    mod guarding;
    mod looking;
    mod recovery;
    mod snapshots;
    mod storms;
    mod walking;
}
