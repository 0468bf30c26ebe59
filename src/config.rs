//! Settings: file (TOML) < environment (`PARLANCE_SECTION__FIELD`) < flags, over defaults; the only reader of the
//! environment.
//!
//! Each part of the server gets its own small struct and nobody holds the whole. An unknown key is an error that names
//! it and where it stands. Sizes and times carry their units (`"16KiB"`, `"5s"`). The limits' names, defaults and
//! units come from [`actors::limits::TABLE`]; `docs/limits.md` is generated from there.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use actors::limits::{Limit, Limits, Row, TABLE, Unit};
use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use serde::{Deserialize, Serialize};

/// What every name in the environment begins with.
pub const ENVIRONMENT_PREFIX: &str = "PARLANCE_";

/// Settings that cannot be used; says which key, where it stands and what would do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

/// Where the node keeps its data.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// The folder of the embedded store and of the node's keys.
    pub data: PathBuf,
}

/// Where clients connect.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EdgeConfig {
    /// The address that clients connect to.
    pub listen: SocketAddr,
    /// Addresses that the limits per address do not apply to.
    pub trusted_addresses: Vec<Network>,
    /// Web origins whose pages may connect, exactly as browsers send them; empty: any, since no cookie authenticates.
    pub origins: Vec<String>,
}

/// Where operators connect.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpsConfig {
    /// The address of health checks and metrics.
    pub listen: SocketAddr,
}

/// What becomes of accounts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountsConfig {
    /// Whether the messages of a deleted account are deleted for everyone; otherwise they stay, by an author without a
    /// name.
    pub erase_messages: bool,
}

/// Hooks for tests of recovery; never on in production.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestConfig {
    /// Whether `POST /test/kill?log=` on the ops listener kills actors.
    pub hooks: bool,
}

/// What is logged.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// Targets and levels, as tracing's filters are written.
    pub filter: String,
    /// In which form.
    pub format: LogFormat,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// The settings of all parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where data is kept.
    pub node: NodeConfig,
    /// Where clients connect.
    pub edge: EdgeConfig,
    /// Where operators connect.
    pub ops: OpsConfig,
    /// What becomes of accounts.
    pub accounts: AccountsConfig,
    /// What is logged.
    pub log: LogConfig,
    /// Hooks for tests.
    pub test: TestConfig,
    /// Every bound.
    pub limits: Limits,
}

/// An address, or a block of them: `10.1.2.3`, `10.0.0.0/8`, `::1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// Whether the address lies in this block.
    pub fn holds(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                same_prefix(own.to_bits(), other.to_bits(), 32_u32.saturating_sub(self.bits), u32::checked_shr)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                same_prefix(own.to_bits(), other.to_bits(), 128_u32.saturating_sub(self.bits), u128::checked_shr)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

fn same_prefix<T: Copy + PartialEq>(one: T, other: T, cut: u32, shift: fn(T, u32) -> Option<T>) -> bool {
    shift(one, cut) == shift(other, cut) // both `None` where nothing is left to compare
}

impl FromStr for Network {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let unusable = || format!("`{text}` is no address like 10.1.2.3, and no block like 10.0.0.0/8");
        let Ok(address) = address.parse::<IpAddr>() else { return Err(unusable()) };
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse::<u32>);
        match bits {
            Ok(bits) if bits <= most => Ok(Self { address, bits }),
            Ok(_) | Err(_) => Err(unusable()),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What the command line says; `None` where it says nothing.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Flags {
    /// `--data`.
    #[serde(skip)]
    pub data: Option<PathBuf>,
    /// `--listen`.
    #[serde(skip)]
    pub listen: Option<SocketAddr>,
    /// `--ops`.
    #[serde(skip)]
    pub ops: Option<SocketAddr>,
}

/// Who started the node, and so whom it trusts unless told otherwise (design D14).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// `parlance` without arguments: somebody tries it out on this machine.
    Bare,
    /// With arguments.
    Told,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sections {
    node: NodeConfig,
    edge: EdgeConfig,
    ops: OpsConfig,
    #[serde(default)]
    accounts: AccountsConfig,
    log: LogConfig,
    #[serde(default)]
    test: TestConfig,
    #[serde(default)]
    limits: BTreeMap<String, Written>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(u64),
    Text(String),
}

impl Config {
    /// What is in force with this file, these variables and these flags.
    pub fn load(
        start: Start,
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: &Flags,
    ) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Serialized::defaults(defaults(start)));
        if let Some(path) = file {
            figment = figment.merge(Toml::file_exact(path));
        }
        figment = figment.merge(Environment(environment.into_iter().collect())).merge(flagged(flags));
        let sections: Sections = figment.extract().map_err(|error| ConfigError(error.to_string()))?;
        let limits = limits(&sections.limits)?;
        let Sections { node, edge, ops, accounts, log, test, limits: _ } = sections;
        Ok(Self { node, edge, ops, accounts, log, test, limits })
    }

    /// What is in force without any file, variable or flag.
    pub fn of(start: Start) -> Self {
        Self::load(start, None, [], &Flags::default()).expect("the defaults are settings")
    }

    /// As a file that would set the same; there is no secret among the settings.
    pub fn print(&self) -> String {
        let quoted = |text: &str| Value::from(text).into_string().map_or_else(String::new, |text| format!("{text:?}"));
        let list = |texts: Vec<String>| format!("[{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "));
        let mut text = String::new();
        let mut line = |written: String| {
            text.push_str(&written);
            text.push('\n');
        };
        line("[node]".into());
        line(format!("data = {}", quoted(&self.node.data.to_string_lossy())));
        line("\n[edge]".into());
        line(format!("listen = {}", quoted(&self.edge.listen.to_string())));
        line(format!("trusted_addresses = {}", list(self.edge.trusted_addresses.iter().map(Network::to_string).collect())));
        line(format!("origins = {}", list(self.edge.origins.clone())));
        line("\n[ops]".into());
        line(format!("listen = {}", quoted(&self.ops.listen.to_string())));
        line("\n[accounts]".into());
        line(format!("erase_messages = {}", self.accounts.erase_messages));
        line("\n[log]".into());
        line(format!("filter = {}", quoted(&self.log.filter)));
        line(format!(
            "format = {}",
            quoted(match self.log.format {
                LogFormat::Text => "text",
                LogFormat::Json => "json",
            })
        ));
        line("\n[limits]".into());
        for row in TABLE {
            line(format!("{} = {}", row.name, in_file(row.unit, self.limits.get(row.limit))));
        }
        text
    }
}

/// The process's environment, as [`Config::load`] takes it.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

fn defaults(start: Start) -> Dict {
    let trusted: Vec<Value> = match start {
        Start::Bare => vec!["127.0.0.0/8".into(), "::1".into()],
        Start::Told => Vec::new(),
    };
    let section =
        |fields: Vec<(&str, Value)>| Value::from(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Dict>());
    let filter = "info,ractor=warn,hyper=warn,fjall=warn,lsm_tree=warn";
    [
        ("node", section(vec![("data", "parlance-data".into())])),
        (
            "edge",
            section(vec![
                ("listen", "127.0.0.1:8080".into()),
                ("trusted_addresses", trusted.into()),
                ("origins", Vec::<Value>::new().into()),
            ]),
        ),
        ("ops", section(vec![("listen", "127.0.0.1:8081".into())])),
        ("log", section(vec![("filter", filter.into()), ("format", "text".into())])),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// Variables of ours, `PARLANCE_EDGE__LISTEN` as `edge.listen`.
struct Environment(Vec<(String, String)>);

impl Provider for Environment {
    fn metadata(&self) -> Metadata {
        Metadata::named("the environment")
            .interpolater(|_: &Profile, keys: &[&str]| format!("{ENVIRONMENT_PREFIX}{}", keys.join("__").to_uppercase()))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut all = Dict::new();
        for (name, value) in &self.0 {
            if let Some(path) = name.strip_prefix(ENVIRONMENT_PREFIX) {
                let path: Vec<_> = path.split("__").map(str::to_lowercase).collect();
                place(&mut all, &path, value.parse().unwrap_or_else(|never| match never {}));
            }
        }
        Ok(Profile::Default.collect(all))
    }
}

fn place(into: &mut Dict, path: &[String], value: Value) {
    match path {
        [] => {}
        [last] => drop(into.insert(last.clone(), value)),
        [first, rest @ ..] => {
            let inner = into.entry(first.clone()).or_insert_with(|| Dict::new().into());
            if let Value::Dict(_, inner) = inner {
                place(inner, rest, value);
            } else {
                drop(into.insert(path.join("__"), value)); // a name that no section has: reported as unknown
            }
        }
    }
}

fn flagged(flags: &Flags) -> Serialized<Dict> {
    let mut all = Dict::new();
    let mut set = |section: &str, field: &str, value: Option<String>| {
        if let Some(value) = value {
            place(&mut all, &[section.to_owned(), field.to_owned()], value.into());
        }
    };
    set("node", "data", flags.data.as_ref().map(|data| data.to_string_lossy().into_owned()));
    set("edge", "listen", flags.listen.map(|address| address.to_string()));
    set("ops", "listen", flags.ops.map(|address| address.to_string()));
    Serialized::defaults(all)
}

fn limits(written: &BTreeMap<String, Written>) -> Result<Limits, ConfigError> {
    let mut limits = Limits::default();
    for (name, value) in written {
        let Some(row) = TABLE.iter().find(|row| row.name == name) else {
            return Err(ConfigError(format!("unknown field: found `limits.{name}`, expected one of the names in docs/limits.md")));
        };
        let number = read(row, value).map_err(|why| ConfigError(format!("limits.{name}: {why}")))?;
        if number == 0 && !MAY_BE_ZERO.contains(&row.limit) {
            return Err(ConfigError(format!("limits.{name}: 0 would stop the node from working; the least is 1")));
        }
        limits.set(row.limit, number);
    }
    if limits.get(Limit::BodyBytes) > limits.get(Limit::FrameBytes) {
        return Err(ConfigError(
            "limits.body_bytes: is above limits.frame_bytes, so that no such body could arrive; raise both".to_owned(),
        ));
    }
    Ok(limits)
}

/// Limits for which 0 has a meaning: none, at once, or drawn from the machine.
const MAY_BE_ZERO: &[Limit] = &[
    Limit::ConnectionsNode,
    Limit::KeysAtActivation,
    Limit::Mentions,
    Limit::SyncEntries,
    Limit::SyncEntriesTotal,
    Limit::PresenceWatched,
    Limit::PresenceWatchers,
    Limit::PresenceGrace,
    Limit::TypingInterval,
    Limit::TypingAudience,
    Limit::ReceiptsDirect,
    Limit::ReceiptsGroup,
    Limit::IdleSleep,
    Limit::CoalesceAudience,
    Limit::DrainSpread,
    Limit::ReadRowsInline,
];

const BYTE_UNITS: &[(&str, u64)] = &[("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
const TIME_UNITS: &[(&str, u64)] = &[("ms", 1), ("s", 1_000), ("min", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

fn read(row: &Row, value: &Written) -> Result<u64, String> {
    let (units, example) = match row.unit {
        Unit::Bytes => (BYTE_UNITS, "\"16KiB\""),
        Unit::Millis => (TIME_UNITS, "\"5s\" or \"250ms\""),
        Unit::Count | Unit::PerSecond => (&[][..], "a whole number"),
    };
    let unusable = |found: &str| format!("found `{found}`, expected something like {example}");
    match value {
        Written::Number(number) if row.unit != Unit::Millis => Ok(*number),
        Written::Number(number) => Err(unusable(&number.to_string())),
        Written::Text(text) => {
            let cut = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            let (digits, unit) = text.split_at(cut);
            let factor = units.iter().find(|(name, _)| *name == unit.trim()).map(|(_, factor)| *factor);
            let number = digits.parse::<u64>().ok().zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
            number.ok_or_else(|| unusable(text))
        }
    }
}

/// A limit's value as a file would say it.
fn in_file(unit: Unit, value: u64) -> String {
    match unit {
        Unit::Count | Unit::PerSecond => value.to_string(),
        Unit::Bytes => with_unit(value, BYTE_UNITS.iter()),
        Unit::Millis => with_unit(value, TIME_UNITS.iter().rev()),
    }
}

fn with_unit<'a>(value: u64, mut largest_first: impl Iterator<Item = &'a (&'static str, u64)>) -> String {
    let fits = largest_first.find(|(_, factor)| value.is_multiple_of(*factor) && (value > 0 || *factor == 1));
    fits.map_or_else(|| value.to_string(), |(name, factor)| format!("\"{}{name}\"", value / factor))
}

/// `docs/limits.md`.
pub fn limits_document() -> String {
    let mut text = String::from(
        "# Limits\n\nGenerated from `actors/src/limits.rs`; a test keeps it fresh. Every bound can be set by file \
         (`[limits]`, the name below)\nor environment (`PARLANCE_LIMITS__NAME`). Times are written with their unit (`\"5s\"`, \
         `\"250ms\"`), bytes with theirs or plain (`\"16KiB\"`, `16384`).\n\n| name | default | unit | enforced by | at the limit | seen in |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for row in TABLE {
        let unit = match row.unit {
            Unit::Count => "count",
            Unit::Bytes => "bytes",
            Unit::Millis => "time",
            Unit::PerSecond => "per second",
        };
        let default = in_file(row.unit, row.default);
        writeln!(text, "| `{}` | `{}` | {unit} | {} | {} | `{}` |", row.name, default.trim_matches('"'), row.enforcer, row.at, row.metric)
            .expect("writing to a text does not fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, environment: &[(&str, &str)], flags: &Flags) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("parlance.toml");
        std::fs::write(&path, file).expect("written");
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load(Start::Told, Some(&path), environment, flags)
    }

    fn refusal(file: &str, environment: &[(&str, &str)]) -> String {
        load(file, environment, &Flags::default()).expect_err("refused").to_string()
    }

    #[test]
    fn flags_beat_the_environment_and_that_beats_the_file() {
        let file = "[edge]\nlisten = \"127.0.0.1:1\"\n[ops]\nlisten = \"127.0.0.1:2\"\n[node]\ndata = \"a\"\n";
        let environment = [("PARLANCE_OPS__LISTEN", "127.0.0.1:3"), ("PARLANCE_NODE__DATA", "b"), ("HOME", "/nowhere")];
        let flags = Flags { data: Some("c".into()), ..Flags::default() };
        let config = load(file, &environment, &flags).expect("good");
        assert_eq!(config.edge.listen.port(), 1);
        assert_eq!(config.ops.listen.port(), 3);
        assert_eq!(config.node.data, PathBuf::from("c"));
    }

    #[test]
    fn unknown_keys_are_named_with_their_place() {
        let text = refusal("[edge]\nlisen = \"127.0.0.1:1\"\n", &[]);
        assert!(text.contains("lisen") && text.contains("parlance.toml"), "{text}");
        let text = refusal("[egde]\n", &[]);
        assert!(text.contains("egde"), "{text}");
        let text = refusal("[limits]\nframe_bites = 7\n", &[]);
        assert!(text.contains("limits.frame_bites"), "{text}");
        let text = refusal("", &[("PARLANCE_EDGE__LISEN", "x")]);
        assert!(text.contains("lisen"), "{text}");
        let text = refusal("", &[("PARLANCE_LOGS", "debug")]);
        assert!(text.contains("logs"), "{text}");
        assert!(Config::load(Start::Told, Some(Path::new("/does/not/exist.toml")), [], &Flags::default()).is_err());
    }

    #[test]
    fn values_carry_their_units() {
        let file = "[limits]\nhead_deadline = \"250ms\"\nframe_bytes = \"16KiB\"\nbody_bytes = 100\nmembers = 7\naccess_life = \"15min\"\n";
        let config = load(file, &[("PARLANCE_LIMITS__AUTH_DEADLINE", "3s")], &Flags::default()).expect("good");
        assert_eq!(config.limits.get(Limit::HeadDeadline), 250);
        assert_eq!(config.limits.get(Limit::FrameBytes), 16_384);
        assert_eq!(config.limits.get(Limit::BodyBytes), 100);
        assert_eq!(config.limits.get(Limit::Members), 7);
        assert_eq!(config.limits.get(Limit::AccessLife), 900_000);
        assert_eq!(config.limits.get(Limit::AuthDeadline), 3_000);
        for wrong in [
            "head_deadline = 5",
            "head_deadline = \"5\"",
            "head_deadline = \"5KiB\"",
            "frame_bytes = \"5s\"",
            "members = \"x\"",
            "frame_bytes = \"99999999999GiB\"",
            "members = -1",
            "members = true",
            "page = 0",
            "heartbeat = \"0s\"",
            "requests_in_flight = 0",
            "body_bytes = \"1MiB\"",
        ] {
            let text = refusal(&format!("[limits]\n{wrong}\n"), &[]);
            assert!(text.contains("limits"), "{wrong}: {text}");
        }
    }

    #[test]
    fn what_is_printed_sets_the_same() {
        let file =
            "[edge]\ntrusted_addresses = [\"10.0.0.0/8\", \"::1\"]\norigins = [\"https://chat.example\"]\n[limits]\nidle_sleep = \"90s\"\n";
        let config = load(file, &[], &Flags::default()).expect("good");
        assert_eq!(load(&config.print(), &[], &Flags::default()), Ok(config));
    }

    #[test]
    fn only_the_bare_node_trusts_loopback() {
        let here: IpAddr = "127.0.0.9".parse().expect("an address");
        assert!(Config::of(Start::Bare).edge.trusted_addresses.iter().any(|network| network.holds(here)));
        assert!(Config::of(Start::Told).edge.trusted_addresses.is_empty());
    }

    #[test]
    fn a_block_holds_its_addresses_and_no_others() {
        let holds = |network: &str, address: &str| network.parse::<Network>().expect("a block").holds(address.parse().expect("an address"));
        assert!(holds("10.0.0.0/8", "10.255.0.1") && !holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("10.1.2.3", "10.1.2.3") && !holds("10.1.2.3", "10.1.2.4"));
        assert!(holds("0.0.0.0/0", "8.8.8.8") && !holds("0.0.0.0/0", "::1"));
        assert!(holds("127.0.0.1", "::ffff:127.0.0.1"), "a mapped address is the address");
        for wrong in ["", "10.0.0.0/33", "x", "10.0.0.0/", "10.0.0.0/x"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_document_of_limits_is_fresh() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/limits.md");
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == limits_document(), "docs/limits.md is stale: run `cargo run -- config --limits > docs/limits.md`");
    }
}
