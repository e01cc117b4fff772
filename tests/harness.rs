//! The harness itself: a fault that never happens proves nothing, so each one is seen to happen.

mod common;

mod harness {
    mod grammar;
    mod network;
    mod servers;
    mod terminal;
}
