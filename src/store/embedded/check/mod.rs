//! The check of a folder that no node uses: what must be true of it, and whether it is.
//!
//! | file | what |
//! |---|---|
//! | `rules` | what can be wrong, and the rules of single rows; pure |
//! | `replay` | what follows from a log; pure |
//! | `walk` | every row is read, and the rules are asked about it |
//! | `report` | what was found, in sentences |

mod replay;
mod report;
mod rules;
mod walk;
#[cfg(test)]
mod tests;

pub use report::{Problem, Report};
pub use rules::{Fault, RowKind, Subject};
pub use walk::check;
