//! What these tests stand on: a runtime, a backend for a URL, a permit for a change.

use std::future::Future;
use std::path::Path;

use cachedeck::engine::{Backend, Fault, Server};
use cachedeck::guard::{self, Audit, Consent, Policy};
use cachedeck::model::{Change, Outcome, Sample, Target, WalkAsk, WalkKey};

/// A backend for the URL; it connects when first asked.
pub fn backend(url: &str) -> Server {
    Server::at(target(url))
}

pub fn target(url: &str) -> Target {
    Target::parse_url(url).expect("a URL that the tests wrote")
}

/// Runs the work on a runtime of its own. Backends do not outlive the runtime they first ran on.
pub fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(work)
}

pub async fn sample(server: &Server) -> Sample {
    server.sample().await.expect("a sample")
}

/// Every key that a walk meets, in the order of their names.
pub async fn walked(server: &Server, ask: WalkAsk) -> Vec<WalkKey> {
    let mut walk = server.walk(ask).await.expect("a walk");
    let mut found = Vec::new();
    while let Some(page) = walk.step().await.expect("a step of the walk") {
        found.extend(page.found);
    }
    found.sort_by(|one, other| one.key.cmp(&other.key));
    found
}

/// Plans, permits and applies a change, as a person who said yes would.
pub async fn change(server: &Server, change: Change, state: &Path) -> Result<Outcome, Fault> {
    let preview = server.preview(&change).await.expect("a preview");
    let policy = Policy::of(&target("redis://test.invalid"));
    let plan = guard::plan(&policy, change, preview).expect("nothing stops it");
    let permit = plan
        .permit(&Consent::Yes, &Audit::in_directory(state))
        .expect("a permit");
    server.apply(permit).await
}
