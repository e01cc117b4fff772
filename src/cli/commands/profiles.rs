//! `profiles`: what the config file names.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::call::{now, of_config};
use crate::cli::output::{Answer, Envelope, Look, Paint, Sheet};
use crate::cli::{Call, Failure, Next};
use crate::model::{Environment, Target};
use crate::text;

/// Print the profiles of the configuration file
///
/// No server is asked and no password fetched.
///
/// Example:
///
///     $ cachedeck profiles
///     NAME           ADDRESS                  ENVIRONMENT  NOTES
///     local          redis://127.0.0.1:6379                default
///     prod-sessions  rediss://10.0.0.7:6379   production   read-only
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct ProfilesArgs {}

pub fn args(command: clap::Command) -> clap::Command {
    ProfilesArgs::augment_args(command)
}

pub fn run(call: &mut Call) -> Result<Next, Failure> {
    let config = call.config()?.clone();
    let mut profiles = Vec::with_capacity(config.profiles.len());
    for name in config.profiles.keys() {
        let target = config
            .target(name, call.vars())
            .expect("the name comes from the profiles")
            .map_err(|error| of_config(&error))?;
        profiles.push(target);
    }
    if profiles.is_empty() {
        let place = config.file.or_else(crate::config::Config::default_path);
        let place = place.map_or_else(String::new, |path| {
            format!(" in {}", text::escape(path.as_os_str().as_encoded_bytes()))
        });
        eprintln!("note: no profiles are configured{place}");
    }
    let envelope = Envelope {
        command: "profiles",
        target: None,
        at: now(),
        warnings: Vec::new(),
    };
    let answer = Profiles {
        profiles: &profiles,
        default: config.default.as_deref(),
    };
    call.output().answer(&envelope, &answer)?;
    Ok(Next::Exit(0))
}

struct Profiles<'a> {
    profiles: &'a [Target],
    default: Option<&'a str>,
}

impl Profiles<'_> {
    fn is_default(&self, target: &Target) -> bool {
        self.default == Some(&target.name)
    }
}

impl Answer for Profiles<'_> {
    fn data(&self) -> Value {
        json!({ "profiles": self.records() })
    }

    fn records(&self) -> Vec<Value> {
        self.profiles
            .iter()
            .map(|target| {
                json!({
                    "name": target.name,
                    "address": target.address(),
                    "environment": environment(target.environment),
                    "is_read_only": target.is_read_only,
                    "is_default": self.is_default(target),
                })
            })
            .collect()
    }

    fn sheet(&self) -> Sheet {
        let header = [
            "name",
            "address",
            "environment",
            "is_read_only",
            "is_default",
        ];
        Sheet::of_records(&header, &self.records())
    }

    fn text(&self, look: Look) -> String {
        if self.profiles.is_empty() {
            return String::new();
        }
        let rows: Vec<Vec<String>> = self
            .profiles
            .iter()
            .map(|target| {
                let notes = [
                    (self.is_default(target), "default"),
                    (target.is_read_only, "read-only"),
                ];
                let notes: Vec<&str> = notes
                    .into_iter()
                    .filter_map(|(is_so, word)| is_so.then_some(word))
                    .collect();
                vec![
                    text::escape(target.name.as_bytes()),
                    text::escape(target.address().as_bytes()),
                    environment(target.environment)
                        .unwrap_or_default()
                        .to_owned(),
                    notes.join(", "),
                ]
            })
            .collect();
        let table = look.table(&["NAME", "ADDRESS", "ENVIRONMENT", "NOTES"], &rows);
        table.replace(" production ", &look.paint(Paint::Danger, " production "))
    }
}

fn environment(environment: Environment) -> Option<&'static str> {
    match environment {
        Environment::Production => Some("production"),
        Environment::Staging => Some("staging"),
        Environment::Development => Some("development"),
        Environment::Unstated => None,
    }
}
