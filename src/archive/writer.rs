//! Records to the bytes of an export. The caller takes the bytes away as they come, so nothing is held here.

use actors::archive::{Record, Section};
use actors::time::Timestamp;
use aws_lc_rs::digest::{Context, SHA256};
use serde::Serialize;

use super::wire::{EndLine, FORMAT, HeaderLine, Line, Origin, TotalLine, hex_of};

/// An export that is being written.
pub struct Writer {
    out: Vec<u8>,
    whole: Context,
    section: Context,
    /// The section that is open; none before the first record and behind the last section.
    open: Option<Section>,
    /// Sections that are still to come, the last one first.
    to_come: Vec<Section>,
    in_section: u64,
    records: u64,
}

impl Writer {
    /// Begins an export with its header.
    pub fn begin(product: &str, created_at: Timestamp, origin: Origin) -> Self {
        let mut to_come = Section::ALL.to_vec();
        to_come.reverse();
        let (whole, section) = (Context::new(&SHA256), Context::new(&SHA256));
        let mut writer = Self { out: Vec::new(), whole, section, open: None, to_come, in_section: 0, records: 0 };
        writer.line(&Line::Header(HeaderLine { format: FORMAT, product: product.into(), created_at: created_at.0, origin }), false);
        writer
    }

    /// Writes a record. Records come in the order of an archive.
    pub fn record(&mut self, record: &Record) {
        let section = record.section();
        while self.open != Some(section) {
            assert!(self.next_section(), "{section:?} was closed before one of its records came");
        }
        self.in_section += 1;
        self.records += 1;
        self.line(&Line::from(record), true);
    }

    /// Closes what is open and writes the totals.
    pub fn finish(&mut self) {
        while self.next_section() {}
        let sha256 = hex_of(self.whole.clone().finish().as_ref());
        self.line(&Line::Total(TotalLine { records: self.records, sha256: sha256.into() }), false);
    }

    /// How many records were written.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// How many bytes wait to be taken away.
    pub fn waiting(&self) -> usize {
        self.out.len()
    }

    /// Takes away what was written since the last time.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Closes the open section and opens the one after it; false if there is none.
    fn next_section(&mut self) -> bool {
        if let Some(section) = self.open.take() {
            let sha256 = hex_of(std::mem::replace(&mut self.section, Context::new(&SHA256)).finish().as_ref());
            let records = std::mem::take(&mut self.in_section);
            self.line(&end_line(section, records, &sha256), false);
        }
        self.open = self.to_come.pop();
        match self.open {
            Some(section) => {
                self.line(&Line::Section(section.name().into()), false);
                true
            }
            None => false,
        }
    }

    fn line(&mut self, line: &Line<'_>, of_section: bool) {
        let from = self.out.len();
        append(&mut self.out, line);
        let bytes = &self.out[from..];
        self.whole.update(bytes);
        if of_section {
            self.section.update(bytes);
        }
    }
}

/// The line behind a section.
pub(super) fn end_line(section: Section, records: u64, sha256: &str) -> Line<'_> {
    Line::End(EndLine { section: section.name().into(), records, sha256: sha256.into() })
}

/// The line's bytes, with its end.
pub(super) fn append(out: &mut Vec<u8>, line: &Line<'_>) {
    let mut serializer = serde_json::Serializer::new(&mut *out);
    line.serialize(&mut serializer).expect("memory takes all bytes, and the lines have no form that JSON lacks");
    out.push(b'\n');
}
