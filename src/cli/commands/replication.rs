//! `replication`: who copies from whom, and how far behind.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::output::{Answer, Look, Paint, Sheet};
use crate::cli::{Call, Failure, Kind, Next, facts, unknown};
use crate::engine::Backend;
use crate::model::{Feature, Link, Replication, Role, units};
use crate::text;

/// Print the replicas of a primary, or a replica's link to its primary
///
/// Offsets and lag are in bytes of the replication stream.
///
/// Example:
///
///     $ cachedeck replication
///     primary · offset 120,391 · backlog 1.00 MiB
///
///     REPLICA         STATE    BEHIND  LAST ACK
///     127.0.0.1:6380  online      0 B        1s
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct ReplicationArgs {}

pub fn args(command: clap::Command) -> clap::Command {
    ReplicationArgs::augment_args(command)
}

pub fn run(call: &mut Call) -> Result<Next, Failure> {
    let visit = call.visit()?;
    let sample = call.ask(&visit, visit.server.sample())?;
    let Some(replication) = &sample.replication else {
        unknown::refused("replication", &visit.target.name, &sample)?;
        let why = match visit.server.features().need(Feature::Replication) {
            Err(missing) => missing.0.clone(),
            Ok(()) => "the server would not say".to_owned(),
        };
        return Err(Failure::new(
            Kind::No,
            format!("replication on {}: {why}", visit.target.name),
        ));
    };
    let answer = Answered {
        role: sample.identity.role,
        replication,
    };
    let envelope = call.envelope("replication", &visit, Vec::new());
    call.output().answer(&envelope, &answer)?;
    Ok(Next::Exit(0))
}

struct Answered<'a> {
    role: Role,
    replication: &'a Replication,
}

impl Answer for Answered<'_> {
    fn data(&self) -> Value {
        let mut data = json!({ "role": self.role.word() });
        let all = facts::replication(self.replication);
        if let (Some(data), Value::Object(all)) = (data.as_object_mut(), all) {
            data.extend(all);
        }
        unknown::explain(&mut data, unknown::NOT_REPORTED);
        data
    }

    fn sheet(&self) -> Sheet {
        let header = ["address", "state", "offset", "lag_bytes", "since_ack_s"];
        match self.data()["replicas"].as_array() {
            Some(replicas) if self.replication.link.is_none() => {
                Sheet::of_records(&header, replicas)
            }
            _ => Sheet::of_fields(&self.data()),
        }
    }

    fn text(&self, look: Look) -> String {
        let all = self.replication;
        let offset = all
            .offset
            .map_or_else(|| "unknown".to_owned(), units::count);
        let mut head = vec![
            look.paint(Paint::Heading, self.role.word()),
            format!("offset {offset}"),
        ];
        head.extend(all.backlog.map(|backlog| {
            if backlog.is_active {
                format!("backlog {}", backlog.size)
            } else {
                "no backlog".to_owned()
            }
        }));
        let mut text = head.join(" · ") + "\n";
        if let Some(link) = &all.link {
            text.push('\n');
            text.push_str(&link_lines(link, look));
        }
        if all.replicas.is_empty() {
            if all.link.is_none() {
                text.push_str("\nno replicas\n");
            }
            return text;
        }
        let rows: Vec<Vec<String>> = all
            .replicas
            .iter()
            .map(|one| {
                vec![
                    text::escape(one.address.as_bytes()),
                    text::escape(one.state.as_bytes()),
                    facts::size(one.lag_bytes),
                    one.since_ack
                        .map_or_else(|| "unknown".to_owned(), units::span),
                ]
            })
            .collect();
        text.push('\n');
        text + &look.table(&["REPLICA", "STATE", ">BEHIND", ">LAST ACK"], &rows)
    }
}

fn link_lines(link: &Link, look: Look) -> String {
    let state = match (link.is_up, link.is_syncing, link.down_for) {
        (true, ..) => look.paint(Paint::Good, "up"),
        (false, true, _) => look.paint(
            Paint::Caution,
            &format!(
                "receiving a full copy, {} left",
                facts::size(link.sync_left)
            ),
        ),
        (false, false, Some(span)) => {
            look.paint(Paint::Danger, &format!("down for {}", units::span(span)))
        }
        (false, false, None) => look.paint(Paint::Danger, "down"),
    };
    let last_io = link.last_io.map_or_else(
        || "unknown".to_owned(),
        |span| format!("{} ago", units::span(span)),
    );
    let writes = match link.is_read_only {
        Some(true) => "refused",
        Some(false) => "accepted, and lost at the next full copy",
        None => "unknown",
    };
    format!(
        "primary   {}\nlink      {state}\nbehind    {}\nlast I/O  {last_io}\nwrites    {writes}\n",
        text::escape(link.primary.as_bytes()),
        facts::size(link.lag_bytes),
    )
}
