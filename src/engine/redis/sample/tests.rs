//! Captured `INFO` replies of real servers, as they are and with lines that other servers change.

use std::time::Duration;

use super::{Taken, sample};
use crate::engine::redis::info::Info;
use crate::engine::redis::lookups::Corrected;
use crate::model::{Bytes, Engine, Role, Sample, SaveStatus, UnixMs};

const REDIS_7: &str = include_str!("captured/redis-7.0.txt");
const VALKEY_9: &str = include_str!("captured/valkey-9.txt");

fn read(info: &str) -> Sample {
    let info = Info::parse(info.replace('\n', "\r\n").as_bytes());
    let corrected = Corrected {
        hits: info.count("keyspace_hits"),
        misses: info.count("keyspace_misses"),
        own: 0,
    };
    let taken = Taken {
        at: UnixMs(1_795_387_730_000),
        elapsed: Duration::from_secs(1),
        round_trip: Duration::from_millis(1),
    };
    sample(info, taken, corrected)
}

/// The captured reply with lines replaced, `name:` telling which; a name without value is left out.
fn read_with(info: &str, lines: &str) -> Sample {
    let replaced: Vec<(&str, &str)> = lines
        .lines()
        .filter_map(|line| line.split_once(':'))
        .collect();
    let kept = info.lines().filter(|line| {
        let name = line.split(':').next().unwrap_or(line);
        !replaced.iter().any(|(replaced, _)| *replaced == name)
    });
    let added = lines.lines().filter(|line| !line.ends_with(':'));
    read(&kept.chain(added).collect::<Vec<_>>().join("\n"))
}

fn without_section(info: &str, section: &str) -> String {
    let mut is_in = false;
    info.lines()
        .filter(|line| {
            if let Some(name) = line.strip_prefix("# ") {
                is_in = name == section;
            }
            !is_in
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn redis_7_is_read() {
    let sample = read(REDIS_7);
    assert_eq!(sample.identity.engine, Engine::Redis);
    assert_eq!(sample.identity.version, "7.0.15");
    assert_eq!(sample.identity.role, Role::Primary);
    assert_eq!(sample.identity.mode.as_deref(), Some("standalone"));
    assert!(!sample.identity.is_cluster_node);
    assert_eq!(sample.counters.hits, Some(5));
    assert_eq!(sample.counters.misses, Some(14));
    assert_eq!(sample.memory.used, Some(Bytes(1_485_024)));
    assert_eq!(sample.memory.limit, Some(None));
    assert_eq!(sample.memory.policy.as_deref(), Some("noeviction"));
    assert_eq!(sample.clients.limit, Some(10_000));
    assert_eq!(sample.keys(), Some(1));
    assert_eq!(sample.keys_with_ttl(), Some(0));
    let persistence = sample.persistence.expect("persistence");
    assert_eq!(persistence.last_save, None, "it has never saved");
    assert_eq!(persistence.last_status, Some(SaveStatus::Ok));
    assert_eq!(persistence.last_fork, None);
    assert!(sample.unsupported.is_empty(), "{:?}", sample.unsupported);
}

#[test]
fn valkey_9_is_told_by_its_own_version() {
    let sample = read(VALKEY_9);
    assert_eq!(sample.identity.engine, Engine::Valkey);
    assert_eq!(sample.identity.version, "9.1.2");
    assert_eq!(sample.identity.mode.as_deref(), Some("standalone"));
    assert_eq!(sample.keys(), Some(1));
    assert!(sample.unsupported.is_empty(), "{:?}", sample.unsupported);
}

#[test]
fn redis_6_has_no_save_progress() {
    let lines = "redis_version:6.2.14\nserver_time_usec:\ncurrent_save_keys_processed:\n\
                 current_save_keys_total:\nrdb_saves:\nrdb_bgsave_in_progress:1\n\
                 rdb_current_bgsave_time_sec:4";
    let persistence = read_with(REDIS_7, lines).persistence.expect("persistence");
    assert!(persistence.is_saving);
    assert_eq!(persistence.progress, None);
    assert_eq!(persistence.saving_for, Some(Duration::from_secs(4)));
}

#[test]
fn a_running_save_has_progress() {
    let lines = "rdb_bgsave_in_progress:1\ncurrent_save_keys_processed:250\n\
                 current_save_keys_total:1000\nrdb_current_bgsave_time_sec:2";
    let persistence = read_with(REDIS_7, lines).persistence.expect("persistence");
    assert_eq!(persistence.progress, Some(0.25));
}

#[test]
fn a_save_after_the_start_has_its_moment() {
    let lines = "rdb_saves:1\nrdb_last_save_time:1795387900\nserver_time_usec:1795387950000000\n\
                 uptime_in_seconds:221";
    let persistence = read_with(REDIS_7, lines).persistence.expect("persistence");
    assert_eq!(persistence.last_save, Some(UnixMs(1_795_387_900_000)));
}

/// The moment of the last save of a server that was started at 1 795 387 900.
fn last_save_with(lines: &str) -> Option<UnixMs> {
    let clock = "server_time_usec:1795387950000000\nuptime_in_seconds:50";
    let lines = format!("{clock}\n{lines}");
    let persistence = read_with(REDIS_7, &lines).persistence;
    persistence.expect("persistence").last_save
}

#[test]
fn the_start_is_no_save_also_after_one_was_begun_and_killed() {
    let killed = "rdb_saves:1\nrdb_last_save_time:1795387900\nrdb_last_bgsave_time_sec:0";
    assert_eq!(last_save_with(killed), None);
    let of_redis_6 = "rdb_saves:\nrdb_last_save_time:1795387900\nrdb_last_bgsave_time_sec:-1";
    assert_eq!(last_save_with(of_redis_6), None);
}

#[test]
fn a_save_within_the_second_of_the_start_has_its_moment() {
    let saved = "rdb_last_save_time:1795387900\nrdb_last_bgsave_time_sec:0\n\
                 rdb_last_cow_size:290816";
    let at = Some(UnixMs(1_795_387_900_000));
    assert_eq!(last_save_with(&format!("rdb_saves:1\n{saved}")), at);
    assert_eq!(last_save_with(&format!("rdb_saves:\n{saved}")), at);
    assert_eq!(last_save_with(&format!("rdb_saves:0\n{saved}")), None);
}

#[test]
fn sections_that_a_service_hides_are_unknown_and_not_zero() {
    let hidden = ["Persistence", "Replication", "Keyspace", "Memory"]
        .iter()
        .fold(REDIS_7.to_owned(), |info, section| {
            without_section(&info, section)
        });
    let sample = read(&hidden);
    assert_eq!(sample.keys(), None);
    assert_eq!(sample.memory.used, None);
    assert_eq!(sample.memory.limit, None);
    assert_eq!(sample.identity.role, Role::Unknown);
    assert!(sample.replication.is_none());
    assert!(sample.persistence.is_none());
    for field in ["keys", "used_bytes", "limit_bytes", "role", "persistence"] {
        assert!(sample.unsupported.contains_key(field), "{field}");
    }
}

#[test]
fn an_empty_keyspace_is_zero_keys() {
    let sample = read_with(REDIS_7, "db0:");
    assert_eq!(sample.keys(), Some(0));
}

#[test]
fn databases_come_in_order_with_their_ttls() {
    let lines = "db10:keys=5,expires=5,avg_ttl=1500\ndb2:keys=7,expires=0,avg_ttl=0\ndb0:";
    let databases = read_with(REDIS_7, lines).databases.expect("databases");
    assert_eq!(databases[0].index, 2);
    assert_eq!(databases[0].average_ttl, None);
    assert_eq!(databases[1].index, 10);
    assert_eq!(databases[1].average_ttl, Some(Duration::from_millis(1500)));
}

#[test]
fn a_primary_tells_how_far_its_replicas_are_behind() {
    let lines = "connected_slaves:2\nmaster_repl_offset:1000\n\
                 slave0:ip=10.0.0.2,port=6379,state=online,offset=900,lag=1\n\
                 slave1:ip=::1,port=6380,state=wait_bgsave,offset=0,lag=0";
    let replication = read_with(REDIS_7, lines).replication.expect("replication");
    assert_eq!(replication.replicas[0].address, "10.0.0.2:6379");
    assert_eq!(replication.replicas[0].lag_bytes, Some(Bytes(100)));
    assert_eq!(
        replication.replicas[0].since_ack,
        Some(Duration::from_secs(1))
    );
    assert_eq!(replication.replicas[1].address, "[::1]:6380");
    assert_eq!(replication.replicas[1].state, "wait_bgsave");
    assert_eq!(replication.replicas[1].lag_bytes, None);
    assert!(replication.link.is_none());
}

#[test]
fn a_replica_tells_about_its_link() {
    let lines = "role:slave\nmaster_host:10.0.0.1\nmaster_port:6379\nmaster_link_status:down\n\
                 master_last_io_seconds_ago:-1\nmaster_sync_in_progress:0\n\
                 master_link_down_since_seconds:7\nslave_read_only:1";
    let sample = read_with(REDIS_7, lines);
    assert_eq!(sample.identity.role, Role::Replica);
    let link = sample.replication.expect("replication").link.expect("link");
    assert_eq!(link.primary, "10.0.0.1:6379");
    assert!(!link.is_up);
    assert_eq!(link.down_for, Some(Duration::from_secs(7)));
    assert_eq!(link.last_io, None);
    assert_eq!(link.is_read_only, Some(true));
}

#[test]
fn a_limit_and_its_use_are_read() {
    let sample = read_with(REDIS_7, "maxmemory:2970048");
    assert_eq!(sample.memory.limit, Some(Some(Bytes(2_970_048))));
    assert_eq!(sample.fill(), Some(0.5));
}
