//! Broken networks, wrong servers, hostile bytes: a clear fault in bounded time, nothing lost.

mod common;

mod faults {
    mod answers;
    mod login;
    mod network;
    mod tls;
    mod worker;
    mod wrong_server;
}
