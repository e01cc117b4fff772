//! Every command against real servers: what it prints, what it leaves unchanged, how it exits.

mod common;

mod cli {
    mod comparing;
    mod errors;
    mod fetching;
    mod files;
    mod forms;
    mod hot;
    mod inspecting;
    mod items;
    mod reading;
    mod restoring;
    mod saving;
    mod schemas;
    mod surveying;
    mod writing;
}
