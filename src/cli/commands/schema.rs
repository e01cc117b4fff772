//! `schema`: the JSON Schema of what a command prints with `-o json`.

use clap::Args;

use crate::cli::line::similar;
use crate::cli::{Call, Failure, Next, output};

/// Print the JSON Schema of a command's output
///
/// Example:
///
///     $ cachedeck schema keys > keys.schema.json
///     $ cachedeck schema
///     info
///     …
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct SchemaArgs {
    /// Command to print the schema of; without one, the commands that have one
    command: Vec<String>,
}

/// Command → schema.
#[rustfmt::skip]
pub const SCHEMAS: &[(&str, &str)] = &[
    ("info",            include_str!("../schemas/info.json")),
    ("watch",           include_str!("../schemas/watch.json")),
    ("keys",            include_str!("../schemas/keys.json")),
    ("tree",            include_str!("../schemas/tree.json")),
    ("analyze",         include_str!("../schemas/analyze.json")),
    ("hot",             include_str!("../schemas/hot.json")),
    ("show",            include_str!("../schemas/show.json")),
    ("ttl",             include_str!("../schemas/ttl.json")),
    ("delete",          include_str!("../schemas/delete.json")),
    ("snapshot create", include_str!("../schemas/snapshot-create.json")),
    ("snapshot fetch",  include_str!("../schemas/snapshot-fetch.json")),
    ("snapshot verify", include_str!("../schemas/snapshot-verify.json")),
    ("snapshot inspect", include_str!("../schemas/snapshot-inspect.json")),
    ("snapshot diff",   include_str!("../schemas/snapshot-diff.json")),
    ("snapshot restore", include_str!("../schemas/snapshot-restore.json")),
    ("snapshot list",   include_str!("../schemas/snapshot-list.json")),
    ("snapshot rewrite", include_str!("../schemas/snapshot-rewrite.json")),
    ("snapshot status", include_str!("../schemas/snapshot-status.json")),
    ("replication",     include_str!("../schemas/replication.json")),
    ("profiles",        include_str!("../schemas/profiles.json")),
];

pub fn args(command: clap::Command) -> clap::Command {
    SchemaArgs::augment_args(command)
}

pub fn run(call: &mut Call) -> Result<Next, Failure> {
    let args: SchemaArgs = call.args();
    let name = args.command.join(" ");
    if name.is_empty() {
        let names: Vec<&str> = SCHEMAS.iter().map(|(name, _)| *name).collect();
        output::print(&(names.join("\n") + "\n"))?;
        return Ok(Next::Exit(0));
    }
    let found = SCHEMAS.iter().find(|(command, _)| *command == name);
    let (_, schema) = found.ok_or_else(|| no_such_schema(&name))?;
    output::print(schema)?;
    Ok(Next::Exit(0))
}

fn no_such_schema(name: &str) -> Failure {
    let failure = Failure::usage("no command of that name prints JSON");
    match similar(name, SCHEMAS.iter().map(|(command, _)| *command)) {
        Some(name) => failure.hint(format!("did you mean `{name}`?")),
        None => failure.hint("`cachedeck schema` lists those that do"),
    }
}
