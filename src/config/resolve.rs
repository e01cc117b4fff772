//! Which server is meant, and with which password.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

use crate::model::{Place, Protocol, Target, TargetError, Tls};
use crate::text;

use super::{Config, ConfigError, Profile, Vars, secrets, suggest};

/// What the command line says about the server.
#[derive(Clone, Debug, Default)]
pub struct Named {
    /// TARGET or `-t`: a profile or a URL. Secret, as a URL may hold a password.
    pub target: Option<SecretString>,
    /// `-u URI`.
    pub uri: Option<SecretString>,
    /// `-h HOST`.
    pub host: Option<String>,
    /// `-p PORT`.
    pub port: Option<u16>,
    /// `-s SOCKET`.
    pub socket: Option<PathBuf>,
    /// `-n DB`.
    pub database: Option<u32>,
    /// `--user NAME`.
    pub user: Option<String>,
    /// `--tls`.
    pub is_tls: bool,
    /// `--cacert FILE`.
    pub ca_file: Option<PathBuf>,
    /// `--cert FILE`.
    pub cert_file: Option<PathBuf>,
    /// `--key FILE`.
    pub key_file: Option<PathBuf>,
    /// `--sni NAME`.
    pub server_name: Option<String>,
    pub password: Option<PasswordFrom>,
    /// `--read-only`: only ever adds care.
    pub is_read_only: bool,
}

/// Where the command line says that the password is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordFrom {
    /// `--askpass`.
    Prompt,
    /// `--password-file FILE`.
    File(PathBuf),
    /// `--password-env NAME`.
    Variable(String),
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// `None` when nothing names a server: then `local_targets` are to be tried in turn.
    pub target: Option<Target>,
    /// To be told on stderr before anything else.
    pub warnings: Vec<String>,
}

/// Asks a person for the password of what the text names.
pub type Ask<'a> = &'a mut dyn FnMut(&str) -> std::io::Result<SecretString>;

/// Finds the target: named on the command line, else the config's default, else
/// `CACHEDECK_TARGET`.
pub fn resolve(
    named: &Named,
    config: &Config,
    vars: &Vars,
    ask: Ask,
) -> Result<Resolved, ConfigError> {
    let Some(mut found) = find(named, config, vars)? else {
        return Ok(Resolved {
            target: None,
            warnings: Vec::new(),
        });
    };
    apply_flags(named, &mut found.target)?;
    if found.profile.is_none() {
        found.target.name = found.target.address();
    }
    let mut warnings = Vec::new();
    if found.is_argument && found.target.password.is_some() {
        warnings.push(
            "the password in the URL can be seen in the list of processes: use --askpass, \
             --password-file, --password-env or a profile"
                .to_owned(),
        );
    }
    if let Some(password) = password(named, &found, config, vars, ask)? {
        found.target.password = Some(password);
    }
    log_in_as_named(&mut found.target);
    Ok(Resolved {
        target: Some(found.target),
        warnings,
    })
}

/// A user without a password is logged in as such: some need none, and for the others a refusal is
/// better than going on as somebody else.
fn log_in_as_named(target: &mut Target) {
    let needs_login = target.protocol == Protocol::Redis && target.user.is_some();
    if needs_login && target.password.is_none() {
        target.password = Some(SecretString::default());
    }
}

/// The servers that a machine of one's own would run, to be tried in this order.
pub fn local_targets(vars: &Vars) -> Result<[Target; 2], ConfigError> {
    let mut redis = local(Protocol::Redis);
    redis.password = vars.text("REDISCLI_AUTH")?.map(SecretString::from);
    Ok([redis, local(Protocol::Memcached)])
}

struct Found<'a> {
    target: Target,
    /// The profile that describes it.
    profile: Option<&'a Profile>,
    /// Its URL stands in the arguments of this process.
    is_argument: bool,
}

fn find<'a>(
    named: &Named,
    config: &'a Config,
    vars: &Vars,
) -> Result<Option<Found<'a>>, ConfigError> {
    let has_address = named.host.is_some() || named.port.is_some() || named.socket.is_some();
    match (&named.target, &named.uri) {
        (Some(_), Some(_)) => Err(ConfigError::Conflict("TARGET and -u")),
        (Some(_), None) if has_address => Err(ConfigError::Conflict("TARGET and -h, -p or -s")),
        (None, Some(_)) if has_address => Err(ConfigError::Conflict("-u and -h, -p or -s")),
        (Some(target), None) => look_up(target.expose_secret(), config, vars).map(Some),
        (None, Some(uri)) => by_url(uri.expose_secret(), "-u").map(Some),
        (None, None) if has_address => at_address(named).map(Some),
        (None, None) => unnamed(named, config, vars),
    }
}

/// Nothing on the command line says where.
fn unnamed<'a>(
    named: &Named,
    config: &'a Config,
    vars: &Vars,
) -> Result<Option<Found<'a>>, ConfigError> {
    let elsewhere = match config.default.as_deref() {
        Some(default) => Some(("the setting `default`", default)),
        None => vars
            .text("CACHEDECK_TARGET")?
            .map(|text| ("CACHEDECK_TARGET", text)),
    };
    match elsewhere {
        Some((origin, text)) => {
            let found = look_up(text, config, vars).map_err(|error| error.said_by(origin))?;
            Ok(Some(Found {
                is_argument: false,
                ..found
            }))
        }
        // `-n 3` alone means what it means to redis-cli.
        None if named.has_details() => Ok(Some(Found {
            target: local(Protocol::Redis),
            profile: None,
            is_argument: false,
        })),
        None => Ok(None),
    }
}

impl Named {
    fn has_details(&self) -> bool {
        self.database.is_some()
            || self.user.is_some()
            || self.is_tls
            || self.has_tls_details()
            || self.password.is_some()
    }

    fn has_tls_details(&self) -> bool {
        self.server_name.is_some()
            || [&self.ca_file, &self.cert_file, &self.key_file]
                .into_iter()
                .any(Option::is_some)
    }
}

fn look_up<'a>(text: &str, config: &'a Config, vars: &Vars) -> Result<Found<'a>, ConfigError> {
    if let Some(profile) = config.profiles.get(text) {
        return Ok(Found {
            target: config.target_of(text, profile, vars)?,
            profile: Some(profile),
            is_argument: false,
        });
    }
    if Target::is_place(text) {
        return by_url(text, "the target");
    }
    let known = config.profiles.keys().map(String::as_str);
    let may_hold_password = text.contains('@');
    Err(ConfigError::NoProfile {
        origin: "",
        name: (!may_hold_password).then(|| text::escape(text.as_bytes())),
        close: suggest::close(text, known)
            .into_iter()
            .map(str::to_owned)
            .collect(),
        is_address: text.contains([':', '@', '/']),
    })
}

fn by_url<'a>(url: &str, what: &'static str) -> Result<Found<'a>, ConfigError> {
    let target = Target::parse_url(url).map_err(|source| ConfigError::Place { what, source })?;
    Ok(Found {
        target,
        profile: None,
        is_argument: true,
    })
}

/// redis-cli's `-h`, `-p` and `-s`.
fn at_address<'a>(named: &Named) -> Result<Found<'a>, ConfigError> {
    let place = match &named.socket {
        Some(_) if named.host.is_some() || named.port.is_some() => {
            return Err(ConfigError::Conflict("-s and -h or -p"));
        }
        Some(socket) => Place::Unix(socket.clone()),
        None => {
            let host = named.host.as_deref().unwrap_or(LOCALHOST);
            if !Target::is_host(host) {
                return Err(ConfigError::Place {
                    what: "-h",
                    source: TargetError::Host,
                });
            }
            Place::Tcp {
                host: host.to_owned(),
                port: named.port.unwrap_or(Protocol::Redis.default_port()),
            }
        }
    };
    Ok(Found {
        target: Target::at(Protocol::Redis, place),
        profile: None,
        is_argument: false,
    })
}

const LOCALHOST: &str = "127.0.0.1";

fn local(protocol: Protocol) -> Target {
    let place = Place::Tcp {
        host: LOCALHOST.to_owned(),
        port: protocol.default_port(),
    };
    Target::at(protocol, place)
}

fn apply_flags(named: &Named, target: &mut Target) -> Result<(), ConfigError> {
    if let Some(database) = named.database {
        if target.protocol == Protocol::Memcached {
            return Err(ConfigError::Place {
                what: "-n",
                source: TargetError::NoDatabases,
            });
        }
        target.database = database;
    }
    if named.user.is_some() {
        target.user.clone_from(&named.user);
    }
    target.is_read_only |= named.is_read_only;
    if named.is_tls && target.tls.is_none() {
        target.tls = Some(Tls::default());
    }
    if !named.has_tls_details() {
        return Ok(());
    }
    let Some(tls) = &mut target.tls else {
        return Err(ConfigError::TlsWithoutTls {
            what: "the command line".to_owned(),
        });
    };
    let replace = |flag: &Option<PathBuf>, place: &mut Option<PathBuf>| {
        if flag.is_some() {
            place.clone_from(flag);
        }
    };
    replace(&named.ca_file, &mut tls.ca_file);
    replace(&named.cert_file, &mut tls.cert_file);
    replace(&named.key_file, &mut tls.key_file);
    if named.server_name.is_some() {
        tls.server_name.clone_from(&named.server_name);
    }
    Ok(())
}

/// The password from elsewhere than the URL; `None` leaves that one in place.
fn password(
    named: &Named,
    found: &Found,
    config: &Config,
    vars: &Vars,
    ask: Ask,
) -> Result<Option<SecretString>, ConfigError> {
    match &named.password {
        Some(PasswordFrom::Prompt) => {
            return ask(&found.target.name)
                .map(Some)
                .map_err(|error| ConfigError::Password(error.to_string()));
        }
        Some(PasswordFrom::File(path)) => return secrets::from_file(path).map(Some),
        Some(PasswordFrom::Variable(name)) => return secrets::from_variable(name, vars).map(Some),
        None => {}
    }
    if let Some(profile) = found.profile {
        return of_profile(profile, &found.target, config, vars);
    }
    let is_wanted = found.target.protocol == Protocol::Redis && found.target.password.is_none();
    if is_wanted {
        return Ok(vars.text("REDISCLI_AUTH")?.map(SecretString::from));
    }
    Ok(None)
}

/// A profile speaks for itself: `REDISCLI_AUTH` is for some other server and is not sent to it.
fn of_profile(
    profile: &Profile,
    target: &Target,
    config: &Config,
    vars: &Vars,
) -> Result<Option<SecretString>, ConfigError> {
    let sources = usize::from(target.password.is_some())
        + usize::from(profile.password_command.is_some())
        + usize::from(profile.password_file.is_some())
        + usize::from(profile.password_env.is_some());
    if sources > 1 {
        return Err(ConfigError::Conflict(
            "the several passwords of one profile",
        ));
    }
    if let Some(argv) = &profile.password_command {
        return secrets::from_command(argv, vars, secrets::COMMAND_TIME).map(Some);
    }
    if let Some(path) = &profile.password_file {
        return secrets::from_file(&config.absolute(path, vars)).map(Some);
    }
    match &profile.password_env {
        Some(name) => secrets::from_variable(name, vars).map(Some),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::file::parse;
    use super::*;

    const FILE: &str = "
profiles:
  local: { url: 'redis://127.0.0.1' }
  prod:
    url: rediss://h/2
    user: ops
    password_env: PROD
    environment: production
    read_only: true
    tls: { ca_file: ~/ca.pem, cert_file: c.pem }
    timeout: 500ms
  pool: { url: 'memcached://m' }
  two: { url: 'redis://:x@h', password_env: PROD }
  bad: { url: 'redis://:CANARY@h:port' }
";

    fn config() -> Config {
        parse(Path::new("/etc/c.yaml"), FILE).unwrap()
    }

    fn no_prompt(_: &str) -> std::io::Result<SecretString> {
        panic!("nobody is to be asked")
    }

    fn named(target: &str) -> Named {
        Named {
            target: Some(target.into()),
            ..Named::default()
        }
    }

    /// The target's name and password.
    fn found(named: &Named, config: &Config, vars: &Vars) -> Result<String, String> {
        let resolved =
            resolve(named, config, vars, &mut no_prompt).map_err(|error| error.to_string())?;
        Ok(resolved.target.map_or("none".into(), |target| {
            let password = target.password.as_ref().map(ExposeSecret::expose_secret);
            format!("{} {}", target.name, password.unwrap_or("-"))
        }))
    }

    #[test]
    fn the_command_line_comes_before_the_default_and_that_before_the_variable() {
        let nothing = Vars::default();
        let vars = Vars::from([("CACHEDECK_TARGET", "pool")]);
        let with_default = Config {
            default: Some("local".into()),
            ..config()
        };
        let unnamed = Named::default();
        assert_eq!(
            found(&named("pool"), &with_default, &vars).unwrap(),
            "pool -"
        );
        assert_eq!(found(&unnamed, &with_default, &vars).unwrap(), "local -");
        assert_eq!(found(&unnamed, &config(), &vars).unwrap(), "pool -");
        assert_eq!(found(&unnamed, &config(), &nothing).unwrap(), "none");
    }

    #[test]
    fn a_default_that_is_none_is_looked_for_where_it_stands() {
        let with_default = Config {
            default: Some("prodd".into()),
            ..config()
        };
        let nothing = Vars::default();
        assert_eq!(
            found(&Named::default(), &with_default, &nothing),
            Err("the setting `default`: no profile is called prodd".into())
        );
        let vars = Vars::from([("CACHEDECK_TARGET", "http://h")]);
        let said = found(&Named::default(), &config(), &vars).unwrap_err();
        assert!(said.starts_with("CACHEDECK_TARGET: "), "{said}");
    }

    #[test]
    fn a_user_without_password_is_not_forgotten() {
        let user = Named {
            user: Some("ops".into()),
            ..named("local")
        };
        for named in [user, named("redis://ops@127.0.0.1")] {
            let resolved = resolve(&named, &config(), &Vars::default(), &mut no_prompt);
            let target = resolved.unwrap().target.unwrap();
            assert_eq!(target.user.as_deref(), Some("ops"));
            assert_eq!(target.password.unwrap().expose_secret(), "");
        }
    }

    #[test]
    fn redis_cli_flags_mean_what_they_mean_there() {
        let vars = Vars::from([("REDISCLI_AUTH", "x")]);
        let flags = |named: Named| found(&named, &config(), &vars);
        let none = Named::default;
        assert_eq!(
            flags(Named {
                host: Some("h".into()),
                port: Some(7),
                database: Some(2),
                ..none()
            }),
            Ok("redis://h:7/2 x".into())
        );
        assert_eq!(
            flags(Named {
                socket: Some("/s".into()),
                user: Some("u".into()),
                ..none()
            }),
            Ok("redis+unix://u@/s x".into())
        );
        assert_eq!(
            flags(Named {
                port: Some(7),
                is_tls: true,
                ..none()
            }),
            Ok("rediss://127.0.0.1:7 x".into())
        );
        assert_eq!(
            flags(Named {
                database: Some(3),
                ..none()
            }),
            Ok("redis://127.0.0.1:6379/3 x".into())
        );
        assert_eq!(
            flags(Named {
                uri: Some("redis://:y@h".into()),
                ..none()
            }),
            Ok("redis://h:6379 y".into())
        );
        assert_eq!(
            flags(Named {
                host: Some("fe80::1%eth0".into()),
                ..none()
            }),
            Ok("redis://[fe80::1%25eth0]:6379 x".into())
        );
        for host in ["ops:CANARY@h", "redis://h", "", "[::1]"] {
            let said = flags(Named {
                host: Some(host.into()),
                ..none()
            });
            let why = "-h: the host is not a host name or an address";
            assert_eq!(said, Err(why.into()));
        }
        assert!(
            flags(Named {
                port: Some(7),
                ..named("local")
            })
            .is_err()
        );
        assert!(
            flags(Named {
                ca_file: Some("c".into()),
                ..named("local")
            })
            .is_err()
        );
        assert!(
            flags(Named {
                database: Some(1),
                ..named("pool")
            })
            .is_err()
        );
    }

    #[test]
    fn a_profile_sets_everything() {
        let vars = Vars::from([
            ("PROD", "s3cret"),
            ("HOME", "/home/me"),
            ("REDISCLI_AUTH", "x"),
        ]);
        let resolved = resolve(&named("prod"), &config(), &vars, &mut no_prompt).unwrap();
        let target = resolved.target.unwrap();
        let tls = target.tls.unwrap();
        assert_eq!(target.name, "prod");
        assert_eq!((target.user.as_deref(), target.database), (Some("ops"), 2));
        assert_eq!(target.password.unwrap().expose_secret(), "s3cret");
        assert_eq!(target.environment, crate::model::Environment::Production);
        assert!(target.is_read_only);
        assert_eq!(target.limits.reply.as_millis(), 500);
        assert_eq!(tls.ca_file, Some("/home/me/ca.pem".into()));
        assert_eq!(tls.cert_file, Some("/etc/c.pem".into()));
        assert!(resolved.warnings.is_empty());
    }

    #[test]
    fn a_profile_is_not_sent_the_password_of_another_server() {
        let vars = Vars::from([("REDISCLI_AUTH", "x")]);
        assert_eq!(found(&named("local"), &config(), &vars).unwrap(), "local -");
        assert_eq!(
            found(&named("memcached://m"), &config(), &vars).unwrap(),
            "memcached://m:11211 -"
        );
        assert!(found(&named("two"), &config(), &vars).is_err());
    }

    #[test]
    fn a_password_among_the_arguments_is_warned_of() {
        let warnings = |target: &str| {
            resolve(&named(target), &config(), &Vars::default(), &mut no_prompt)
                .unwrap()
                .warnings
        };
        assert_eq!(warnings("redis://:CANARY@h").len(), 1);
        assert!(!warnings("redis://:CANARY@h")[0].contains("CANARY"));
        assert!(warnings("redis://h").is_empty());
    }

    #[test]
    fn the_flag_for_the_password_beats_all_others() {
        let vars = Vars::from([("MINE", "y"), ("REDISCLI_AUTH", "x")]);
        let mine = Named {
            password: Some(PasswordFrom::Variable("MINE".into())),
            ..named("redis://:z@h")
        };
        assert_eq!(found(&mine, &config(), &vars).unwrap(), "redis://h:6379 y");
        let prompt = Named {
            password: Some(PasswordFrom::Prompt),
            ..named("prod")
        };
        let mut asked = String::new();
        let answer = resolve(&prompt, &config(), &vars, &mut |what| {
            what.clone_into(&mut asked);
            Ok("typed".into())
        });
        let target = answer.unwrap().target.unwrap();
        assert_eq!(target.password.unwrap().expose_secret(), "typed");
        assert_eq!(asked, "prod");
    }

    #[test]
    fn an_unknown_name_lists_those_that_are_close() {
        let says = |target: &str| {
            let error =
                resolve(&named(target), &config(), &Vars::default(), &mut no_prompt).unwrap_err();
            format!("{error} / {}", error.hint().unwrap_or_default())
        };
        assert_eq!(says("prd"), "no profile is called prd / did you mean prod?");
        assert_eq!(
            says("localhost:6379"),
            "no profile is called localhost:6379 / an address needs its scheme: \
             redis://HOST:PORT or memcached://HOST:PORT"
        );
        assert!(!says("ops:CANARY@h").contains("CANARY"));
        assert_eq!(
            says("bad"),
            "profile bad: the port of the URL is not a number from 1 to 65535 / "
        );
    }
}
