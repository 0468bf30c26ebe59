//! What a check found, in sentences.

use std::collections::BTreeMap;
use std::fmt;

use super::rules::{Fault, Subject};

/// One thing that is wrong, and with what; its display says what to do as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What it is about.
    pub subject: Subject,
    /// What is wrong.
    pub fault: Fault,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.subject, self.fault, self.fault.advice())
    }
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Rows of each kind.
    pub rows: BTreeMap<&'static str, u64>,
    /// How many problems there are.
    pub problems: u64,
}
