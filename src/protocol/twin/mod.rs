//! The REST twin of every op (P47): one table, from which the routes, the reading of requests and the documents are made.
//!
//! An HTTP request becomes the very `d` that a frame carries and goes through the very same decoder, so both doors are
//! equally strict and name the same fields. An op is added by one row of [`table`]; a test fails while it has none.
//!
//! Read in this order: [`shape`] (what a row says), [`table`], [`read`] (from path, query, body and header to `d`).

pub mod shape;
pub mod table;
pub mod read;
