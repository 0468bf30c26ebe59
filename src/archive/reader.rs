//! The lines of an export to records, and the proof that it is whole.
//!
//! A record that is given out is not proven yet: its section's hash comes behind it, and that of the whole at the end.
//! Whoever takes records in must be able to forget them until [`Reader::finish`] has said yes.
//! The lines that hold no record have one spelling each, and it is compared; so no byte of a file can be another one.

#![warn(clippy::indexing_slicing, clippy::string_slice, clippy::arithmetic_side_effects)]

use actors::archive::{Place, Record, Section};
use actors::time::Timestamp;
use aws_lc_rs::digest::{Context, SHA256};

use super::wire::{FORMAT, HeaderLine, Invalid, Line, Origin, Probe, TotalLine, hex_of, sections};
use super::writer::{append, end_line};

/// The most bytes of a line: a message of 32 KiB takes six times that at most, a group's creation less.
pub const LINE_BYTES_MAX: usize = 1024 * 1024;

/// Why a file is not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It does not begin as an export does.
    #[error("this is no export of parlance: it does not begin with a header")]
    NoExport,
    /// A later program wrote it.
    #[error(
        "this export has format {found}, and this program knows format {FORMAT}: import it with the program that wrote it, or a later one"
    )]
    Newer {
        /// The format found.
        found: u64,
    },
    /// The end is missing.
    #[error("this export ends in the middle, behind line {line}: it was not written to its end, or was cut off; make a new one")]
    Truncated {
        /// The last whole line.
        line: u64,
    },
    /// A line is not what was written.
    #[error("line {line} of this export was altered or damaged ({why}): use another copy, or make a new one")]
    Damaged {
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The lines of a section are not those that were written.
    #[error(
        "the section `{section}` of this export, which ends in line {line}, was altered or damaged (its count or hash differs): use another copy, or make a new one"
    )]
    Section {
        /// The section.
        section: &'static str,
        /// The line behind it.
        line: u64,
    },
    /// The whole is not what was written.
    #[error("this export was altered or damaged (the hash of the whole differs): use another copy, or make a new one")]
    Whole,
    /// Something stands behind the end.
    #[error("something was added behind the end of this export: use another copy, or make a new one")]
    Behind,
}

/// What the first line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The version of the program that wrote it.
    pub product: String,
    /// When.
    pub created_at: Timestamp,
    /// Of what.
    pub origin: Origin,
}

/// Where the reader stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Header,
    /// Between sections.
    Between,
    In(Section),
    Done,
}

/// An export that is being read.
pub struct Reader {
    stage: Stage,
    header: Option<Header>,
    whole: Context,
    section: Context,
    to_come: Vec<Section>,
    in_section: u64,
    records: u64,
    lines: u64,
    last: Option<Place>,
    /// The beginning of a line whose end has not come yet.
    partial: Vec<u8>,
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Reader {
    /// Nothing was read yet.
    pub fn new() -> Self {
        let to_come = Vec::new();
        let (whole, section) = (Context::new(&SHA256), Context::new(&SHA256));
        Self {
            stage: Stage::Header,
            header: None,
            whole,
            section,
            to_come,
            in_section: 0,
            records: 0,
            lines: 0,
            last: None,
            partial: Vec::new(),
        }
    }

    /// What the first line said, once it was read.
    pub fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// How many records were read.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The next bytes of the file, cut anywhere; the records whose lines ended in them.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Vec<Record>, ReadError> {
        let mut records = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.partial.is_empty() && piece.ends_with(b"\n") {
                records.extend(self.line(piece)?);
                continue;
            }
            self.partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.partial);
                records.extend(self.line(&line)?);
            } else if self.partial.len() > LINE_BYTES_MAX {
                return Err(match self.stage {
                    Stage::Header => ReadError::NoExport,
                    Stage::Between | Stage::In(_) | Stage::Done => self.damaged("it is longer than any line can be".to_owned()),
                });
            }
        }
        Ok(records)
    }

    /// The next line, with its end; the record that it holds.
    fn line(&mut self, line: &[u8]) -> Result<Option<Record>, ReadError> {
        if self.stage == Stage::Done {
            return Err(ReadError::Behind);
        }
        let Some((_, bytes)) = line.split_last() else { return Err(ReadError::Truncated { line: self.lines }) };
        self.lines = self.lines.saturating_add(1);
        let parsed = match self.stage {
            Stage::Header => return self.begin(line, bytes).map(|()| None),
            Stage::Between | Stage::In(_) | Stage::Done => serde_json::from_slice::<Line<'_>>(bytes),
        };
        let parsed = parsed.map_err(|error| self.damaged(place_of(&error)))?;
        match (&parsed, self.stage) {
            (Line::Section(_), Stage::Between) => self.open(line).map(|()| None),
            (Line::End(_), Stage::In(section)) => self.close(section, line).map(|()| None),
            (Line::Total(_), Stage::Between) if self.to_come.is_empty() => self.total(line).map(|()| None),
            (_, Stage::In(section)) => self.record(section, line, parsed).map(Some),
            (_, Stage::Header | Stage::Between | Stage::Done) => Err(self.damaged("it stands where it does not belong".to_owned())),
        }
    }

    /// The end of the file: whether all of it was there.
    pub fn finish(&self) -> Result<(), ReadError> {
        match self.stage {
            Stage::Done if self.partial.is_empty() => Ok(()),
            Stage::Done => Err(ReadError::Behind),
            Stage::Header => Err(ReadError::NoExport),
            Stage::Between | Stage::In(_) => Err(ReadError::Truncated { line: self.lines }),
        }
    }

    fn damaged(&self, why: String) -> ReadError {
        ReadError::Damaged { line: self.lines, why }
    }

    fn begin(&mut self, line: &[u8], bytes: &[u8]) -> Result<(), ReadError> {
        let probe: Probe = serde_json::from_slice(bytes).or(Err(ReadError::NoExport))?;
        let found = probe.parlance_export.format;
        if found > FORMAT {
            return Err(ReadError::Newer { found });
        }
        let parsed = serde_json::from_slice::<Line<'_>>(bytes).map_err(|error| self.damaged(place_of(&error)))?;
        let Line::Header(HeaderLine { product, created_at, origin, .. }) = &parsed else { return Err(ReadError::NoExport) };
        self.header = Some(Header { product: product.clone().into_owned(), created_at: Timestamp(*created_at), origin: *origin });
        if !is_spelled(line, &parsed) {
            return Err(self.damaged("it is not spelled as it was written".to_owned()));
        }
        self.whole.update(line);
        self.to_come = sections(found);
        self.to_come.reverse();
        self.stage = Stage::Between;
        Ok(())
    }

    fn open(&mut self, line: &[u8]) -> Result<(), ReadError> {
        let Some(section) = self.to_come.pop() else { return Err(self.damaged("no section comes here".to_owned())) };
        let expected = Line::Section(section.name().into());
        if !is_spelled(line, &expected) {
            return Err(self.damaged(format!("the section `{}` comes here", section.name())));
        }
        self.whole.update(line);
        self.stage = Stage::In(section);
        Ok(())
    }

    fn record(&mut self, section: Section, line: &[u8], parsed: Line<'_>) -> Result<Record, ReadError> {
        let record = parsed.into_record().map_err(|Invalid(field)| self.damaged(format!("the field `{field}` is not valid")))?;
        let record = record.filter(|record| record.section() == section);
        let Some(record) = record else { return Err(self.damaged(format!("it does not belong in the section `{}`", section.name()))) };
        if self.last.is_some_and(|last| record.place() <= last) {
            return Err(self.damaged("it is out of order".to_owned()));
        }
        self.last = Some(record.place());
        self.whole.update(line);
        self.section.update(line);
        self.in_section = self.in_section.saturating_add(1);
        self.records = self.records.saturating_add(1);
        Ok(record)
    }

    fn close(&mut self, section: Section, line: &[u8]) -> Result<(), ReadError> {
        let sha256 = hex_of(std::mem::replace(&mut self.section, Context::new(&SHA256)).finish().as_ref());
        let expected = end_line(section, std::mem::take(&mut self.in_section), &sha256);
        if !is_spelled(line, &expected) {
            return Err(ReadError::Section { section: section.name(), line: self.lines });
        }
        self.whole.update(line);
        self.stage = Stage::Between;
        Ok(())
    }

    fn total(&mut self, line: &[u8]) -> Result<(), ReadError> {
        let sha256 = hex_of(self.whole.clone().finish().as_ref());
        let expected = Line::Total(TotalLine { records: self.records, sha256: sha256.into() });
        if !is_spelled(line, &expected) {
            return Err(ReadError::Whole);
        }
        self.stage = Stage::Done;
        Ok(())
    }
}

/// Whether the bytes are the one spelling of the line.
fn is_spelled(bytes: &[u8], line: &Line<'_>) -> bool {
    let mut spelled = Vec::new();
    append(&mut spelled, line);
    spelled == bytes
}

/// Where in the line the parser stopped, without what stands there: texts and hashes stay out of messages.
fn place_of(error: &serde_json::Error) -> String {
    format!("it cannot be read behind its byte {}", error.column())
}
