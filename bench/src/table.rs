//! The table that the bench prints.
//!
//! A row is a figure with its target, its result and how it came about; it never fails a run by itself.

use std::fmt;

/// Whether a figure is where it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Met,
    /// It is not.
    Missed,
    /// It cannot be judged: the run was disturbed.
    Void,
    /// It has no target; it explains another.
    Told,
}

/// One figure.
#[derive(Debug, Clone)]
pub struct Row {
    /// What.
    pub figure: String,
    /// What it should be.
    pub target: String,
    /// What it is.
    pub result: String,
    /// Whether that is met.
    pub verdict: Verdict,
    /// How it was measured, and what it means.
    pub how: String,
}

impl Row {
    /// A figure with a target.
    pub fn judged(figure: impl Into<String>, target: impl Into<String>, result: impl Into<String>, met: bool) -> Self {
        let verdict = if met { Verdict::Met } else { Verdict::Missed };
        Self { figure: figure.into(), target: target.into(), result: result.into(), verdict, how: String::new() }
    }

    /// A figure that explains another.
    pub fn told(figure: impl Into<String>, result: impl Into<String>) -> Self {
        Self { figure: figure.into(), target: String::new(), result: result.into(), verdict: Verdict::Told, how: String::new() }
    }

    /// The same row, not judged if the run was disturbed.
    #[must_use]
    pub fn void_if(self, disturbed: bool) -> Self {
        let verdict = if disturbed { Verdict::Void } else { self.verdict };
        Self { verdict, ..self }
    }

    /// The same row, not judged.
    #[must_use]
    pub fn unjudged(self) -> Self {
        Self { verdict: Verdict::Told, ..self }
    }

    /// The same row with its method.
    #[must_use]
    pub fn how(mut self, how: impl Into<String>) -> Self {
        self.how = how.into();
        self
    }
}

/// The rows as a Markdown table.
#[derive(Debug)]
pub struct Markdown<'a>(pub &'a [Row]);

impl fmt::Display for Markdown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| figure | target | result | | how |\n| --- | --- | --- | --- | --- |")?;
        for row in self.0 {
            let mark = match row.verdict {
                Verdict::Met => "met",
                Verdict::Missed => "**missed**",
                Verdict::Void => "void",
                Verdict::Told => "",
            };
            writeln!(f, "| {} | {} | {} | {mark} | {} |", row.figure, row.target, row.result, row.how)?;
        }
        Ok(())
    }
}

/// A number with its thousands apart.
pub fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart() {
        assert_eq!(thousands(1_234_567.4), "1,234,567");
        assert_eq!(thousands(999.6), "1,000");
        assert_eq!(thousands(12.0), "12");
    }

    #[test]
    fn a_missed_target_is_seen() {
        let rows = [Row::judged("a", "≤ 1", "2", false).how("by hand"), Row::told("b", "3")];
        let text = Markdown(&rows).to_string();
        assert!(text.contains("| a | ≤ 1 | 2 | **missed** | by hand |"), "{text}");
        assert!(text.contains("| b |  | 3 |  |  |"), "{text}");
    }
}
