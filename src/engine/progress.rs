//! How far a long change is, told to whoever wants to know.

use tokio::sync::watch;

use crate::model::ChangeProgress;

/// Where a change tells how far it is. Who does not listen costs nothing, and nobody is waited for.
#[derive(Debug)]
pub struct Progress(Option<watch::Sender<ChangeProgress>>);

impl Progress {
    /// Nobody listens.
    pub const fn silent() -> Self {
        Self(None)
    }

    /// The latest is what the receiver sees.
    pub fn channel() -> (Self, watch::Receiver<ChangeProgress>) {
        let (tell, told) = watch::channel(ChangeProgress::default());
        (Self(Some(tell)), told)
    }

    pub fn tell(&self, progress: ChangeProgress) {
        if let Some(tell) = &self.0 {
            tell.send_replace(progress);
        }
    }
}
