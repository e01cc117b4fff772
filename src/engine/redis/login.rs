//! What is said before anything else on a new connection, and what of it has to be right.

use ::redis::{Cmd, cmd};
use secrecy::ExposeSecret;

use crate::engine::Fault;
use crate::engine::redis::commands;
use crate::engine::redis::link::command;
use crate::engine::redis::reply::Reply;
use crate::model::Target;

/// How we introduce ourselves in the server's client list.
const NAME: &str = "cachedeck";

pub fn commands(target: &Target) -> Vec<Cmd> {
    let mut login = Vec::new();
    if let Some(password) = &target.password {
        let mut auth = cmd("AUTH");
        if let Some(user) = &target.user {
            auth.arg(user);
        }
        auth.arg(password.expose_secret());
        login.push(auth);
    }
    if target.database != 0 {
        login.push(command(&["SELECT", &target.database.to_string()]));
    }
    login.push(command(&["CLIENT", "SETNAME", NAME]));
    // From 7.2 on: reading a value does not make it look recently used.
    login.push(command(&["CLIENT", "NO-TOUCH", "ON"]));
    login.push(command(&["CLIENT", "SETINFO", "LIB-NAME", NAME]));
    let version = env!("CARGO_PKG_VERSION");
    login.push(command(&["CLIENT", "SETINFO", "LIB-VER", version]));
    login
}

/// Authentication and the database have to be right; the courtesies may be unknown there.
///
/// # Errors
/// Why the connection is of no use.
pub fn check(place: &str, login: &[Cmd], replies: &[Reply]) -> Result<(), Fault> {
    for (command, reply) in login.iter().zip(replies) {
        let Err(refusal) = reply else { continue };
        let title = commands::title(command);
        if title == "AUTH" {
            return Err(Fault::Login {
                place: place.to_owned(),
                why: refusal.words_about_login(),
            });
        }
        let fault = refusal.fault(place, &title);
        let is_fatal = title.starts_with("SELECT") || matches!(fault, Fault::Login { .. });
        if is_fatal {
            return Err(fault);
        }
    }
    Ok(())
}

/// Whether the server agreed not to touch what we read.
pub fn leaves_no_trace(login: &[Cmd], replies: &[Reply]) -> bool {
    login
        .iter()
        .zip(replies)
        .any(|(command, reply)| commands::title(command) == "CLIENT NO-TOUCH" && reply.is_ok())
}
