//! Snapshot files: vectors that others wrote, files that were damaged, and what real servers save.

mod common;

mod rdb {
    mod agreement;
    mod damage;
    mod told;
    mod vectors;
}
