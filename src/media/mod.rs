//! Files that people send: where their bytes lie, what they are, and the small images made of them (M1–M4).
//!
//! It implements [`actors::media::Library`] and knows no HTTP. It judges nobody: who may read a file is asked before it
//! comes here.
//!
//! | file | what |
//! |---|---|
//! | [`depot`] | the bytes, in a folder or a bucket, each file under its id; nothing of a file that was not taken in stays |
//! | [`sniffer`] | what a file is, by its content, while it comes |
//! | [`darkroom`] | images: declared size first, then decoding, a few at a time, within memory and time |
//! | [`library`] | a file from its first byte to its row, and out again; what falls due |
//!
//! Limits: `media_bytes`, `media_quota`, `image…`, `media_sweep`.

pub mod depot;
pub mod sniffer;
pub mod darkroom;
pub mod library;
#[cfg(test)]
mod tests;
