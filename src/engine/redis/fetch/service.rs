//! Services that keep their data to themselves, and what to do there instead.

use ::redis::cmd;

use crate::engine::Fault;
use crate::engine::redis::Core;
use crate::engine::redis::info::Info;
use crate::engine::redis::reply::{Refusal, bytes, shown};
use crate::model::Place;

/// A managed service.
#[derive(Debug, PartialEq, Eq)]
pub struct Service {
    pub name: &'static str,
    /// What the names of its hosts end with.
    hosts: &'static [&'static str],
    /// What its servers call their system, where they say so.
    system: Option<&'static str>,
    /// How to get at a snapshot there.
    pub instead: &'static str,
}

#[rustfmt::skip]
const SERVICES: &[Service] = &[
    Service { name: "Amazon ElastiCache",
              hosts: &[".cache.amazonaws.com", ".cache.amazonaws.com.cn"], system: Some("Amazon ElastiCache"),
              instead: "let it make one (`aws elasticache create-snapshot`, of a replica) and export it to S3 (`copy-snapshot --target-bucket`)" },
    Service { name: "Amazon MemoryDB",
              hosts: &[".memorydb.amazonaws.com"], system: Some("Amazon MemoryDB"),
              instead: "let it make one (`aws memorydb create-snapshot`) and export it to S3 (`copy-snapshot --target-bucket`)" },
    Service { name: "Azure Cache for Redis",
              hosts: &[".redis.cache.windows.net", ".redis.azure.net", ".redisenterprise.cache.azure.net"], system: None,
              instead: "export to a storage account (`az redis export`, or `az redisenterprise database export`)" },
    Service { name: "Google Memorystore",
              hosts: &[], system: Some("Google Memorystore"),
              instead: "export to a bucket (`gcloud redis instances export`), or make a backup (`gcloud memorystore instances backup`)" },
    Service { name: "Upstash",
              hosts: &[".upstash.io"], system: None,
              instead: "download a backup in its console" },
    Service { name: "Aiven",
              hosts: &[".aivencloud.com"], system: None,
              instead: "it makes backups on a schedule; fork the service from one to look inside" },
    Service { name: "OCI Cache",
              hosts: &[".oci.oraclecloud.com"], system: None,
              instead: "make a backup in its console and export it" },
    Service { name: "Redis Cloud",
              hosts: &[".redislabs.com", ".redis-cloud.com", ".redns.redis-cloud.com"], system: None,
              instead: "back the database up to a bucket from its console" },
    Service { name: "DigitalOcean",
              hosts: &[".db.ondigitalocean.com"], system: None,
              instead: "it makes backups on a schedule; fork the cluster from one to look inside" },
];

/// What is to be known of a server before it is asked for a copy.
#[derive(Debug)]
pub struct Facts {
    pub service: Option<&'static Service>,
    /// The version of Valkey; of a server that does not tell what it is, a version that stands for
    /// all. `None`: it is no Valkey.
    pub version: Option<String>,
}

/// Newer than all.
const ANY_VERSION: &str = "255.255.255";

impl Facts {
    /// Not knowing is no fault.
    pub async fn of(core: &Core) -> Self {
        let by_name = match &core.target.place {
            Place::Tcp { host, .. } => Service::of_host(host),
            Place::Unix(_) | Place::File(_) => None,
        };
        let reply = core.work.ask(&[cmd("INFO")]).await.ok();
        let reply = reply.and_then(|answer| answer.replies.into_iter().next()?.ok());
        let Some(info) = reply.and_then(bytes).map(|info| Info::parse(&info)) else {
            return Self {
                service: by_name,
                version: Some(ANY_VERSION.to_owned()),
            };
        };
        Self {
            // A tunnel hides the name; the server may still say where it runs.
            service: by_name.or_else(|| Service::of_info(&info)),
            version: info.word("valkey_version"),
        }
    }
}

impl Service {
    pub fn of_info(info: &Info) -> Option<&'static Self> {
        let system = info.text("os")?;
        SERVICES
            .iter()
            .find(|service| service.system.is_some_and(|name| system.contains(name)))
    }

    fn of_host(host: &str) -> Option<&'static Self> {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        // Its regions stand between the service and the domain.
        let is_regional = host.contains(".memorydb.") && host.ends_with(".amazonaws.com");
        SERVICES.iter().find(|service| {
            service.hosts.iter().any(|end| host.ends_with(end))
                || is_regional && service.name == "Amazon MemoryDB"
        })
    }
}

/// What a refused request for a copy means.
pub fn withheld(service: Option<&'static Service>, place: &str, refusal: &Refusal) -> Fault {
    let is_taken_away = refusal.is_unknown_command() || is_a_proxys_no(refusal);
    match (service, refusal.code()) {
        (Some(service), _) if is_taken_away || refusal.code() == "NOPERM" => Fault::Withheld {
            who: service.name.to_owned(),
            why: refusal.words(),
            instead: service.instead.to_owned(),
        },
        (_, "NOPERM") => Fault::Withheld {
            who: "the server's access list".to_owned(),
            why: refusal.words(),
            instead: "the user needs `+psync` (and `+replconf`): ask for it, or use another user"
                .to_owned(),
        },
        (None, _) if is_taken_away => Fault::Withheld {
            who: place.to_owned(),
            why: "it has no PSYNC, as managed services and proxies do".to_owned(),
            instead: "use the service's own export; behind a proxy, ask a server itself".to_owned(),
        },
        (_, "NOMASTERLINK") => Fault::NotReady {
            place: place.to_owned(),
            why: "it is a replica without a link to its primary, so its data may be old; ask the primary"
                .to_owned(),
        },
        _ => refusal.fault(place, "PSYNC"),
    }
}

/// Proxies and imitations have words of their own for commands that they do not pass on.
fn is_a_proxys_no(refusal: &Refusal) -> bool {
    let words = shown(refusal.words().as_bytes()).to_ascii_lowercase();
    [
        "unsupported",
        "not supported",
        "not available",
        "unknown command",
        "disabled",
    ]
    .iter()
    .any(|no| words.contains(no))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Kind;

    #[test]
    fn services_are_known_by_their_hosts() {
        let name = |host| Service::of_host(host).map(|service| service.name);
        for (host, expected) in [
            (
                "master.rg.abc.use1.cache.amazonaws.com",
                "Amazon ElastiCache",
            ),
            (
                "x-abc.serverless.use1.CACHE.amazonaws.com.",
                "Amazon ElastiCache",
            ),
            (
                "clustercfg.m.abc.memorydb.us-east-1.amazonaws.com",
                "Amazon MemoryDB",
            ),
            ("x.redis.cache.windows.net", "Azure Cache for Redis"),
            ("eu1-x.upstash.io", "Upstash"),
        ] {
            assert_eq!(name(host), Some(expected), "{host}");
        }
        assert_eq!(name("cache.example.com"), None);
    }

    #[test]
    fn services_are_known_by_their_own_words() {
        let info = Info::parse(b"os:Amazon ElastiCache\r\n");
        assert_eq!(
            Service::of_info(&info).map(|service| service.name),
            Some("Amazon ElastiCache")
        );
        assert_eq!(Service::of_info(&Info::parse(b"os:Linux 6.1\r\n")), None);
    }

    #[test]
    fn refusals_are_told_apart_and_say_what_to_do() {
        let elasticache = Service::of_host("a.cache.amazonaws.com");
        let gone = "ERR unknown command 'PSYNC', with args beginning with: '?' '-1' ";
        for (service, line, kind, says, hints) in [
            (
                elasticache,
                gone,
                Kind::Permission,
                "Amazon ElastiCache",
                "copy-snapshot",
            ),
            (None, gone, Kind::Permission, "cache:6379", "own export"),
            (
                None,
                "ERR command is not supported",
                Kind::Permission,
                "cache:6379",
                "proxy",
            ),
            (
                None,
                "NOPERM User x has no permissions to run the 'psync' command",
                Kind::Permission,
                "NOPERM",
                "+psync",
            ),
            (
                None,
                "NOMASTERLINK Can't SYNC",
                Kind::Connection,
                "without a link",
                "",
            ),
            (
                elasticache,
                "LOADING Redis is loading",
                Kind::Connection,
                "not ready",
                "",
            ),
            (
                None,
                "ERR something else",
                Kind::Answer,
                "something else",
                "",
            ),
        ] {
            let fault = withheld(service, "cache:6379", &Refusal::from_line(line));
            assert_eq!(fault.kind(), kind, "{line}");
            assert!(fault.to_string().contains(says), "{fault}");
            let hint = fault.hint().unwrap_or_default();
            assert!(hint.contains(hints), "{line}: {hint}");
        }
    }
}
