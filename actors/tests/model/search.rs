//! Breadth-first search: the first violation that is found has a shortest trace.

use std::collections::{HashMap, VecDeque};

use crate::world::{Setting, State, Variant};

/// What a search found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing wrong in any reachable state.
    Holds,
    /// An acknowledged message is not at its seq.
    Lost,
    /// A message stands at two seqs.
    Doubled,
    /// A message whose sender was told that it failed is stored.
    FailedButStored,
}

/// The result of a search.
pub(crate) struct Found {
    pub(crate) states: usize,
    pub(crate) verdict: Verdict,
    /// The steps to the violation.
    pub(crate) trace: Vec<String>,
}

/// Visits every state that can be reached, or stops at the first violation.
pub(crate) fn search(setting: Setting, variant: Variant) -> Found {
    let first = State::first(setting, variant);
    let mut seen: HashMap<u128, (u128, String)> = HashMap::new();
    let mut open = VecDeque::new();
    seen.insert(first.fingerprint(), (0, String::new()));
    let print = first.fingerprint();
    open.push_back((print, first));
    while let Some((from, state)) = open.pop_front() {
        for (step, next) in state.successors() {
            let print = next.fingerprint();
            if seen.contains_key(&print) {
                continue;
            }
            let verdict = next.verdict();
            seen.insert(print, (from, step));
            if verdict != Verdict::Holds {
                return Found { states: seen.len(), verdict, trace: trace(&seen, print) };
            }
            open.push_back((print, next));
        }
    }
    Found { states: seen.len(), verdict: Verdict::Holds, trace: vec![] }
}

fn trace(seen: &HashMap<u128, (u128, String)>, mut at: u128) -> Vec<String> {
    let mut steps = Vec::new();
    while let Some((from, step)) = seen.get(&at) {
        if *from == 0 {
            break;
        }
        steps.push(step.clone());
        at = *from;
    }
    steps.reverse();
    steps
}
