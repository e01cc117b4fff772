//! What the server says to each command of a restore, and what that means for its key.

use ::redis::Value as Wire;

use crate::engine::redis::reply::{Refusal, Reply};
use crate::engine::redis::restore::building::Need;
use crate::engine::redis::restore::reading::Head;
use crate::engine::redis::restore::writing::{EVERY, Purpose, Writing};
use crate::model::{Conflict, KeyKind};

impl Writing<'_> {
    pub(super) fn answer(&mut self, purpose: Purpose, reply: Reply) {
        match purpose {
            Purpose::Aside => {}
            Purpose::Set(head, bytes) => match reply {
                Ok(Wire::Nil) => self.existed(&head),
                Ok(_) => self.restored(&head, bytes),
                Err(refusal) => self.fail(&head, "SET", &refusal),
            },
            Purpose::Payload(head, payload) => match reply {
                Ok(_) => {
                    self.note_module(&head, true);
                    self.restored(&head, payload.len() as u64);
                }
                Err(refusal) if refusal.code() == "BUSYKEY" => self.existed(&head),
                Err(refusal) if is_about_payload(&refusal) => {
                    self.note_module(&head, false);
                    // A payload says the oldest version that knows its type, so others may still do.
                    if refusal.words().contains("payload version") {
                        self.unknown_types.extend(payload.first());
                    }
                    self.refused.push((head, payload));
                }
                Err(refusal) => self.fail(&head, "RESTORE", &refusal),
            },
            Purpose::Look(place) => {
                if let (Some(built), Ok(Wire::Int(1..))) = (self.built.get_mut(&place), reply) {
                    built.is_there = true;
                }
            }
            Purpose::Build(place, need) => self.answer_order(place, need, reply),
            Purpose::Rename(place) => self.answer_rename(place, reply),
        }
    }

    /// The first answer about a module's value holds for the others.
    fn note_module(&mut self, head: &Head, is_taken: bool) {
        if let KeyKind::Other(module) = &head.kind
            && !self.modules.contains_key(module)
        {
            self.modules.insert(module.clone(), is_taken);
        }
    }

    fn answer_order(&mut self, place: u64, need: Need, reply: Reply) {
        let is_none = matches!(&reply, Ok(Wire::Array(claimed)) if claimed.is_empty());
        let refusal = match reply {
            Ok(_) if need == Need::Pending && is_none => {
                self.lost.pending += 1;
                self.inexact.insert(place);
                return;
            }
            Ok(_) => return,
            Err(refusal) => refusal,
        };
        match need {
            Need::FieldEnds => self.lost.field_ends += 1,
            Need::Counters => self.lost.counters += 1,
            Need::Pending => self.lost.pending += 1,
            // Of no use but for producers, which are told of anyway.
            Need::Memory => {}
            Need::Value => {
                let words = refusal.fault(self.link.place(), "building it").to_string();
                if let Some(built) = self.built.get_mut(&place) {
                    built.failed.get_or_insert(words);
                }
                return;
            }
        }
        self.inexact.insert(place);
    }

    fn answer_rename(&mut self, place: u64, reply: Reply) {
        let Some(mut built) = self.built.remove(&place) else {
            return;
        };
        match reply {
            _ if built.failed.is_some() => {}
            Ok(Wire::Int(0)) => built.is_there = true,
            Ok(_) => {
                self.restored(&built.head, built.bytes);
                return;
            }
            // All of its fields had expired, or it has itself meanwhile.
            Err(refusal) if refusal.words().contains("no such key") => {
                self.report.expired += 1;
                return;
            }
            Err(refusal) => {
                let words = refusal.fault(self.link.place(), "RENAME").to_string();
                built.failed = Some(words);
            }
        }
        self.built.insert(place, built);
        self.drop_built(place);
    }

    fn restored(&mut self, head: &Head, bytes: u64) {
        self.report.restored += 1;
        self.report.bytes.0 += bytes;
        self.written.note(head.place);
    }

    pub(super) fn existed(&mut self, head: &Head) {
        self.report.existed += 1;
        // A restore that goes on meets what it had sent before it broke off.
        let is_own = self.restore.resumes && head.place < self.journal.note.done + 2 * EVERY;
        if self.restore.conflict == Conflict::Fail && !is_own && self.stopped.is_none() {
            self.stopped = Some(head.key.clone());
        }
    }

    fn fail(&mut self, head: &Head, command: &str, refusal: &Refusal) {
        let words = refusal.fault(self.link.place(), command).to_string();
        self.report.fail(head.key.bytes(), words);
    }
}

/// It is newer than the server, or not in a form that it knows.
fn is_about_payload(refusal: &Refusal) -> bool {
    let words = refusal.words();
    words.contains("payload version")
        || words.contains("Bad data format")
        || words.contains("syntax error")
}
