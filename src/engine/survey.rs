//! Surveys: whole keyspaces walked and analysed, of one server or of several at once.
//!
//! Every server has a task of its own that walks and hands its pages on through a short channel, so
//! that they all work at the same time and none of them runs ahead of whoever analyses. An analysis
//! is kept for each server: when one of them restarts and is walked anew, only its part is forgotten.
//! A walk of one server can be kept and gone on with later, by another process.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::analysis::{Analysis, AnalysisAsk, Circumstances, Report, Via};
use crate::engine::{Backend, Draws, Fault, Server, Walk};
use crate::model::{
    Account, Bytes, Coverage, Lack, Missing, Pace, UnixMs, WalkAsk, WalkCost, WalkMark, WalkPage,
};

/// Pages that may wait for whoever analyses.
const AHEAD: usize = 4;

/// What to survey, and how.
#[derive(Clone, Debug)]
pub struct SurveyAsk {
    pub walk: WalkAsk,
    pub via: Via,
    pub analysis: AnalysisAsk,
    /// Walk a replica instead of its primary where one answers.
    pub prefers_replica: bool,
}

/// A survey under way. Dropping it ends it; what was seen so far can be reported at any time.
#[derive(Debug)]
pub struct Survey {
    via: Via,
    ask: AnalysisAsk,
    /// Of a survey of one server.
    about: Option<String>,
    nodes: Vec<Node>,
    steps: mpsc::Receiver<(usize, Step)>,
    pace: watch::Sender<Pace>,
    /// Ends the tasks when it is dropped.
    _tasks: JoinSet<()>,
}

/// A walk that ended too early: what it saw, and where it stood then.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept<A> {
    /// What was walked and what was asked: nothing else can go on with it.
    about: String,
    mark: WalkMark,
    spent: Spent,
    analysis: A,
}

/// The cost of a walk, as far as it adds up.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Spent {
    elapsed: Duration,
    server: Duration,
    round_trips: u64,
    commands: u64,
    lookups: u64,
}

/// One server of a survey.
#[derive(Debug)]
pub struct Node {
    /// Who is walked, safe to show.
    pub place: String,
    pub coverage: Coverage,
    pub cost: WalkCost,
    pub lacks: Vec<Lack>,
    /// What the server counts by itself; `None` before it was asked, and where it would not say.
    pub account: Option<Account>,
    /// Why it was not walked to the end.
    pub fault: Option<Fault>,
    pub note: Option<String>,
    is_done: bool,
    analysis: Analysis,
    /// Where its walk can be gone on with.
    mark: Option<WalkMark>,
    /// What an earlier part of the walk has cost.
    spent: Spent,
}

#[derive(Debug)]
enum Step {
    Walking { place: String, note: Option<String> },
    Account(Box<Account>),
    Page(Box<WalkPage>),
    Ended,
    Failed(Fault),
}

/// Where pages come from.
#[derive(Debug)]
enum Source {
    Walk(Walk),
    Draws(Box<Draws>),
}

impl Survey {
    /// Begins; must be called on a runtime.
    pub fn start(servers: Vec<Arc<Server>>, ask: SurveyAsk) -> Self {
        let (tell, steps) = mpsc::channel(AHEAD);
        let (pace, paces) = watch::channel(ask.walk.pace);
        let mut tasks = JoinSet::new();
        let mut nodes = Vec::new();
        let about = match servers.as_slice() {
            [server] => Some(about(server, &ask)),
            _ => None,
        };
        for (number, server) in servers.into_iter().enumerate() {
            nodes.push(Node {
                place: server.place(),
                coverage: Coverage::default(),
                cost: WalkCost::default(),
                lacks: Vec::new(),
                account: None,
                fault: None,
                note: None,
                is_done: false,
                analysis: Analysis::new(ask.analysis.clone()),
                mark: None,
                spent: Spent::default(),
            });
            let surveyor = Surveyor {
                number,
                tell: tell.clone(),
                paces: paces.clone(),
            };
            tasks.spawn(surveyor.go(server, ask.clone()));
        }
        Self {
            via: ask.via,
            ask: ask.analysis,
            about,
            nodes,
            steps,
            pace,
            _tasks: tasks,
        }
    }

    /// Goes on where an earlier survey of the same server stood. If the server was restarted since,
    /// the walk begins anew; `restarts` of the coverage says so.
    ///
    /// # Errors
    /// What was kept, when it is of something else.
    pub fn go_on(
        server: Arc<Server>,
        mut ask: SurveyAsk,
        kept: Kept<Analysis>,
    ) -> Result<Self, String> {
        if kept.about != about(&server, &ask) || *kept.analysis.ask() != ask.analysis {
            return Err(kept.about);
        }
        ask.walk.from = Some(kept.mark);
        let mut survey = Self::start(vec![server], ask);
        if let Some(node) = survey.nodes.first_mut() {
            node.analysis = kept.analysis;
            node.spent = kept.spent;
        }
        Ok(survey)
    }

    /// What another process needs to go on with this walk; `None` where it cannot be gone on with.
    pub fn kept(&self) -> Option<Kept<&Analysis>> {
        let [node] = self.nodes.as_slice() else {
            return None;
        };
        Some(Kept {
            about: self.about.clone()?,
            mark: node.mark.clone()?,
            spent: Spent::of(&node.cost),
            analysis: &node.analysis,
        })
    }

    /// Takes in what comes next; `false` when nothing more comes.
    ///
    /// # Errors
    /// When no server could be walked to its end. What was seen can be reported all the same.
    pub async fn step(&mut self) -> Result<bool, Fault> {
        if self.nodes.iter().all(|node| node.is_done) {
            return Ok(false);
        }
        let Some((number, step)) = self.steps.recv().await else {
            return Ok(false);
        };
        let node = &mut self.nodes[number];
        match step {
            Step::Walking { place, note } => (node.place, node.note) = (place, note),
            Step::Account(account) => node.account = Some(*account),
            Step::Page(page) => node.take(*page, &self.ask),
            Step::Ended => node.is_done = true,
            Step::Failed(fault) => {
                node.is_done = true;
                node.fault = Some(fault);
            }
        }
        match &self.nodes[number].fault {
            Some(fault) if self.nodes.iter().all(|node| node.fault.is_some()) => Err(fault.clone()),
            _ => Ok(true),
        }
    }

    /// From here on at this pace.
    pub fn set_pace(&self, pace: Pace) {
        self.pace.send_replace(pace);
    }

    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Everything that is known by now, of all servers together.
    pub fn report(&self, at: UnixMs) -> Report {
        let circumstances = Circumstances {
            via: self.via,
            coverage: self.coverage(),
            cost: self.cost(),
            lacks: self.lacks(),
            account: self.account(),
        };
        match self.nodes.as_slice() {
            [node] => node.analysis.report(at, circumstances),
            nodes => {
                let mut all = Analysis::new(self.ask.clone());
                for node in nodes {
                    all.merge(&node.analysis);
                }
                all.report(at, circumstances)
            }
        }
    }

    pub fn coverage(&self) -> Coverage {
        let mut nodes = self.nodes.iter().map(|node| node.coverage);
        let first = nodes.next().unwrap_or_default();
        nodes.fold(first, |all, one| Coverage {
            seen: all.seen + one.seen,
            of: all.of.zip(one.of).map(|(all, one)| all + one),
            is_filtered: all.is_filtered || one.is_filtered,
            is_complete: all.is_complete && one.is_complete,
            dataset: all
                .dataset
                .zip(one.dataset)
                .map(|(all, one)| Bytes(all.0 + one.0)),
            not_kept: all.not_kept + one.not_kept,
            repeated: all.repeated + one.repeated,
            gone: all.gone + one.gone,
            restarts: all.restarts + one.restarts,
            holds_server: all.holds_server || one.holds_server,
        })
    }

    /// Of all servers together; the share is that of the server which we take the most of.
    pub fn cost(&self) -> WalkCost {
        let mut nodes = self.nodes.iter().map(|node| node.cost.clone());
        let first = nodes.next().unwrap_or_default();
        nodes.fold(first, |all, one| WalkCost {
            elapsed: all.elapsed.max(one.elapsed),
            server: all.server + one.server,
            round_trips: all.round_trips + one.round_trips,
            commands: all.commands + one.commands,
            lookups: all.lookups + one.lookups,
            keys_per_s: match (all.keys_per_s, one.keys_per_s) {
                (Some(all), Some(one)) => Some(all + one),
                (all, one) => all.or(one),
            },
            share: match (all.share, one.share) {
                (Some(all), Some(one)) => Some(all.max(one)),
                (all, one) => all.or(one),
            },
            backs_off: all.backs_off.or(one.backs_off),
        })
    }

    fn account(&self) -> Option<Account> {
        let accounts: Option<Vec<&Account>> = self
            .nodes
            .iter()
            .map(|node| node.account.as_ref())
            .collect();
        Account::of_all(accounts?.into_iter())
    }

    fn lacks(&self) -> Vec<Lack> {
        let mut lacks: Vec<Lack> = Vec::new();
        for lack in self.nodes.iter().flat_map(|node| &node.lacks) {
            if !lacks.contains(lack) {
                lacks.push(lack.clone());
            }
        }
        lacks
    }
}

/// What a survey is of, in words that a person can compare.
fn about(server: &Server, ask: &SurveyAsk) -> String {
    let WalkAsk { pattern, wants, .. } = &ask.walk;
    let pattern = crate::text::escape(pattern.as_deref().unwrap_or(b"*"));
    let mut asked = Vec::new();
    for (is_asked, word) in [
        (wants.kind, "type"),
        (wants.ttl, "ttl"),
        (wants.size, "size"),
        (wants.usage, "usage"),
        (wants.encoding, "encoding"),
        (wants.length, "length"),
    ] {
        asked.extend(is_asked.then_some(word));
    }
    format!(
        "keys {pattern} of {}, database {}, asked for {}",
        server.place(),
        server.database(),
        asked.join(",")
    )
}

impl Spent {
    fn of(cost: &WalkCost) -> Self {
        Self {
            elapsed: cost.elapsed,
            server: cost.server,
            round_trips: cost.round_trips,
            commands: cost.commands,
            lookups: cost.lookups,
        }
    }

    fn and(self, cost: &WalkCost) -> WalkCost {
        WalkCost {
            elapsed: self.elapsed + cost.elapsed,
            server: self.server + cost.server,
            round_trips: self.round_trips + cost.round_trips,
            commands: self.commands + cost.commands,
            lookups: self.lookups + cost.lookups,
            ..cost.clone()
        }
    }
}

impl Node {
    fn take(&mut self, page: WalkPage, ask: &AnalysisAsk) {
        if page.is_anew {
            self.analysis = Analysis::new(ask.clone());
        }
        let at = UnixMs(jiff::Timestamp::now().as_millisecond());
        for key in &page.found {
            self.analysis.take(key, at);
        }
        self.coverage = page.coverage;
        self.mark = page.mark;
        self.cost = self.spent.and(&page.cost);
        self.lacks = page.lacks;
    }
}

/// Walks one server for a survey.
struct Surveyor {
    number: usize,
    tell: mpsc::Sender<(usize, Step)>,
    paces: watch::Receiver<Pace>,
}

impl Surveyor {
    async fn go(mut self, server: Arc<Server>, ask: SurveyAsk) {
        let end = self.walk(&server, &ask).await;
        let step = end.map_or_else(Step::Failed, |()| Step::Ended);
        self.say(step).await;
    }

    async fn walk(&mut self, server: &Arc<Server>, ask: &SurveyAsk) -> Result<(), Fault> {
        let replica = if ask.prefers_replica {
            Some(server.replica().await)
        } else {
            None
        };
        let (walked, note) = match replica {
            Some(Ok(replica)) => (Arc::new(replica), None),
            Some(Err(why)) => (
                Arc::clone(server),
                Some(format!("{}: {why}", server.place())),
            ),
            None => (Arc::clone(server), None),
        };
        let walking = Step::Walking {
            place: walked.place(),
            note,
        };
        self.say(walking).await;
        match walked.account().await {
            // Nothing else is told then, and a count that is not known is not 0.
            Ok(account) if ask.via == Via::Stats && account.keys.is_none() => {
                let why = "the server would not say how many keys it has".to_owned();
                return Err(Fault::Missing(Missing(why)));
            }
            Ok(account) => {
                self.say(Step::Account(Box::new(account))).await;
            }
            // Whoever asks for nothing else has to know; a walk tells of the same trouble itself.
            Err(fault) if ask.via == Via::Stats => return Err(fault),
            Err(fault) => tracing::debug!(%fault, "the server's own account is not known"),
        }
        let mut source = match ask.via {
            Via::Scan | Via::Rdb => Source::Walk(walked.walk(ask.walk.clone()).await?),
            Via::Stats => return Ok(()),
            Via::Sample => Source::Draws(Box::new(walked.draws(ask.walk.clone()).await?)),
        };
        loop {
            if self.paces.has_changed().unwrap_or(false) {
                let pace = *self.paces.borrow_and_update();
                source.set_pace(pace);
            }
            let Some(page) = source.step().await? else {
                return Ok(());
            };
            if !self.say(Step::Page(Box::new(page))).await {
                return Ok(());
            }
        }
    }

    /// Whether somebody still listens.
    async fn say(&self, step: Step) -> bool {
        self.tell.send((self.number, step)).await.is_ok()
    }
}

impl Source {
    async fn step(&mut self) -> Result<Option<WalkPage>, Fault> {
        match self {
            Self::Walk(walk) => walk.step().await,
            Self::Draws(draws) => draws.step().await,
        }
    }

    fn set_pace(&mut self, pace: Pace) {
        match self {
            Self::Walk(walk) => walk.set_pace(pace),
            Self::Draws(draws) => draws.set_pace(pace),
        }
    }
}
