//! The flags that every command takes: where to go, how to log in, how to print.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

/// What may stand before and after any command.
#[derive(Args, Clone, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches of a command line"
)]
#[expect(clippy::doc_markdown, reason = "help text for a terminal")]
pub struct Globals {
    /// Go to this profile or URL (for a profile that is spelled like a command)
    #[arg(short, long = "target", value_name = "TARGET", help_heading = "Target")]
    pub targets: Vec<String>,

    /// Host name or address
    #[arg(short = 'h', long, num_args = 0..=1, help_heading = "Target")]
    pub host: Option<String>,

    /// TCP port
    #[arg(short, long, help_heading = "Target", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,

    /// Unix socket, instead of host and port
    #[arg(short, long, value_name = "PATH", help_heading = "Target")]
    pub socket: Option<PathBuf>,

    /// Database number
    #[arg(short = 'n', long = "db", value_name = "DB", help_heading = "Target")]
    pub database: Option<u32>,

    /// URL, as redis-cli spells it; the same as `--target URL`
    #[arg(short = 'u', long = "uri", value_name = "URI", help_heading = "Target")]
    pub uri: Option<String>,

    /// User name to log in with
    #[arg(long, value_name = "NAME", help_heading = "Login")]
    pub user: Option<String>,

    /// Ask for the password, without showing it
    #[arg(long, help_heading = "Login", conflicts_with_all = ["password_file", "password_env"])]
    pub askpass: bool,

    /// Read the password from the first line of a file that only you can read
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Login",
        conflicts_with = "password_env"
    )]
    pub password_file: Option<PathBuf>,

    /// Read the password from this environment variable (default: REDISCLI_AUTH, when set)
    #[arg(long, value_name = "VARIABLE", help_heading = "Login")]
    pub password_env: Option<String>,

    /// Use TLS
    #[arg(long, help_heading = "TLS")]
    pub tls: bool,

    /// Certificate authorities to trust, instead of the system's
    #[arg(long = "cacert", value_name = "FILE", help_heading = "TLS")]
    pub ca_file: Option<PathBuf>,

    /// Client certificate
    #[arg(long = "cert", value_name = "FILE", help_heading = "TLS")]
    pub cert_file: Option<PathBuf>,

    /// Private key of the client certificate
    #[arg(long = "key", value_name = "FILE", help_heading = "TLS")]
    pub key_file: Option<PathBuf>,

    /// Name that the server's certificate must carry
    #[arg(long = "sni", value_name = "NAME", help_heading = "TLS")]
    pub server_name: Option<String>,

    /// Accept any certificate: whoever is in between can read along
    #[arg(long = "insecure", help_heading = "TLS")]
    pub is_insecure: bool,

    /// Configuration file (default: CACHEDECK_CONFIG, else the platform's place)
    #[arg(long, value_name = "FILE", help_heading = "General")]
    pub config: Option<PathBuf>,

    /// Refuse every change
    #[arg(long, help_heading = "General")]
    pub read_only: bool,

    /// How long to wait for a connection and for each answer (`500ms`, `5s`)
    #[arg(long, value_name = "DURATION", help_heading = "General")]
    pub timeout: Option<String>,

    /// Print without colours (NO_COLOR works too)
    #[arg(long, help_heading = "General")]
    pub no_color: bool,

    /// Form of the output
    #[arg(
        short,
        long,
        value_name = "FORMAT",
        value_enum,
        help_heading = "General"
    )]
    pub output: Option<Format>,

    /// Print the long help (`-h` alone prints the short one)
    #[arg(long, action = ArgAction::HelpLong, help_heading = "General")]
    help: Option<bool>,

    /// What `-h` without a host becomes.
    #[arg(long = SHORT_HELP, action = ArgAction::HelpShort, hide = true)]
    short_help: Option<bool>,
}

/// `-h` is the host for people who know redis-cli, and the help for everyone else.
pub const SHORT_HELP: &str = "short-help";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For reading
    #[default]
    Table,
    /// One object with `schema`, `target`, `at`, `data` and `warnings`
    Json,
    /// One record per line
    Ndjson,
    /// Comma-separated, with a header line
    Csv,
    /// The same as json, as YAML
    Yaml,
    /// Prometheus text exposition
    Prom,
}

impl Format {
    pub fn word(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Yaml => "yaml",
            Self::Prom => "prom",
        }
    }
}
