//! Every command against real servers: what it prints, what it leaves unchanged, how it exits.

mod common;

mod cli {
    mod errors;
    mod fetching;
    mod forms;
    mod hot;
    mod reading;
    mod saving;
    mod schemas;
    mod surveying;
    mod writing;
}
