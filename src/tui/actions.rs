//! What a person can ask for: the table that keys, footer, help, palette and README come from.
//!
//! One more action is one more row, and the arm where it acts.

use crate::tui::panes::PaneId;

/// What a person asked. Never carries anything: what it applies to is the state of the pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    OpenOverview,
    OpenKeys,
    OpenSnapshots,
    OpenReplication,
    OpenMemory,
    OpenDiff,
    NextPane,
    PreviousPane,
    NextTarget,
    Targets,
    Refresh,
    Palette,
    Help,
    Back,
    Redraw,
    Suspend,
    Quit,
    Interrupt,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Top,
    Bottom,
    Enter,
    Mark,
    MarkAll,
    Filter,
    GoToKey,
    Favourite,
    Bookmarks,
    Jump,
    ToggleTree,
    CollapseIds,
    Sort,
    PauseWalk,
    PaceWalk,
    AskAll,
    RestartWalk,
    WalkAll,
    SampleKeys,
    PauseSurvey,
    PaceSurvey,
    SetTtl,
    RemoveTtl,
    Delete,
    CopyName,
    CopyValue,
    NextForm,
    CreateSnapshot,
    RewriteAof,
    CheckSnapshot,
    FetchSnapshot,
    StopFetch,
    Compare,
    SortDiff,
    ServerText,
    Yes,
    No,
}

/// Where an action is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    Global,
    /// Movement, in every pane and layer that has something to move in.
    List,
    Pane(PaneId),
    /// In questions that lie over the panes.
    Layer,
}

/// How much harm an action can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    /// It only looks.
    Looks,
    /// It changes the server and asks first.
    Changes,
    /// It destroys, and asks first.
    Destroys,
}

#[derive(Debug)]
pub struct Row {
    pub action: Action,
    pub scope: Scope,
    pub risk: Risk,
    pub keys: &'static [&'static str],
    /// What config files and the palette call it.
    pub name: &'static str,
    /// A word or two for the footer; empty where the footer need not mention it.
    pub label: &'static str,
    /// A line for the help.
    pub words: &'static str,
}

impl Action {
    /// Its row.
    ///
    /// # Panics
    /// Never: every action has a row.
    pub fn row(self) -> &'static Row {
        ACTIONS
            .iter()
            .find(|row| row.action == self)
            .expect("every action has a row, and a test says so")
    }
}

const KEYS: Scope = Scope::Pane(PaneId::Keys);
const MEMORY: Scope = Scope::Pane(PaneId::Memory);
const SNAPSHOTS: Scope = Scope::Pane(PaneId::Snapshots);
const DIFF: Scope = Scope::Pane(PaneId::Diff);
const OVERVIEW: Scope = Scope::Pane(PaneId::Overview);

#[rustfmt::skip]
pub static ACTIONS: &[Row] = &[
    // What a pane can do stands first, Enter before all: the footer shows it first.
    row(Action::Enter,           Scope::List,   Risk::Looks,    &["enter"],                 "open",              "open",     "open what is selected"),
    row(Action::Mark,            KEYS,          Risk::Looks,    &["space"],                 "mark",              "mark",     "mark or unmark the key; TTL and delete then apply to all marked"),
    row(Action::SetTtl,          KEYS,          Risk::Changes,  &["t"],                     "set-ttl",           "TTL",      "set the TTL: 90s, 2h, 1d12h, tomorrow 06:00, never"),
    row(Action::RemoveTtl,       KEYS,          Risk::Changes,  &["shift-t"],               "remove-ttl",        "",         "remove the TTL, so that the key stays"),
    row(Action::Delete,          KEYS,          Risk::Destroys, &["d", "delete"],           "delete",            "delete",   "delete the key, or all marked ones"),
    row(Action::Filter,          KEYS,          Risk::Looks,    &["/"],                     "filter",            "filter",   "show only keys that match"),
    row(Action::PauseWalk,       KEYS,          Risk::Looks,    &["p"],                     "pause",             "pause",    "pause or continue the walk over the keys"),
    row(Action::ToggleTree,      KEYS,          Risk::Looks,    &["v"],                     "tree",              "tree",     "list or tree by the delimiter"),
    row(Action::CollapseIds,     KEYS,          Risk::Looks,    &["c"],                     "collapse-ids",      "patterns", "count names together that differ by ids alone: user:*:profile"),
    row(Action::PaceWalk,        KEYS,          Risk::Looks,    &["f"],                     "full-speed",        "full speed", "walk as fast as the server can, or on a budget again"),
    row(Action::AskAll,          KEYS,          Risk::Looks,    &["w"],                     "ask-all",           "ask all",  "walk again and ask every key about its type, TTL and size"),
    row(Action::RestartWalk,     KEYS,          Risk::Looks,    &["shift-r"],               "walk",              "walk anew", "walk over the keys anew"),
    row(Action::Sort,            KEYS,          Risk::Looks,    &["s"],                     "sort",              "sort",     "sort by the next column"),
    row(Action::GoToKey,         KEYS,          Risk::Looks,    &["o"],                     "go-to-key",         "open key", "open a key by its name"),
    row(Action::Favourite,       KEYS,          Risk::Looks,    &["*"],                     "favourite",         "",         "make the key a favourite of this target, or take it back"),
    row(Action::Bookmarks,       KEYS,          Risk::Looks,    &["b"],                     "bookmarks",         "favourites", "choose among favourite and recent keys"),
    row(Action::Jump,            KEYS,          Risk::Looks,    &["shift-o"],               "jump",              "",         "jump to the first key whose name begins so"),
    row(Action::MarkAll,         KEYS,          Risk::Looks,    &["a"],                     "mark-all",          "",         "mark all keys in view, or none when all are marked"),
    row(Action::CopyName,        KEYS,          Risk::Looks,    &["y"],                     "copy-name",         "",         "copy the key's name to the clipboard"),
    row(Action::CopyValue,       KEYS,          Risk::Looks,    &["shift-y"],               "copy-value",        "",         "copy the shown value to the clipboard"),
    row(Action::NextForm,        KEYS,          Risk::Looks,    &["x"],                     "form",              "form",     "show the value as JSON, text or hex"),
    row(Action::WalkAll,         MEMORY,        Risk::Looks,    &["w"],                     "walk-all",          "walk all", "walk over all keys, for exact figures"),
    row(Action::SampleKeys,      MEMORY,        Risk::Looks,    &["s"],                     "sample",            "sample",   "draw keys at random anew"),
    row(Action::PauseSurvey,     MEMORY,        Risk::Looks,    &["p"],                     "pause-survey",      "pause",    "pause or continue the survey"),
    row(Action::PaceSurvey,      MEMORY,        Risk::Looks,    &["f"],                     "full-speed-survey", "full speed", "survey as fast as the server can, or on a budget again"),
    row(Action::CreateSnapshot,  SNAPSHOTS,     Risk::Changes,  &["b"],                     "create-snapshot",   "create",   "write a snapshot in the background"),
    row(Action::RewriteAof,      SNAPSHOTS,     Risk::Changes,  &["a"],                     "rewrite-aof",       "rewrite AOF", "write the append-only file anew in the background"),
    row(Action::CheckSnapshot,   SNAPSHOTS,     Risk::Looks,    &["c"],                     "check-snapshot",    "check",    "look again at what speaks for and against a snapshot"),
    row(Action::FetchSnapshot,   SNAPSHOTS,     Risk::Looks,    &["f"],                     "fetch",             "fetch",    "bring all data here as a file: a copy of one moment, or the items of Memcached"),
    row(Action::StopFetch,       SNAPSHOTS,     Risk::Looks,    &["x"],                     "stop-fetch",        "stop fetch", "stop the fetch that is under way; nothing stays of it"),
    row(Action::Compare,         DIFF,          Risk::Looks,    &["c"],                     "compare",           "compare",  "hold the target against a file, or against another target that is open"),
    row(Action::SortDiff,        DIFF,          Risk::Looks,    &["s"],                     "sort-diff",         "sort",     "sort the prefixes by differences, growth or name"),
    row(Action::ServerText,      OVERVIEW,      Risk::Looks,    &["i"],                     "server-text",       "raw",      "every line as the server says it"),
    row(Action::Up,              Scope::List,   Risk::Looks,    &["up", "k"],               "up",                "",         "one up"),
    row(Action::Down,            Scope::List,   Risk::Looks,    &["down", "j"],             "down",              "",         "one down"),
    row(Action::Left,            Scope::List,   Risk::Looks,    &["left", "h"],             "left",              "",         "fold, or one to the left"),
    row(Action::Right,           Scope::List,   Risk::Looks,    &["right", "l"],            "right",             "",         "unfold, or one to the right"),
    row(Action::PageUp,          Scope::List,   Risk::Looks,    &["pageup", "ctrl-b", "ctrl-u"], "page-up",      "",         "one page up"),
    row(Action::PageDown,        Scope::List,   Risk::Looks,    &["pagedown", "ctrl-f", "ctrl-d"], "page-down",  "",         "one page down"),
    row(Action::Top,             Scope::List,   Risk::Looks,    &["home", "g"],             "top",               "",         "to the first"),
    row(Action::Bottom,          Scope::List,   Risk::Looks,    &["end", "shift-g"],        "bottom",            "",         "to the last"),
    row(Action::Yes,             Scope::Layer,  Risk::Looks,    &["y"],                     "yes",               "yes",      "yes, do it"),
    row(Action::No,              Scope::Layer,  Risk::Looks,    &["n"],                     "no",                "no",       "no, leave it"),
    row(Action::Back,            Scope::Global, Risk::Looks,    &["esc"],                   "back",              "back",     "close what is open, go back"),
    row(Action::OpenOverview,    Scope::Global, Risk::Looks,    &["1"],                     "overview",          "",         "how the cache is doing"),
    row(Action::OpenKeys,        Scope::Global, Risk::Looks,    &["2"],                     "keys",              "",         "what is in the cache"),
    row(Action::OpenSnapshots,   Scope::Global, Risk::Looks,    &["3"],                     "snapshots",         "",         "what is on its disk"),
    row(Action::OpenReplication, Scope::Global, Risk::Looks,    &["4"],                     "replication",       "",         "who copies from whom"),
    row(Action::OpenMemory,      Scope::Global, Risk::Looks,    &["5"],                     "memory",            "",         "what the keyspace consists of"),
    row(Action::OpenDiff,        Scope::Global, Risk::Looks,    &["6"],                     "diff",              "",         "what changed since a snapshot"),
    row(Action::NextPane,        Scope::Global, Risk::Looks,    &["tab"],                   "next-pane",         "next pane", "the next pane"),
    row(Action::PreviousPane,    Scope::Global, Risk::Looks,    &["backtab"],               "previous-pane",     "",         "the pane before"),
    row(Action::NextTarget,      Scope::Global, Risk::Looks,    &["ctrl-n"],                "next-target",       "",         "the next target"),
    row(Action::Targets,         Scope::Global, Risk::Looks,    &["ctrl-t"],                "targets",           "targets",  "choose among the targets"),
    row(Action::Refresh,         Scope::Global, Risk::Looks,    &["r", "f5"],               "refresh",           "",         "read the server now; try a lost connection at once"),
    row(Action::Palette,         Scope::Global, Risk::Looks,    &[":", "ctrl-p"],           "palette",           "commands", "find and run any command"),
    row(Action::Help,            Scope::Global, Risk::Looks,    &["?", "f1"],               "help",              "help",     "the keys that work here"),
    row(Action::Redraw,          Scope::Global, Risk::Looks,    &["ctrl-l"],                "redraw",            "",         "draw the whole screen again"),
    row(Action::Suspend,         Scope::Global, Risk::Looks,    &["ctrl-z"],                "suspend",           "",         "back to the shell; `fg` returns"),
    row(Action::Quit,            Scope::Global, Risk::Looks,    &["q"],                     "quit",              "quit",     "leave"),
    row(Action::Interrupt,       Scope::Global, Risk::Looks,    &["ctrl-c"],                "interrupt",         "",         "leave at once, from anywhere"),
];

/// The keys as the table that the README shows. A test keeps the two equal.
pub fn readme_keys() -> String {
    let heading = "| Where | Keys | What they do |\n|---|---|---|\n".to_owned();
    ACTIONS.iter().fold(heading, |table, row| {
        let place = match row.scope {
            Scope::Global => "everywhere",
            Scope::List => "lists",
            Scope::Layer => "questions",
            Scope::Pane(pane) => pane.row().title,
        };
        let keys: Vec<String> = row.keys.iter().map(|key| format!("`{key}`")).collect();
        let (keys, words) = (keys.join(" "), row.words);
        format!("{table}| {place} | {keys} | {words} |\n")
    })
}

/// Every action's name and default keys, as comments of the example config file.
pub fn example_keys() -> String {
    // Signs and digits mean something of their own in YAML.
    let is_word = |key: &str| key.chars().all(|c| c.is_ascii_alphabetic() || c == '-');
    let written = |key: &&str| {
        if is_word(key) {
            (*key).to_owned()
        } else {
            format!("\"{key}\"")
        }
    };
    ACTIONS.iter().fold(String::new(), |lines, row| {
        let keys: Vec<String> = row.keys.iter().map(written).collect();
        format!("{lines}#   {}: [{}]\n", row.name, keys.join(", "))
    })
}

const fn row(
    action: Action,
    scope: Scope,
    risk: Risk,
    keys: &'static [&'static str],
    name: &'static str,
    label: &'static str,
    words: &'static str,
) -> Row {
    Row {
        action,
        scope,
        risk,
        keys,
        name,
        label,
        words,
    }
}
