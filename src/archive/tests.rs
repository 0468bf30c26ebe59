//! What is written is read back; whatever else is read is refused.

use std::sync::LazyLock;

use actors::account::{Privacy, Standing};
use actors::archive::{Record, Section};
use actors::testkit::contract::archive::{everything, write_every_kind};
use actors::testkit::memory::MemoryStore;
use actors::time::Timestamp;
use proptest::prelude::*;

use super::reader::{LINE_BYTES_MAX, ReadError, Reader};
use super::wire::Origin;
use super::writer::Writer;

/// Every kind of record, and few enough of each for a test that reads them again and again.
static RECORDS: LazyLock<Vec<Record>> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let store = MemoryStore::new();
        write_every_kind(&store).await;
        let mut all = everything(&store).await;
        all.retain(|record| !matches!(record, Record::Entry { entry, .. } if entry.seq.get() > 30 || entry.act.bytes() > 1_000));
        all
    })
});

static EXPORT: LazyLock<Vec<u8>> = LazyLock::new(|| written(&RECORDS));

fn written(records: &[Record]) -> Vec<u8> {
    let mut writer = Writer::begin("0.1.0", Timestamp(1_767_225_600_000_000), Origin::Node);
    for record in records {
        writer.record(record);
    }
    writer.finish();
    writer.take()
}

fn read(bytes: &[u8], piece: usize) -> Result<Vec<Record>, ReadError> {
    let (mut reader, mut records) = (Reader::new(), Vec::new());
    for some in bytes.chunks(piece) {
        records.extend(reader.read(some)?);
    }
    reader.finish()?;
    Ok(records)
}

fn replaced(from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(EXPORT.clone()).expect("text");
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1).into_bytes()
}

#[test]
fn every_kind_of_record_comes_back_however_the_bytes_are_cut() {
    for section in Section::ALL {
        assert!(RECORDS.iter().any(|record| record.section() == section), "{section:?}");
    }
    for piece in [1, 7, 4_096, usize::MAX] {
        assert!(read(&EXPORT, piece).expect("whole") == *RECORDS);
    }
    assert_eq!(read(&written(&[]), 100), Ok(vec![]));
}

/// Written once, these bytes are read for ever.
#[test]
fn the_bytes_of_format_2_are_fixed_for_ever() {
    let text = String::from_utf8(EXPORT.clone()).expect("text");
    let mut lines = text.lines();
    let header = r#"{"parlance_export":{"format":2,"product":"0.1.0","created_at":1767225600000000,"origin":"node"}}"#;
    assert_eq!(lines.next(), Some(header));
    assert_eq!(lines.next(), Some(r#"{"section":"sequences"}"#));
    assert_eq!(lines.next(), Some(r#"{"sequence":{"name":"principals","last":64}}"#));
    for line in [
        r#"{"account":{"id":7,"username":"ann","email":"Ann@example.org","name":"Ann B. 🙂","password":"$argon2id$v=19$m=1$a$b","active":true,"created_at":1767225600000001,"updated_at":1767225600000002,"first_name":"Ann","last_name":"Bell","about":"Whatever it is,\nI like it","picture":{"id":"00000000000000000000000000000007","type":"image/webp"},"privacy":{"presence":"friends","receipts":false,"searchable":true,"groups":"nobody"},"staff":true,"version":1}}"#,
        r#"{"segment":{"segment":2,"log":"u7","bucket":3}}"#,
        r#"{"entry":{"log":"d7-8","seq":3,"pos":3,"id":4098,"author":1,"client_key":"key 3","at":1767225600000002,"act":{"message":{"text":"message 2"}}}}"#,
        r#"{"member":{"group":9,"user":8,"role":"owner","since":4,"until":7,"version":4}}"#,
        r#"{"own":{"user":7,"conversation":"g9","pos":3,"version":4}}"#,
        r#"{"listed":{"user":7,"conversation":"g9","listed":false,"version":2}}"#,
        r#"{"media":{"id":"00000000000000000000000000000002","owner":8,"purpose":"attachment","name":"a “photo” 🙂.png","type":"image/png","bytes":10,"pixels":[640,480],"uploaded_at":1767225600000001,"expires_at":55,"erased_at":60,"version":2}}"#,
        r#"{"direct":{"conversation":"d8-9","number":5,"version":1}}"#,
        r#"{"amendment":{"conversation":"g10","seq":2,"deleted":{"by":7,"at":3},"version":2}}"#,
        r#"{"amendment":{"conversation":"d8-9","seq":1,"reactions":[["+1",2],["👍🏽",1]],"version":1}}"#,
        r#"{"reactions":{"conversation":"d8-9","seq":1,"user":8,"reactions":[],"version":3}}"#,
        r#"{"gone":{"conversation":"d8-9","span":1,"bits":"AAI=","version":4}}"#,
        r#"{"invitation":{"group":10,"user":8,"by":7,"expires_at":9223372036854775807,"version":1}}"#,
        r#"{"preferences":{"user":8,"conversation":"d8-9","muted_until":6,"archived":true,"cleared":{"seq":3,"pos":2},"version":1}}"#,
        r#"{"hidden":{"user":8,"conversation":"d8-9","bucket":0,"bits":"Ag==","version":2}}"#,
        r#"{"notice":{"user":8,"seq":2,"version":2}}"#,
        r#"{"notices_read":{"user":8,"up_to":2,"version":3}}"#,
        r#"{"bond":{"low":3,"high":7,"high_blocks":5,"version":1}}"#,
        r#"{"seen":{"user":7,"here":8,"login":7}}"#,
        r#"{"end":{"section":"own","records":1,"sha256":"#,
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(text.lines().last().expect("a line").starts_with(r#"{"total":{"records":"#));
}

/// An export of format 1, made here of its parts: it ends behind the marks, and what was not yet kept is left out.
#[test]
fn an_export_of_format_1_is_read_for_ever() {
    let of_format_1: Vec<_> = RECORDS.iter().filter(|record| record.section() <= Section::Marks).cloned().collect();
    let mut text = String::from_utf8(written(&of_format_1)).expect("text").replacen("\"format\":2", "\"format\":1", 1);
    let last = text.find("{\"section\":\"directs\"}").expect("the section that it lacks");
    text.truncate(last);
    let sha256 = super::wire::hex_of(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes()).as_ref());
    let total = format!("{{\"total\":{{\"records\":{},\"sha256\":\"{sha256}\"}}}}\n", of_format_1.len());
    text.push_str(&total);
    assert!(read(text.as_bytes(), 4_096).expect("whole") == of_format_1);
}

/// What format 1 wrote of an account, a login and a group.
#[test]
fn rows_of_format_1_say_what_they_said() {
    let line = |text: &str| {
        let line: super::wire::Line<'_> = serde_json::from_str(text).expect("a line");
        line.into_record().expect("valid").expect("a record")
    };
    let account =
        r#"{"account":{"id":7,"username":"ann","email":"a@b.c","name":"","password":null,"active":false,"created_at":5,"version":1}}"#;
    let Record::Account(account) = line(account) else { unreachable!("an account") };
    assert_eq!((account.row.standing, account.row.updated_at), (Standing::Banned, Timestamp(5)));
    assert_eq!((account.row.privacy, account.row.picture, account.row.staff), (Privacy::default(), None, false));
    let group = r#"{"group":{"group":9,"name":"g","members":2,"created_at":-7,"version":4}}"#;
    let Record::Group { row, .. } = line(group) else { unreachable!("a group") };
    assert_eq!((row.open, row.about.as_str(), row.updated_at), (false, "", Timestamp(-7)));
}

#[test]
fn what_is_no_whole_export_says_what_it_is() {
    for nothing in ["", "\n", "hello\n", "{}\n", "{\"section\":\"logs\"}\n", "no end"] {
        assert_eq!(read(nothing.as_bytes(), 100), Err(ReadError::NoExport), "{nothing:?}");
    }
    assert_eq!(read(&replaced("\"format\":2", "\"format\":3"), 100), Err(ReadError::Newer { found: 3 }));
    assert_eq!(read(&[&EXPORT[..], b"\n"].concat(), 100), Err(ReadError::Behind));
    assert_eq!(read(&[&EXPORT[..], b"x"].concat(), 100), Err(ReadError::Behind));
    let cut = read(&EXPORT[..EXPORT.len() / 2], 100).expect_err("cut");
    assert!(matches!(cut, ReadError::Truncated { .. }) && cut.to_string().contains("make a new one"), "{cut}");
    let altered = read(&replaced("message 2", "massage 2"), 100).expect_err("altered");
    assert!(matches!(altered, ReadError::Section { section: "logs", .. }), "{altered}");
    assert_eq!(read(&replaced("0.1.0", "0.1.1"), 100), Err(ReadError::Whole));
    assert!(matches!(read(&replaced("\"owner\"", "\"king\""), 100), Err(ReadError::Damaged { .. })));
    let endless = [b"{\"parlance_export\":", &vec![b' '; LINE_BYTES_MAX + 9][..]].concat();
    assert_eq!(read(&endless, 4_096), Err(ReadError::NoExport));
}

#[test]
fn secrets_stay_out_of_refusals() {
    let refused = read(&replaced("\"$argon2id$v=19$m=1$a$b\",\"active\":true", "\"$argon2id$v=19$m=1$a$b\",\"active\":1"), 100);
    let sentence = refused.expect_err("no boolean").to_string();
    assert!(sentence.contains("line ") && !sentence.contains("argon2"), "{sentence}");
}

/// Not a sample: each byte there is.
#[test]
fn an_export_cut_off_at_any_byte_is_refused() {
    for end in 0..EXPORT.len() {
        assert!(read(&EXPORT[..end], usize::MAX).is_err(), "cut off at byte {end}");
    }
}

#[test]
fn an_export_with_any_bit_of_its_ends_flipped_is_refused() {
    let length = EXPORT.len();
    for place in (0..400).chain(length - 400..length) {
        for bit in 0..8 {
            let mut flipped = EXPORT.clone();
            flipped[place] ^= 1 << bit;
            assert!(read(&flipped, usize::MAX).is_err(), "bit {bit} of byte {place}");
        }
    }
}

#[test]
fn a_line_left_out_doubled_or_exchanged_is_refused() {
    let lines: Vec<_> = EXPORT.split_inclusive(|byte| *byte == b'\n').collect();
    for place in 0..lines.len() {
        let mut without = lines.clone();
        without.remove(place);
        assert!(read(&without.concat(), usize::MAX).is_err(), "without line {place}");
        let mut doubled = lines.clone();
        doubled.insert(place, lines[place]);
        assert!(read(&doubled.concat(), usize::MAX).is_err(), "line {place} twice");
        let mut exchanged = lines.clone();
        exchanged.swap(place, (place + 1) % lines.len());
        assert!(read(&exchanged.concat(), usize::MAX).is_err(), "line {place} exchanged");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn an_export_with_any_byte_altered_is_refused(place in 0..EXPORT.len(), by in 1_u8..) {
        let mut altered = EXPORT.clone();
        altered[place] = altered[place].wrapping_add(by);
        prop_assert!(read(&altered, 64 * 1_024).is_err());
    }

    #[test]
    fn any_bytes_give_an_answer(bytes: Vec<u8>) {
        prop_assert!(read(&bytes, 10).is_err());
        let header = EXPORT.iter().position(|byte| *byte == b'\n').expect("a header") + 1;
        prop_assert!(read(&[&EXPORT[..header], &bytes].concat(), 10).is_err());
    }
}
