//! Writing a copy: checked while it comes, packed where that is wished, and kept only when it is whole.

use std::io::{self, BufRead, Write};

use thiserror::Error;

use crate::engine::conduit::Outlet;
use crate::model::Bytes;
use crate::snapshot::keeping::{KeepError, Keeping};
use crate::snapshot::packing::{Packer, Packing};
use crate::snapshot::seal::{Broken, Seal, Whole};

/// Why whoever writes gave up.
#[derive(Debug, Error)]
pub enum Trouble {
    #[error(transparent)]
    Keep(#[from] KeepError),
    #[error("what came is no whole snapshot: {0}")]
    Broken(#[from] Broken),
    /// The copy broke off, and whoever fetches knows why.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What was written, and how many bytes of it there are: fewer than came, where they were packed.
pub type Written = Result<(Whole, Bytes), Trouble>;

/// Writes a copy into a file, to its end. Blocks.
///
/// # Errors
/// When the copy breaks off or is not whole, or the disk fails. The file is gone then.
pub fn keep(outlet: Outlet, keeping: Keeping, packing: Packing) -> Written {
    let path = keeping.path().to_owned();
    let failed = |error| Trouble::Keep(KeepError::of(&path, error));
    let packer = Packer::new(packing, keeping).map_err(failed)?;
    let (whole, packer) = pass(outlet, packer).map_err(|stop| match stop {
        Stop::Reading(error) => Trouble::Io(error),
        Stop::Writing(error) => failed(error),
    })?;
    let whole = whole?;
    let keeping = packer.finish().map_err(failed)?;
    let written = Bytes(keeping.written());
    keeping.finish()?;
    Ok((whole, written))
}

/// On which side passing ended.
pub enum Stop {
    Reading(io::Error),
    Writing(io::Error),
}

/// Everything from one side to the other, looked at on the way. Blocks.
///
/// # Errors
/// When one of the sides fails; what came is judged beside.
pub fn pass<W: Write>(
    mut outlet: Outlet,
    mut packer: Packer<W>,
) -> Result<(Result<Whole, Broken>, Packer<W>), Stop> {
    let mut seal = Seal::default();
    loop {
        let bytes = outlet.fill_buf().map_err(Stop::Reading)?;
        let length = bytes.len();
        if length == 0 {
            return Ok((seal.finish(), packer));
        }
        seal.take(bytes);
        packer.write_all(bytes).map_err(Stop::Writing)?;
        outlet.consume(length);
    }
}

impl From<Stop> for Trouble {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Reading(error) | Stop::Writing(error) => Self::Io(error),
        }
    }
}
