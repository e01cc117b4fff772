//! `profiles`: what the config file names.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::call::now;
use crate::cli::output::{Answer, Envelope, Look, Paint, Sheet};
use crate::cli::{Call, Failure, Kind, Next};
use crate::config::{Config, Profile, Vars};
use crate::model::Environment;
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
    let profiles: Vec<Entry> = config
        .profiles
        .iter()
        .map(|(name, profile)| Entry::of(name, profile, &config, call.vars()))
        .collect();
    if profiles.is_empty() {
        let place = config.file.or_else(Config::default_path);
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
    let wrong = profiles.iter().filter(|one| one.address.is_err()).count();
    match wrong {
        0 => Ok(Next::Exit(0)),
        _ => Err(Failure::new(
            Kind::Partial,
            format!("{wrong} of {} profiles cannot be used", profiles.len()),
        )),
    }
}

/// A profile, also one of which nothing more is known than its name and what is wrong with it.
struct Entry {
    name: String,
    address: Result<String, String>,
    environment: Environment,
    is_read_only: bool,
}

impl Entry {
    fn of(name: &str, profile: &Profile, config: &Config, vars: &Vars) -> Self {
        let target = config
            .target(name, vars)
            .expect("the name comes from the profiles");
        Self {
            name: name.to_owned(),
            address: target
                .map(|target| target.address())
                .map_err(|error| error.to_string()),
            environment: profile.environment,
            is_read_only: profile.read_only,
        }
    }
}

struct Profiles<'a> {
    profiles: &'a [Entry],
    default: Option<&'a str>,
}

impl Profiles<'_> {
    fn is_default(&self, profile: &Entry) -> bool {
        self.default == Some(&profile.name)
    }
}

impl Answer for Profiles<'_> {
    fn data(&self) -> Value {
        json!({ "profiles": self.records() })
    }

    fn records(&self) -> Vec<Value> {
        self.profiles
            .iter()
            .map(|profile| {
                let mut record = json!({
                    "name": profile.name,
                    "address": profile.address.as_ref().ok(),
                    "environment": environment(profile.environment),
                    "is_read_only": profile.is_read_only,
                    "is_default": self.is_default(profile),
                });
                if let Err(why) = &profile.address {
                    record["unsupported"] = json!({ "address": why });
                }
                record
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
            .map(|profile| {
                let notes = [
                    self.is_default(profile).then_some("default"),
                    profile.is_read_only.then_some("read-only"),
                    profile.address.as_ref().err().map(String::as_str),
                ];
                let notes: Vec<&str> = notes.into_iter().flatten().collect();
                let address = profile.address.as_deref().unwrap_or("?");
                vec![
                    text::escape(profile.name.as_bytes()),
                    text::escape(address.as_bytes()),
                    environment(profile.environment)
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
