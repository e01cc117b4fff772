//! One call of a command: what was asked, and the way to the server it is asked of.

use std::future::Future;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::FromArgMatches;
use secrecy::SecretString;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::globals::Format;
use crate::cli::line::{Line, similar};
use crate::cli::output::{Envelope, Output};
use crate::cli::{COMMANDS, Failure, Globals, Kind};
use crate::config::{self, Config, ConfigError, Named, PasswordFrom, Vars};
use crate::engine::{Backend, Fault, Server};
use crate::guard::Audit;
use crate::model::{Target, UnixMs, parse_duration};

/// How long a server that nobody named has to answer.
const PROBE_TIME: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct Call {
    line: Line,
    vars: Vars,
    config: Option<Config>,
    runtime: Option<Runtime>,
    /// Kept from wait to wait, so that a Ctrl-C between two of them is not lost.
    interrupts: Option<Interrupts>,
}

/// What ends a wait: both leave time to tidy up.
#[derive(Debug)]
struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

/// A server to ask, by the name it is known by.
#[derive(Debug)]
pub struct Visit {
    pub target: Target,
    pub server: Server,
}

impl Call {
    pub fn new(line: Line) -> Self {
        Self {
            line,
            vars: Vars::of_process(),
            config: None,
            runtime: None,
            interrupts: None,
        }
    }

    /// The command's own arguments.
    #[expect(clippy::missing_panics_doc, reason = "an invariant of our own table")]
    pub fn args<A: FromArgMatches>(&self) -> A {
        A::from_arg_matches(&self.line.matches)
            .expect("the matches come from the parser of this command")
    }

    pub fn globals(&self) -> &Globals {
        &self.line.globals
    }

    pub fn vars(&self) -> &Vars {
        &self.vars
    }

    pub fn format(&self) -> Format {
        self.line.globals.output.unwrap_or_default()
    }

    pub fn output(&self) -> Output {
        Output::new(self.format(), self.line.globals.no_color)
    }

    pub fn envelope(
        &self,
        command: &'static str,
        visit: &Visit,
        warnings: Vec<String>,
    ) -> Envelope {
        Envelope {
            command,
            target: Some(visit.target.name.clone()),
            at: now(),
            warnings,
        }
    }

    /// Runs until it is done or Ctrl-C is pressed, or the system asks us to go. The first wait starts the runtime; commands that
    /// ask no server never pay for one.
    ///
    /// # Errors
    /// When the future fails, or on Ctrl-C.
    pub fn wait<T>(
        &mut self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let runtime = start(&mut self.runtime)?;
        let interrupts = if let Some(interrupts) = self.interrupts.take() {
            interrupts
        } else {
            let _inside = runtime.enter();
            Interrupts {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
            }
        };
        let interrupts = self.interrupts.insert(interrupts);
        runtime.block_on(or_interrupt(work, interrupts))
    }

    /// Like `wait`, for work that asks a server and reports its faults.
    ///
    /// # Errors
    /// When the server's answer is a fault, or on Ctrl-C.
    pub fn ask<T>(
        &mut self,
        visit: &Visit,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Failure> {
        let what = self.line.command.name;
        self.wait(async {
            work.await
                .map_err(|fault| Failure::of_server(what, &visit.target.name, &fault))
        })
    }

    /// Asks the person a question and waits for a line.
    ///
    /// # Errors
    /// On Ctrl-C, or when there is no more input.
    pub fn prompt(&mut self, question: &str) -> Result<String, Failure> {
        eprint!("{question}");
        std::io::stderr().flush()?;
        let answer = self.wait(async {
            // Reading cannot be cancelled; the thread is left behind when the program ends.
            let read = tokio::task::spawn_blocking(|| {
                let mut line = String::new();
                std::io::stdin().read_line(&mut line).map(|_| line)
            });
            let line = read.await.map_err(std::io::Error::other)??;
            Ok(line.trim_end_matches(['\n', '\r']).to_owned())
        });
        if answer.is_err() {
            eprintln!();
        }
        answer
    }

    /// The config file, read once.
    ///
    /// # Errors
    /// When there is one and it is wrong.
    pub fn config(&mut self) -> Result<&Config, Failure> {
        let config = match self.config.take() {
            Some(config) => config,
            None => self.load_config()?,
        };
        Ok(self.config.insert(config))
    }

    fn load_config(&self) -> Result<Config, Failure> {
        let explicit = self.line.globals.config.as_deref();
        let config = Config::load(explicit, &self.vars).map_err(|error| of_config(&error))?;
        for warning in &config.warnings {
            eprintln!("warning: {warning}");
        }
        Ok(config)
    }

    /// The one server that this call is about.
    ///
    /// # Errors
    /// When the command line names none or several, or nobody answers where it names none.
    pub fn visit(&mut self) -> Result<Visit, Failure> {
        let mut named = self.named();
        if named.len() > 1 {
            return Err(
                Failure::usage("several targets are named, and this command takes one")
                    .hint("a target stands before the command or after -t"),
            );
        }
        match self.resolve(named.pop().as_deref())? {
            Some(target) => Ok(Visit {
                server: Server::at(target.clone()),
                target,
            }),
            None => self.probe_local().map(|mut found| found.swap_remove(0)),
        }
    }

    /// The server that a word names.
    ///
    /// # Errors
    /// When it names none.
    pub fn visit_of(&mut self, word: &str) -> Result<Visit, Failure> {
        let target = self.resolve(Some(word))?;
        let target = target.ok_or_else(|| Failure::usage(format!("{word} names no target")))?;
        Ok(Visit {
            server: Server::at(target.clone()),
            target,
        })
    }

    /// The state directory, which only we can write.
    ///
    /// # Errors
    /// When there can be no such directory.
    pub fn state_directory(&self) -> Result<PathBuf, Failure> {
        let directory = config::state_dir(&self.vars).map_err(|error| of_config(&error))?;
        config::private_dir(&directory).map_err(|error| of_config(&error))?;
        Ok(directory)
    }

    /// Every server that is named, or all that answer where none is.
    ///
    /// # Errors
    /// As `visit`.
    pub fn targets(&mut self) -> Result<Vec<Target>, Failure> {
        let named = self.named();
        if named.is_empty() {
            if let Some(target) = self.resolve(None)? {
                return Ok(vec![target]);
            }
            let found = self.probe_local()?;
            return Ok(found.into_iter().map(|visit| visit.target).collect());
        }
        let mut targets = Vec::with_capacity(named.len());
        for name in named {
            targets.extend(self.resolve(Some(&name))?);
        }
        Ok(targets)
    }

    pub fn names_targets(&self) -> bool {
        self.line.target.is_some() || !self.line.globals.targets.is_empty()
    }

    /// The audit file, in a state directory that only we can write.
    ///
    /// # Errors
    /// When there can be no such directory.
    pub fn audit(&self) -> Result<Audit, Failure> {
        Ok(Audit::in_directory(&self.state_directory()?))
    }

    /// The words on the command line that name targets.
    fn named(&self) -> Vec<String> {
        let globals = &self.line.globals;
        let words = self.line.target.iter().chain(&globals.targets);
        words.cloned().collect()
    }

    fn resolve(&mut self, word: Option<&str>) -> Result<Option<Target>, Failure> {
        let named = named(&self.line.globals, word);
        let config = match self.config.take() {
            Some(config) => config,
            None => self.load_config()?,
        };
        let config = self.config.insert(config);
        let resolved = config::resolve(&named, config, &self.vars, &mut ask_password)
            .map_err(|error| not_resolved(&error, word))?;
        for warning in &resolved.warnings {
            eprintln!("warning: {warning}");
        }
        resolved
            .target
            .map(|target| limited(target, &self.line.globals))
            .transpose()
    }

    /// Tries Redis and Memcached on this machine at once and says who answered.
    fn probe_local(&mut self) -> Result<Vec<Visit>, Failure> {
        let [redis, memcached] =
            config::local_targets(&self.vars).map_err(|error| of_config(&error))?;
        let visits = [redis, memcached].map(|target| -> Result<Visit, Failure> {
            let target = limited(target, &self.line.globals)?;
            let server = Server::at(target.clone());
            Ok(Visit { target, server })
        });
        let [redis, memcached] = visits;
        let (redis, memcached) = (redis?, memcached?);
        let (answers, others) = self.wait(async {
            Ok(tokio::join!(
                answers(&redis.server),
                answers(&memcached.server)
            ))
        })?;
        let names = [redis.target.name.clone(), memcached.target.name.clone()];
        let found: Vec<Visit> = [(answers, redis), (others, memcached)]
            .into_iter()
            .filter_map(|(answers, visit)| answers.then_some(visit))
            .collect();
        if found.is_empty() {
            return Err(Failure::new(
                Kind::Connection,
                format!(
                    "no target is named, and neither {} nor {} answers",
                    names[0], names[1]
                ),
            )
            .hint("name one: cachedeck redis://HOST:PORT")
            .hint("`cachedeck demo` starts one to look at"));
        }
        let who: Vec<&str> = found
            .iter()
            .map(|visit| visit.target.name.as_str())
            .collect();
        eprintln!("note: no target is named; {} answers", who.join(" and "));
        Ok(found)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A name lookup or a prompt that was given up must not hold the end up.
            runtime.shutdown_background();
        }
    }
}

/// Our clock, for showing.
pub fn now() -> UnixMs {
    UnixMs(jiff::Timestamp::now().as_millisecond())
}

/// Whether a person can be asked: both what they read and what they type is a terminal.
pub fn has_person() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// A configuration error in the words of the face.
pub fn of_config(error: &ConfigError) -> Failure {
    Failure::usage(error.to_string()).hints(error.hint())
}

/// A word that is no target is often a command with a slip in it.
fn not_resolved(error: &ConfigError, word: Option<&str>) -> Failure {
    let failure = of_config(error);
    let is_no_profile = matches!(error, ConfigError::NoProfile { .. });
    let commands = COMMANDS.iter().map(|command| command.name);
    match word.and_then(|word| similar(word, commands)) {
        Some(command) if is_no_profile => {
            failure.hint(format!("or did you mean the command `{command}`?"))
        }
        _ => failure,
    }
}

fn start(runtime: &mut Option<Runtime>) -> Result<&Runtime, Failure> {
    let started = match runtime.take() {
        Some(runtime) => runtime,
        None => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?,
    };
    Ok(runtime.insert(started))
}

async fn or_interrupt<T>(
    work: impl Future<Output = Result<T, Failure>>,
    signals: &mut Interrupts,
) -> Result<T, Failure> {
    tokio::select! {
        biased;
        _ = signals.interrupt.recv() => Err(Failure::interrupted()),
        _ = signals.terminate.recv() => Err(Failure::interrupted()),
        done = work => done,
    }
}

/// Whether somebody is there. A server that wants a password is.
async fn answers(server: &Server) -> bool {
    match tokio::time::timeout(PROBE_TIME, server.sample()).await {
        Ok(Ok(_)) => true,
        Ok(Err(fault)) => fault.kind() == crate::engine::Kind::Permission,
        Err(_) => false,
    }
}

fn named(globals: &Globals, word: Option<&str>) -> Named {
    let password = if globals.askpass {
        Some(PasswordFrom::Prompt)
    } else if let Some(file) = &globals.password_file {
        Some(PasswordFrom::File(file.clone()))
    } else {
        globals.password_env.clone().map(PasswordFrom::Variable)
    };
    Named {
        target: word.map(SecretString::from),
        uri: globals.uri.clone().map(SecretString::from),
        host: globals.host.clone(),
        port: globals.port,
        socket: globals.socket.clone(),
        database: globals.database,
        user: globals.user.clone(),
        is_tls: globals.tls,
        ca_file: globals.ca_file.clone(),
        cert_file: globals.cert_file.clone(),
        key_file: globals.key_file.clone(),
        server_name: globals.server_name.clone(),
        password,
        is_read_only: globals.read_only,
    }
}

/// The target with what only the command line knows.
fn limited(mut target: Target, globals: &Globals) -> Result<Target, Failure> {
    if let Some(text) = &globals.timeout {
        let timeout = parse_duration(text)
            .ok()
            .filter(|timeout| !timeout.is_zero())
            .ok_or_else(|| {
                Failure::usage("--timeout is no duration").hint("write it as 500ms or 5s")
            })?;
        target.limits.connect = timeout;
        target.limits.reply = timeout;
    }
    target.is_read_only |= globals.read_only;
    if globals.is_insecure {
        let tls = target.tls.as_mut().ok_or_else(|| {
            Failure::usage("--insecure is about TLS, and this target has none")
                .hint("use rediss://, or --tls")
        })?;
        tls.is_insecure = true;
        eprintln!(
            "warning: --insecure accepts any certificate: whoever is in between can read along"
        );
    }
    Ok(target)
}

fn ask_password(target: &str) -> std::io::Result<SecretString> {
    rpassword::prompt_password(format!("password for {target}: ")).map(SecretString::from)
}
