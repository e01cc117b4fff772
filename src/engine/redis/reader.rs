//! A replica to read from, so that a walk does not burden the primary.

use crate::engine::dial;
use crate::engine::redis::RedisServer;
use crate::engine::{Backend, Fault};
use crate::model::{Place, Role, Target};

impl RedisServer {
    /// The replica that is closest behind and answers, reached with the same login.
    ///
    /// # Errors
    /// Why the server itself has to be read, in words.
    pub async fn replica(&self) -> Result<Self, String> {
        let sample = self.sample().await.map_err(|fault| fault.to_string())?;
        if sample.identity.role == Role::Replica {
            return Err("it is a replica itself".to_owned());
        }
        let mut replicas = sample
            .replication
            .map_or_else(Vec::new, |found| found.replicas);
        replicas.retain(|replica| replica.state == "online");
        replicas.sort_by_key(|replica| replica.lag_bytes.map_or(u64::MAX, |lag| lag.0));
        let mut why = "it has no replica that is online".to_owned();
        for replica in replicas {
            match self.at_address(&replica.address).await {
                Ok(server) => return Ok(server),
                Err(fault) => why = format!("its replica cannot be read: {fault}"),
            }
        }
        Err(why)
    }

    async fn at_address(&self, address: &str) -> Result<Self, Fault> {
        let target = &self.0.target;
        let Some((host, port)) = address
            .rsplit_once(':')
            .and_then(|(host, port)| Some((host, port.parse().ok()?)))
        else {
            return Err(Fault::Setup(format!("{address} is no address")));
        };
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let server = Self::at(Target {
            place: Place::Tcp { host, port },
            ..target.clone()
        });
        let sample = server.sample().await?;
        if sample.identity.role == Role::Replica {
            Ok(server)
        } else {
            Err(Fault::Setup(format!(
                "{} is no replica any more",
                dial::place(&server.0.target)
            )))
        }
    }
}
