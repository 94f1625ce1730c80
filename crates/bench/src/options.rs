//! What the command line may change.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// How to measure.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// One round of one contender.
    pub(crate) round: Duration,
    /// Rounds of each contender.
    pub(crate) rounds: usize,
    /// Connections of the loaded rows.
    pub(crate) connections: usize,
    /// Only groups whose name contains this.
    pub(crate) only: String,
    /// Whether to measure peers.
    pub(crate) peers: bool,
    /// Whether to use `wrk` where it is found.
    pub(crate) wrk: bool,
    /// The binary to measure.
    pub(crate) alula: PathBuf,
}

impl Options {
    /// Reads the command line behind the suite's name.
    pub(crate) fn parse(words: &[String]) -> Result<Self> {
        let mut options = Self {
            round: Duration::from_secs(4),
            rounds: 5,
            connections: 32,
            only: String::new(),
            peers: true,
            wrk: true,
            alula: std::env::current_exe()?.with_file_name("alula"),
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("`{word}` takes a value"));
            match word.as_str() {
                "--seconds" => options.round = Duration::from_secs(value()?.parse()?),
                "--rounds" => options.rounds = value()?.parse::<usize>()?.max(1),
                "--connections" => options.connections = value()?.parse::<usize>()?.max(1),
                "--only" => options.only = value()?.clone(),
                "--alula" => options.alula = value()?.into(),
                "--no-peers" => options.peers = false,
                "--own" => options.wrk = false,
                other => bail!("there is no option `{other}`"),
            }
        }
        if !options.alula.is_file() {
            bail!("there is no binary {}; `cargo xtask bench` builds it", options.alula.display());
        }
        Ok(options)
    }

    /// Whether a group is to be measured.
    pub(crate) fn wants(&self, group: &str) -> bool {
        group.contains(&self.only)
    }
}
