//! What the tests of the native protocol share: a value of their own that spells both encodings without the server's
//! codec, and the way from a request to such a value.

pub(crate) mod tree;
pub(crate) mod requests;
